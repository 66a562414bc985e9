//! What a refusal advises works: each remedy, applied to the question or to the terms, has the question admitted.

use std::sync::Arc;

use meridian_proto::{Form, Role};

use super::super::{Caller, Refused, Terms};
use super::setup::{Body, Incident, alike, dimension, grant, loda, name, peer, terms};

fn body() -> Body {
    Body::new(&alike(
        5,
        1,
        &Incident { borough: Some("bexley"), year: Some(1987), cost: Some(7), ..Incident::default() },
    ))
}

/// The refusal of a question, whose remedy is to hold these words.
async fn advised(body: &Body, sql: &str, caller: &Caller, rule: &str, words: &str) -> Refused {
    let refused = body.refusal(sql, caller).await;
    assert_eq!(refused.rule, rule, "{sql}\n{refused}");
    assert!(refused.remedy.contains(words), "{sql}\n{refused}");
    refused
}

#[tokio::test]
async fn a_question_that_follows_the_advice_is_admitted() {
    let body = body();
    // The question, the rule, the words of the remedy, and the question that follows them.
    let table: &[(&str, &str, &str, &str)] = &[
        ("SELECT * FROM incidents", "statistics.shape", "aggregate it with COUNT", "SELECT count(*) FROM incidents"),
        (
            "SELECT borough FROM incidents LIMIT 3",
            "statistics.shape",
            "SUM or AVG of a measure (cost), grouped by dimensions (borough",
            "SELECT borough, sum(cost) FROM incidents GROUP BY borough",
        ),
        (
            "SELECT max(cost) FROM incidents",
            "statistics.aggregate",
            "SUM or AVG of a measure (cost)",
            "SELECT avg(cost) FROM incidents",
        ),
        (
            "SELECT count(DISTINCT cost) FROM incidents",
            "statistics.aggregate",
            "COUNT(DISTINCT uprn)",
            "SELECT count(DISTINCT uprn) FROM incidents",
        ),
        (
            "SELECT uprn, count(*) FROM incidents GROUP BY uprn",
            "statistics.column",
            "COUNT(DISTINCT uprn)",
            "SELECT borough, count(DISTINCT uprn) FROM incidents GROUP BY borough",
        ),
        (
            "SELECT cost, count(*) FROM incidents GROUP BY cost",
            "statistics.column",
            "sum or average it; group by dimensions (borough, year",
            "SELECT year, avg(cost) FROM incidents GROUP BY year",
        ),
        (
            "SELECT count(*) FROM incidents WHERE note = 'x'",
            "statistics.column",
            "its dimensions: borough",
            "SELECT count(*) FROM incidents WHERE borough = 'x'",
        ),
        (
            "SELECT sum(year) FROM incidents",
            "statistics.column",
            "use a measure (cost)",
            "SELECT sum(cost) FROM incidents",
        ),
        (
            "SELECT sum(cost + 1) FROM incidents",
            "statistics.expression",
            "sum a bare measure (cost); conditions go into FILTER",
            "SELECT sum(cost) FILTER (WHERE year = 1987) FROM incidents",
        ),
        (
            "SELECT count(*) FROM incidents WHERE borough < 'c'",
            "statistics.expression",
            "compare it by =, <> or IN",
            "SELECT count(*) FROM incidents WHERE borough IN ('a', 'b')",
        ),
        (
            "SELECT count(*) FROM incidents WHERE borough LIKE '%y'",
            "statistics.expression",
            "LIKE with a prefix",
            "SELECT count(*) FROM incidents WHERE borough LIKE 'b%'",
        ),
        (
            "SELECT count(*) FROM incidents WHERE borough = 3",
            "statistics.expression",
            "a constant of its own type (varchar)",
            "SELECT count(*) FROM incidents WHERE borough = '3'",
        ),
        (
            "SELECT count(*) FROM incidents WHERE day = CAST('nonsense' AS DATE)",
            "statistics.constant",
            "write it as the type of the column",
            "SELECT count(*) FROM incidents WHERE day = CAST('2026-01-01' AS DATE)",
        ),
        (
            "SELECT count(*) FROM incidents WHERE length(borough) = 6",
            "statistics.expression",
            "=, <>, IN",
            "SELECT count(*) FROM incidents WHERE borough = 'bexley'",
        ),
        (
            "SELECT count(*) FROM incidents WHERE year IN (1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21)",
            "statistics.expression",
            "group by year, and choose from the answer",
            "SELECT * FROM (SELECT year, count(*) FROM incidents GROUP BY year) t \
             WHERE year IN (1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21)",
        ),
        (
            "SELECT count(*) FROM incidents i JOIN calls c ON i.borough = c.borough",
            "statistics.join",
            "unit columns",
            "SELECT count(*) FROM incidents i JOIN homes h ON i.uprn = h.uprn",
        ),
        (
            "SELECT count(*) FROM incidents i JOIN boroughs b ON i.borough < b.borough",
            "statistics.join",
            "column = column",
            "SELECT count(*) FROM incidents i JOIN boroughs b ON i.borough = b.borough",
        ),
        (
            "SELECT count(*) FROM incidents i LEFT JOIN boroughs b ON i.borough = b.borough AND i.year = 1987",
            "statistics.join",
            "put it into WHERE",
            "SELECT count(*) FROM incidents i LEFT JOIN boroughs b ON i.borough = b.borough WHERE i.year = 1987",
        ),
        ("SELECT salary FROM people", "rows.columns", "name granted columns (id, ward)", "SELECT id, ward FROM people"),
        (
            "SELECT * FROM boroughs WHERE people > ALL (SELECT people FROM boroughs)",
            "expression",
            "(SELECT MAX(…) …)",
            "SELECT * FROM boroughs WHERE people > (SELECT max(people) FROM boroughs)",
        ),
    ];
    for (sql, rule, words, instead) in table {
        advised(&body, sql, &loda(), rule, words).await;
        let admitted = body.admit(instead, &loda()).await;
        assert!(admitted.is_ok(), "{sql}\n{words}\n{instead}: {}", admitted.unwrap_err());
    }
}

