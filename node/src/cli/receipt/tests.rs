//! Records that hold, records that don't, and what a reader sees of each.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use meridian_proto::{DatasetUse, LogKeys, Witnessed};

use super::*;
use crate::audit::{Hash, LogKey, Proof, Signed as Checkpoint, Witness};

fn release(body: &str, form: Form) -> ReleaseRecord {
    ReleaseRecord {
        query_id: "q1".into(),
        federation: "london".into(),
        body: body.into(),
        caller: "spiffe://london/body/loda/node".into(),
        on_behalf_of: String::new(),
        groups: Vec::new(),
        purpose: "fire-risk".into(),
        agreements: vec!["fire-risk-2026".into()],
        datasets: vec![DatasetUse { name: format!("london.{body}.d"), columns: vec!["c".into()], form }],
        sql: "SELECT 1\nFROM t".into(),
        rules: vec!["threshold".into()],
        rows: 33,
        bytes: 1024,
        time_ms: 1_767_225_600_000,
        log_index: 0,
        log_hash: RECORD.to_vec(),
        notices: vec!["groups of fewer than 10 are left out".into()],
        commitment: vec![0xcd; 32],
        closing_commitment: vec![0xef; 32],
        log_key: log_key(body).verifier(),
        log_proof: proof(body),
    }
}

/// A receipt whose records are signed by whom `chain` names, in these tests only.
fn receipt(records: &[(ReleaseRecord, &str)]) -> Receipt {
    let sign = |(record, signer): &(ReleaseRecord, &str)| Signed {
        payload: record.encode(),
        chain: vec![signer.as_bytes().to_vec()],
        signature: Vec::new(),
        scheme: 0,
    };
    Receipt { query_id: "q1".into(), releases: records.iter().map(sign).collect(), witnessed: vec![] }
}

/// The key of everybody's log, in these tests only.
fn log_key(body: &str) -> LogKey {
    LogKey::new(&format!("london/{body}/log"), &[1; 32])
}

/// The hash of the only record of a log, which is its root.
const RECORD: [u8; 32] = [0xab; 32];

fn proof(body: &str) -> Vec<u8> {
    let note = log_key(body).checkpoint(1, Hash(RECORD)).unwrap();
    Proof { extra: None, index: 0, hashes: vec![], note }.encode()
}

fn verify(signed: &Signed, _at: SystemTime) -> Result<Signer, String> {
    match std::str::from_utf8(&signed.chain[0]).unwrap() {
        "nobody" => Err("the signature does not hold".into()),
        body => Ok(Signer { federation: "london".into(), body: body.into(), node: true }),
    }
}

#[test]
fn each_body_has_a_line_and_each_notice_is_said_once() {
    let bodies = ["lfb", "camden", "hackney", "barnet", "brent"];
    let records: Vec<_> = bodies.map(|body| (release(body, Form::Statistics), body)).into();
    let checked = check(&receipt(&records), verify);
    assert!(checked.broken().is_empty() && checked.has_statistics());
    let text = checked.render(Detail::Short);
    let expected = "\
Receipt q1: 5 releases, all signatures hold
  body     form        agreement       rows  bytes  log entry
  lfb      statistics  fire-risk-2026    33   1024  0 (abababab)
  camden   statistics  fire-risk-2026    33   1024  0 (abababab)
  hackney  statistics  fire-risk-2026    33   1024  0 (abababab)
  barnet   statistics  fire-risk-2026    33   1024  0 (abababab)
  brent    statistics  fire-risk-2026    33   1024  0 (abababab)
Each of these releases is in the log of its body; unwitnessed: fewer than two other bodies have confirmed these logs
Note from lfb, camden, hackney and 2 more: groups of fewer than 10 are left out
";
    assert_eq!(text, expected);
}

#[test]
fn the_full_receipt_shows_the_sql_that_each_body_got() {
    let text = check(&receipt(&[(release("lfb", Form::Open), "lfb")]), verify).render(Detail::Full);
    assert!(text.contains("lfb at 2026-01-01 00:00:00 UTC"), "{text}");
    assert!(text.contains("  SQL       SELECT 1\n            FROM t\n"), "{text}");
    assert!(text.contains("  dataset   london.lfb.d (open): c\n"), "{text}");
}

