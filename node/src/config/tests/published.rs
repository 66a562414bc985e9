//! Files as public bodies published them, each by a mapping that its owner would write; counts and sums that other
//! programs gave.
//!
//! Row counts and sums were computed with Python's `csv`, `gzip` and `decimal` modules: a carriage return, with or without
//! a line feed, ends a line; an amount is what is left without `£` and commas, negative in parentheses. Three of Lambeth's
//! files end with a grand total: there the sums are also what Lambeth itself says. Areas are those of Lambert's equal-area
//! cylinder of the WGS 84 ellipsoid by the trapezoids below each edge, and points lie in polygons by the crossings of a ray.

use std::path::PathBuf;

use arrow::util::pretty::pretty_format_batches;
use chrono::Utc;
use datafusion::prelude::SessionContext;

use super::*;
use crate::sources;

/// A file, how it is read, and what is found.
struct Published {
    file: &'static str,
    /// Further keys of `[source]`.
    keys: &'static str,
    mapping: &'static str,
    /// `name type` each.
    columns: &'static str,
    /// Over the table `found`.
    question: &'static str,
    answer: &'static str,
}

const PAYMENTS: &str = "supplier varchar, paid date, amount decimal(14,2)";
const TOTALS: &str = "supplier varchar, amount decimal(14,2)";
const LEDGER: &str = r#"SELECT clean("Vendor Name") AS supplier, parse_date_uk("Clearing Date") AS paid,
    parse_money("Amount") AS amount FROM source"#;
const GRAND_TOTAL: &str = r#"SELECT "Supplier Name" AS supplier, parse_money("Total") AS amount FROM source
    WHERE "Supplier Name" <> 'Grand Total'"#;
const SUMS: &str = "SELECT count(*), count(supplier), sum(amount) FROM found";
const LONG_SUMS: &str = "SELECT count(*), sum(amount), count(*) FILTER (WHERE amount < 0), sum(amount) FILTER (WHERE amount < 0), min(paid), \
     max(paid) FROM found";
const CONCENTRATIONS: &str = "gss varchar, mean double";
const MEANS: &str = "SELECT count(*), count(DISTINCT gss), round(sum(mean), 3) FROM found";

