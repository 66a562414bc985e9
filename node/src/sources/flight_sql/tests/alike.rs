//! Conditions, aggregates and joins give what they give here, over rows on which a careless translation would tell.

use arrow::array::{ArrayRef, Decimal32Array, Decimal64Array, Decimal128Array, Float64Array, UInt64Array};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::DataType;
use rand::rngs::StdRng;

use super::super::super::tests::generated;
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
    ("price = 8", true),
    ("price >= 2", true),
    ("price IN (7, 8)", true),
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

const QUESTIONS: [&str; 9] = [
    "SELECT town, COUNT(*) AS n, COUNT(*) AS m FROM homes GROUP BY town",
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
    let shown = shown(batches);
    let mut rows: Vec<String> = shown.lines().skip(3).map(str::to_owned).collect();
    rows.sort();
    rows
}

/// The rows of the tables of traps; `arrow_cast` makes the types what they are to be.
const MADE: [(&str, &str); 2] = [
    (
        "homes",
        "SELECT arrow_cast(column1, 'Int32') AS id, column2 AS town, column3 AS note, \
         arrow_cast(column4, 'Decimal128(12, 2)') AS price, arrow_cast(column5, 'Date32') AS built, \
         arrow_cast(column6, 'Timestamp(Microsecond, Some(\"UTC\"))') AS sold, \
         arrow_cast(column6, 'Timestamp(Microsecond, None)') AS seen, arrow_cast(column7, 'Float64') AS area, \
         column8 AS free, arrow_cast(column9, 'Int64') AS rooms FROM (VALUES \
         (1, 'York', 'Hull', 1.50, '2000-02-29', '2024-07-03T09:46:40.000001Z', 0.0, true, 1), \
         (2, 'O''Hara', 'O''Hara', 2.00, '0001-01-01', '1969-12-31T23:59:59.999999Z', CAST('-0' AS DOUBLE), false, 2), \
         (3, 'a\\b', 'a', -0.05, '9999-12-31', '2024-07-03T09:46:40Z', 1.5, true, 9223372036854775807), \
         (4, '${x}', NULL, NULL, NULL, NULL, NULL, NULL, NULL), \
         (5, NULL, 'x', 99999999.99, '1970-01-01', '2024-01-01T00:00:00Z', CAST('NaN' AS DOUBLE), false, 5), \
         (6, 'two\nlines', '', 0.00, '2000-02-28', '2024-01-01T00:00:00Z', CAST('Infinity' AS DOUBLE), true, -6), \
         (7, 'élm', 'elm', 7.00, '2000-03-01', '2024-01-01T00:00:00Z', -1e300, false, 7), \
         (8, '', ' ', 8.00, '2000-03-01', '2024-01-01T00:00:00Z', 5e-324, NULL, 8), \
         (-1, 'Hull', 'York', 1.50, '2000-03-01', '2024-01-01T00:00:00Z', 1e301, true, 2), \
         (9, 'z', 'Z', 1.50, '2000-03-01', '2024-01-01T00:00:00Z', 2.0, true, 9), \
         (10, 'York', 'york ', 1.00, '2000-03-01', '2024-01-01T00:00:00Z', 2.0, true, 10))",
    ),
    (
        "towns",
        "SELECT column1 AS name, arrow_cast(column2, 'Int32') AS people FROM \
         (VALUES ('York', 200000), ('Hull', 260000), ('O''Hara', 1), ('Leeds', 790000))",
    ),
];

/// What of generated rows can only be in the table.
const ONLY: [&[&str]; 11] = [
    &[],
    &[],
    &[],
    &[],
    &[
        "0.0",
        "CAST('-0' AS DOUBLE)",
        "CAST('NaN' AS DOUBLE)",
        "CAST('Infinity' AS DOUBLE)",
        "CAST('-Infinity' AS DOUBLE)",
    ],
    &["'a\nb'", "'it\\s'", "'${a}'", "'\"a\"'"],
    &[],
    &["date '0001-01-01'", "date '9999-12-31'"],
    &[],
    &[],
    &[],
];

