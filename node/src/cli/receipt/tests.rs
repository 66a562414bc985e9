//! Records that hold, records that don't, and what a reader sees of each.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use meridian_proto::DatasetUse;

use super::*;

fn release(body: &str, form: Form) -> ReleaseRecord {
    ReleaseRecord {
        query_id: "q1".into(),
        federation: "london".into(),
        body: body.into(),
        caller: "spiffe://london/body/loda/node".into(),
        on_behalf_of: String::new(),
        purpose: "fire-risk".into(),
        agreements: vec!["fire-risk-2026".into()],
        datasets: vec![DatasetUse { name: format!("london.{body}.d"), columns: vec!["c".into()], form }],
        sql: "SELECT 1\nFROM t".into(),
        rules: vec!["threshold".into()],
        rows: 33,
        bytes: 1024,
        time_ms: 1_767_225_600_000,
        log_index: 5,
        log_hash: vec![0xab; 32],
        notices: vec!["groups of fewer than 10 are left out".into()],
        commitment: vec![0xcd; 32],
        closing_commitment: vec![0xef; 32],
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
    Receipt { query_id: "q1".into(), releases: records.iter().map(sign).collect() }
}

fn verify(signed: &Signed) -> Result<Signer, String> {
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
  lfb      statistics  fire-risk-2026    33   1024  5 (abababab)
  camden   statistics  fire-risk-2026    33   1024  5 (abababab)
  hackney  statistics  fire-risk-2026    33   1024  5 (abababab)
  barnet   statistics  fire-risk-2026    33   1024  5 (abababab)
  brent    statistics  fire-risk-2026    33   1024  5 (abababab)
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