#[test]
fn a_record_that_proves_nothing_is_named_and_not_listed() {
    let other_query = ReleaseRecord { query_id: "q2".into(), ..release("gla", Form::Open) };
    let records =
        [(release("lfb", Form::Open), "nobody"), (release("camden", Form::Open), "lfb"), (other_query, "gla")];
    let checked = check(&receipt(&records), verify);
    assert_eq!(checked.broken().len(), 3);
    let text = checked.render(Detail::None);
    assert_eq!(text.lines().count(), 3);
    assert!(text.contains("record 1 of 3: the signature does not hold"), "{text}");
    assert!(text.contains("record 2 of 3: it speaks for camden but was signed by another"), "{text}");
    assert!(text.contains("record 3 of 3: gla signed it for another query"), "{text}");
}

/// The proof of the record of `body` under a checkpoint that these bodies cosigned.
fn witnessed(body: &str, witnesses: &[&str]) -> Witnessed {
    let note = log_key(body).checkpoint(1, Hash(RECORD)).unwrap();
    let mut signed = Checkpoint::verify(&note, &log_key(body).verifier()).unwrap();
    let mut keys = Vec::new();
    for witness in witnesses {
        let key =
            Witness::new(&format!("london/{witness}/witness"), witness.as_bytes().repeat(32)[..32].try_into().unwrap());
        signed.note = signed.with(&key.cosign(&signed, 1_700_000_000).unwrap());
        let payload = LogKeys {
            federation: "london".parse().unwrap(),
            body: witness.parse().unwrap(),
            log: log_key(witness).verifier(),
            witness: key.verifier(),
        };
        let chain = vec![witness.as_bytes().to_vec()];
        keys.push(Signed { payload: payload.encode(), chain, signature: Vec::new(), scheme: 0 });
    }
    let proof = Proof { extra: None, index: 0, hashes: vec![], note: signed.note }.encode();
    Witnessed { body: body.parse().unwrap(), index: 0, proof, witnesses: keys }
}

#[test]
fn a_release_is_witnessed_by_two_other_bodies() {
    let with = |witnesses: &[&str]| {
        let receipt =
            Receipt { witnessed: vec![witnessed("lfb", witnesses)], ..receipt(&[(release("lfb", Form::Open), "lfb")]) };
        let checked = check(&receipt, verify);
        assert!(checked.broken().is_empty(), "{:?}", checked.broken());
        checked.render(Detail::Short)
    };
    assert!(with(&["camden", "hackney"]).contains("witnessed by camden, hackney"));
    for few in [&["camden"][..], &["camden", "camden"], &["camden", "lfb"], &[]] {
        assert!(with(few).contains("unwitnessed"), "{few:?}");
    }
    assert!(with(&["camden", "nobody"]).contains("unwitnessed"), "its keys are nobody's");
}

#[test]
fn a_record_that_is_in_no_log_does_not_hold() {
    let broken = |record: ReleaseRecord| check(&receipt(&[(record, "lfb")]), verify).broken().join("\n");
    let good = release("lfb", Form::Open);
    assert_eq!(broken(good.clone()), "");
    assert!(broken(ReleaseRecord { log_hash: vec![1; 32], ..good.clone() }).contains("not in the tree"));
    assert!(broken(ReleaseRecord { log_index: 1, ..good.clone() }).contains("another record"));
    assert!(broken(ReleaseRecord { log_proof: proof("gla"), ..good.clone() }).contains("log"));
    assert!(
        broken(ReleaseRecord { log_key: log_key("gla").verifier(), log_proof: proof("gla"), ..good.clone() })
            .contains("another log")
    );
    assert!(broken(ReleaseRecord { log_proof: vec![], ..good }).contains("no tlog-proof"));
}

#[test]
fn who_is_of_another_federation_is_named_with_it() {
    let asked = ReleaseRecord {
        caller: "spiffe://berlin/body/tempelhof/node".into(),
        on_behalf_of: "spiffe://berlin/body/tempelhof/analyst/ada".into(),
        ..release("lfb", Form::Open)
    };
    let text = check(&receipt(&[(asked, "lfb")]), verify).in_words();
    assert!(text.contains("To          the node of berlin.tempelhof\n"), "{text}");
    assert!(text.contains("Asked by    ada, an analyst of berlin.tempelhof\n"), "{text}");
    let text = check(&receipt(&[(release("lfb", Form::Open), "lfb")]), verify).in_words();
    assert!(text.contains("To          the node of loda\n"), "{text}");
}
