//! Wrong input: a clear error that names place and remedy, and nothing is lost.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::support::{Mesh, Ran, Running, until};

/// Asks, and gives back what was complained of.
#[track_caller]
fn complaint(mesh: &Mesh, sql: &str) -> String {
    mesh.ask(sql).fails(1).to_owned()
}

#[test]
fn bad_sql_is_shown_with_line_column_and_caret() {
    let mesh = Mesh::shared();
    let mut wrong = Vec::new();
    for (sql, place, word) in [
        ("SELEC 1", "line 1, column 1", "SELEC"),
        ("SELECT gss\nFROM gla.boroughs\nWHERE", "line 3", "WHERE"),
        ("SELECT gss\nFRM gla.boroughs", "line 2", "FRM"),
        ("SELECT gss FROM gla.boroughs WHERE gss = 'x", "line 1", "'x"),
        ("SELECT gss,\n  nam\nFROM gla.boroughs", "line 2, column 3", "nam"),
        ("SELECT gss\nFROM gla.boroughs\nORDER BY colour", "line 3, column 10", "colour"),
        ("SELECT nosuch(gss) FROM gla.boroughs", "line 1, column 8", "nosuch"),
        ("SELECT COUNT(*) FROM lfb.incidents\nWHERE easting > 0", "line 2, column 7", "easting"),
    ] {
        let said = complaint(mesh, sql);
        let lines: Vec<&str> = said.lines().collect();
        let caret = lines.iter().position(|line| line.trim_end().ends_with('^'));
        let shown = caret.is_some_and(|caret| lines[caret - 1].contains(word));
        if !said.contains(place) || !shown {
            wrong.push(format!("{sql:?} at {place}, a caret below {word}: {said}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    mesh.assert_sound();
}

#[test]
fn the_caret_points_into_the_analysts_own_text() {
    let mesh = Mesh::shared();
    let said = complaint(mesh, "SET purpose = 'fire-risk'; SELECT nam FROM gla.boroughs");
    assert!(said.contains("line 1, column 35"), "{said}");
    let explained = mesh.run(&["explain", "\n          SELECT nam FROM gla.boroughs"]);
    assert!(explained.fails(1).contains("line 2, column 18"), "{}", explained.stderr);
}

#[test]
fn unknown_names_are_said_with_what_there_is() {
    let mesh = Mesh::shared();
    let mut wrong = Vec::new();
    for (sql, words) in [
        ("SELECT * FROM lfb.nothing", ["lfb.nothing", "incidents"]),
        ("SELECT * FROM lbf.incidents", ["lbf", "lfb"]),
        ("SELECT * FROM paris.lfb.incidents", ["paris", "london"]),
        ("SELECT * FROM every.buildings", ["buildings", "dwellings"]),
        ("SELECT nam FROM gla.boroughs", ["nam", "name"]),
        ("SELECT COUNT(*) FROM lfb.incidents GROUP BY borough", ["borough", "borough_gss"]),
    ] {
        let said = complaint(mesh, sql);
        if !words.iter().all(|word| said.contains(word)) {
            wrong.push(format!("{sql} wants {words:?}: {said}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn statements_that_are_no_query_are_refused() {
    let mesh = Mesh::shared();
    for sql in [
        "DROP TABLE gla.boroughs",
        "INSERT INTO gla.boroughs VALUES (1)",
        "SET time_zone = 'UTC'",
        "SELECT 1; SELECT 2",
    ] {
        let said = complaint(mesh, sql);
        let words = ["only a query", "SET changes nothing", "2 statements"];
        assert!(words.iter().any(|word| said.contains(word)), "{sql}: {said}");
    }
    let empty = mesh.ask("  -- nothing");
    assert!(empty.fails(2).contains("empty"), "{}", empty.stderr);
}

#[test]
fn the_command_line_says_what_it_needs() {
    let mesh = Mesh::shared();
    let profile = mesh.profile();
    let without = Running::start(super::support::meridian().args(["query", "SELECT 1"])).end();
    assert!(without.fails(2).contains("--profile"), "{}", without.stderr);
    for (arguments, word) in [
        (vec!["query", "--node", "http://127.0.0.1:1", "SELECT 1"], "mutual TLS"),
        (vec!["query", "--cert", "/nowhere/asha.pem", "SELECT 1"], "/nowhere/asha.pem"),
        (vec!["query", "--cert", profile.to_str().unwrap(), "SELECT 1"], "profile.toml"),
        (vec!["query", "-f", "/nowhere/query.sql"], "/nowhere/query.sql"),
    ] {
        let ran = mesh.run(&arguments);
        assert!(matches!(ran.code, Some(1 | 2)) && ran.stdout.is_empty(), "{arguments:?}: {ran:?}");
        assert!(ran.stderr.contains(word), "{arguments:?}: {}", ran.stderr);
    }
}

fn append(file: &Path, text: &str) {
    OpenOptions::new().append(true).open(file).unwrap().write_all(text.as_bytes()).unwrap();
}

/// A line that is no record, or whose value is none, and what the node's log says of it.
const BROKEN: [(&str, &str); 3] = [
    ("990019999999991,Flat or maisonette,No,,1,SECRET-SURPLUS\n", "fields"),
    ("990019999999992,Flat or maisonette,No,,SECRET-NUMBER\n", "households"),
    ("990019999999993,\"SECRET-OPEN,No,,1\n", "quote"),
];

#[test]
fn a_broken_line_is_named_to_the_operator_and_its_dataset_alone_is_out_of_order() {
    for (line, fault) in BROKEN {
        let mesh = Mesh::prepared();
        let file = mesh.folder("city").join("data/dwellings.csv");
        let whole = fs::read_to_string(&file).unwrap();
        append(&file, line);
        let number = format!("line {}", whole.lines().count() + 1);
        mesh.start_each();
        let sql = "SELECT accommodation_type, SUM(households) AS n FROM city.dwellings GROUP BY accommodation_type";
        for sql in [sql, &sql.replace("city.", "every.")] {
            let said = complaint(&mesh, sql);
            assert!(said.contains("city") && said.contains("dwellings"), "{said}");
            assert!(!said.contains("SECRET"), "{said}");
        }
        let log = mesh.log("city");
        let told =
            log.lines().any(|line| line.contains("dwellings.csv") && line.contains(&number) && line.contains(fault));
        assert!(told, "the node's log tells {number} and {fault}: {log}");
        assert!(!log.contains("SECRET"), "{log}");
        // All else goes on.
        assert_eq!(mesh.ask(&sql.replace("city.", "camden.")).csv().len(), 6);
        assert_eq!(mesh.ask("SELECT gss FROM gla.boroughs").csv().len(), 34);
        // It comes back when the file is whole again, and nobody has to restart anything.
        fs::write(&file, whole).unwrap();
        until("the dataset is in order again", || (mesh.ask(sql).code == Some(0)).then_some(()));
    }
}

#[test]
fn a_snapshot_stands_whatever_becomes_of_the_file() {
    let mesh = Mesh::small();
    let file = mesh.folder("lfb").join("data/dwelling_fires.csv");
    let sql = "SELECT borough_gss, COUNT(*) AS n FROM lfb.incidents GROUP BY borough_gss";
    let before = mesh.ask(sql).ok().to_owned();
    let heading = fs::read_to_string(&file).unwrap().lines().next().unwrap().to_owned();
    fs::write(&file, heading + "\n").unwrap();
    mesh.stop("lfb");
    mesh.start("lfb");
    assert_eq!(mesh.ask(sql).ok(), before, "the same rows and the same noise after a restart");
}

#[test]
fn a_file_that_goes_away_puts_its_dataset_out_of_order() {
    let mesh = Mesh::small();
    let description = mesh.folder("lfb").join("datasets/incidents.toml");
    let live = fs::read_to_string(&description).unwrap().replace("threshold = 10", "threshold = 10\nas_of = \"live\"");
    mesh.stop("lfb");
    fs::write(&description, live).unwrap();
    mesh.start("lfb");
    let file = mesh.folder("lfb").join("data/dwelling_fires.csv");
    fs::rename(&file, file.with_extension("away")).unwrap();
    let sql = "SELECT COUNT(*) > 80000 AS many FROM lfb.incidents";
    let said = until("the node notices", || {
        let ran = mesh.ask(sql);
        (ran.code == Some(1)).then_some(ran.stderr)
    });
    assert!(said.contains("lfb") && said.contains("incidents"), "{said}");
    fs::rename(file.with_extension("away"), &file).unwrap();
    until("it comes back", || (mesh.ask(sql).code == Some(0)).then_some(()));
}

/// Runs a body's node that is expected not to come up.
fn does_not_start(mesh: &Mesh, body: &str) -> Ran {
    Running::start(&mut mesh.serve(body)).end()
}

#[test]
fn a_port_in_use_is_named_with_what_to_do() {
    let mesh = Mesh::small();
    let ran = does_not_start(&mesh, "gla");
    let said = ran.fails(1);
    let address = mesh.address("gla").to_string();
    assert!(said.contains(&address) && said.contains("in use") && said.contains("listen"), "{said}");
    mesh.ask("SELECT gss FROM gla.boroughs").ok();
}

/// Has a body's certificate and its key in a file each, as when they are not renewed by themselves.
fn in_two_files(mesh: &Mesh, body: &str) -> (PathBuf, PathBuf) {
    let folder = mesh.folder(body);
    let (cert, key) = (folder.join("node.pem"), folder.join("node.key"));
    let text = fs::read_to_string(folder.join("identity.pem")).unwrap();
    let sections = text.split_inclusive("-----\n").collect::<Vec<_>>();
    let (certificates, keys): (Vec<&[&str]>, Vec<_>) =
        sections.chunks(2).partition(|section| section.concat().contains("BEGIN CERTIFICATE"));
    fs::write(&cert, certificates.concat().concat()).unwrap();
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&key).unwrap();
    fs::write(&key, keys.concat().concat()).unwrap();
    let file = folder.join("node.toml");
    let text = fs::read_to_string(&file).unwrap();
    let text = text.replace("cert = \"identity.pem\"", "cert = \"node.pem\"");
    fs::write(file, text.replace("key = \"identity.pem\"", "key = \"node.key\"")).unwrap();
    (cert, key)
}

#[test]
fn a_certificate_or_key_that_can_not_be_used_is_named_with_what_to_do() {
    let mesh = Mesh::prepared();
    let (cert, key) = in_two_files(&mesh, "gla");
    let (good_cert, good_key) = (fs::read(&cert).unwrap(), fs::read(&key).unwrap());
    let text = String::from_utf8(good_cert.clone()).unwrap();
    let cut = text[..text.len() / 2].to_owned();
    let scrambled = text.replacen("MII", "AAA", 1);
    for broken in ["", "hello", &cut, &scrambled, &text.replace("CERTIFICATE", "CERTIFICAT")] {
        fs::write(&cert, broken).unwrap();
        let ran = does_not_start(&mesh, "gla");
        assert!(ran.fails(1).contains("node.pem"), "{broken}: {}", ran.stderr);
    }
    // Somebody else's certificate, with this node's key and with its own.
    let (lfb_cert, lfb_key) = in_two_files(&mesh, "lfb");
    fs::copy(lfb_cert, &cert).unwrap();
    assert!(does_not_start(&mesh, "gla").fails(1).contains("does not belong to"));
    fs::copy(lfb_key, &key).unwrap();
    let ran = does_not_start(&mesh, "gla");
    let said = ran.fails(1);
    assert!(said.contains("body/lfb/node") && said.contains("body/gla/node"), "{said}");

    fs::write(&cert, good_cert).unwrap();
    fs::write(&key, good_key).unwrap();
    for mode in [0o644, 0o640, 0o604] {
        fs::set_permissions(&key, fs::Permissions::from_mode(mode)).unwrap();
        let ran = does_not_start(&mesh, "gla");
        let said = ran.fails(1);
        assert!(said.contains("node.key") && said.contains("chmod 600"), "{said}");
    }
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    mesh.start("gla");
}

/// A file, what is done to it, and the words of the complaint.
type Misconfigured = (&'static str, fn(&str) -> String, &'static [&'static str]);

#[test]
fn a_configuration_that_can_not_be_meant_is_named_with_file_line_and_fix() {
    let mesh = Mesh::prepared();
    let folder = mesh.folder("lfb");
    let cases: [Misconfigured; 8] = [
        ("node.toml", |text| text.replacen("listen =", "lisen =", 1), &["lisen", "listen"]),
        ("node.toml", |text| format!("colour = \"red\"\n{text}"), &["node.toml:1:", "colour"]),
        ("node.toml", |text| text.replacen("key = \"identity.pem\"", "key = \"nobody.key\"", 1), &["nobody.key"]),
        ("node.toml", |text| text.replacen("body = \"lfb\"", "body = \"LFB!\"", 1), &["LFB!", "lower-case"]),
        ("datasets/incidents.toml", |text| text.replacen("threshold = 10", "threshold = 1", 1), &["threshold", "3"]),
        ("datasets/incidents.toml", |text| text.replacen("ranges = true", "range = true", 1), &["range", "ranges"]),
        ("agreements/fire-risk-2026.toml", |text| text.replacen("\"incidents\"", "\"incident\"", 1), &["incident"]),
        (
            "agreements/fire-risk-2026.toml",
            |text| text.replacen("\"statistics\"", "\"rows\"", 1),
            &["rows", "statistics"],
        ),
    ];
    for (name, change, words) in cases {
        let file = folder.join(name);
        let text = fs::read_to_string(&file).unwrap();
        let changed = change(&text);
        assert_ne!(changed, text, "{name}");
        fs::write(&file, &changed).unwrap();
        let ran = does_not_start(&mesh, "lfb");
        let said = ran.fails(1);
        let place = said.find(&format!("{}:", file.file_name().unwrap().to_str().unwrap()));
        let line = said[place.unwrap_or_else(|| panic!("no place: {said}"))..].split(':').nth(1).unwrap();
        assert!(line.parse::<usize>().is_ok(), "a line number: {said}");
        assert!(words.iter().all(|word| said.contains(word)), "{words:?}: {said}");
        fs::write(&file, text).unwrap();
    }
    mesh.start("lfb");
}

#[test]
fn every_problem_of_a_configuration_is_told_at_once() {
    let mesh = Mesh::prepared();
    let file = mesh.folder("lfb").join("node.toml");
    let text = fs::read_to_string(&file).unwrap();
    let text = text.replacen("key = \"identity.pem\"", "key = \"nobody.key\"", 1).replacen("ca.pem", "nothing.pem", 1);
    fs::write(&file, text).unwrap();
    let ran = does_not_start(&mesh, "lfb");
    let said = ran.fails(1);
    assert!(said.contains("nobody.key") && said.contains("nothing.pem"), "{said}");
    let missing = mesh.folder("lfb").join("none.toml");
    let ran = Running::start(super::support::meridian().args(["node", "serve", "--config"]).arg(&missing)).end();
    assert!(ran.fails(1).contains("none.toml"), "{}", ran.stderr);
}
