//! Key filters between nodes: the keys of an open dataset go to another body, which sends only the rows that can match.

use std::fmt::Write as _;

use super::support::{Mesh, Ran, until};
use super::terms::Brigade;

/// Houses that the brigade lets LODA see.
const HOUSES: usize = 2_000;
/// Of them those in Camden.
const IN_CAMDEN: [usize; 3] = [7, 700, 1_999];

const QUESTION: &str = "SELECT h.id, b.name FROM lfb.houses h JOIN gla.boroughs b ON b.name = h.street \
                        WHERE b.gss = 'E09000007' ORDER BY h.id";

/// The GLA, LODA and the brigade, up; the brigade has rows for LODA.
fn mesh(grant: impl Fn(&Brigade)) -> Brigade {
    let brigade = Brigade::prepared(0);
    let mut rows = String::from("id,street,note\n");
    for id in 0..HOUSES {
        let street = if IN_CAMDEN.contains(&id) { "Camden" } else { "Elsewhere" };
        writeln!(rows, "{id},{street},none").unwrap();
    }
    brigade.write("data/houses.csv", &rows);
    grant(&brigade);
    ["gla", "lfb", "loda"].into_iter().for_each(|body| brigade.mesh.start(body));
    until("LODA's node knows both datasets", || {
        let listed = brigade.mesh.run(&["catalogue", "--format", "csv"]);
        ["london.lfb.houses", "london.gla.boroughs"].iter().all(|name| listed.ok().contains(name)).then_some(())
    });
    brigade
}

/// The rows that a body's last whole answer had, by its own log.
fn left(mesh: &Mesh, body: &str) -> u64 {
    until("the answer's end is recorded", || {
        let lines = mesh.records(body);
        let (releases, ends) = (
            lines.iter().filter(|line| line.released().is_some()).count(),
            lines.iter().filter(|line| line.outcome_of().is_some()),
        );
        let ends: Vec<_> = ends.collect();
        let rows = || ends.last().and_then(|line| line.json["outcome"]["outcome"]["completed"]["rows"].as_u64());
        (ends.len() == releases).then(rows).flatten()
    })
}

fn whole(ran: &Ran) {
    let expected: String = IN_CAMDEN.iter().map(|id| format!("{id},Camden\n")).collect();
    assert_eq!(ran.ok(), format!("id,name\n{expected}"), "{}", ran.stderr);
}

#[test]
fn only_rows_that_can_match_leave_the_other_body() {
    let brigade = mesh(|_| {});
    let mesh = &brigade.mesh;
    let explained = mesh.run(&["explain", "--", QUESTION]);
    assert!(explained.ok().contains("of london.gla.boroughs, which are open, may be sent along"), "{}", explained.ok());

    let ran = mesh.run(&["query", "--format", "csv", "--receipt", "full", "--", QUESTION]);
    whole(&ran);
    assert_eq!(left(mesh, "lfb"), 3, "{}\n{}", explained.ok(), ran.stderr);
    // What was sent stands in the record that the brigade signed, and is told.
    assert!(ran.stderr.contains("IN ('Camden')"), "{}", ran.stderr);
    assert!(ran.stderr.contains("keys of london.gla.boroughs, which is open, were sent to lfb"), "{}", ran.stderr);
    let asked = mesh.records("lfb").into_iter().rfind(|line| line.released().is_some()).unwrap();
    assert!(asked.json.to_string().contains(" IN ("), "{}", asked.json);

    // A borough that does not exist has no houses, so that nobody is asked for them.
    let asked = || mesh.records("lfb").iter().filter(|line| line.released().is_some()).count();
    let before = asked();
    let none = mesh.ask(&QUESTION.replace("E09000007", "E09CANARY"));
    assert_eq!(none.ok(), "id,name\n");
    assert!(none.stderr.contains("lfb was not asked"), "{}", none.stderr);
    assert_eq!(asked(), before);

    // Rows that stay without a partner are not filtered.
    let outer = QUESTION.replace("JOIN", "LEFT JOIN").replace("WHERE", "AND");
    assert_eq!(mesh.ask(&outer).ok().lines().count(), HOUSES + 1);
    assert_eq!(left(mesh, "lfb"), HOUSES as u64);

    // A partial answer has begun at every body before keys are known.
    whole(&mesh.run(&["query", "--partial", "--format", "csv", "--", QUESTION]));
    assert_eq!(left(mesh, "lfb"), HOUSES as u64);
    mesh.assert_sound();
}

#[test]
fn a_body_that_finds_the_keys_too_long_is_asked_without_them() {
    let brigade = mesh(|brigade| brigade.edit("node.toml", "[limits]", "[limits]\nstatement_bytes = 100"));
    let every = "SELECT h.id, b.name FROM lfb.houses h JOIN gla.boroughs b ON b.name = h.street ORDER BY h.id";
    let ran = brigade.mesh.ask(every);
    whole(&ran);
    assert_eq!(left(&brigade.mesh, "lfb"), HOUSES as u64);
    // They were sent, and LFB's node turned them away before it planned anything.
    let asked = |line: &&str| line.contains("method=\"DoGet\"") && line.contains("call ended");
    let log = until("both calls have ended", || {
        Some(brigade.mesh.log("lfb")).filter(|log| log.lines().filter(asked).count() >= 2)
    });
    let refused = log.lines().filter(asked).filter(|line| !line.contains("outcome=\"Ok\"")).count();
    assert_eq!(refused, 1, "{log}");
}