const FILES: &[Published] = &[
    Published {
        file: "spend/lambeth/2011-01-payments.csv",
        keys: "",
        mapping: r#"SELECT clean("Supplier Name") AS supplier, parse_money("Sum of Invoice Nett Amount") AS amount
            FROM source"#,
        columns: TOTALS,
        question: SUMS,
        answer: "1072 1072 38447618.14",
    },
    Published {
        file: "spend/lambeth/2011-02-payments.csv",
        keys: "skip = 1\ntrim = true",
        mapping: GRAND_TOTAL,
        columns: TOTALS,
        question: SUMS,
        answer: "1138 1138 40354087.84",
    },
    Published {
        file: "spend/lambeth/2011-04-payments.csv",
        keys: "skip = 1",
        mapping: GRAND_TOTAL,
        columns: TOTALS,
        question: SUMS,
        answer: "965 965 37361284.82",
    },
    Published {
        file: "spend/lambeth/2011-06-payments.csv",
        keys: "skip = 1\ntrim = true\ndrop = [\"blank_rows\"]",
        mapping: GRAND_TOTAL,
        columns: TOTALS,
        question: SUMS,
        answer: "1040 1040 43385857.97",
    },
    Published {
        file: "spend/gla/2013-P01.csv",
        keys: "",
        mapping: LEDGER,
        columns: PAYMENTS,
        question: LONG_SUMS,
        answer: "1202 224678915.00 53 -861418.35 2013-04-02 2013-04-26",
    },
    Published {
        file: "spend/gla/2017-P01.csv",
        keys: "",
        mapping: LEDGER,
        columns: PAYMENTS,
        question: LONG_SUMS,
        answer: "917 53116359.38 24 -209220.30 2017-04-03 2017-04-28",
    },
    Published {
        file: "spend/tfl/2021-P02.csv",
        keys: "",
        mapping: LEDGER,
        columns: PAYMENTS,
        question: LONG_SUMS,
        answer: "20014 377397934.84 234 -15708952.13 2020-05-04 2020-05-30",
    },
    Published {
        file: "spend/barnet/PCard_16-17.csv",
        keys: "drop = [\"blank_rows\"]",
        mapping: r#"SELECT "Creditor" AS supplier, parse_date_uk("Journal Date") AS paid, parse_money("Total") AS amount
            FROM source"#,
        columns: PAYMENTS,
        question: LONG_SUMS,
        answer: "1604 181803.58 57 -3491.11 2015-06-17 2016-09-02",
    },
    Published {
        file: "spend/barnet/Purchasing_Card_Data_2014.csv",
        keys: "",
        mapping: r#"SELECT "Creditor" AS supplier, parse_date_uk("Transaction Date") AS paid,
            parse_money("JV Value") AS amount FROM source"#,
        columns: PAYMENTS,
        question: LONG_SUMS,
        answer: "4562 447120.66 157 -10038.16 2014-04-02 2015-03-02",
    },
    Published {
        file: "profiles/gla_london_borough_profiles_2015_original.csv",
        keys: "",
        mapping: r#"SELECT "Code" AS gss, CAST("GLA_Population_Estimate_2015" AS INTEGER) AS people,
            CAST("Turnout_at_2014_local_elections" AS DOUBLE) AS turnout FROM source WHERE "Code" LIKE 'E09%'"#,
        columns: "gss varchar, people integer, turnout double",
        question: "SELECT count(*), sum(people), min(gss), max(gss) FROM found",
        answer: "33 8663300 E09000001 E09000033",
    },
    Published {
        file: "profiles/gla_population_borough_1999_2050.csv",
        keys: "",
        mapping: r#"SELECT "Code" AS gss, CAST("Population" AS BIGINT) AS people,
            CAST("Inland_Area _Hectares" AS DECIMAL(12,1)) AS hectares FROM source"#,
        columns: "gss varchar, people bigint, hectares decimal(12,1)",
        question: "SELECT count(*), sum(people), sum(hectares) FROM found",
        answer: "1872 1466658008 24532674.4",
    },
    Published {
        file: "fire/lfb_dwelling_fires_2009_2024.csv",
        keys: "",
        mapping: r#"SELECT CAST("date" AS DATE) AS day, borough, ward, CAST(easting_rounded AS BIGINT) AS easting FROM source"#,
        columns: "day date, borough varchar, ward varchar, easting bigint",
        question: "SELECT count(*), sum(easting), count(ward), count(DISTINCT borough), min(day), max(day) FROM found",
        answer: "90146 47862310800 90126 33 2009-01-01 2024-08-31",
    },
    Published {
        file: "fire/lfb_incident_official_39cols_20rows.csv",
        keys: "trim = true",
        mapping: r#"SELECT CAST("IncidentNumber" AS BIGINT) AS number, parse_date_uk("DateOfCall") AS day,
            "PropertyType" AS property, parse_money("Notional Cost (£)") AS cost FROM source"#,
        columns: "number bigint, day date, property varchar, cost decimal(10,2)",
        question: "SELECT count(*), sum(number), sum(cost), count(*) FILTER (WHERE property = 'Car'), min(day) FROM found",
        answer: "20 235388810 7718.00 2 2009-01-01",
    },
    Published {
        file: "fire/lfb_mobilisation_official_22cols_20rows.csv",
        keys: "",
        mapping: r#"SELECT parse_date_uk("DateAndTimeMobilised") AS day, CAST("AttendanceTimeSeconds" AS INTEGER) AS seconds,
            CAST(CAST("TurnoutTimeSeconds" AS DOUBLE) AS INTEGER) AS turnout FROM source"#,
        columns: "day date, seconds integer, turnout integer",
        question: "SELECT count(*), sum(seconds), count(turnout), max(day) FROM found",
        answer: "20 6645 17 2009-01-01",
    },
    Published {
        file: "housing/census2021_hmo_by_accommodation_lad.csv",
        keys: "",
        mapping: r#"SELECT "Lower tier local authorities Code" AS gss, CAST(CAST("Observation" AS DOUBLE) AS INTEGER) AS homes
            FROM source"#,
        columns: "gss varchar, homes integer",
        question: "SELECT count(*), sum(homes) FROM found",
        answer: "4965 24783207",
    },
    Published {
        file: "housing/dclg_long_term_empty_london_2004_2015.csv",
        keys: "",
        mapping: r#"SELECT "New_ONS" AS gss, "Local_Authority.Name" AS name, CAST("Total" AS INTEGER) AS homes FROM source"#,
        columns: "gss varchar, name varchar, homes integer",
        question: "SELECT count(*), sum(homes), count(DISTINCT gss) FROM found",
        answer: "396 383400 33",
    },
    Published {
        file: "environment/lad21-2016-NO2.csv",
        keys: "",
        mapping: r#"SELECT "LAD22CD" AS gss, CAST("NO2-2016-mean" AS DOUBLE) AS mean FROM source"#,
        columns: CONCENTRATIONS,
        question: MEANS,
        answer: "33 33 1201.128",
    },
    Published {
        file: "environment/lad21-2019-NO2.csv",
        keys: "",
        mapping: r#"SELECT "LAD22CD" AS gss, CAST("NO2-2019-mean" AS DOUBLE) AS mean FROM source"#,
        columns: CONCENTRATIONS,
        question: MEANS,
        answer: "33 33 935.65",
    },
    Published {
        file: "environment/lad21-2019-PM25.csv",
        keys: "",
        mapping: r#"SELECT "LAD22CD" AS gss, CAST("PM25-2019-mean" AS DOUBLE) AS mean FROM source"#,
        columns: CONCENTRATIONS,
        question: MEANS,
        answer: "33 33 355.975",
    },
    Published {
        file: "boundaries/london_boroughs_gla_gss.geojson",
        keys: "",
        mapping: r#"SELECT "GSS_CODE" AS gss, st_area_spheroid(geometry) AS area, CAST("HECTARES" AS DOUBLE) AS hectares
            FROM source"#,
        columns: "gss varchar, area double, hectares double",
        question: "SELECT count(*), count(DISTINCT gss), CAST(round(sum(area) / 1000000) AS BIGINT), \
                   CAST(round(sum(hectares)) AS BIGINT) FROM found",
        answer: "33 33 1574 159470",
    },
    Published {
        file: "environment/greater_london-osm_parks_2021.geojson.gz",
        keys: "",
        mapping: "SELECT name, st_area_spheroid(geometry) AS area FROM source",
        columns: "name varchar, area double",
        question: "SELECT count(*), count(name), CAST(round(sum(area) / 1000) AS BIGINT), \
                   CAST(round(sum(area) FILTER (WHERE name = 'Hyde Park') / 1000) AS BIGINT) FROM found",
        answer: "3282 1708 156860 1388",
    },
    Published {
        file: "disclosure/ptable_10_5_rule.csv.gz",
        keys: "",
        mapping: "SELECT CAST(pcv AS BIGINT) AS pcv, CAST(ckey AS BIGINT) AS ckey, CAST(pvalue AS BIGINT) AS pvalue FROM source",
        columns: "pcv bigint, ckey bigint, pvalue bigint",
        question: "SELECT count(*), sum(pcv), sum(ckey), sum(pvalue) FROM found",
        answer: "192000 72096000 24480000 -11520",
    },
    Published {
        file: "disclosure/microdata_seed111_20000.csv",
        keys: "",
        mapping: "SELECT CAST(record_key AS BIGINT) AS record_key FROM source",
        columns: "record_key bigint",
        question: "SELECT count(*), sum(record_key) FROM found",
        answer: "20000 2564852",
    },
    Published {
        file: "disclosure/lfb_dwelling_fires_2023_24_with_record_key.csv",
        keys: "",
        mapping: "SELECT CAST(record_key AS BIGINT) AS record_key FROM source",
        columns: "record_key bigint",
        question: "SELECT count(*), sum(record_key) FROM found",
        answer: "7853 1004160",
    },
    Published {
        file: "disclosure/expected_none__var1_var5_var8.csv",
        keys: "",
        mapping: "SELECT CAST(pre_sdc_count AS INTEGER) AS before, CAST(count AS INTEGER) AS count FROM source",
        columns: "before integer, count integer",
        question: "SELECT count(*), sum(before), sum(count), count(count) FROM found",
        answer: "200 20000 19905 193",
    },
    Published {
        file: "disclosure/expected_lfb_borough__hmo_yn.csv",
        keys: "",
        mapping: "SELECT CAST(pre_sdc_count AS INTEGER) AS before, CAST(count AS INTEGER) AS count FROM source",
        columns: "before integer, count integer",
        question: "SELECT count(*), sum(before), sum(count), count(count) FROM found",
        answer: "66 7853 7775 48",
    },
    Published {
        file: "disclosure/expected_var2__var3.csv",
        keys: "",
        mapping: "SELECT CAST(pre_sdc_count AS INTEGER) AS before, CAST(count AS INTEGER) AS count FROM source",
        columns: "before integer, count integer",
        question: "SELECT count(*), sum(before), sum(count), count(count) FROM found",
        answer: "8 20000 20005 8",
    },
];

