//! No expression fails over data that is not open, wherever it stands, and none tells anything by failing.

use super::super::Grant;
use super::setup::{Body, Incident, alike, analyst, grant, loda};
use datafusion::logical_expr::{col, lit};
use meridian_proto::Form;

/// Expressions that have no value for some row of `people`, and how many of the two granted rows they have one for.
const EXPRESSIONS: [(&str, usize); 33] = [
    ("1 / (id - 2)", 1),
    ("id % (id - 2)", 1),
    ("CAST(1 AS DECIMAL(10,2)) / (id - 2)", 1),
    ("1.5 / (id - 2)", 2),
    ("9223372036854775806 + id", 1),
    ("-9223372036854775807 - id", 1),
    ("9223372036854775807 * id", 1),
    ("-(-9223372036854775807 - id)", 0),
    ("CAST('99999999999999999999999999999999999999' AS DECIMAL(38,0)) * id", 1),
    ("CAST('99999999999999999999999999999999999999' AS DECIMAL(38,0)) + id", 2),
    ("CAST(ward AS INT)", 0),
    ("CAST(ward AS DATE)", 0),
    ("CAST(ward AS TIMESTAMP)", 0),
    ("CAST(ward AS DECIMAL(10,2))", 0),
    ("CAST(id * 100 AS TINYINT)", 1),
    ("CAST(id * 8 AS DECIMAL(3,2))", 1),
    ("CAST(1e300 * id AS BIGINT)", 0),
    ("arrow_cast(ward, 'Int32')", 0),
    ("to_timestamp(ward)", 0),
    ("to_date(ward)", 0),
    ("make_date(2020, 11 + id, 1)", 1),
    ("DATE '2020-01-01' + CAST(CAST(id * 1000000000 AS VARCHAR) || ' days' AS INTERVAL)", 0),
    ("factorial(19 + id)", 1),
    ("power(10000000000, id)", 2),
    ("chr(-id)", 0),
    ("substr(ward, id, -1)", 0),
    ("split_part(ward, 'x', id - 1)", 1),
    ("lcm(9223372036854775807, id)", 1),
    ("regexp_like('x', '(' || ward)", 0),
    ("'x' ~ ('(' || ward)", 0),
    ("'x' SIMILAR TO ('(' || ward)", 0),
    ("ward LIKE (ward || ward)", 2),
    ("sqrt(-id)", 0),
];

/// Where an expression may stand; each question is over the granted rows.
const PLACES: [&str; 14] = [
    "SELECT {} AS v FROM people",
    "SELECT {} FROM people",
    "SELECT id FROM people WHERE ({}) IS NOT NULL",
    "SELECT count(*) FROM people HAVING max({}) IS NOT NULL OR count(*) = 2",
    "SELECT p.id FROM people p JOIN boroughs b ON ({p}) IS NULL OR p.id < b.people",
    "SELECT p.id FROM people p LEFT JOIN people q ON p.id = q.id AND ({p}) IS NULL",
    "SELECT id FROM people ORDER BY {}",
    "SELECT count(*), {} FROM people GROUP BY {}",
    "SELECT count({}), count(*) FILTER (WHERE ({}) IS NULL), min({}) FROM people",
    "SELECT row_number() OVER (PARTITION BY {} ORDER BY {}), first_value({}) OVER (ORDER BY id) FROM people",
    "SELECT id FROM people WHERE id IN (SELECT id FROM people WHERE ({}) IS NULL)",
    "SELECT (SELECT count({}) FROM people) AS n",
    "SELECT DISTINCT CASE WHEN ({}) IS NULL THEN 1 ELSE 2 END FROM people UNION ALL SELECT 3",
    "WITH w AS (SELECT id, {} AS v FROM people) SELECT v, count(*) FROM w WHERE v IS NULL OR id > 0 GROUP BY v",
];

/// The expression with the columns of one table.
fn of_table(table: &str, expression: &str) -> String {
    let mut text = String::new();
    for (index, part) in expression.split('\'').enumerate() {
        if index % 2 == 1 {
            text += &format!("'{part}'");
            continue;
        }
        for word in part.split_inclusive(|c: char| !c.is_alphanumeric()) {
            let bare = word.trim_end_matches(|c: char| !c.is_alphanumeric());
            text += &if ["id", "ward"].contains(&bare) { format!("{table}.{word}") } else { word.to_owned() };
        }
    }
    text
}

fn people() -> Body {
    Body::new(&[])
}

#[tokio::test]
async fn no_expression_fails_in_any_place() {
    let body = people();
    for (expression, _) in EXPRESSIONS {
        for place in PLACES {
            let sql = place.replace("{}", expression).replace("{p}", &of_table("p", expression));
            for caller in [loda(), analyst()] {
                let rows = body.rows(&sql, &caller).await;
                assert!(rows.is_ok(), "{sql}: {rows:?}");
            }
        }
    }
}

