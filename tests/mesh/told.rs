//! Registers that another body tells: what it says of itself counts, and nothing else.

use std::collections::HashMap;
use std::fs;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use chrono::Utc;
use meridian::register::{Place, Registers};
use meridian_certs::Credentials;
use meridian_federation::remote::Peers;
use meridian_proto::{MOST_REGISTER_BYTES, Name, ToldRegister};
use serde_json::{Value, json};

use super::support::{Mesh, Pair};

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn credentials(mesh: &Mesh, Pair { cert, key }: &Pair) -> Arc<Credentials> {
    Credentials::load(&mesh.ca(), cert, key).unwrap()
}

/// The registers that LODA's node keeps; Camden is a member, and Hackney is not.
fn registers(mesh: &Mesh) -> Arc<Registers> {
    let credentials = credentials(mesh, &mesh.node_pair("loda"));
    let members = HashMap::from([(name("camden"), "https://127.0.0.1:1".to_owned())]);
    let peers = Peers::new(name("london"), credentials.client_connector(), members);
    Registers::open(name("loda"), name("london"), credentials, peers, mesh.folder("loda").join("state/registers"))
}

fn now() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

fn camden(title: &str) -> Value {
    let items = json!([{ "dataset": "dwellings", "title": title, "form": "statistics", "columns": ["uprn"],
        "smallest_group": 10, "onward": false }]);
    let months = json!([{ "month": "2026-01", "questions": 1, "interrupted": 0, "unknown": 0,
        "rows": { "from": 1, "to": 9 }, "bytes": { "from": 0, "to": u64::MAX } }]);
    json!({
        "federation": "london", "body": "camden", "title": title, "made": "2026-01-31", "counts_are_recent": false,
        "ended": [], "open": [], "refused": [], "algorithms": [],
        "agreements": [{ "id": "fire-risk-2026", "title": title, "in_force": true, "purpose": title, "benefit": title,
            "legal_power": title, "lawful_basis": title, "parties": ["camden"], "recipients": ["loda"],
            "start": "2026-01-01", "end": "2027-01-01", "contact": "javascript:alert(1)", "items": items,
            "months": months }],
    })
}

#[test]
fn a_body_speaks_for_itself_alone_and_within_bounds() {
    let mesh = Mesh::prepared();
    let registers = registers(&mesh);
    let by = |pair: &Pair, federation: &str, body: &str, version: u64, json: Vec<u8>| {
        let told = ToldRegister { federation: name(federation), body: name(body), version, json };
        registers.accept(credentials(&mesh, pair).sign(told.encode()).unwrap())
    };
    let pair = mesh.node_pair("camden");
    let of_camden = |json: &Value| by(&pair, "london", "camden", now(), serde_json::to_vec(json).unwrap());
    let good = serde_json::to_vec(&camden("Camden")).unwrap();
    let page = |address: &str| registers.view(Utc::now().date_naive()).document(address, None, Place::Served);
    let nothing = |what: &str, taken: Result<bool, String>| {
        assert!(taken.is_err(), "{what}: {taken:?}");
        assert!(page("bodies/camden").unwrap().text.contains("has not heard from it yet"), "{what}");
        assert!(!mesh.folder("loda").join("state/registers/camden.register").exists(), "{what}");
    };
    nothing("of another body", by(&pair, "london", "loda", now(), good.clone()));
    nothing("of another federation", by(&pair, "paris", "camden", now(), good.clone()));
    nothing("of a time to come", by(&pair, "london", "camden", now() + 86_400_000, good.clone()));
    nothing("of no member", by(&mesh.node_pair("hackney"), "london", "hackney", now(), good.clone()));
    nothing("by an analyst", by(&mesh.asha(), "london", "loda", now(), good.clone()));
    let with = |key: &str, value: Value| {
        let mut json = camden("Camden");
        *json.pointer_mut(key).unwrap() = value;
        json
    };
    for (key, value) in [
        ("/body", json!("hackney")),
        ("/federation", json!("paris")),
        ("/made", json!("2026-01-32")),
        ("/title", json!("\u{1b}[2J")),
        ("/title", json!("x".repeat(20_001))),
        ("/agreements/0/id", json!("../../loda")),
        ("/agreements/0/recipients/0", json!("<b>")),
        ("/agreements/0/items/0/form", json!("everything")),
        ("/agreements/0/items/0/dataset", json!("a/b")),
        ("/agreements/0/months/0/month", json!("2026-13")),
        ("/agreements/0/months/0/questions", json!(-1)),
        ("/ended", json!("none")),
    ] {
        nothing(key, of_camden(&with(key, value)));
    }
    for junk in [Vec::new(), b"{".to_vec(), b"[".repeat(100_000), good[..good.len() - 1].to_vec()] {
        nothing("junk", by(&pair, "london", "camden", now(), junk));
    }
    let long = [good.clone(), vec![b' '; MOST_REGISTER_BYTES]].concat();
    nothing("too big", by(&pair, "london", "camden", now(), long));

    // What it says of itself is shown as text, whatever it is.
    let hostile = "<script>alert(1)</script><img src=//evil.example onerror=x> \" onfocus=\"x";
    assert!(of_camden(&camden(hostile)).unwrap());
    for address in ["", "bodies", "bodies/camden", "agreements", "agreements/fire-risk-2026", "datasets"] {
        let text = page(address).unwrap().text;
        for mark in ["<script", "<img", "\" onfocus", "href=\"javascript"] {
            assert!(!text.contains(mark), "{address}: {text}");
        }
    }
    let csv = page("agreements.csv").unwrap().text;
    assert_eq!(csv.lines().count(), 2, "{csv}");

    // Older news is none, and what was taken is there again after a restart.
    assert_eq!(by(&pair, "london", "camden", 1, good.clone()), Ok(false));
    assert_eq!(by(&pair, "london", "camden", now() - 60_000, good), Ok(false));
    let again = self::registers(&mesh).view(Utc::now().date_naive());
    let text = again.document("bodies/camden", None, Place::Served).unwrap().text;
    assert!(text.contains("&lt;script&gt;") && text.contains("not heard of since"), "{text}");
    let file = mesh.folder("loda").join("state/registers/camden.register");
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&file, bytes).unwrap();
    let again = self::registers(&mesh).view(Utc::now().date_naive());
    assert!(again.document("bodies/camden", None, Place::Served).unwrap().text.contains("has not heard from it yet"));
}