/// The folder of published files: where `MERIDIAN_PUBLISHED` says, which must be true then, or beside the checkout.
fn published() -> Option<PathBuf> {
    let said = std::env::var_os("MERIDIAN_PUBLISHED").map(PathBuf::from);
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let folder = said.clone().unwrap_or(beside);
    assert!(said.is_none() || folder.is_dir(), "MERIDIAN_PUBLISHED names {}, which is not there", folder.display());
    folder.is_dir().then_some(folder)
}

fn described(published: &Published, path: &Path) -> String {
    let Published { keys, mapping, columns, .. } = published;
    let kind = if path.to_str().unwrap().contains(".geojson") { "geojson" } else { "csv" };
    let columns = columns.split(", ").map(|column| {
        let (name, column_type) = column.split_once(' ').unwrap();
        format!("[[columns]]\nname = \"{name}\"\ntype = \"{column_type}\"\n")
    });
    format!(
        "name = \"found\"\ntitle = \"Found\"\ndescription = \"\"\nlicence = \"OGL-UK-3.0\"\nform = \"open\"\n\n[source]\n\
         kind = \"{kind}\"\npath = '{}'\n{keys}\n\n[mapping]\nsql = '''{mapping}'''\n\n{}",
        path.display(),
        columns.collect::<String>()
    )
}