/// The rows of a query in this process.
async fn made(sql: &str) -> RecordBatch {
    let batches = SessionContext::new().sql(sql).await.unwrap().collect().await.unwrap();
    let batch = concat_batches(&batches[0].schema(), &batches).unwrap();
    // Texts as all have them.
    let columns = batch.columns().iter().map(|column| match column.data_type() {
        DataType::Utf8View => cast(column, &DataType::Utf8).unwrap(),
        _ => Arc::clone(column),
    });
    let schema = batch.schema();
    let names = schema.fields().iter().map(|field| field.name().as_str());
    RecordBatch::try_from_iter_with_nullable(names.zip(columns).map(|(name, column)| (name, column, true))).unwrap()
}

/// The tables of traps by their names.
pub(super) async fn tables() -> Vec<(&'static str, RecordBatch)> {
    let mut tables = Vec::new();
    for (name, sql) in MADE {
        tables.push((name, made(sql).await));
    }
    tables
}

/// Generated rows.
pub(super) async fn generated_rows(rng: &mut StdRng) -> RecordBatch {
    let rows = generated::rows(rng, ONLY);
    let sql = "SELECT arrow_cast(column1, 'Int32') AS i, arrow_cast(column2, 'Int16') AS s, arrow_cast(column3, 'Int64') AS b, \
        arrow_cast(column4, 'Decimal128(10, 2)') AS n, arrow_cast(column5, 'Float64') AS f, column6 AS t, column7 AS c, \
        arrow_cast(column8, 'Date32') AS d, arrow_cast(column9, 'Timestamp(Microsecond, None)') AS ts, \
        arrow_cast(arrow_cast(column10, 'Timestamp(Microsecond, None)'), 'Timestamp(Microsecond, Some(\"UTC\"))') AS tz, column11 AS bo";
    made(&format!("{sql} FROM (VALUES {rows})")).await
}

