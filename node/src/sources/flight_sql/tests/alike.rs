//! Conditions, aggregates and joins give what they give here, over rows on which a careless translation would tell.

use super::*;

/// Conditions over the table of traps, and whether the dialects of Spark and DataFusion have them worked out there.
const CONDITIONS: [(&str, bool); 46] = [
    ("town = 'York'", true),
    ("town <> 'York'", true),
    ("town = 'york'", true),
    ("town = 'O''Hara'", true),
    ("town = 'a\\b'", true),
    ("town = '${x}'", true),
    ("town = 'two\nlines'", true),
    ("town = ''", true),
    ("town IN ('York', 'O''Hara', 'a\\b')", true),
    ("town NOT IN ('York', 'élm')", true),
    ("town < 'a'", true),
    ("town >= 'é'", true),
    ("town BETWEEN 'H' AND 'Y'", true),
    ("town NOT BETWEEN 'H' AND 'Z'", true),
    ("town LIKE '%o%'", true),
    ("town NOT LIKE 'Y_rk'", true),
    ("town LIKE '%''%'", true),
    ("town LIKE '_'", true),
    ("town IS NULL OR id > 3", true),
    ("NOT (town IS NULL)", true),
    ("town = note", true),
    ("town < note", true),
    ("3 > id", true),
    ("id NOT BETWEEN 3 AND 7", true),
    ("id = -1", true),
    ("id = rooms", true),
    ("rooms = 9223372036854775807", false),
    ("price = 1.50", true),
    ("price >= 2.00", true),
    ("price IN (1.50, -0.05)", true),
    ("built < DATE '2000-02-29'", true),
    ("built = DATE '0001-01-01'", true),
    ("built IS NOT NULL", true),
    ("sold >= TIMESTAMP '2024-07-03 09:46:40'", true),
    ("sold = TIMESTAMP '2024-07-03 09:46:40.000001'", true),
    ("seen < TIMESTAMP '2024-07-03 09:46:40.000001'", true),
    ("area > 1.5", true),
    ("area <> 1.5", true),
    ("area > 1e300", true),
    ("area = 0.0", false),
    ("free", true),
    ("NOT (free OR id = 3)", true),
    ("(id = 1 OR town = 'Hull') AND NOT (rooms = 2)", true),
    ("id + 1 = 3", false),
    ("upper(town) = 'YORK'", false),
    ("town ILIKE 'yo%'", false),
];

const QUESTIONS: [&str; 8] = [
    "SELECT COUNT(*) AS n FROM homes",
    "SELECT town, COUNT(*) AS n, SUM(price) AS p, MAX(built) AS b, MIN(sold) AS s FROM homes GROUP BY town",
    "SELECT COUNT(DISTINCT town) AS n, SUM(rooms) AS r, MIN(town) AS t, MAX(town) AS u FROM homes WHERE rooms < 100",
    "SELECT COUNT(*) FILTER (WHERE town = 'O''Hara') AS n, SUM(id) AS i FROM homes",
    "SELECT free, COUNT(town) AS n FROM homes WHERE id > 2 GROUP BY free HAVING COUNT(town) > 1",
    "SELECT id, town FROM homes ORDER BY town DESC NULLS LAST, id LIMIT 4",
    "SELECT h.id, t.people FROM homes h JOIN towns t ON h.town = t.name WHERE t.people > 1",
    "SELECT t.name, COUNT(h.id) AS n FROM towns t LEFT JOIN homes h ON h.town = t.name GROUP BY t.name",
];

/// The columns of the tables of traps.
pub(super) const HOMES: [&str; 10] = [
    "id integer",
    "town varchar",
    "note varchar",
    "price decimal(12,2)",
    "built date",
    "sold timestamp",
    "seen timestamp",
    "area double",
    "free boolean",
    "rooms bigint",
];
pub(super) const TOWNS: [&str; 2] = ["name varchar", "people integer"];

/// Two tables of an engine, and what was put to it since this was last asked.
pub(super) struct Traps<'a> {
    pub(super) homes: SourceSpec,
    pub(super) towns: SourceSpec,
    pub(super) asked: &'a mut dyn FnMut() -> Vec<String>,
}