#[tokio::test]
async fn an_owner_that_follows_the_advice_has_the_question_admitted() {
    type Amend = fn(&mut Terms);
    let by_borough = "SELECT borough, sum(cost) FROM homes GROUP BY borough";
    let table: &[(&str, &str, &str, Amend, Amend)] = &[
        (
            by_borough,
            "agreement.active",
            "ask lfb for an agreement",
            |terms| Arc::make_mut(&mut terms.dataset).needs_agreement = true,
            |terms| terms.grants = vec![grant("homes-2026", Form::Statistics)],
        ),
        (
            by_borough,
            "statistics.column",
            "ask the owner to add cost to homes-2026",
            |terms| {
                let mut granted = grant("homes-2026", Form::Statistics);
                granted.columns = Some(vec![name("borough")]);
                Arc::make_mut(&mut terms.dataset).needs_agreement = true;
                terms.grants = vec![granted];
            },
            |terms| terms.grants[0].columns.as_mut().unwrap().push(name("cost")),
        ),
        (
            by_borough,
            "agreement.active",
            "ask lfb to renew it",
            |terms| {
                let mut granted = grant("homes-2025", Form::Statistics);
                granted.end = granted.start;
                Arc::make_mut(&mut terms.dataset).needs_agreement = true;
                terms.grants = vec![granted];
            },
            |terms| terms.grants[0].end = grant("", Form::Statistics).end,
        ),
        (
            by_borough,
            "statistics.bounds",
            "ask lfb to declare its bounds",
            |terms| terms.columns.clear(),
            |terms| {
                terms.columns.entry(name("cost")).or_default().bounds = Some((0.0, 100.0));
            },
        ),
        (
            by_borough,
            "statistics.noise",
            "ask lfb to set noise",
            |terms| terms.controls = None,
            |terms| terms.controls = Some(Arc::new(super::setup::exact())),
        ),
        (
            "SELECT count(*) FROM homes WHERE alarm > false",
            "statistics.expression",
            "alarm declares no ranges",
            |_| (),
            |terms| {
                let columns = &mut Arc::make_mut(&mut terms.dataset).columns;
                columns.iter_mut().find(|column| column.name.as_str() == "alarm").unwrap().ranges = true;
            },
        ),
    ];
    for (sql, rule, words, before, after) in table {
        let body = body();
        body.amend("homes", before);
        let refused = advised(&body, sql, &loda(), rule, words).await;
        assert_eq!(refused.dataset.as_deref(), Some("london.lfb.homes"), "{sql}");
        body.amend("homes", after);
        let admitted = body.admit(sql, &loda()).await;
        assert!(admitted.is_ok(), "{sql}\n{words}: {}", admitted.unwrap_err());
    }
}

#[tokio::test]
async fn a_purpose_that_is_advised_is_one_that_is_agreed() {
    let body = body();
    let sql = "SELECT id FROM people";
    for caller in [peer("loda", None), peer("loda", Some("curiosity"))] {
        let refused = body.refusal(sql, &caller).await;
        assert!(
            refused.remedy.ends_with("agreed with loda: fire-risk") || refused.remedy.ends_with("agreed: fire-risk")
        );
        assert_eq!(refused.dataset.as_deref(), Some("london.lfb.people"));
    }
    assert!(body.admit(sql, &peer("loda", Some("fire-risk"))).await.is_ok());
}

#[tokio::test]
async fn columns_in_a_remedy_are_those_that_the_caller_may_use() {
    let body = body();
    let mut columns = vec![dimension("borough"), dimension("ward")];
    columns[1].role = Role::Hidden;
    let rows = super::setup::scan(vec![
        ("borough", Arc::new(arrow::array::StringArray::from(vec!["a"]))),
        ("ward", Arc::new(arrow::array::StringArray::from(vec!["b"]))),
        (super::super::UNIT_COLUMN, Arc::new(arrow::array::UInt64Array::from(vec![1]))),
    ]);
    let mut wards = terms("wards", Form::Statistics, columns);
    wards.unit = Some(super::setup::unit(None, true));
    wards.controls = Some(Arc::new(super::setup::exact()));
    body.add(wards, rows);
    let refused = body.refusal("SELECT ward, count(*) FROM wards GROUP BY ward", &loda()).await;
    assert!(refused.remedy.contains("borough") && !refused.remedy.contains("ward"), "{refused}");
}
