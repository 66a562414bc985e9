//! What left whom behind an answer, record by record, for the page; and the receipt itself, for whoever keeps it.

use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use meridian_certs::{Credentials, Identity};
use meridian_proto::{Receipt, ReleaseRecord, Signed};
use serde_json::{Value, json};

/// A receipt in its parts, each with whether its signature holds.
pub(super) fn told(receipt: &Receipt, credentials: &Credentials) -> Value {
    let home = credentials.identity().federation().to_string();
    let releases: Vec<Value> =
        receipt.releases.iter().map(|signed| release(signed, receipt, credentials, &home)).collect();
    json!({
        "query_id": receipt.query_id,
        "holds": releases.iter().all(|release| release.get("broken").is_none_or(Value::is_null)),
        "releases": releases,
        // As `meridian receipt` reads it.
        "file": STANDARD.encode(receipt.encode()),
    })
}

fn release(signed: &Signed, receipt: &Receipt, credentials: &Credentials, home: &str) -> Value {
    let record = match ReleaseRecord::decode(&signed.payload) {
        Ok(record) => record,
        Err(error) => return json!({ "broken": error.to_string() }),
    };
    let broken = holds(signed, &record, receipt, credentials).err();
    let ReleaseRecord { federation, body, .. } = &record;
    let named = if federation == home { body.clone() } else { format!("{federation}.{body}") };
    let datasets = record.datasets.iter();
    let datasets =
        datasets.map(|used| json!({ "name": used.name, "form": used.form.to_string(), "columns": used.columns }));
    json!({
        "body": named,
        "own": receipt.releases.first().is_some_and(|first| std::ptr::eq(first, signed)),
        "datasets": datasets.collect::<Vec<_>>(),
        "agreements": record.agreements,
        "purpose": record.purpose,
        "to": record.caller,
        "for": record.on_behalf_of,
        "rules": record.rules,
        "rows": record.rows,
        "bytes": record.bytes,
        "time_ms": record.time_ms,
        "log_index": record.log_index,
        "log_hash": hex::encode(&record.log_hash),
        "notices": record.notices,
        "sql": record.sql,
        "broken": broken,
    })
}

/// The same as the node has checked before it took the record.
fn holds(signed: &Signed, record: &ReleaseRecord, receipt: &Receipt, credentials: &Credentials) -> Result<(), String> {
    let verified = credentials.verify_of_any(signed, SystemTime::now()).map_err(|error| error.to_string())?;
    let own = match verified.identity() {
        Identity::Node { federation, body } => federation.as_str() == record.federation && body.as_str() == record.body,
        Identity::Analyst { .. } => false,
    };
    if !own {
        return Err(format!("it speaks for {} but was signed by another", record.body));
    }
    if record.query_id != receipt.query_id {
        return Err(format!("{} signed it for another query", record.body));
    }
    Ok(())
}
