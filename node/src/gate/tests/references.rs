//! Joins of protected rows with a dataset of another body: as it was declared, or not at all.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, StringArray};
use arrow::datatypes::DataType;
use datafusion::catalog::TableProvider;
use datafusion::common::ScalarValue;
use meridian_proto::{ColumnType, DatasetName, Form, Role};

use super::admitted::data;
use super::setup::{Body, Elsewhere, analyst, column, loda, name, scan};
use crate::gate::{Reference, Referenced};

/// What the GLA's node would answer to the whole: dwellings 0 to 999 in two wards, and some that no incident is of.
const DWELLINGS: i64 = 1_000;

fn ward_of(uprn: i64) -> &'static str {
    if uprn % 2 == 0 { "E05-a" } else { "E05-b" }
}

/// What stands for the catalogue and the other body: key and declared labels of `wards`.
pub(super) fn referenced(table: &dyn TableProvider, reference: &Reference) -> Result<Referenced, String> {
    let table = table.downcast_ref::<Elsewhere>().ok_or("no table of another body")?;
    if table.name != "wards" {
        return Err(format!("gla describes no {}", table.name));
    }
    let keys: Vec<i64> = (0..DWELLINGS).collect();
    let mut rows: Vec<(&str, ArrayRef)> = vec![("uprn", Arc::new(Int64Array::from(keys.clone())))];
    let mut columns = vec![(column("uprn", ColumnType::Bigint, Role::Identifier, false), None)];
    for (label, domain) in &reference.labels {
        let values = keys.iter().map(|uprn| ward_of(*uprn)).collect::<Vec<_>>();
        rows.push((label.as_str(), Arc::new(StringArray::from(values))));
        let domain = domain.as_ref().map(|texts| texts.iter().map(|text| ScalarValue::from(text.as_str())).collect());
        columns.push((column(label.as_str(), ColumnType::Varchar, Role::Hidden, false), domain));
    }
    let full = DatasetName { federation: name("london"), body: name("gla"), dataset: name("wards") };
    Ok(Referenced::new(full, reference, columns, scan(rows)))
}

fn reference(dataset: &str) -> Reference {
    Reference {
        body: name("gla"),
        dataset: name(dataset),
        key: name("uprn"),
        sha256: [0; 32],
        labels: vec![(name("ward"), None)],
    }
}

/// `incidents` and `homes` declare a reference to `wards`, which publishes much more than its ward.
fn body() -> Body {
    let body = Body::new(&data());
    for dataset in ["incidents", "homes"] {
        body.amend(dataset, |terms| terms.references = vec![reference("wards"), reference("lost")]);
    }
    let mut columns = vec![("uprn", DataType::Int64), ("ward", DataType::Utf8), ("noise", DataType::Utf8)];
    let random: Vec<String> = (0..300).map(|label| format!("bit{label}")).collect();
    columns.extend(random.iter().map(|label| (label.as_str(), DataType::Boolean)));
    body.elsewhere("wards", &columns);
    body.elsewhere("schools", &[("uprn", DataType::Int64), ("phase", DataType::Utf8)]);
    body.elsewhere("lost", &[("uprn", DataType::Int64), ("ward", DataType::Utf8)]);
    body
}

/// The expected counts by ward over distinct rows of `data()` with a dwelling, under the body's threshold.
fn by_ward(is_counted: impl Fn(&super::setup::Incident) -> bool) -> Vec<String> {
    let mut lines = Vec::new();
    for ward in ["E05-a", "E05-b"] {
        let rows: Vec<_> = data()
            .into_iter()
            .filter(|row| {
                is_counted(row) && row.uprn.is_some_and(|uprn| (0..DWELLINGS).contains(&uprn) && ward_of(uprn) == ward)
            })
            .collect();
        let units: std::collections::BTreeSet<_> = rows.iter().map(|row| row.uprn).collect();
        if units.len() >= 3 {
            lines.push(format!("{ward} {}", rows.len()));
        }
    }
    lines
}