#[tokio::test]
async fn what_has_no_value_is_null_and_the_rest_is_as_it_was() {
    let body = people();
    for (expression, values) in EXPRESSIONS {
        let sql = format!("SELECT count({expression}) FROM people");
        assert_eq!(body.rows(&sql, &loda()).await.unwrap(), [values.to_string()], "{expression}");
    }
    let rows = body.rows("SELECT id, 6 / (id - 2), 7 % id, id + 1 FROM people ORDER BY id", &loda()).await;
    assert_eq!(rows.unwrap(), ["1 -6 0 2", "2 ∅ 1 3"]);
    let rows = body.rows("SELECT id FROM people WHERE 1 / (id - 2) < 0 OR id = 2", &loda()).await;
    assert_eq!(rows.unwrap(), ["1", "2"]);
}

#[tokio::test]
async fn columns_keep_their_names_and_types() {
    let body = people();
    for sql in [
        "SELECT 1 / (id - 2), CAST(ward AS INT), id + 1, -id, ward LIKE ward, substr(ward, id) FROM people",
        "SELECT CAST(ward AS DATE), count(*), sum(id / 2) FROM people GROUP BY CAST(ward AS DATE)",
        "SELECT id / 2, grouping(id / 2) FROM people GROUP BY ROLLUP (id / 2)",
        "SELECT sum(id / 2) OVER (ORDER BY id + 1) FROM people",
    ] {
        let plan = body.state.create_logical_plan(sql).await.unwrap();
        let before: Vec<_> = plan.schema().fields().iter().map(|f| (f.name().clone(), f.data_type().clone())).collect();
        let admitted = body.admit(sql, &loda()).await.unwrap();
        let schema = admitted.schema();
        let after: Vec<_> = schema.fields().iter().map(|f| (f.name().clone(), f.data_type().clone())).collect();
        assert_eq!(before, after, "{sql}");
        assert!(body.rows(sql, &loda()).await.is_ok(), "{sql}");
    }
}

/// Constants fail for every row or for none, so that whether there is a row must not show either.
#[tokio::test]
async fn a_constant_without_value_is_null_whether_or_not_there_are_rows() {
    let body = people();
    for constant in ["1 / 0", "CAST('x' AS INT)", "date_trunc('nonsense', TIMESTAMP '2020-01-01')", "'x' ~ '('"] {
        let rows = body.rows(&format!("SELECT {constant} FROM people"), &loda()).await;
        assert_eq!(rows, Ok(vec!["∅".to_owned(); 2]), "{constant}");
        let rows = body.rows(&format!("SELECT {constant} FROM people WHERE id = 7"), &loda()).await;
        assert_eq!(rows, Ok(vec![]), "{constant}");
    }
}

#[tokio::test]
async fn an_owners_row_filter_does_not_fail_either() {
    let body = people();
    body.amend("people", |terms| {
        let filter = (lit(8) / (col("id") - lit(1))).is_not_null();
        terms.grants = vec![Grant { filter: Some(filter), ..grant("wards-2026", Form::Rows) }];
    });
    assert_eq!(body.rows("SELECT id FROM people ORDER BY id", &loda()).await.unwrap(), ["2", "3", "4"]);
}

#[tokio::test]
async fn what_is_computed_over_released_cells_is_total_too() {
    let rows = [
        alike(5, 1, &Incident { borough: Some("bexley"), ..Incident::default() }),
        alike(4, 11, &Incident { borough: Some("camden"), ..Incident::default() }),
    ];
    let body = Body::new(&rows.concat());
    let sql = "SELECT borough, 1 / (count(*) - 5), CAST(borough AS INT) AS c FROM incidents GROUP BY borough ORDER BY borough";
    assert_eq!(body.rows(sql, &loda()).await.unwrap(), ["bexley ∅ ∅", "camden -1 ∅"]);
    let sql = "SELECT count(*) FROM incidents HAVING 1 / (count(*) - 9) IS NULL";
    assert_eq!(body.rows(sql, &loda()).await.unwrap(), ["9"]);
}

#[tokio::test]
async fn functions_below_a_release_do_not_fail_on_what_the_rows_hold() {
    let body = Body::new(&alike(5, 1, &Incident { borough: Some("bexley"), day: Some(18_000), ..Incident::default() }));
    for (key, label) in [
        ("date_part('nonsense', day)", "∅"),
        ("date_trunc('nonsense', day)", "∅"),
        ("substr(borough, 1, -1)", "∅"),
        ("left(borough, 3)", "bex"),
    ] {
        let some = body.rows(&format!("SELECT {key}, count(*) FROM incidents GROUP BY 1"), &loda()).await;
        assert_eq!(some, Ok(vec![format!("{label} 5")]), "{key}");
        let none = format!("SELECT {key}, count(*) FROM incidents WHERE borough = 'x' GROUP BY 1");
        assert_eq!(body.rows(&none, &loda()).await, Ok(vec![]), "{key}");
    }
}

