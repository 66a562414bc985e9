//! What monitoring reads of a node, as a parser of somebody else's understands it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::TcpStream;

use super::support::{Mesh, PURPOSE, get, python, until};

/// Values by name and labels, as `name{label=value}`.
struct Samples(BTreeMap<String, f64>);

impl Samples {
    /// Read by the parser of Prometheus' own Python client.
    pub(super) fn of(mesh: &Mesh, body: &str) -> Self {
        let ran = python("metrics.py", &[&format!("http://{}/metrics", mesh.health_address(body))]);
        let samples: Vec<(String, BTreeMap<String, String>, f64)> = serde_json::from_str(ran.ok()).unwrap();
        Self(samples.into_iter().map(|(name, labels, value)| (shown(&name, &labels), value)).collect())
    }

    #[track_caller]
    fn get(&self, name: &str) -> f64 {
        *self.0.get(name).unwrap_or_else(|| panic!("no {name} in {:#?}", self.0))
    }

    fn or_none(&self, name: &str) -> f64 {
        self.0.get(name).copied().unwrap_or_default()
    }
}

fn shown(name: &str, labels: &BTreeMap<String, String>) -> String {
    let labels: Vec<String> = labels.iter().map(|(label, value)| format!("{label}={value}")).collect();
    if labels.is_empty() { name.to_owned() } else { format!("{name}{{{}}}", labels.join(",")) }
}

#[test]
fn questions_are_counted_where_they_are_asked_and_where_they_are_answered() {
    let mesh = Mesh::small();
    let before = [Samples::of(&mesh, "loda"), Samples::of(&mesh, "lfb")];
    let asked = "SELECT borough_gss, COUNT(*) AS fires FROM lfb.incidents GROUP BY borough_gss";
    let rows = mesh.ask(asked).csv().len() as f64 - 1.0;
    mesh.ask("SELECT incident_id FROM lfb.incidents").fails(1);
    mesh.ask("SELECT nothing FROM lfb.incidents").fails(1);
    mesh.client("lfb", Some(&mesh.node_pair("gla"))).remote("SELECT * FROM lfb.incidents").unwrap_err();
    // Whoever connects without a certificate is counted, and nobody is named.
    let mut stranger = TcpStream::connect(mesh.address("loda")).unwrap();
    stranger.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let _ = stranger.read_to_end(&mut Vec::new());
    let after = until("it is counted", || {
        let after = [Samples::of(&mesh, "loda"), Samples::of(&mesh, "lfb")];
        let done = after.iter().all(|it| it.get("meridian_questions_running") == 0.0);
        (done && after[0].or_none("meridian_connections_refused_total") > 0.0).then_some(after)
    });
    let grown = |at: usize, name: &str| after[at].or_none(name) - before[at].or_none(name);
    let (loda, lfb) = (|name: &str| grown(0, name), |name: &str| grown(1, name));
    assert_eq!(loda("meridian_questions_total{caller=own,outcome=answered}"), 1.0);
    assert_eq!(loda("meridian_questions_total{caller=own,outcome=invalid}"), 2.0);
    assert_eq!(lfb("meridian_questions_total{caller=other,outcome=refused}"), 1.0);
    assert_eq!(loda("meridian_rows_sent_total{caller=own}"), rows);
    assert_eq!(loda("meridian_question_seconds_count{caller=own}"), 1.0);
    assert!(loda("meridian_sent_bytes_total{caller=own}") > 0.0);
    assert!(loda("meridian_rows_received_total{body=lfb}") >= rows);
    assert!(loda("meridian_received_bytes_total{body=lfb}") > 0.0);
    assert_eq!(lfb("meridian_releases_total{caller=other,form=statistics}"), 1.0);
    assert_eq!(lfb("meridian_questions_total{caller=other,outcome=answered}"), 1.0);
    assert!(lfb("meridian_log_records") >= 2.0);
}

