//! The shell, by its keys at a terminal and from a program: entries of several lines, completion, errors, cancelling, commands,
//! and the history that is its owner's alone.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;

use super::support::{Line, Mesh, Ran, Terminal, scratch, until};

/// A question that each borough answers a part of.
const EVERY: &str = "SELECT borough_gss, SUM(households) AS households FROM every.dwellings GROUP BY borough_gss;\r";

/// A shell at a terminal, whose state lies in this folder.
fn shell(mesh: &Mesh, state: &Path) -> Terminal {
    let mut command = mesh.command(&["shell"]);
    command
        .env("XDG_STATE_HOME", state)
        .env("TERM", "xterm-256color")
        .env_remove("NO_COLOR")
        .env("PAGER", "sed s/^/paged:/");
    let mut shell = Terminal::start(&command);
    shell.until("Ctrl-D to leave");
    shell.until("loda [fire-risk]> ");
    shell
}

/// Types an entry, and waits for what it is to show and for the next prompt.
#[track_caller]
fn enter(shell: &mut Terminal, keys: &str, expected: &str) -> String {
    shell.type_keys(keys);
    let shown = shell.until(expected);
    // Keys that come before it are not the shell's.
    shell.until("]> ");
    shown
}

const HOLD: &str = "all signatures hold";

#[test]
fn questions_are_asked_at_a_terminal() {
    let mesh = Mesh::small();
    let state = scratch("state");
    let mut shell = shell(&mesh, &state);

    // An entry goes on until its semicolon.
    shell.type_keys("SELECT gss,\r");
    shell.until("…");
    let answer = enter(&mut shell, "  name FROM gla.boroughs ORDER BY gss LIMIT 2;\r", HOLD);
    assert!(answer.contains("E09000001") && answer.contains("2 rows"), "{answer}");

    // A column of the dataset that the statement names is completed.
    shell.type_keys("SELECT borough_gss, COUNT(*) FROM lfb.incidents GROUP BY borough_g");
    shell.until("BY borough_g");
    shell.type_keys("\t");
    shell.until("BY borough_gss");
    let answer = enter(&mut shell, ";\r", HOLD);
    // What is longer than the terminal is shown by the pager.
    assert!(answer.contains("paged:E09000007"), "{answer}");

    // An error points into one's own SQL and says what would work.
    let error = enter(&mut shell, "SELECT nme FROM gla.boroughs;\r", "^");
    assert!(error.contains("1 | SELECT nme FROM gla.boroughs"), "{error}");

    let described = enter(&mut shell, "\\d gla.boroughs\r", "Name of the borough");
    assert!(described.contains("open") && described.contains("varchar"), "{described}");
    enter(&mut shell, "\\d gla.borough\r", "did you mean gla.boroughs?");

    // A purpose is the session's.
    enter(&mut shell, "\\purpose curiosity\r", "The purpose is curiosity");
    enter(&mut shell, "SELECT COUNT(*) FROM lfb.incidents;\r", "fire-risk");
    enter(&mut shell, "SET purpose = 'fire-risk';\r", "loda [fire-risk");

    // Ctrl-C ends the question and not the shell; meanwhile it is told whom the answer waits for.
    mesh.signal("hackney", "STOP");
    shell.type_keys(EVERY);
    shell.until(" of 3 bodies done");
    shell.until("hackney                  running");
    enter(&mut shell, "\u{3}", "Cancelled");
    let ended = |line: &Line| line.json["outcome"]["outcome"]["interrupted"].is_object();
    until("the question has ended at the node", || mesh.records("loda").iter().any(ended).then_some(()));
    mesh.signal("hackney", "CONT");
    enter(&mut shell, EVERY, HOLD);
    enter(&mut shell, "\\receipt\r", "commitments");

    // What is on the line is given up by Ctrl-C, and Ctrl-D leaves.
    enter(&mut shell, " SELECT 'not to be kept' AS secret;\r", HOLD);
    shell.type_keys("SELECT given up");
    shell.until("given up");
    enter(&mut shell, "\u{3}", "loda [fire-risk");
    assert!(shell.raw().contains("\u{1b}[1;34mSELECT"), "keywords have no colour");
    shell.type_keys("\u{4}");
    assert_eq!(shell.end(), Some(0));

    let history = state.join("meridian/history");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&history), mode(&state.join("meridian"))), (0o600, 0o700));
    let kept = fs::read_to_string(&history).unwrap();
    assert!(kept.contains("name FROM gla.boroughs ORDER BY gss") && kept.contains("\\purpose curiosity"), "{kept}");
    assert!(!kept.contains("not to be kept"), "{kept}");
    mesh.assert_sound();
}

