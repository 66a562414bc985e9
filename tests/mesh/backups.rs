//! Backups of a node that goes on, and what becomes of a node that is put back from one.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use super::support::{Mesh, Ran, Running, meridian, scratch, until};

const SQL: &str = "SELECT borough_gss, COUNT(*) AS fires FROM lfb.incidents GROUP BY borough_gss";

fn run(arguments: &[&str]) -> Ran {
    Running::start(meridian().args(arguments)).end()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The records of a body's log as others have confirmed them.
fn confirmed(mesh: &Mesh, body: &str) -> u64 {
    let held = fs::read_to_string(mesh.folder(body).join("state/audit/checkpoint")).unwrap_or_default();
    held.lines().nth(1).and_then(|line| line.parse().ok()).unwrap_or_default()
}

#[test]
fn a_node_that_went_on_after_its_backup_is_put_back_with_its_newest_log_alone() {
    let mesh = Mesh::small();
    let answer = mesh.ask(SQL).csv().iter().map(|row| row.join(",")).collect::<Vec<_>>();
    let folder = mesh.folder("lfb");
    let config = folder.join("node.toml");
    let kept = scratch("backup");
    fs::create_dir_all(&kept).unwrap();
    let file = kept.join("lfb.tar");
    let backup = |file: &Path| run(&["node", "backup", "--config", text(&config), "--to", text(file)]);
    // While it runs.
    let made = backup(&file);
    made.ok();
    assert!(made.stderr.contains("private keys in the clear"), "{}", made.stderr);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let again = backup(&file);
    assert!(again.fails(2).contains("is there already"), "{}", again.stderr);
    let listed = Running::start(Command::new("tar").arg("-tf").arg(&file)).end();
    for name in [
        "node.toml",
        "identity.pem",
        "datasets/incidents.toml",
        "state/secret.key",
        "state/history.redb",
        "state/audit/journal/",
    ] {
        assert!(
            listed.ok().lines().any(|line| line == name || name.ends_with('/') && line.starts_with(name)),
            "{name} in {}",
            listed.ok()
        );
    }
    let left =
        fs::read_dir(folder.join("state")).unwrap().flatten().map(|entry| entry.file_name().into_string().unwrap());
    assert!(
        left.into_iter().all(|name| !name.starts_with("backup") && !name.contains("copy") && !name.contains("wanted"))
    );

    // It goes on, and others have seen that.
    let before = confirmed(&mesh, "lfb");
    mesh.ask("SELECT year, COUNT(*) AS fires FROM lfb.incidents GROUP BY year").ok();
    until("witnesses have seen more", || {
        let seen = fs::read_to_string(mesh.folder("loda").join("state/witness/lfb/checkpoint")).ok()?;
        let size: u64 = seen.lines().nth(1)?.parse().ok()?;
        (size > before && confirmed(&mesh, "lfb") >= size).then_some(())
    });
    mesh.stop("lfb");
    let lost = kept.join("lost");
    fs::rename(&folder, &lost).unwrap();

    let restored = run(&["node", "restore", text(&file), "--dir", text(&folder)]);
    restored.ok();
    for words in ["the node of lfb as of", "answers nothing", "state/audit", "node check"] {
        assert!(restored.stderr.contains(words), "{words}: {}", restored.stderr);
    }
    assert_eq!(fs::metadata(folder.join("state/secret.key")).unwrap().permissions().mode() & 0o777, 0o600);
    // Rows are not in a backup: they come from where they came from.
    put_rows_back(&lost, &folder);
    mesh.spawn("lfb", &mut mesh.serve("lfb"));
    until("it says why it answers nothing", || {
        mesh.log("lfb").contains("is not the one that was witnessed").then_some(())
    });
    let refused = mesh.ask(SQL);
    assert!(refused.fails(1).contains("has seen"), "{}", refused.stderr);
    let checked = run(&["node", "check", "--config", text(&config)]);
    assert!(String::from_utf8_lossy(&checked.stdout).contains("FAULT   node.ready"), "{}", checked.stderr);
    mesh.stop("lfb");

    // The newest log is put in its place, as the advice says, all together.
    for name in ["audit", "history.redb", "rights.sealed"] {
        let (from, to) = (lost.join("state").join(name), folder.join("state").join(name));
        if from.exists() {
            let _ = fs::remove_dir_all(&to);
            let _ = fs::remove_file(&to);
            fs::rename(from, to).unwrap();
        }
    }
    mesh.start("lfb");
    // The same question gives the same figures: the secret is the same.
    let now = until("it answers", || Some(mesh.ask(SQL)).filter(|ran| ran.code == Some(0)));
    assert_eq!(now.csv().iter().map(|row| row.join(",")).collect::<Vec<_>>(), answer);
}

fn put_rows_back(from: &Path, to: &Path) {
    let copied = Running::start(Command::new("cp").args(["-rn"]).arg(from.join("data")).arg(to)).end();
    assert_eq!(copied.code, Some(0), "{}", copied.stderr);
}

#[test]
fn a_backup_is_sealed_or_without_keys_as_it_is_told() {
    let mesh = Mesh::prepared();
    mesh.start("gla");
    mesh.stop("gla");
    let folder = mesh.folder("gla");
    let config = folder.join("node.toml");
    let kept = scratch("backup");
    fs::create_dir_all(&kept).unwrap();
    let (sealed, bare, words) = (kept.join("sealed"), kept.join("bare"), kept.join("words"));
    fs::write(&words, "correct horse battery staple\n").unwrap();
    let with = ["node", "backup", "--config", text(&config), "--to", text(&sealed), "--passphrase-file", text(&words)];
    fs::set_permissions(&words, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(run(&with).fails(2).contains("chmod 600"));
    fs::set_permissions(&words, fs::Permissions::from_mode(0o600)).unwrap();
    let made = run(&with);
    made.ok();
    assert!(made.stderr.contains("is sealed under the passphrase"), "{}", made.stderr);
    let bytes = fs::read(&sealed).unwrap();
    for word in ["PRIVATE KEY", "node.toml", "federation"] {
        assert!(!bytes.windows(word.len()).any(|window| window == word.as_bytes()), "{word}");
    }
    let back = kept.join("back");
    let without = run(&["node", "restore", text(&sealed), "--dir", text(&back)]);
    assert!(without.fails(2).contains("--passphrase-file"), "{}", without.stderr);
    let restore = ["node", "restore", text(&sealed), "--dir", text(&back), "--passphrase-file", text(&words)];
    run(&restore).ok();
    for name in ["node.toml", "identity.pem", "state/secret.key", "state/membership"] {
        assert_eq!(fs::read(back.join(name)).unwrap(), fs::read(folder.join(name)).unwrap(), "{name}");
    }
    assert!(run(&restore).fails(2).contains("is not empty"));
    // One byte less or another one is noticed.
    let mut damaged = bytes.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    for (number, bytes) in [damaged, bytes[..bytes.len() - 1].to_vec()].into_iter().enumerate() {
        let (file, dir) = (kept.join(format!("damaged{number}")), kept.join(format!("from{number}")));
        fs::write(&file, bytes).unwrap();
        let ran = run(&["node", "restore", text(&file), "--dir", text(&dir), "--passphrase-file", text(&words)]);
        assert!(ran.fails(2).contains("no backup that can be read"), "{}", ran.stderr);
    }
    let made = run(&["node", "backup", "--config", text(&config), "--to", text(&bare), "--without-keys"]);
    made.ok();
    assert!(made.stderr.contains("neither secret nor private keys"), "{}", made.stderr);
    assert!(!String::from_utf8_lossy(&fs::read(&bare).unwrap()).contains("PRIVATE KEY"));
    let dir = kept.join("bare-back");
    let restored = run(&["node", "restore", text(&bare), "--dir", text(&dir)]);
    assert!(restored.code == Some(0) && restored.stderr.contains("holds no keys"), "{}", restored.stderr);
    assert!(dir.join("node.toml").exists() && !dir.join("state/secret.key").exists());
    assert!(!dir.join("identity.pem").exists());
}
