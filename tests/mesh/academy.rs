//! The lessons of `examples/academy`, each run as somebody would run it, and none leaves a process behind.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::support::{Running, nodes_below, scratch};

/// The folder of the lessons.
fn academy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/academy")
}

/// Runs a lesson by its number, in a folder of its own, to its end.
fn lesson(number: u32) {
    let begins = format!("{number}-");
    let mut found = std::fs::read_dir(academy()).expect("the academy").flatten().map(|entry| entry.path());
    let script = found.find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&begins)));
    let script = script.unwrap_or_else(|| panic!("there is no lesson {number}"));
    let folder = scratch("academy");
    let program = Path::new(env!("CARGO_BIN_EXE_meridian")).parent().expect("a folder");
    let mut path = vec![program.to_owned()];
    path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    let mut command = Command::new(&script);
    command.arg(&folder).env("PATH", std::env::join_paths(path).expect("a search path")).env_remove("RUST_BACKTRACE");
    let ran = Running::start(&mut command).end();
    let told = String::from_utf8_lossy(&ran.stdout);
    assert_eq!(ran.code, Some(0), "{}\n{told}\n{}", script.display(), ran.stderr);
    assert!(told.contains(&format!("── Lesson {number}: ")) && told.contains("── What you have done"), "{told}");
    assert_eq!(nodes_below(&folder), [0; 0], "a lesson leaves nothing running");
}

macro_rules! lessons {
    ($($name:ident = $number:literal,)*) => {
        $(#[test] fn $name() { lesson($number); })*

        #[test]
        fn every_lesson_is_run_and_stands_in_the_index() {
            let index = std::fs::read_to_string(academy().join("README.md")).unwrap();
            let numbers = [$($number),*];
            let scripts = std::fs::read_dir(academy()).unwrap().flatten().map(|entry| entry.file_name());
            let scripts: Vec<String> = scripts.map(|name| name.into_string().unwrap()).collect();
            let lessons: Vec<&String> = scripts.iter().filter(|name| name.starts_with(|c: char| c.is_ascii_digit())).collect();
            assert_eq!(lessons.len(), numbers.len(), "{lessons:?}");
            assert!(lessons.iter().all(|name| index.contains(&format!("]({name})"))), "{lessons:?}");
        }
    };
}

lessons! {
    a_body_joins_and_publishes = 1,
    an_analyst_asks = 2,
    an_agreement_is_drafted_signed_and_used = 3,
    a_refusal_and_how_to_get_what_is_needed = 4,
    reading_a_receipt = 5,
    the_rights_of_a_person = 6,
    a_sprint = 7,
    when_one_machine_is_not_enough = 8,
}