#[test]
fn what_was_entered_comes_back_and_no_colours_are_shown_where_nobody_wants_them() {
    let mesh = Mesh::small();
    let state = scratch("state");
    let history = state.join("meridian/history");
    fs::create_dir_all(history.parent().unwrap()).unwrap();
    fs::write(&history, "SELECT name FROM gla.boroughs<\\n> WHERE gss = 'E09000007';\n").unwrap();
    fs::set_permissions(&history, fs::Permissions::from_mode(0o644)).unwrap();
    let mut command = mesh.command(&["shell", "--receipt", "none"]);
    command.env("XDG_STATE_HOME", &state).env("TERM", "xterm-256color").env("NO_COLOR", "1");
    let mut shell = Terminal::start(&command);
    shell.until("]> ");
    // Cursor up, then Enter.
    shell.type_keys("\u{1b}[A");
    shell.until("E09000007");
    enter(&mut shell, "\r", "Camden");
    shell.type_keys("\\q\r");
    let raw = shell.raw();
    assert_eq!(shell.end(), Some(0));
    assert!(!raw.contains("\u{1b}[1;34m") && !raw.contains("\u{1b}[32m"), "{raw:?}");
    assert_eq!(fs::metadata(&history).unwrap().permissions().mode() & 0o777, 0o600);
}

/// What a shell does with a script on standard input.
fn piped(mesh: &Mesh, options: &[&str], script: &str) -> Ran {
    let mut command = mesh.command(&[&["shell"], options].concat());
    command.env("XDG_STATE_HOME", scratch("state"));
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.expect("a shell");
    child.stdin.take().expect("a pipe").write_all(script.as_bytes()).expect("a shell that reads");
    Ran::of(child.wait_with_output().expect("its end"))
}

#[test]
fn a_program_gets_answers_alone() {
    let mesh = Mesh::small();
    let folder = scratch("piped");
    let (file, more) = (folder.join("camden.geojson"), folder.join("more.sql"));
    fs::write(&more, "SELECT 2 AS two;\nSELECT 3 AS three\n").unwrap();
    let script = format!(
        "-- the boroughs\nSELECT name\nFROM gla.boroughs WHERE gss = 'E09000007'; SELECT 1 AS one;\n\\i {}\n\\o {}\n\
         SELECT 7 AS fires, st_point(-0.125, 51.5) AS place;\n\\timing on\nSELECT 4 AS four",
        more.display(),
        file.display()
    );
    let ran = piped(&mesh, &["--format", "csv"], &script);
    assert_eq!(ran.ok(), "name\nCamden\none\n1\ntwo\n2\nthree\n3\nfour\n4\n");
    assert!(!ran.stderr.contains('\u{1b}') && !ran.stderr.contains("> "), "{}", ran.stderr);
    assert!(ran.stderr.contains("all signatures hold") && ran.stderr.contains("Time: "), "{}", ran.stderr);
    let written: serde_json::Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!(written["features"][0]["geometry"]["coordinates"], serde_json::json!([-0.125, 51.5]));
    assert_eq!(written["features"][0]["properties"], serde_json::json!({ "fires": 7 }));

    // The first that fails is the last, and where it stands is told.
    let ran =
        piped(&mesh, &["--format", "csv"], "SELECT 1 AS one;\n\nSELECT nme\nFROM gla.boroughs;\nSELECT 2 AS two;\n");
    assert_eq!((ran.code, ran.stdout.as_slice()), (Some(1), &b"one\n1\n"[..]), "{}", ran.stderr);
    assert!(ran.stderr.contains("standard input, line 3: ") && ran.stderr.contains('^'), "{}", ran.stderr);
    let ran = piped(&mesh, &[], "SELECT 'open;\n");
    assert!(ran.fails(2).contains("the quote ' of a text is not closed"), "{}", ran.stderr);
    let ran = piped(&mesh, &[], "\\descrbe\n");
    assert!(ran.fails(2).contains("\\? lists them"), "{}", ran.stderr);

    // Commands answer on standard output.
    let listed = piped(
        &mesh,
        &[],
        "\\d\n\\bodies\n\\agreements\n\\check SELECT gss FROM gla.boroughs\n\\explain\n\\q\nSELECT 1;\n",
    );
    let text = listed.ok();
    for expected in ["lfb.incidents", "camden", "are not open", "Yes: ", "gla"] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
}
