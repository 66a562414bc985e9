//! SQL over one dataset goes to our representation, to text, and back to the same representation.

use crate::check::{check, read};
use crate::lower;
use crate::normal::normal;
use crate::tests::world::World;
use crate::wire;

/// The text of a query, checked.
fn written(sql: &str) -> String {
    let table = World::open().foreign("lfb", "incidents");
    let plan = read(sql, std::slice::from_ref(&table)).unwrap_or_else(|error| panic!("{sql}: {error}"));
    let width = plan.schema().fields().len();
    let meant =
        lower::plan(&plan).and_then(|rel| Ok(normal(rel, width)?)).unwrap_or_else(|why| panic!("{sql}: {why:?}"));
    let text = wire::sql(&meant).unwrap();
    check(&text, std::slice::from_ref(&table), &meant).unwrap_or_else(|why| panic!("{sql}: {why:?}"));
    text
}

#[test]
fn texts() {
    let cases = [
        ("SELECT borough_gss FROM t", "SELECT borough_gss AS c0 FROM t"),
        (
            "SELECT year, year AS y FROM t WHERE cost IS NULL",
            "SELECT \"year\" AS c0, \"year\" AS c1 FROM t WHERE \"cost\" IS NULL",
        ),
        ("SELECT note FROM t WHERE note = 'it''s \"here\"'", "SELECT note AS c0 FROM t WHERE note = 'it''s \"here\"'"),
        (
            "SELECT cost FROM t WHERE cost = 1.5 AND year > -3",
            "SELECT \"cost\" AS c0 FROM t WHERE CAST(\"cost\" AS DECIMAL(30,15)) = CAST('1.500000000000000' AS DECIMAL(30,15)) AND CAST(\"year\" AS BIGINT) > -3",
        ),
        (
            "SELECT cost FROM t WHERE cost = CAST('1.50' AS DECIMAL(10,2))",
            "SELECT \"cost\" AS c0 FROM t WHERE \"cost\" = CAST('1.50' AS DECIMAL(10,2))",
        ),
        (
            "SELECT count(*), count(DISTINCT year) FILTER (WHERE households > 0) FROM t",
            "SELECT count(*) AS c0, count(DISTINCT \"year\") FILTER (WHERE CAST(households AS BIGINT) > 0) AS c1 FROM t",
        ),
        (
            "SELECT borough_gss, sum(cost) FROM t GROUP BY borough_gss HAVING sum(cost) > CAST(5 AS DECIMAL(20,2))",
            "SELECT c0, c1 FROM (SELECT borough_gss AS c0, sum(\"cost\") AS c1 FROM t GROUP BY borough_gss) WHERE c1 > CAST('5.00' AS DECIMAL(20,2))",
        ),
        (
            "SELECT year FROM (SELECT year FROM t LIMIT 5) WHERE year IS NOT NULL",
            "SELECT c0 FROM (SELECT \"year\" AS c0 FROM t LIMIT 5) WHERE c0 IS NOT NULL",
        ),
        (
            "SELECT year FROM (SELECT year, cost FROM t ORDER BY cost DESC LIMIT 5) LIMIT 2 OFFSET 1",
            "SELECT c1 AS c0 FROM (SELECT \"cost\" AS c0, \"year\" AS c1 FROM t ORDER BY c0 DESC NULLS LAST LIMIT 5) LIMIT 2 OFFSET 1",
        ),
        (
            "SELECT count(*) FROM (SELECT note FROM t LIMIT 5)",
            "SELECT count(*) AS c0 FROM (SELECT 1 AS c0 FROM t LIMIT 5)",
        ),
        (
            "SELECT year FROM t WHERE year = CAST(1 AS INT) OR year = CAST(2 AS INT) OR year IN (CAST(3 AS INT), CAST(4 AS INT))",
            "SELECT \"year\" AS c0 FROM t WHERE \"year\" IN (CAST(1 AS INTEGER), CAST(2 AS INTEGER), CAST(3 AS INTEGER), CAST(4 AS INTEGER))",
        ),
    ];
    for (sql, expected) in cases {
        let text = written(&sql.replace("FROM t", "FROM london.lfb.incidents"));
        assert_eq!(text.replace("london.lfb.incidents", "t"), expected, "{sql}");
    }
}

