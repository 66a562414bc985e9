//! SQL over datasets of one body goes to our representation, to text, and back to the same representation.

use crate::check::{check, read};
use crate::lower;
use crate::normal::normal;
use crate::tables::ForeignTable;
use crate::tests::world::World;
use crate::wire;

fn tables() -> Vec<ForeignTable> {
    let world = World::open();
    ["incidents", "stations", "crews"].map(|dataset| world.foreign("lfb", dataset)).to_vec()
}

/// The text of a query, checked.
fn written(sql: &str) -> String {
    let tables = tables();
    let plan = read(sql, &tables).unwrap_or_else(|error| panic!("{sql}: {error}"));
    let width = plan.schema().fields().len();
    let meant =
        lower::plan(&plan).and_then(|rel| Ok(normal(rel, width)?)).unwrap_or_else(|why| panic!("{sql}: {why:?}"));
    let text = wire::sql(&meant).unwrap();
    check(&text, &tables, &meant).unwrap_or_else(|why| panic!("{sql}: {why:?}"));
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
            "SELECT c1 AS c0 FROM (SELECT \"cost\" AS c0, \"year\" AS c1 FROM t ORDER BY c0 DESC NULLS LAST LIMIT 2 OFFSET 1)",
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

/// Joins, set operations, windows, subqueries and grouping sets.
const CONSTRUCTS: &[&str] = &[
    // Joins.
    "SELECT t.note, s.station FROM t JOIN s ON t.borough_gss = s.borough_gss",
    "SELECT t.note, s.station FROM t JOIN s ON t.borough_gss = s.borough_gss AND t.year = s.engines AND t.cost > s.engines",
    "SELECT t.note, s.station FROM t JOIN s ON t.borough_gss IS NOT DISTINCT FROM s.borough_gss",
    "SELECT t.note, s.station FROM t JOIN s ON t.year + 1 = s.engines AND upper(t.note) = lower(s.station)",
    "SELECT t.note, s.station FROM t LEFT JOIN s ON t.borough_gss = s.borough_gss AND t.year > 2020",
    "SELECT t.note, s.station FROM t RIGHT JOIN s ON t.borough_gss = s.borough_gss AND s.engines > 2",
    "SELECT t.note, s.station FROM t FULL JOIN s ON t.borough_gss = s.borough_gss AND t.year < s.engines",
    "SELECT t.note, s.station FROM t LEFT JOIN s ON true",
    "SELECT t.note, s.station FROM t CROSS JOIN s WHERE t.year > s.engines",
    "SELECT t.note, s.station FROM t, s",
    "SELECT count(*) FROM t, s",
    "SELECT count(*) FROM t CROSS JOIN (SELECT 1 FROM s) CROSS JOIN (SELECT uprn FROM c LIMIT 3)",
    "SELECT t.note FROM t LEFT SEMI JOIN s ON t.borough_gss = s.borough_gss AND s.engines > t.year",
    "SELECT t.note FROM t LEFT ANTI JOIN s ON t.borough_gss = s.borough_gss AND s.engines > 1",
    "SELECT s.station FROM t RIGHT SEMI JOIN s ON t.borough_gss = s.borough_gss",
    "SELECT s.station FROM t RIGHT ANTI JOIN s ON t.borough_gss = s.borough_gss",
    "SELECT t.note FROM t LEFT ANTI JOIN s ON true",
    "SELECT note FROM t WHERE borough_gss NOT IN (SELECT borough_gss FROM s)",
    "SELECT note FROM t WHERE year > 2019 AND year + 1 NOT IN (SELECT engines FROM s WHERE station IS NOT NULL) AND cost > 1",
    "SELECT note FROM t WHERE uprn NOT IN (SELECT uprn FROM c) AND borough_gss NOT IN (SELECT borough_gss FROM s LIMIT 2)",
    "SELECT count(*) FROM t WHERE borough_gss NOT IN (SELECT max(borough_gss) FROM s GROUP BY engines) AND year IN (2020, 2021)",
    "SELECT a.note, b.note, s.station FROM t a JOIN t b ON a.uprn = b.uprn JOIN s ON b.borough_gss = s.borough_gss",
    "SELECT t.note, x.n FROM t JOIN (SELECT uprn, count(*) AS n FROM c GROUP BY uprn) x ON x.uprn = t.uprn AND x.n > t.year",
    "SELECT t.note, x.u FROM (SELECT * FROM t WHERE cost > 1) t LEFT JOIN (SELECT upper(crew) AS u, uprn FROM c WHERE hours > 1) x ON x.uprn = t.uprn WHERE x.u IS NULL",
    "SELECT t.note, j.crew FROM t LEFT JOIN (SELECT c.crew, s.station, c.uprn FROM c JOIN s ON c.year = s.engines) j ON t.uprn = j.uprn",
    "SELECT x.year, y.year FROM (SELECT year FROM t LIMIT 5) x JOIN (SELECT year FROM c ORDER BY hours LIMIT 3) y ON x.year = y.year",
    "SELECT year, crew FROM (SELECT t.year, c.crew FROM t JOIN c ON t.uprn = c.uprn ORDER BY c.hours LIMIT 4 OFFSET 1) WHERE year > 2000",
    "SELECT * FROM (SELECT t.year, c.crew FROM t JOIN c ON t.uprn = c.uprn LIMIT 4) WHERE crew = 'red'",
    "SELECT s.station, count(*), sum(t.cost) FROM t JOIN s ON t.borough_gss = s.borough_gss GROUP BY s.station HAVING count(*) > 1",
    // Set operations.
    "SELECT borough_gss FROM t UNION ALL SELECT borough_gss FROM s",
    "SELECT borough_gss FROM t UNION SELECT borough_gss FROM s",
    "SELECT borough_gss, year FROM t UNION ALL SELECT station, engines FROM s UNION ALL SELECT crew, year FROM c",
    "SELECT borough_gss FROM t INTERSECT SELECT borough_gss FROM s",
    "SELECT borough_gss, year FROM t EXCEPT SELECT station, engines FROM s",
    "SELECT count(*) FROM (SELECT year FROM t UNION ALL SELECT engines FROM s)",
    "SELECT y FROM (SELECT year AS y, note AS n FROM t UNION ALL SELECT engines, station FROM s) WHERE n IS NULL",
    "SELECT n || 'x' FROM (SELECT year AS y, note AS n FROM t UNION ALL SELECT engines, station FROM s) ORDER BY 1 LIMIT 3",
    "SELECT sum(y) FROM (SELECT count(*) AS y, year FROM t GROUP BY year UNION ALL SELECT count(*), engines FROM s GROUP BY engines)",
    "(SELECT year FROM t ORDER BY year LIMIT 2) UNION ALL (SELECT engines FROM s LIMIT 1)",
    "SELECT year FROM t UNION ALL SELECT engines FROM s LIMIT 3",
    "SELECT year FROM (SELECT year FROM t UNION ALL SELECT engines FROM s LIMIT 3) WHERE year > 1",
    // Windows.
    "SELECT note, row_number() OVER (PARTITION BY year ORDER BY cost DESC, note) FROM t",
    "SELECT rank() OVER (ORDER BY year), dense_rank() OVER (ORDER BY year), sum(cost) OVER (PARTITION BY year) FROM t",
    "SELECT sum(cost) OVER (ORDER BY year ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM t",
    "SELECT sum(cost) OVER (ORDER BY year RANGE BETWEEN 1 PRECEDING AND 2 FOLLOWING) FROM t",
    "SELECT max(cost) OVER (ORDER BY year GROUPS BETWEEN UNBOUNDED PRECEDING AND 1 FOLLOWING) FROM t",
    "SELECT count(*) OVER () AS n, avg(cost) FILTER (WHERE year > 2020) OVER (PARTITION BY borough_gss) FROM t",
    "SELECT lag(cost, 2, 0) OVER (ORDER BY uprn), lead(note) IGNORE NULLS OVER (ORDER BY uprn), ntile(3) OVER (ORDER BY uprn) FROM t",
    "SELECT first_value(note) OVER (PARTITION BY year ORDER BY cost), nth_value(note, 2) OVER (ORDER BY cost) FROM t",
    "SELECT * FROM (SELECT uprn, rank() OVER (PARTITION BY year ORDER BY cost) AS r FROM t WHERE cost > 0) WHERE r <= 2",
    "SELECT r, count(*) FROM (SELECT rank() OVER (ORDER BY n) AS r FROM (SELECT count(*) AS n FROM t GROUP BY year)) GROUP BY r",
    "SELECT uprn, sum(hours) OVER (PARTITION BY crew) + 1 FROM c ORDER BY 2 LIMIT 3",
    "SELECT s.station, t.note, sum(t.cost) FROM t JOIN s ON t.borough_gss = s.borough_gss GROUP BY t.note, s.station ORDER BY 1, 3, 2 LIMIT 4",
    "SELECT c.crew, t.note FROM t JOIN c ON t.uprn = c.uprn ORDER BY t.note, c.crew LIMIT 2",
    // Scalar subqueries.
    "SELECT note FROM t WHERE cost = (SELECT max(cost) FROM t)",
    "SELECT note, (SELECT count(*) FROM s) AS n FROM t WHERE year > 2019",
    "SELECT note FROM t WHERE year > (SELECT min(engines) FROM s WHERE station <> 'x') AND cost < (SELECT avg(hours) FROM c) + 1",
    "SELECT (SELECT max(hours) FROM c) - (SELECT min(hours) FROM c WHERE year = (SELECT max(year) FROM c)) FROM t",
    "SELECT year, sum(cost) / (SELECT sum(cost) FROM t) FROM t GROUP BY year HAVING sum(cost) > (SELECT avg(cost) FROM t)",
    "SELECT t.note FROM t JOIN s ON t.borough_gss = s.borough_gss WHERE t.cost > (SELECT avg(cost) FROM t)",
    "SELECT year FROM t WHERE cost > (SELECT hours FROM c ORDER BY hours DESC LIMIT 1)",
    // Grouping sets.
    "SELECT year, borough_gss, count(*) FROM t GROUP BY ROLLUP (year, borough_gss)",
    "SELECT year, borough_gss, sum(cost) FROM t GROUP BY CUBE (year, borough_gss)",
    "SELECT borough_gss, year, count(DISTINCT uprn) FROM t GROUP BY GROUPING SETS ((year), (borough_gss, year), ())",
    "SELECT borough_gss, year, count(*) FROM t GROUP BY borough_gss, ROLLUP (year)",
    "SELECT count(*) FROM (SELECT year FROM t GROUP BY ROLLUP (year))",
    "SELECT date_trunc('year', happened), count(*) FROM t GROUP BY ROLLUP (date_trunc('year', happened)) HAVING count(*) > 1",
];

#[test]
fn constructs_come_back() {
    let wrong: Vec<String> = CONSTRUCTS
        .iter()
        .filter_map(|query| {
            let sql = named(query);
            std::panic::catch_unwind(|| written(&sql)).err().map(|_| sql)
        })
        .collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), CONSTRUCTS.len(), wrong.join("\n"));
}

/// The queries name the datasets by a letter.
fn named(query: &str) -> String {
    let dataset = |name: &str| format!("(SELECT * FROM london.lfb.{name})");
    format!("WITH t AS {}, s AS {}, c AS {} {query}", dataset("incidents"), dataset("stations"), dataset("crews"))
}

#[test]
fn what_differs_is_seen() {
    let tables = tables();
    let meant = |sql: &str| {
        let plan = read(sql, &tables).unwrap();
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
        assert!(check(&text, &tables, &meant(&meaning)).is_err(), "{meaning} / {text}");
        assert!(check(&meaning, &tables, &meant(&meaning)).is_ok(), "{meaning}");
    }
}
