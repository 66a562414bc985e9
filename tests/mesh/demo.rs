//! `meridian demo`: 36 bodies answer a joint question, rightly, and no process survives it.

use std::fs;

use meridian_examples::london;

use super::support::{
    Demo, PATIENCE, Ran, Running, meridian, nodes_below, published_files, python, scratch, send_signal, until,
};

const HEADING: [&str; 5] = ["borough_gss", "borough", "fires", "households", "fires_per_1000"];

/// Writes an answer to a file, for a script to look at.
fn kept(ran: &Ran) -> String {
    let file = scratch("answer").join("answer.csv");
    fs::write(&file, ran.ok()).unwrap();
    file.to_str().unwrap().to_owned()
}

fn assert_ranked(ran: &Ran, boroughs: usize) {
    let rows = ran.csv();
    assert_eq!(rows[0], HEADING);
    assert_eq!(rows.len(), boroughs + 1, "{}", ran.ok());
    let rates: Vec<f64> = rows[1..].iter().map(|row| row[4].parse().unwrap()).collect();
    assert!(rates.is_sorted_by(|a, b| a >= b), "most risk first: {rates:?}");
}

#[test]
fn all_36_bodies_answer_the_fire_risk_question() {
    let demo = Demo::full();
    assert_ranked(&demo.ran, 33);
    let rows = demo.ran.csv();
    let of = |column: usize| rows[1..].iter().map(|row| row[column].parse::<u64>().unwrap()).sum::<u64>();
    // Census 2021, and a published count of one borough, each cell with noise of at most five units.
    let near = |found: u64, published: u64, noise: u64| found.abs_diff(published) <= noise;
    assert!(near(of(3), 3_423_897, 33 * 50), "{}", of(3));
    let camden = rows.iter().find(|row| row[0] == "E09000007").unwrap();
    assert_eq!(camden[1], "Camden");
    assert!(near(camden[2].parse().unwrap(), 785, 5), "{}", camden[2]);
    for (borough, gss) in london::boroughs().iter().map(|borough| (borough.name, borough.gss)) {
        assert!(rows.iter().any(|row| row[..2] == [gss, borough]), "{borough} is missing");
    }
    let said = &demo.ran.stderr;
    assert!(said.contains("36 nodes are ready") && said.contains("36 releases, all signatures hold"), "{said}");
    assert_eq!(demo.left, [0; 0]);
}

#[test]
fn the_demo_counts_as_another_engine_counts_over_the_same_rows() {
    let demo = Demo::full();
    let answer = kept(&demo.ran);
    python("generated.py", &[demo.dir.to_str().unwrap(), "fire_risk", &answer]).ok();
}

#[test]
fn a_small_demo_asks_the_chosen_boroughs_only() {
    let demo = Demo::small();
    assert_ranked(&demo.ran, 3);
    let answer = kept(&demo.ran);
    python("generated.py", &[demo.dir.to_str().unwrap(), "fire_risk", &answer]).ok();
    assert_eq!(demo.left, [0; 0]);
}

#[test]
fn published_files_give_what_another_engine_reads_in_them() {
    let Some(data) = published_files() else {
        eprintln!("there are no published files beside the checkout: nothing to compare");
        return;
    };
    let dir = scratch("published");
    let mut command = meridian();
    command.args(["demo", "--once", "--format", "csv", "--data"]).arg(&data).arg("--dir").arg(&dir);
    let ran = Running::start(&mut command).end();
    assert_ranked(&ran, 33);
    python("fire_risk.py", &[data.to_str().unwrap(), &kept(&ran)]).ok();
    assert_eq!(nodes_below(&dir), [0; 0]);
}

/// A demo that stays up, from the moment at which `nodes` of its processes are there.
fn staying(options: &[&str]) -> (Running, std::path::PathBuf) {
    let dir = scratch("demo");
    let mut command = meridian();
    command.args(["demo", "--format", "csv", "--bodies", "city", "--dir"]).arg(&dir).args(options);
    (Running::start(&mut command), dir)
}

#[test]
fn no_process_survives_the_demo_however_it_ends() {
    for signal in ["KILL", "INT", "TERM", "HUP"] {
        let (demo, dir) = staying(&[]);
        until("four nodes are there", || {
            assert!(demo.is_running(), "the demo ended too early");
            (nodes_below(&dir).len() == 4).then_some(())
        });
        send_signal(demo.id(), signal);
        let ran = demo.end();
        assert!(!ran.stderr.contains("panicked"), "{signal}: {}", ran.stderr);
        if signal == "KILL" {
            assert_eq!(ran.code, None);
        }
        until(&format!("after {signal} no node is left ({} s)", PATIENCE.as_secs()), || {
            nodes_below(&dir).is_empty().then_some(())
        });
    }
}

#[test]
fn a_demo_that_answered_and_is_killed_leaves_no_process() {
    let (demo, dir) = staying(&[]);
    // LODA's log tells the end of the answer: from then on the demo waits for Ctrl-C.
    let log = dir.join("loda/state/audit/journal/00000000000000000000");
    until("the demo has answered", || {
        assert!(demo.is_running(), "the demo ended too early");
        fs::read(&log).is_ok_and(|log| String::from_utf8_lossy(&log).contains("\"completed\"")).then_some(())
    });
    assert_eq!(nodes_below(&dir).len(), 4);
    send_signal(demo.id(), "KILL");
    demo.end();
    until("no node is left", || nodes_below(&dir).is_empty().then_some(()));
}

#[test]
fn an_unknown_borough_and_a_folder_in_use_are_refused_before_anything_starts() {
    let dir = scratch("demo");
    fs::write(dir.join("mine"), "x").unwrap();
    for (options, words) in [
        (vec!["--bodies", "camdn"], ["camdn", "camden"]),
        (vec!["--bodies", "city", "--dir", dir.to_str().unwrap()], ["is not empty", "--dir"]),
        (vec!["--bodies", "city", "--data", "/nowhere"], ["published file /nowhere", "folder that holds it"]),
    ] {
        let ran = Running::start(meridian().args(["demo", "--once"]).args(&options)).end();
        let said = ran.fails(if options.contains(&"--data") { 1 } else { 2 });
        assert!(words.iter().all(|word| said.contains(word)), "{options:?}: {said}");
    }
    assert_eq!(fs::read_to_string(dir.join("mine")).unwrap(), "x");
}