#[tokio::test]
async fn rows_are_grouped_and_picked_by_declared_labels() {
    let body = body();
    let all = by_ward(|_| true);
    assert!(all.len() == 2, "the data fills both wards: {all:?}");
    let in_a: Vec<String> = all.iter().filter(|line| line.starts_with("E05-a")).cloned().collect();
    let only = |line: &str| vec![line.split(' ').next_back().unwrap().to_owned()];
    let table: Vec<(&str, Vec<String>)> = vec![
        ("SELECT w.ward, count(*) FROM incidents i JOIN wards w ON i.uprn = w.uprn GROUP BY w.ward", all.clone()),
        ("SELECT w.ward, count(*) FROM wards w JOIN incidents i ON w.uprn = i.uprn GROUP BY w.ward", all.clone()),
        ("SELECT ward, count(*) FROM incidents JOIN wards USING (uprn) GROUP BY ward", all.clone()),
        ("SELECT ward, count(*) FROM homes JOIN wards USING (uprn) GROUP BY ward", all.clone()),
        (
            "SELECT w.ward, count(*) FROM incidents i JOIN wards w ON i.uprn = w.uprn WHERE w.ward = 'E05-a' GROUP BY w.ward",
            in_a.clone(),
        ),
        ("SELECT count(*) FROM incidents WHERE uprn IN (SELECT uprn FROM wards WHERE ward = 'E05-a')", only(&in_a[0])),
        (
            "SELECT count(*) FROM incidents i LEFT SEMI JOIN wards w ON i.uprn = w.uprn AND w.ward = 'E05-a'",
            only(&in_a[0]),
        ),
        (
            "SELECT count(*) FROM incidents i LEFT SEMI JOIN (SELECT * FROM wards WHERE ward LIKE 'E05-a%') w ON i.uprn = w.uprn",
            only(&in_a[0]),
        ),
        (
            "SELECT w.ward, count(*) FROM incidents i JOIN wards w ON i.uprn = w.uprn WHERE i.borough = 'bexley' GROUP BY w.ward",
            by_ward(|row| row.borough == Some("bexley")),
        ),
    ];
    for (sql, expected) in table {
        let found = body.rows(sql, &loda()).await.unwrap_or_else(|why| panic!("{sql}\n{why}"));
        assert_eq!(found, expected, "{sql}");
    }
    let (_, facts) =
        body.run("SELECT ward, count(*) FROM homes JOIN wards USING (uprn) GROUP BY ward", &loda()).await.unwrap();
    assert!(facts.rules.contains(&"reference.whole".to_owned()), "{facts:?}");
    assert!(facts.notices.iter().any(|notice| notice.contains("london.gla.wards as a whole")), "{facts:?}");
}