#[test]
fn the_state_of_a_node_is_told() {
    let mesh = Mesh::small();
    mesh.ask("SELECT COUNT(*) FROM gla.boroughs").ok();
    let lfb = until("two others have confirmed the log of LFB", || {
        let lfb = Samples::of(&mesh, "lfb");
        (lfb.get("meridian_log_witnesses") >= 2.0 && lfb.or_none("meridian_peer_up{body=gla}") == 1.0).then_some(lfb)
    });
    assert_eq!(lfb.get("meridian_ready"), 1.0);
    assert_eq!(lfb.get("meridian_log_stopped"), 0.0);
    assert_eq!(lfb.get("meridian_dataset_in_order{dataset=incidents}"), 1.0);
    assert!(lfb.get("meridian_snapshot_age_seconds{dataset=incidents}") < 32.0 * 86400.0);
    assert!((86400.0..8.0 * 86400.0).contains(&lfb.get("meridian_certificate_remaining_seconds")));
    assert!(lfb.get("meridian_membership_version") >= 1.0);
    assert!(lfb.get("meridian_memory_limit_bytes") > lfb.get("meridian_memory_held_bytes"));
    assert!(lfb.get("meridian_log_checkpoint_timestamp_seconds") > 1_700_000_000.0);
    assert_eq!(lfb.get(&format!("meridian_build_info{{version={}}}", env!("CARGO_PKG_VERSION"))), 1.0);
    mesh.stop("gla");
    until("GLA is told to be away", || {
        (Samples::of(&mesh, "lfb").get("meridian_peer_up{body=gla}") == 0.0).then_some(())
    });
    let source = mesh.folder("camden").join("datasets");
    let dataset = std::fs::read_dir(source).unwrap().next().unwrap().unwrap().path();
    let name = dataset.file_stem().unwrap().to_str().unwrap().to_owned();
    assert_eq!(Samples::of(&mesh, "camden").get(&format!("meridian_dataset_in_order{{dataset={name}}}")), 1.0);
}

/// Gains nothing: whoever reads the metrics, which anybody on the machine can, learns neither what was asked nor by whom, and
/// no question makes them grow.
#[test]
fn labels_do_not_grow_with_what_is_asked() {
    let mesh = Mesh::small();
    let text = |body: &str| get(mesh.health_address(body), "/metrics");
    let names = |body: &str| -> BTreeSet<String> {
        let lines = text(body);
        let told = lines.lines().filter(|line| line.starts_with("meridian_"));
        told.filter_map(|line| line.rsplit_once(' ').map(|(name, _)| name.to_owned())).collect()
    };
    // Some of it is answered, some withheld and some refused.
    let ask = |word: &str| {
        for sql in [
            format!("SELECT COUNT(*) AS {word} FROM lfb.incidents WHERE borough_gss = '{word}'"),
            format!("SELECT borough_gss AS {word}, COUNT(*) FROM lfb.incidents GROUP BY borough_gss"),
            format!("SELECT gss AS {word} FROM gla.boroughs WHERE name = '{word}'"),
            format!("SELECT {word} FROM lfb.incidents"),
            format!("SELECT incident_id AS {word} FROM lfb.incidents"),
            format!("SELECT 1 FROM {word}.{word}"),
        ] {
            mesh.ask(&sql);
        }
        mesh.run(&["query", "--purpose", word, "--", "SELECT gss FROM gla.boroughs"]).ok();
    };
    ask("canary_zero");
    let bodies = ["loda", "lfb", "gla"];
    let all = |of: &dyn Fn(&str) -> BTreeSet<String>| bodies.map(of);
    // Whoever has been called by then is known, whatever is asked.
    until("each has called all others", || {
        bodies
            .iter()
            .all(|body| text(body).matches("meridian_peer_up{").count() == mesh.bodies().count() - 1)
            .then_some(())
    });
    let before = all(&names);
    (1..12).for_each(|number| ask(&format!("canary_{number}")));
    assert_eq!(all(&names), before);
    for body in bodies {
        let text = text(body).to_lowercase();
        for word in ["canary", "asha", PURPOSE, "select", "e0900", "incident_id", "borough_gss", "withheld"] {
            assert!(!text.contains(word), "{word} in the metrics of {body}: {text}");
        }
    }
}