/// An engine of our own that has these tables.
pub(super) async fn own(tables: Vec<(&'static str, RecordBatch)>) -> Own {
    let own = Own::start().await;
    for (name, batch) in tables {
        let table = MemTable::try_new(batch.schema(), vec![vec![batch]]).unwrap();
        own.state.context.register_table(name, Arc::new(table)).unwrap();
    }
    own
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_done_by_datafusion_is_what_would_be_done_here() {
    let own = own(tables().await).await;
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
        (
            "SELECT COUNT(*) FROM d WHERE price = 8",
            r#"SELECT "price" FROM "homes" WHERE "price" = CAST('8.00' AS DECIMAL(12, 2))"#,
        ),
    ] {
        own.asked();
        ask(&context, sql).await.unwrap();
        assert_eq!(own.asked(), [sent], "{sql}");
    }
}

/// Numbers whose sums have no place in their own types, and a NaN with a minus.
fn numbers() -> RecordBatch {
    const ROWS: usize = 12;
    let small = Decimal32Array::from(vec![999_999_999; ROWS]).with_precision_and_scale(9, 2).unwrap();
    let large = Decimal64Array::from(vec![999_999_999_999_999_999; ROWS]).with_precision_and_scale(18, 2).unwrap();
    let doubles = (0..ROWS).map(|at| if at == 3 { -f64::NAN } else { at as f64 });
    let columns: [(&str, ArrayRef); 4] = [
        ("u", Arc::new(UInt64Array::from(vec![u64::MAX; ROWS]))),
        ("small", Arc::new(small)),
        ("large", Arc::new(large)),
        ("x", Arc::new(Float64Array::from_iter_values(doubles))),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sums_have_their_digits_there_and_there_is_one_nan() {
    let own = own(vec![("numbers", numbers())]).await;
    let columns = ["u decimal(20,0)", "small decimal(9,2)", "large decimal(18,2)", "x double"];
    let of = async |dialect| {
        let engine = FlightEngine::new(config(own.port, dialect));
        session(&BTreeMap::from([("d", loaded(&spec(&engine, Form::Open, "numbers", &columns)).await.unwrap())]))
    };
    let (there, here) = (of(EngineDialect::DataFusion).await, of(EngineDialect::Generic).await);
    for sql in [
        "SELECT SUM(u) AS u, SUM(small) AS s, SUM(large) AS l FROM d",
        "SELECT SUM(u) AS u FROM d WHERE u = 18446744073709551615 AND small > 1 AND large < 9999999999999999.99",
        "SELECT MIN(u) AS u, MAX(small) AS s, COUNT(DISTINCT large) AS l FROM d",
        "SELECT COUNT(*) AS n FROM d WHERE x < 1.5",
        "SELECT COUNT(*) AS n FROM d WHERE x > 1.5",
        "SELECT COUNT(*) AS n FROM d WHERE NOT (x >= 5) AND x IS NOT NULL",
        "SELECT COUNT(*) AS n FROM (SELECT x FROM d ORDER BY u LIMIT 12) WHERE x <> 1.5 AND x > -1",
    ] {
        own.asked();
        let found = shown(&ask(&there, sql).await.unwrap());
        assert!(matches!(own.asked().as_slice(), [one] if one.contains('(')), "{sql} is worked out there");
        assert_eq!(found, shown(&ask(&here, sql).await.unwrap()), "{sql}");
    }
    let sums = shown(&ask(&here, "SELECT SUM(u) AS u FROM d").await.unwrap());
    assert!(sums.contains("221360928884514619380"), "{sums}");
}

/// Many engines take a number with a point for a double.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn decimals_are_compared_with_decimals_by_every_engine() {
    let wide = Decimal128Array::from(vec![900_719_925_474_099_301]).with_precision_and_scale(20, 2).unwrap();
    let own = own(vec![("sums", RecordBatch::try_from_iter([("wide", Arc::new(wide) as ArrayRef)]).unwrap())]).await;
    for dialect in [EngineDialect::DataFusion, EngineDialect::Generic] {
        let engine = FlightEngine::new(config(own.port, dialect));
        let dataset = spec(&engine, Form::Open, "sums", &["wide decimal(20,2)"]);
        let context = session(&BTreeMap::from([("d", loaded(&dataset).await.unwrap())]));
        own.asked();
        let sql = "SELECT wide FROM d WHERE wide < CAST('9007199254740993.02' AS DECIMAL(20, 2))";
        let found = shown(&ask(&context, sql).await.unwrap());
        assert!(found.contains("9007199254740993.01"), "{dialect}: {found}");
        assert!(own.asked()[0].contains("WHERE"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dataset_with_rows_of_people_is_scanned_and_not_more() {
    let own = own(tables().await).await;
    let engine = FlightEngine::new(config(own.port, EngineDialect::DataFusion));
    let loaded = loaded(&spec(&engine, Form::Rows, "homes", &HOMES)).await.unwrap();
    let context = session(&BTreeMap::from([("d", loaded)]));
    own.asked();
    ask(&context, "SELECT town, COUNT(*) AS n FROM d WHERE id > 3 GROUP BY town").await.unwrap();
    assert_eq!(own.asked(), [r#"SELECT "town" FROM "homes" WHERE "id" > 3"#]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn generated_questions_have_the_same_answers_there() {
    let mut rng = generated::chooser();
    let own = own(vec![("values_of", generated_rows(&mut rng).await)]).await;
    for (dialect, share) in [(EngineDialect::DataFusion, 40), (EngineDialect::Generic, 0)] {
        let engine = FlightEngine::new(config(own.port, dialect));
        let dataset = spec(&engine, Form::Open, "values_of", &generated::COLUMNS);
        let context = generated::both(loaded(&dataset).await.unwrap()).await;
        generated::conditions(&context, &mut rng, share).await;
        own.asked();
        if share > 0 {
            generated::questions(&context, &mut rng, || own.asked()).await;
        }
    }
}