#[tokio::test]
async fn what_is_not_declared_does_not_exist() {
    let body = body();
    let join = "FROM incidents i JOIN wards w ON i.uprn = w.uprn";
    let mut cases: Vec<(String, &str)> = vec![
        (format!("SELECT w.noise, count(*) {join} GROUP BY w.noise"), "statistics.column"),
        (format!("SELECT w.uprn, count(*) {join} GROUP BY w.uprn"), "statistics.column"),
        (format!("SELECT count(*) {join} WHERE w.uprn = 3"), "statistics.column"),
        (format!("SELECT count(w.noise) {join}"), "statistics.column"),
        (format!("SELECT w.ward, i.uprn {join}"), "statistics.shape"),
        (format!("SELECT * {join}"), "statistics.shape"),
        (format!("SELECT count(*) {join} WHERE w.ward > 'E05-a'"), "statistics.expression"),
        (format!("SELECT count(*) {join} WHERE w.ward = i.borough"), "statistics.expression"),
        (
            "SELECT count(*) FROM incidents i JOIN wards w ON i.uprn = w.uprn AND i.borough = w.ward".into(),
            "statistics.join",
        ),
        ("SELECT count(*) FROM incidents i JOIN wards w ON i.borough = w.ward".into(), "statistics.join"),
        ("SELECT count(*) FROM incidents i JOIN wards w ON i.uprn + 1 = w.uprn".into(), "statistics.expression"),
        ("SELECT count(*) FROM incidents i RIGHT JOIN wards w ON i.uprn = w.uprn".into(), "statistics.join"),
        ("SELECT count(*) FROM incidents i FULL JOIN wards w ON i.uprn = w.uprn".into(), "statistics.shape"),
        ("SELECT count(*) FROM incidents i LEFT ANTI JOIN wards w ON i.uprn = w.uprn".into(), "statistics.shape"),
        (
            "SELECT count(*) FROM incidents i LEFT JOIN wards w ON i.uprn = w.uprn AND i.borough = 'bexley'".into(),
            "statistics.join",
        ),
        ("SELECT count(*) FROM incidents i CROSS JOIN wards w".into(), "statistics.join"),
        // Grouped before the join it is no reference.
        (
            "SELECT count(*) FROM incidents i JOIN (SELECT DISTINCT uprn FROM wards) w ON i.uprn = w.uprn".into(),
            "foreign.delegation",
        ),
        (
            "SELECT count(*) FROM incidents i JOIN (SELECT uprn FROM wards LIMIT 5) w ON i.uprn = w.uprn".into(),
            "foreign.delegation",
        ),
        ("SELECT count(*) FROM incidents i JOIN schools s ON i.uprn = s.uprn".into(), "reference.undeclared"),
        ("SELECT count(*) FROM incidents WHERE uprn IN (SELECT uprn FROM schools)".into(), "reference.undeclared"),
        ("SELECT count(*) FROM calls c JOIN wards w ON c.uprn = w.uprn".into(), "reference.undeclared"),
        ("SELECT count(*) FROM incidents i JOIN lost l ON i.uprn = l.uprn".into(), "reference.described"),
        // Rows that are not protected, or only the reference itself.
        ("SELECT count(*) FROM boroughs b JOIN wards w ON b.borough = w.ward".into(), "foreign.delegation"),
        ("SELECT ward FROM wards".into(), "foreign.delegation"),
        ("SELECT count(*) FROM wards a JOIN wards b ON a.uprn = b.uprn".into(), "foreign.delegation"),
    ];
    for label in 0..300 {
        cases.push((format!("SELECT count(*) {join} WHERE w.bit{label}"), "statistics.column"));
    }
    let mut wrong = Vec::new();
    for (sql, rule) in cases {
        let refused = body.refusal(&sql, &loda()).await;
        if refused.rule != rule {
            wrong.push(format!("{sql}\n  {}: {refused}", refused.rule));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn the_remedy_names_what_the_owner_could_declare() {
    let refused = body().refusal("SELECT count(*) FROM incidents i JOIN schools s ON i.uprn = s.uprn", &loda()).await;
    assert_eq!(
        refused.to_string(),
        "rows of london.lfb.incidents are joined with those of london.gla.schools, and lfb declares no reference to it; join \
         it with gla.wards by uprn for ward or gla.lost by uprn for ward, or ask lfb to add [[references]] with body = \
         \"gla\" and dataset = \"schools\" to the file of london.lfb.incidents (meridian reference prints it), or group by a \
         column of its own and join what is released"
    );
}

#[tokio::test]
async fn the_body_s_own_analysts_are_held_to_it_where_they_get_statistics() {
    let body = body();
    let sql = "SELECT count(*) FROM incidents i JOIN schools s ON i.uprn = s.uprn";
    assert!(body.admit(sql, &analyst()).await.is_ok(), "rows of its own with another body's");
    body.amend("incidents", |terms| terms.own = Form::Statistics);
    assert_eq!(body.refusal(sql, &analyst()).await.rule, "reference.undeclared");
    let sql = "SELECT ward, count(*) FROM incidents JOIN wards USING (uprn) GROUP BY ward";
    assert_eq!(body.rows(sql, &analyst()).await.unwrap(), by_ward(|_| true));
}

#[tokio::test]
async fn a_declared_domain_is_completed() {
    let body = body();
    body.amend("incidents", |terms| {
        let domain = ["E05-a", "E05-b", "E05-c"].map(str::to_owned).to_vec();
        terms.references[0].labels[0].1 = Some(domain);
    });
    let sql = "SELECT ward, count(*) FROM incidents JOIN wards USING (uprn) GROUP BY ward";
    let mut expected = by_ward(|_| true);
    expected.push("E05-c ∅".into());
    assert_eq!(body.rows(sql, &loda()).await.unwrap(), expected);
}
