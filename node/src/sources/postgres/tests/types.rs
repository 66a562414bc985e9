//! Types and values: each comes as it is, or as the table of `kind` says.

use super::*;

const TABLE: &str = r#"
CREATE TYPE mood AS ENUM ('glad', 'sad');
CREATE DOMAIN uprn AS bigint CHECK (VALUE > 0);
CREATE DOMAIN pounds AS numeric(12,2);
CREATE COLLATION blind (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE every_type (
  k int PRIMARY KEY, b boolean, i2 smallint, i4 integer, i8 bigint, f4 real, f8 double precision, o oid,
  n numeric(12,2), wide numeric(38,10), free numeric, huge numeric(60,2), t text, v varchar(20), c char(6), blind text COLLATE blind,
  d date, ts timestamp, tz timestamptz, tm time, iv interval, u uuid, j json, jb jsonb, ai int[], at text[], raw bytea,
  e mood, p uprn, m pounds, ip inet, "Odd ""name" int
);
INSERT INTO every_type VALUES
 (1, true, -32768, -2147483648, -9223372036854775808, 1.5, 0.1, 4294967295, -1234567890.12, 1234567890123456789012345678.0123456789,
  3.14159265358979323846264338327950288419716939937510, 1e55, 'naïve "x" \', 'va', 'ab', 'Ä', '0044-03-15 BC', '1999-12-31 23:59:59.999999',
  '2024-06-01 12:00:00+05:30', '23:59:59.5', '1 year 2 days 03:04:05', 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', '{"a" : 1}', '{"b": [1, null]}',
  '{1,NULL,3}', '{"a,b",NULL}', '\x00ff10', 'sad', 100023336956, 0.50, '10.0.0.0/8', 7),
 (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
  NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
 (3, false, 32767, 2147483647, 9223372036854775807, 'NaN', '-Infinity', 0, 'NaN', 0, 'NaN', 0, '', '', '', 'ä', 'infinity', '-infinity', 'infinity',
  '00:00', '0', '00000000-0000-0000-0000-000000000000', 'null', 'null', '{}', '{}', '', 'glad', 1, -0.01, '::1', 0),
 (4, true, 0, 0, 0, 0, '-0', 1, 0.01, -0.0000000001, 0, -1, E'a\tb', 'x', '  in', 'ß', '9999-12-31', '0001-01-01', '1970-01-01 00:00:00+00',
  '12:00', '-1 mon', 'ffffffff-ffff-ffff-ffff-ffffffffffff', '[]', '{}', '{{1,2},{3,4}}', '{""}', '\xdeadbeef', 'glad', 2, 99, '1.2.3.4', -1);
"#;

const COLUMNS: [&str; 31] = [
    "k integer",
    "b boolean",
    "i2 integer",
    "i4 integer",
    "i8 bigint",
    "f4 double",
    "f8 double",
    "o bigint",
    "n decimal(12,2)",
    "wide decimal(38,10)",
    "free varchar",
    "huge varchar",
    "t varchar",
    "v varchar",
    "c varchar",
    "blind varchar",
    "d date",
    "ts timestamp",
    "tz timestamp",
    "tm varchar",
    "iv varchar",
    "u varchar",
    "j varchar",
    "jb varchar",
    "ai varchar",
    "at varchar",
    "raw varchar",
    "e varchar",
    "p bigint",
    "m decimal(12,2)",
    "ip varchar",
];

/// The columns of one row, each by its name.
async fn row(context: &SessionContext, key: i32) -> BTreeMap<String, String> {
    let batches = ask(context, &format!("SELECT * FROM d WHERE k = {key}")).await.unwrap();
    let batch = batches.iter().find(|batch| batch.num_rows() == 1).expect("one row");
    let value = |column| arrow::util::display::array_value_to_string(column, 0).unwrap();
    let names = batch.schema().fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>();
    names.into_iter().zip(batch.columns().iter().map(|c| if c.is_null(0) { "NULL".into() } else { value(c) })).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_type_comes_as_it_is() {
    let database = Database::new(TABLE);
    let loaded = loaded(&database.dataset(Form::Open, "every_type", &COLUMNS, None)).await;
    // What is no published column is not in the way; `Odd "name` is one such.
    let loaded = loaded.unwrap();
    assert_eq!(loaded.rows, 4);
    let context = session(&BTreeMap::from([("d", loaded)]));
    let expected = |row: &BTreeMap<String, String>, pairs: &[(&str, &str)]| {
        for (name, value) in pairs {
            assert_eq!(&row[*name], value, "{name}");
        }
    };
    let first = row(&context, 1).await;
    expected(
        &first,
        &[
            ("b", "true"),
            ("i2", "-32768"),
            ("i4", "-2147483648"),
            ("i8", "-9223372036854775808"),
            ("f4", "1.5"),
            ("f8", "0.1"),
            ("o", "4294967295"),
            ("n", "-1234567890.12"),
            ("wide", "1234567890123456789012345678.0123456789"),
            ("free", "3.14159265358979323846264338327950288419716939937510"),
            ("huge", "10000000000000000000000000000000000000000000000000000000.00"),
            ("t", "naïve \"x\" \\"),
            ("c", "ab"),
            ("blind", "Ä"),
            ("d", "-0043-03-15"),
            ("ts", "1999-12-31T23:59:59.999999"),
            ("tz", "2024-06-01T06:30:00"),
            ("tm", "23:59:59.5"),
            ("iv", "P1Y2DT3H4M5S"),
            ("u", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
            ("j", "{\"a\" : 1}"),
            ("jb", "{\"b\": [1, null]}"),
            ("ai", "[1,null,3]"),
            ("at", "[\"a,b\",null]"),
            ("raw", "00ff10"),
            ("e", "sad"),
            ("p", "100023336956"),
            ("m", "0.50"),
            ("ip", "10.0.0.0/8"),
        ],
    );
    let nothing = row(&context, 2).await;
    assert!(nothing.iter().all(|(name, value)| name == "k" || value == "NULL"), "{nothing:?}");
    let special = row(&context, 3).await;
    expected(
        &special,
        &[
            ("i8", "9223372036854775807"),
            ("f4", "NaN"),
            ("f8", "-inf"),
            ("n", "NULL"),
            ("free", "NaN"),
            ("t", ""),
            ("c", ""),
            ("d", "NULL"),
            ("ts", "NULL"),
            ("tz", "NULL"),
            ("raw", ""),
            ("ai", "[]"),
            ("m", "-0.01"),
        ],
    );
    let fourth = row(&context, 4).await;
    expected(
        &fourth,
        &[
            ("f8", "-0.0"),
            ("wide", "-0.0000000001"),
            ("t", "a\tb"),
            ("c", "  in"),
            ("d", "9999-12-31"),
            ("ts", "0001-01-01T00:00:00"),
            ("tz", "1970-01-01T00:00:00"),
            ("ai", "[[1,2],[3,4]]"),
            ("raw", "deadbeef"),
        ],
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mapping_makes_columns_of_what_can_not_be_published() {
    let database = Database::new(TABLE);
    let mapping = "SELECT k, CAST(free AS DECIMAL(20,3)) AS free, upper(raw) AS raw, \"Odd \"\"name\" AS odd FROM source WHERE k <> 3";
    let columns = ["k integer", "free decimal(20,3)", "raw varchar", "odd integer"];
    let loaded = loaded(&database.dataset(Form::Open, "every_type", &columns, Some(mapping))).await.unwrap();
    let context = session(&BTreeMap::from([("d", loaded)]));
    let found = row(&context, 1).await;
    assert_eq!((found["free"].as_str(), found["raw"].as_str(), found["odd"].as_str()), ("3.142", "00FF10", "7"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn geometry_comes_as_wkb() {
    let database = Database::new("SELECT 1");
    let available = database.run("SELECT count(*) FROM pg_available_extensions WHERE name = 'postgis'");
    assert_eq!(available, "1", "PostGIS is not installed: run tests/run, which installs it");
    database.run(
        "CREATE SCHEMA gis; CREATE EXTENSION postgis SCHEMA gis; \
         CREATE TABLE lamps (k int, place gis.geometry(Point, 27700), area gis.geography); \
         INSERT INTO lamps VALUES (1, gis.ST_SetSRID(gis.ST_MakePoint(530000, 180000), 27700), 'POINT(0 51)'), (2, NULL, NULL)",
    );
    let columns = ["k integer", "place varchar", "area varchar"];
    let loaded = loaded(&database.dataset(Form::Open, "lamps", &columns, None)).await.unwrap();
    let context = session(&BTreeMap::from([("d", loaded)]));
    let found = row(&context, 1).await;
    // Little-endian, a point, and its two doubles.
    let point = |x: f64, y: f64| hex::encode([&[1, 1, 0, 0, 0][..], &x.to_le_bytes(), &y.to_le_bytes()].concat());
    assert_eq!((found["place"].clone(), found["area"].clone()), (point(530_000.0, 180_000.0), point(0.0, 51.0)));
    assert_eq!(row(&context, 2).await["place"], "NULL");
    // As a mapping makes it a geometry: Easting and Northing of a point, and its distance in metres from a corner.
    let mapping = "SELECT k, st_geomfromhexwkb(place) AS shape, \
         st_distance(st_geomfromhexwkb(place), st_point(530003, 180004)) AS away FROM source";
    let columns = ["k integer", "shape bytea", "away double"];
    let loaded = self::loaded(&database.dataset(Form::Open, "lamps", &columns, Some(mapping))).await.unwrap();
    let context = session(&BTreeMap::from([("d", loaded)]));
    let found = row(&context, 1).await;
    assert_eq!((found["shape"].clone(), found["away"].clone()), (point(530_000.0, 180_000.0), "5.0".to_owned()));
    assert_eq!(row(&context, 2).await["away"], "NULL");
}