#[tokio::test]
async fn over_open_data_and_other_bodies_expressions_stay_as_they_are() {
    let body = people();
    let error = body.rows("SELECT 1 / (people - 246) FROM boroughs", &loda()).await.unwrap_err();
    assert!(error.to_lowercase().contains("divide by zero"), "{error}");
    let sql = "SELECT e.v, p.id / 2 FROM (SELECT x / 3 AS v, CAST(x AS TINYINT) FROM elsewhere) e, people p";
    let plan = body.admit(sql, &analyst()).await.unwrap().plan().display_indent().to_string();
    assert!(
        plan.contains("CAST(elsewhere.x AS Int64) / Int64(3)") && plan.contains("CAST(elsewhere.x AS Int8)"),
        "{plan}"
    );
    assert!(plan.contains("/(CAST(p.id AS Int64), Int64(2))"), "{plan}");
}

#[tokio::test]
async fn a_subquery_that_may_give_several_rows_is_no_value() {
    let body = people();
    let refused = body.refusal("SELECT (SELECT id FROM people) AS v", &loda()).await;
    assert!(refused.remedy.contains("LIMIT 1"), "{refused}");
    assert_eq!(body.rows("SELECT (SELECT max(id) FROM people) AS v", &loda()).await.unwrap(), ["2"]);
    let sql = "SELECT (SELECT id FROM people ORDER BY id LIMIT 1) AS v";
    assert_eq!(body.rows(sql, &loda()).await.unwrap(), ["1"]);
    assert_eq!(body.rows("SELECT (SELECT count(*) FROM incidents) AS v", &loda()).await.unwrap(), ["∅"]);
}

#[tokio::test]
async fn averages_of_wide_decimals_are_refused_and_say_how() {
    let body = people();
    let refused = body.refusal("SELECT avg(CAST(id AS DECIMAL(38, 2))) FROM people", &loda()).await;
    assert!(refused.to_string().contains("DOUBLE"), "{refused}");
    let rows = body.rows("SELECT avg(CAST(id AS DECIMAL(10, 2))) FROM people", &loda()).await;
    assert_eq!(rows.unwrap(), ["1.500000"]);
}

#[tokio::test]
async fn functions_outside_of_the_tables_are_refused_by_name() {
    let body = people();
    for (sql, name) in [
        ("SELECT random() FROM people", "random"),
        ("SELECT uuid() FROM boroughs", "uuid"),
        ("SELECT repeat(ward, 1000000) FROM people", "repeat"),
        ("SELECT version()", "version"),
        ("SELECT value FROM generate_series(1, 10)", "generate_series"),
    ] {
        let refused = body.refusal(sql, &loda()).await;
        assert!(refused.reason.contains(name) && !refused.remedy.is_empty(), "{sql}: {refused}");
        assert_eq!(refused.needle.as_deref(), Some(name), "{sql}");
    }
    let refused = body.refusal("SELECT random(), count(*) FROM incidents GROUP BY 1", &loda()).await;
    assert!(refused.reason.contains("random"), "{refused}");
}

#[tokio::test]
async fn texts_do_not_double_without_bound() {
    let body = people();
    let with = (1..=25).map(|n| format!(", t{n} AS (SELECT borough || borough AS borough FROM t{})", n - 1));
    let with = format!("WITH t0 AS (SELECT borough FROM boroughs){}", with.collect::<String>());
    assert!(body.admit(&format!("{with} SELECT borough FROM t6"), &loda()).await.is_ok());
    for sql in [
        format!("{with} SELECT borough FROM t25"),
        format!("{with} SELECT borough FROM t9"),
        format!("{with} SELECT 1 FROM boroughs WHERE borough = (SELECT max(borough) FROM t25)"),
        (0..12).fold("SELECT borough".to_owned(), |sql, _| sql.replace("borough", "replace(borough, 'e', 'eeee')"))
            + " FROM boroughs",
        "SELECT replace(borough, 'b', borough) FROM boroughs".to_owned(),
    ] {
        assert_eq!(body.refusal(&sql, &loda()).await.rule, "expression.growth", "{sql}");
    }
    let wide = vec!["borough"; 60].join(" || ',' || ");
    assert!(body.admit(&format!("SELECT {wide} FROM boroughs"), &loda()).await.is_ok());
}
