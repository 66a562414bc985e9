//! What an answer is told in beside its rows: types in the words of SQL, and decisions and refusals as JSON.

use arrow::datatypes::DataType;
use meridian_proto::{Admission, CheckAnswer, Decision, Refusal, Verdict};
use serde_json::{Value, json};

use super::printable;

/// A type in the words of SQL.
pub(crate) fn sql_type(data_type: &DataType) -> String {
    match data_type {
        DataType::Boolean => "boolean".into(),
        DataType::Int32 => "integer".into(),
        DataType::Int64 => "bigint".into(),
        DataType::Float64 => "double".into(),
        DataType::Decimal128(precision, scale) => format!("decimal({precision},{scale})"),
        DataType::Utf8 => "varchar".into(),
        DataType::Date32 => "date".into(),
        DataType::Timestamp(_, None) => "timestamp".into(),
        DataType::Binary => "bytea".into(),
        other => other.to_string(),
    }
}

/// What the bodies behind a question decided.
pub(crate) fn verdicts(answer: &CheckAnswer) -> Value {
    let is_yes = |verdict: &Verdict| matches!(verdict.decision, Decision::Admitted(_));
    json!({
        "query_id": printable(&answer.query_id),
        "released": answer.verdicts.iter().all(is_yes),
        "bodies": answer.verdicts.iter().map(verdict).collect::<Vec<_>>(),
    })
}

fn verdict(verdict: &Verdict) -> Value {
    let (decision, details) = match &verdict.decision {
        Decision::Admitted(admission) => ("yes", admission_object(admission)),
        Decision::Refused(refusal) => ("no", self::refusal(refusal)),
        Decision::Unreachable(why) => ("unreachable", json!({ "why": why })),
        Decision::Undecided(why) => ("undecided", json!({ "why": why })),
    };
    json!({ "body": verdict.body, "sql": verdict.sql, "decision": decision, "details": details })
}

fn admission_object(admission: &Admission) -> Value {
    let datasets = admission.datasets.iter();
    let datasets = datasets
        .map(|used| json!({ "name": used.name, "form": used.form.to_string(), "columns": used.columns }))
        .collect::<Vec<_>>();
    json!({
        "datasets": datasets,
        "agreements": admission.agreements,
        "rules": admission.rules,
        "leaves": admission.columns,
        "notices": admission.notices,
    })
}

/// A refusal in its parts.
pub(crate) fn refusal(refusal: &Refusal) -> Value {
    json!({
        "rule": refusal.rule,
        "dataset": refusal.dataset,
        "column": refusal.column,
        "reason": refusal.reason,
        "remedy": refusal.remedy,
        "line": refusal.place.map(|place| place.line),
        "column_number": refusal.place.map(|place| place.column),
    })
}
