//! The joint questions of London have the shape that their files say, and figures that can be so, over generated and over
//! published data.

use std::collections::BTreeMap;
use std::io::Cursor;

use arrow::datatypes::{DataType, SchemaRef};
use arrow::ipc::reader::StreamReader;
use meridian_examples::london::{boroughs, queries};

use super::support::{Mesh, published_files};

/// An answer's columns and how many rows it has.
fn shape_of(mesh: &Mesh, sql: &str) -> (String, usize) {
    let ran = mesh.run(&["query", "--format", "arrow", "--", sql]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let reader = StreamReader::try_new(Cursor::new(&ran.stdout), None).unwrap();
    (columns(&reader.schema()), reader.map(|batch| batch.unwrap().num_rows()).sum())
}

fn columns(schema: &SchemaRef) -> String {
    let column = |(name, data_type): (&String, &DataType)| {
        let sql = match data_type {
            DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8 => "varchar".into(),
            DataType::Int32 => "integer".into(),
            DataType::Int64 => "bigint".into(),
            DataType::Float64 => "double".into(),
            DataType::Decimal128(precision, scale) => format!("decimal({precision},{scale})"),
            other => panic!("{name} is {other}"),
        };
        format!("{name} {sql}")
    };
    let all: Vec<String> = schema.fields().iter().map(|field| column((field.name(), field.data_type()))).collect();
    all.join(", ")
}

/// The columns that a file says, and the least and the most rows: `-- 20 to 30 rows: name varchar, fires bigint`.
fn said(sql: &str) -> (&str, usize, usize) {
    let line = sql.lines().find_map(|line| line.strip_prefix("-- ")?.split_once(" rows: "));
    let (rows, columns) = line.expect("a shape");
    let (least, most) = rows.split_once(" to ").unwrap_or((rows, rows));
    (columns, least.parse().unwrap(), most.parse().unwrap())
}

#[test]
fn every_question_has_the_shape_that_its_file_says() {
    let mesh = Mesh::shared();
    for query in queries() {
        let (columns, least, most) = said(query.sql);
        let (found, rows) = shape_of(mesh, query.sql);
        assert_eq!(found, columns, "{}", query.name);
        assert!((least..=most).contains(&rows), "{}: {rows} rows", query.name);
    }
}

/// The figures of an answer, by the label in its first column; none where there is none.
fn figures(mesh: &Mesh, name: &str) -> BTreeMap<String, Vec<Option<f64>>> {
    let query = queries().iter().find(|query| query.name == name).unwrap();
    let ran = mesh.ask(query.sql);
    let figures = |row: &[&str]| row.iter().map(|cell| cell.parse().ok()).collect();
    ran.csv()[1..].iter().map(|row| (row[0].to_owned(), figures(&row[1..]))).collect()
}

#[test]
fn fires_are_the_more_frequent_the_more_deprived_a_ward_is() {
    let mesh = Mesh::shared();
    let found = figures(mesh, "deprivation");
    let rate = |decile: &str| found[decile][2].unwrap();
    // Drawn as 19 to 10 for each household.
    assert!((1.6..2.2).contains(&(rate("1") / rate("10"))), "{found:?}");
    // The brigade's count of 2019 to 2023 less those of no ward, which are a few; each cell with noise of at most five.
    let fires: f64 = found.values().map(|row| row[0].unwrap()).sum();
    assert!((25_059.0 - fires).abs() <= 50.0 + 25.0, "{fires}");
    let households: f64 = found.values().map(|row| row[1].unwrap()).sum();
    assert_eq!(households, 3_423_897.0, "Census 2021");
}

#[test]
fn the_brigade_joins_deprivation_to_its_fires_at_home() {
    let mesh = Mesh::shared();
    let sql = "SET purpose = 'ward-risk'; SELECT w.deprivation_decile, COUNT(*) AS fires FROM lfb.incidents AS i \
               JOIN gla.wards AS w ON w.gss = i.ward_gss GROUP BY w.deprivation_decile";
    let ran = mesh.ask(sql);
    assert_eq!(ran.csv().len(), 11, "{}", ran.ok());
    assert!(ran.stderr.contains("joined with london.gla.wards as a whole"), "{}", ran.stderr);
    let by_ward = mesh.ask(&sql.replace("w.deprivation_decile", "w.name"));
    assert!(!by_ward.stderr.contains("as a whole"), "a name is no declared label: {}", by_ward.stderr);
}

#[test]
fn wards_are_for_the_purpose_about_wards_only() {
    let mesh = Mesh::shared();
    let sql = queries().iter().find(|query| query.name == "hmo_licences").unwrap().sql;
    let said = mesh.ask(&sql.replace("SET purpose = 'ward-risk';", "")).fails(1).to_owned();
    assert!(said.contains("ward_gss of london.lfb.incidents is not granted"), "{said}");
}

#[test]
fn open_figures_are_what_they_are_computed_from() {
    let mesh = Mesh::shared();
    let green = figures(mesh, "green_space");
    // Camden: 24.8 per cent of 2,178.9 hectares, for 259,344 residents.
    assert_eq!(green["Camden"], [Some(259_344.0), Some(540.4), Some(20.8)]);
    assert_eq!(green["Bromley"][2], Some(255.6), "57.8 per cent of 15,013.5 hectares for 339,466");
    let air = figures(mesh, "air_and_asthma");
    assert_eq!(air["Westminster"][0], Some(37.934));
    assert_eq!(air["City of London"], [Some(40.994), None, None], "too few for the NHS to publish");
    for (borough, row) in air.iter().filter(|(borough, _)| *borough != "City of London") {
        let per_head = row[2].expect("admissions");
        assert!((5.0..120.0).contains(&per_head), "{borough}: {per_head}");
    }
    let all = mesh.ask("SELECT SUM(amount) FROM every.spend WHERE upper(supplier) LIKE 'NORTHBANK CLEANING%'");
    let pence = |pounds: &str| pounds.replace('.', "").parse::<i64>().unwrap();
    let spend = mesh.ask(queries().iter().find(|query| query.name == "spend").unwrap().sql);
    let total: i64 = spend.csv()[1..].iter().map(|row| pence(row[1])).sum();
    assert_eq!(total, pence(all.csv()[1][0]), "{}", spend.ok());
    let persons = mesh.ask("SELECT COUNT(*) FROM every.spend WHERE upper(supplier) LIKE '%PERSONAL%'");
    assert_eq!(persons.csv()[1], ["0"]);
}

#[test]
fn households_far_from_a_station_are_some_of_those_in_high_rise_buildings() {
    let mesh = Mesh::shared();
    let all = mesh.ask(
        "SELECT b.name, SUM(r.households) FROM every.high_rises r JOIN gla.boroughs b ON b.gss = r.borough_gss \
         GROUP BY b.name",
    );
    let all: BTreeMap<&str, f64> = all.csv()[1..].iter().map(|row| (row[0], row[1].parse().unwrap())).collect();
    assert_eq!(all.len(), 33, "every borough has some");
    let far = figures(mesh, "high_rises");
    for (borough, row) in &far {
        let (buildings, households) = (row[0].unwrap(), row[1].unwrap());
        // Seven storeys of three homes at least.
        assert!(buildings >= 1.0 && households >= 21.0 * buildings, "{borough}: {row:?}");
        assert!(households <= all[borough.as_str()], "{borough}: {row:?}");
    }
    assert!(far.contains_key("Bromley") && !far.contains_key("City of London"), "{far:?}");
}

#[test]
fn the_citys_few_households_without_a_home_are_not_told() {
    let mesh = Mesh::shared();
    let found = figures(mesh, "vacant_homes");
    let missing: Vec<_> =
        boroughs().iter().map(|borough| borough.name).filter(|name| !found.contains_key(*name)).collect();
    assert_eq!(missing, ["City of London"]);
    assert_eq!(found["Camden"][0], Some(1138.0), "published for 2015");
    // 13 in a thousand of Camden's 92,765 households, with noise of at most five.
    assert!((found["Camden"][1].unwrap() - 1205.0).abs() <= 5.0, "{:?}", found["Camden"]);
}

#[test]
fn published_files_answer_what_they_can() {
    let Some(data) = published_files() else {
        eprintln!("there are no published files beside the checkout: nothing to ask");
        return;
    };
    let mesh = Mesh::published(&data);
    for name in ["fire_risk_join", "green_space", "property_types"] {
        let query = queries().iter().find(|query| query.name == name).unwrap();
        let (columns, rows) = shape_of(&mesh, query.sql);
        assert_eq!(columns, said(query.sql).0, "{name}");
        assert!(rows > 0, "{name}");
    }
    let green = figures(&mesh, "green_space");
    assert_eq!(green.len(), 33);
    assert_eq!(green["Camden"][0], Some(259_344.0), "one of 52 years");
    let latest = mesh.ask(
        "SELECT b.name, v.vacant, a.no2 FROM gla.vacant_homes v JOIN gla.boroughs b ON b.gss = v.borough_gss \
         JOIN gla.air_quality a ON a.borough_gss = b.gss WHERE v.year = (SELECT MAX(year) FROM gla.vacant_homes) \
         ORDER BY b.name",
    );
    assert_eq!(latest.csv().len(), 34, "{}", latest.ok());
    assert_eq!(latest.csv()[6], ["Camden", "1138", "33.956"]);
    // Three bodies publish in three layouts, and two of them pay this supplier.
    let spend = queries().iter().find(|query| query.name == "spend").unwrap().sql;
    let paid = mesh.ask(&spend.replace("NORTHBANK CLEANING", "TRANSPORT FOR LONDON"));
    let bodies: Vec<_> = paid.csv()[1..].iter().map(|row| row[0].to_owned()).collect();
    assert_eq!(bodies.len(), 2, "{}", paid.ok());
    assert!(bodies.contains(&"gla".to_owned()) && bodies.contains(&"lambeth".to_owned()), "{}", paid.ok());
    let counts = mesh.ask("SELECT _body, COUNT(*), COUNT(paid) FROM every.spend GROUP BY _body ORDER BY _body");
    // How many of them have an amount, and how many a day, counted apart from any mesh.
    assert_eq!(counts.csv()[1..], [["barnet", "1604", "1604"], ["gla", "917", "917"], ["lambeth", "1072", "0"]]);
}