#[tokio::test]
async fn every_published_file_loads_with_a_short_mapping_and_the_figures_that_others_find() {
    let Some(folder) = published() else {
        eprintln!("not loaded: set MERIDIAN_PUBLISHED to the folder of published data");
        return;
    };
    let root = baseline();
    for published in FILES {
        let Published { file, keys, mapping, question, answer, .. } = published;
        assert!(keys.lines().count() + mapping.lines().count() <= 20, "{file}");
        write(root.path(), "datasets/found.toml", &described(published, &folder.join(file)));
        let config = load(root.path()).unwrap();
        let context = SessionContext::new();
        let source = &config.dataset("found").unwrap().source;
        let loaded = sources::load(source, &context, Utc::now()).await.unwrap_or_else(|error| panic!("{error}"));
        let rows = context.execute_logical_plan(loaded.plan).await.unwrap();
        context.register_table("found", rows.into_view()).unwrap();
        let found = context.sql(question).await.unwrap().collect().await.unwrap();
        let found = pretty_format_batches(&found).unwrap().to_string();
        let found: Vec<&str> =
            found.lines().nth(3).unwrap().split(['|', ' ']).filter(|cell| !cell.is_empty()).collect();
        assert_eq!(found.join(" "), *answer, "{file}");
    }
}

/// Which borough a park is in, by its centre.
#[tokio::test]
async fn parks_lie_in_the_boroughs_in_which_a_ray_finds_them() {
    let Some(folder) = published() else { return };
    let root = baseline();
    let context = SessionContext::new();
    crate::geometry::functions().for_each(|function| context.register_udf(function));
    for (table, file, mapping) in [
        ("parks", "environment/greater_london-osm_parks_2021.geojson.gz", "SELECT name, geometry FROM source"),
        ("boroughs", "boundaries/london_boroughs_gla_gss.geojson", r#"SELECT "NAME" AS name, geometry FROM source"#),
    ] {
        let columns = "name varchar, geometry bytea";
        let published = Published { file, keys: "", mapping, columns, question: "", answer: "" };
        write(root.path(), "datasets/found.toml", &described(&published, &folder.join(file)));
        let config = load(root.path()).unwrap();
        let loaded = sources::load(&config.dataset("found").unwrap().source, &context, Utc::now()).await.unwrap();
        let rows = context.execute_logical_plan(loaded.plan).await.unwrap();
        context.register_table(table, rows.into_view()).unwrap();
    }
    let question = "SELECT count(*) FILTER (WHERE b.name = 'Camden') camden, count(*) FILTER (WHERE b.name = 'Westminster') \
         westminster, count(*) FILTER (WHERE b.name = 'City of London') city, count(*) london \
         FROM boroughs b JOIN parks p ON st_contains(b.geometry, st_centroid(p.geometry))";
    let found = context.sql(question).await.unwrap().collect().await.unwrap();
    let found = pretty_format_batches(&found).unwrap().to_string();
    let found: Vec<&str> = found.lines().nth(3).unwrap().split(['|', ' ']).filter(|cell| !cell.is_empty()).collect();
    assert_eq!(found, ["90", "138", "22", "3269"]);
}

#[test]
fn the_list_names_every_table_that_is_published() {
    let Some(folder) = published() else { return };
    let mut files = Vec::new();
    let mut folders = vec![folder.clone()];
    while let Some(inner) = folders.pop() {
        for entry in fs::read_dir(inner).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(&folder).unwrap().to_str().unwrap().to_owned();
            if path.is_dir() {
                folders.push(path);
            } else if [".csv", ".csv.gz", ".geojson", ".geojson.gz"].iter().any(|suffix| name.ends_with(suffix)) {
                files.push(name);
            }
        }
    }
    files.sort();
    let mut listed: Vec<String> = FILES.iter().map(|published| published.file.to_owned()).collect();
    listed.sort();
    assert_eq!(files, listed);
}