#[test]
fn expressions_come_back() {
    let expressions = [
        "NULL",
        "CAST(NULL AS DECIMAL(5,1))",
        "true AND NULL",
        "year IS DISTINCT FROM households",
        "(year IS NOT DISTINCT FROM households) = true",
        "CASE WHEN cost > 1 THEN 'a' ELSE NULL END",
        "CASE year WHEN 1 THEN 'x' WHEN 2 THEN 'y' END",
        "note LIKE 'a\\%%'",
        "note LIKE 'a!%%' ESCAPE '!'",
        "note NOT ILIKE '%''%'",
        "year NOT IN (1, 2, NULL)",
        "year BETWEEN -5 AND 5",
        "year NOT BETWEEN 1 AND 2",
        "-year",
        "- (- 5)",
        "CAST(-9223372036854775808 AS BIGINT)",
        "1e300",
        "CAST('NaN' AS DOUBLE)",
        "CAST('-0.0' AS DOUBLE)",
        "0.1 + households",
        "DATE '2020-02-29'",
        "happened + INTERVAL '1 month 2 days'",
        "CAST('2020-01-01 10:11:12.123456' AS TIMESTAMP(6))",
        "CAST('2020-01-01 10:11:12' AS TIMESTAMP)",
        "extract(month FROM happened)",
        "date_trunc('quarter', happened)",
        "upper(note) || '''' || lower(note)",
        "year - (households - 3) - 4",
        "year * (households + 3) / 4 % 5",
        "NOT (year = 1 OR (cost > 2 AND note IS NULL))",
        "NOT year = 1",
        "(cost > 1) IS NOT TRUE",
        "(cost > 1) = (year > 1)",
        "(note LIKE 'a') = (note LIKE 'b')",
        "TRY_CAST(note AS INT)",
        "coalesce(note, 'x', '')",
        "substring(note, 2, 3)",
        "note ~ '^a.*'",
        "position('a' in note)",
        "round(CAST(cost AS DOUBLE), 1)",
        "households & 3 | 1",
        "(year = 1) IS NULL",
        "year IN (1)",
        "nullif(note, '')",
    ];
    for expression in expressions {
        written(&format!("SELECT {expression}, uprn FROM london.lfb.incidents"));
        written(&format!("SELECT count(*) FROM london.lfb.incidents WHERE ({expression}) IS NOT NULL GROUP BY year"));
    }
}

#[test]
fn shapes_come_back() {
    let queries = [
        "SELECT DISTINCT year, note FROM t",
        "SELECT count(*) FROM t GROUP BY year",
        "SELECT sum(n) FROM (SELECT year, count(*) AS n FROM t GROUP BY year)",
        "SELECT sum(n) FROM (SELECT year, count(*) AS n FROM t GROUP BY year HAVING count(*) > 1) WHERE n < 9",
        "SELECT note, year FROM t ORDER BY year LIMIT 3",
        "SELECT note FROM t ORDER BY year + 1 LIMIT 3",
        "SELECT upper(note), year FROM t ORDER BY 1 LIMIT 3",
        "SELECT year, upper(note) AS u FROM (SELECT * FROM t ORDER BY cost LIMIT 9) ORDER BY u DESC LIMIT 3",
        "SELECT x, x AS y FROM (SELECT year + 1 AS x, note FROM t WHERE cost > 1) WHERE x > 2",
        "SELECT y, x FROM (SELECT year + 1 AS x, note || 'a' AS y FROM t) LIMIT 3",
        "SELECT y, x FROM (SELECT year + 1 AS x, note || 'a' AS y FROM t) ORDER BY x LIMIT 3",
        "SELECT year FROM (SELECT year FROM (SELECT year FROM t LIMIT 9) LIMIT 5 OFFSET 1) LIMIT 3 OFFSET 2",
        "SELECT count(*) FROM (SELECT year FROM t WHERE year > 1 LIMIT 9) WHERE year > 2",
        "SELECT year % 2, max(cost), min(cost) FROM t GROUP BY year % 2",
        "SELECT count(1), count(2), count(note), count(*) FROM t",
        "SELECT var_pop(households), approx_distinct(uprn), bool_or(year > 1), median(households) FROM t",
        "SELECT year, percentile_cont(0.9) WITHIN GROUP (ORDER BY households) FROM t GROUP BY year",
        "SELECT 1 FROM t",
    ];
    for query in queries {
        written(&query.replace("FROM t", "FROM london.lfb.incidents"));
    }
}

#[test]
fn what_differs_is_seen() {
    let table = World::open().foreign("lfb", "incidents");
    let meant = |sql: &str| {
        let plan = read(sql, std::slice::from_ref(&table)).unwrap();
        normal(lower::plan(&plan).unwrap(), plan.schema().fields().len()).unwrap()
    };
    let pairs = [
        ("SELECT year FROM (SELECT year FROM t LIMIT 5) WHERE year > 1", "SELECT year FROM t WHERE year > 1 LIMIT 5"),
        ("SELECT year FROM t WHERE year IS DISTINCT FROM 1", "SELECT year FROM t WHERE year <> 1"),
        ("SELECT year FROM t ORDER BY year LIMIT 5", "SELECT year FROM t LIMIT 5"),
        ("SELECT year FROM t ORDER BY year NULLS FIRST LIMIT 5", "SELECT year FROM t ORDER BY year LIMIT 5"),
        ("SELECT count(DISTINCT year) FROM t", "SELECT count(year) FROM t"),
        ("SELECT count(*) FILTER (WHERE year > 1) FROM t", "SELECT count(*) FROM t"),
        ("SELECT year FROM t WHERE note LIKE 'a!%' ESCAPE '!'", "SELECT year FROM t WHERE note LIKE 'a!%'"),
        ("SELECT year FROM t WHERE cost = 1.5", "SELECT year FROM t WHERE cost = CAST(1.5 AS DECIMAL(10,2))"),
        ("SELECT cost, year FROM t", "SELECT year, cost FROM t"),
        ("SELECT DISTINCT year FROM t", "SELECT year FROM t"),
    ];
    for (meaning, text) in pairs {
        let (meaning, text) = (
            meaning.replace("FROM t", "FROM london.lfb.incidents"),
            text.replace("FROM t", "FROM london.lfb.incidents"),
        );
        assert!(check(&text, std::slice::from_ref(&table), &meant(&meaning)).is_err(), "{meaning} / {text}");
        assert!(check(&meaning, std::slice::from_ref(&table), &meant(&meaning)).is_ok(), "{meaning}");
    }
}