/// Puts all of it to an engine, and compares.
pub(super) async fn compare(traps: Traps<'_>, exact: bool) {
    let Traps { homes, towns, asked } = traps;
    let (homes, towns) = (loaded(&homes).await.unwrap(), loaded(&towns).await.unwrap());
    let there = session(&BTreeMap::from([("homes", homes), ("towns", towns)]));
    let here = copied(&there, &["homes", "towns"]).await;
    for (condition, pushed) in CONDITIONS {
        let sql = format!("SELECT id FROM homes WHERE {condition}");
        asked();
        let found = ask(&there, &sql).await.unwrap_or_else(|error| panic!("{condition}: {error}"));
        let expected = ask(&here, &sql).await.unwrap();
        assert_eq!(rows(&found), rows(&expected), "{condition}");
        let asked = asked();
        assert!(!exact || asked[0].contains("WHERE") == pushed, "{condition}: {asked:?}");
    }
    for sql in QUESTIONS {
        asked();
        let found = ask(&there, sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        assert_eq!(rows(&found), rows(&ask(&here, sql).await.unwrap()), "{sql}");
        assert!(!exact || asked().len() == 1, "{sql} is one query there");
    }
}

/// Rows in an order of their own.
fn rows(batches: &[RecordBatch]) -> Vec<String> {
    let mut rows: Vec<String> =
        shown(batches).lines().filter(|line| line.starts_with('|')).map(str::to_owned).collect();
    rows.sort();
    rows
}

/// The rows of the tables of traps as DataFusion reads them; `arrow_cast` makes the types what they are to be.
const MADE: [&str; 2] = [
    "CREATE TABLE homes AS SELECT arrow_cast(column1, 'Int32') AS id, column2 AS town, column3 AS note, \
     arrow_cast(column4, 'Decimal128(12, 2)') AS price, arrow_cast(column5, 'Date32') AS built, \
     arrow_cast(column6, 'Timestamp(Microsecond, Some(\"Europe/London\"))') AS sold, \
     arrow_cast(column6, 'Timestamp(Microsecond, None)') AS seen, arrow_cast(column7, 'Float64') AS area, \
     column8 AS free, arrow_cast(column9, 'Int64') AS rooms FROM (VALUES \
     (1, 'York', 'Hull', 1.50, '2000-02-29', '2024-07-03T09:46:40.000001Z', 0.0, true, 1), \
     (2, 'O''Hara', 'O''Hara', 2.00, '0001-01-01', '1969-12-31T23:59:59.999999Z', -0.0, false, 2), \
     (3, 'a\\b', 'a', -0.05, '9999-12-31', '2024-07-03T09:46:40Z', 1.5, true, 9223372036854775807), \
     (4, '${x}', NULL, NULL, NULL, NULL, NULL, NULL, NULL), (5, NULL, 'x', 99999999.99, '1970-01-01', '2024-01-01T00:00:00Z', 'NaN', false, 5), \
     (6, 'two\nlines', '', 0.00, '2000-02-28', '2024-01-01T00:00:00Z', 'Infinity', true, -6), \
     (7, 'élm', 'elm', 7.00, '2000-03-01', '2024-01-01T00:00:00Z', '-1e300', false, 7), (8, '', ' ', 8.00, '2000-03-01', \
      '2024-01-01T00:00:00Z', '5e-324', NULL, 8), (-1, 'Hull', 'York', 1.50, '2000-03-01', '2024-01-01T00:00:00Z', '1e301', true, 2), \
     (9, 'z', 'Z', 1.50, '2000-03-01', '2024-01-01T00:00:00Z', 2.0, true, 9), (10, 'York', 'york ', 1.00, '2000-03-01', \
      '2024-01-01T00:00:00Z', 2.0, true, 10))",
    "CREATE TABLE towns AS SELECT column1 AS name, arrow_cast(column2, 'Int32') AS people FROM \
     (VALUES ('York', 200000), ('Hull', 260000), ('O''Hara', 1), ('Leeds', 790000))",
];

/// An engine that has them.
pub(super) async fn own() -> Own {
    let own = Own::start().await;
    for sql in MADE {
        own.state.context.sql(sql).await.unwrap().collect().await.unwrap();
    }
    own
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_done_by_datafusion_is_what_would_be_done_here() {
    let own = own().await;
    for dialect in [EngineDialect::DataFusion, EngineDialect::Generic] {
        let engine = FlightEngine::new(config(own.port, dialect));
        let (homes, towns) =
            (spec(&engine, Form::Open, "public.homes", &HOMES), spec(&engine, Form::Open, "public.towns", &TOWNS));
        let traps = Traps { homes, towns, asked: &mut || own.asked() };
        compare(traps, dialect == EngineDialect::DataFusion).await;
    }
    // Of what every engine is asked, conditions on texts and numbers are a part.
    let engine = FlightEngine::new(config(own.port, EngineDialect::Generic));
    let loaded = loaded(&spec(&engine, Form::Open, "homes", &HOMES)).await.unwrap();
    let context = session(&BTreeMap::from([("d", loaded)]));
    for (sql, sent) in [
        (
            "SELECT id FROM d WHERE town = 'York' AND id > 2",
            r#"SELECT "id", "town" FROM "homes" WHERE "town" = 'York' AND "id" > 2"#,
        ),
        ("SELECT id FROM d WHERE town <> 'York'", r#"SELECT "id", "town" FROM "homes""#),
        ("SELECT id FROM d LIMIT 2", r#"SELECT "id" FROM "homes" LIMIT 2"#),
        ("SELECT COUNT(*) FROM d WHERE price = 1.5", r#"SELECT "price" FROM "homes" WHERE "price" = 1.50"#),
    ] {
        own.asked();
        ask(&context, sql).await.unwrap();
        assert_eq!(own.asked(), [sent], "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dataset_with_rows_of_people_is_scanned_and_not_more() {
    let own = own().await;
    let engine = FlightEngine::new(config(own.port, EngineDialect::DataFusion));
    let loaded = loaded(&spec(&engine, Form::Rows, "homes", &HOMES)).await.unwrap();
    let context = session(&BTreeMap::from([("d", loaded)]));
    own.asked();
    ask(&context, "SELECT town, COUNT(*) AS n FROM d WHERE id > 3 GROUP BY town").await.unwrap();
    assert_eq!(own.asked(), [r#"SELECT "town" FROM "homes" WHERE "id" > 3"#]);
}
