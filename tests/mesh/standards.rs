//! `meridian standard …` as an operator runs it, and what `meridian node check` says of rows that don't conform.

use std::fs;
use std::path::{Path, PathBuf};

use super::support::{Ran, Running, Town, meridian, published_files, scratch, until};

/// A secret of the rows: nothing says it of what is not open.
const SECRET: &str = "bungalow-of-mr-x";

fn run(arguments: &[&str], file: Option<(&str, &Path)>) -> Ran {
    let mut command = meridian();
    command.arg("standard").args(arguments);
    if let Some((option, path)) = file {
        command.args((!option.is_empty()).then_some(option)).arg(path);
    }
    Running::start(&mut command).end()
}

fn file(text: &str) -> PathBuf {
    let path = scratch("standards").join("payments.csv");
    fs::write(&path, text).unwrap();
    path
}

#[test]
fn the_six_lists_of_enabling_data_are_known() {
    let ran = run(&["list"], None);
    let listed = ran.ok();
    for name in ["buildings", "street_assets", "spaces", "spend", "boroughs", "air_quality"] {
        assert!(listed.lines().any(|line| line.starts_with(name) && line.ends_with("built in")), "{listed}");
        assert!(run(&["show", name], None).ok().contains("required"), "{name}");
    }
    assert!(run(&["show", "yurts"], None).fails(2).contains("there are air_quality, boroughs"));
}

#[test]
fn a_mapping_is_written_and_said_how_sure_it_is() {
    let path = file("Payee,Paid on,Net amount\nAcme Ltd,01/04/2024,(250.00)\nBeta plc,15/04/2024,75.00\n");
    let ran = run(&["map", "--to", "spend"], Some(("", &path)));
    let dataset: toml::Table = ran.ok().parse().unwrap();
    assert_eq!((dataset["standard"].as_str(), dataset["form"].as_str()), (Some("spend"), Some("none")));
    let sure = |column: &str| ran.stderr.lines().find(|line| line.starts_with(column)).unwrap().to_owned();
    assert!(sure("supplier").contains("high") && sure("amount").contains("high"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("Acme"), "{}", ran.stderr);

    let ran = run(&["map", "--to", "spend"], Some(("", &file("Tree,Species\n1,oak\n2,ash\n"))));
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert!(ran.stderr.contains("spend requires amount"), "{}", ran.stderr);
    assert!(run(&["map", "--to", "yurts"], Some(("", &path))).fails(2).contains("no standard"));
}

#[test]
fn rows_that_do_not_conform_are_named_without_what_is_in_them() {
    let town = Town::of(&["camden"]);
    let folder = town.mesh.folder("camden");
    let csv = format!("uprn,borough_gss,accommodation_type,households\n1,E09000007,flat,1\n2,E09000007,{SECRET},1\n");
    fs::write(folder.join("data.csv"), csv).unwrap();
    let columns =
        [("uprn", "bigint"), ("borough_gss", "varchar"), ("accommodation_type", "varchar"), ("households", "integer")];
    let columns = columns.map(|(name, kind)| format!("[[columns]]\nname = \"{name}\"\ntype = \"{kind}\"\n")).concat();
    let dataset = format!(
        "name = \"homes\"\ntitle = \"Homes\"\ndescription = \"\"\nlicence = \"none\"\nform = \"rows\"\nstandard = \"dwellings\"\n\
         [source]\nkind = \"csv\"\npath = \"data.csv\"\n{columns}"
    );
    fs::create_dir_all(folder.join("datasets")).unwrap();
    fs::write(folder.join("datasets/homes.toml"), dataset).unwrap();
    let config = folder.join("node.toml");

    let ran = run(&["check"], Some(("--config", &config)));
    let said = String::from_utf8(ran.stdout).unwrap();
    assert_eq!(ran.code, Some(3), "{said}");
    assert!(said.contains("accommodation_type has a value that is not valid in 1 rows\n    row 2\n"), "{said}");
    assert!(!said.contains(SECRET) && !ran.stderr.contains(SECRET), "{said}");

    let ran = run(&["check", "homes", "--format", "json"], Some(("--config", &config)));
    let found: serde_json::Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!((found[0]["conforms"].as_bool(), found[0]["found"]["rows"].as_u64()), (Some(false), Some(2)));

    let mut command = meridian();
    let ran = Running::start(command.args(["node", "check", "--config"]).arg(&config)).end();
    let said = String::from_utf8(ran.stdout).unwrap();
    assert!(
        said.contains("homes does not conform to dwellings: accommodation_type has no valid value in 1 rows"),
        "{said}"
    );
    assert!(!said.contains(SECRET) && !ran.stderr.contains(SECRET), "{said}");

    let good = fs::read_to_string(folder.join("data.csv")).unwrap().replace(SECRET, "terraced");
    fs::write(folder.join("data.csv"), good).unwrap();
    assert!(run(&["check"], Some(("--config", &config))).ok().contains("2 rows, all conform"));
}

/// The payments that four bodies published, in nine layouts: payments, pence and credits of all of them by Python's modules
/// csv and decimal, as in `node/src/cli/standard/tests/published.rs`.
const PAYMENTS: (&str, &[&str]) = ("32514,815370982.23,525", &["2011-01", "2011-02", "2011-04", "2011-06"]);

#[test]
fn payments_of_four_bodies_are_one_answer_with_its_receipt() {
    let Some(data) = published_files() else { return };
    let town = Town::of(&["lambeth", "gla", "tfl", "barnet"]);
    let lambeth: Vec<String> = PAYMENTS.1.iter().map(|month| format!("{month}-payments.csv")).collect();
    let lambeth: Vec<&str> = lambeth.iter().map(String::as_str).collect();
    for (body, files) in [
        ("lambeth", lambeth.as_slice()),
        ("gla", &["2013-P01.csv", "2017-P01.csv"]),
        ("tfl", &["2021-P02.csv"]),
        ("barnet", &["PCard_16-17.csv", "Purchasing_Card_Data_2014.csv"]),
    ] {
        for (number, file) in files.iter().enumerate() {
            let ran = run(&["map", "--to", "spend"], Some(("", &data.join("spend").join(body).join(file))));
            let proposed = ran.ok().replace("form = \"none\"", "form = \"open\"");
            let named = proposed.replacen("name = \"spend\"", &format!("name = \"spend_{number}\""), 1);
            let folder = town.mesh.folder(body).join("datasets");
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join(format!("spend_{number}.toml")), named).unwrap();
        }
    }
    town.mesh.start_each();
    let sql = "SELECT COUNT(*) AS payments, SUM(amount) AS pounds, SUM(CASE WHEN amount < 0 THEN 1 ELSE 0 END) AS credits \
               FROM every.spend";
    let receipt = scratch("payments").join("receipt");
    let asked = ["query", "--format", "csv", "--receipt-file", receipt.to_str().unwrap(), "--", sql];
    // Each body learns of the others' datasets when it can reach them.
    let ran = until("the payments of all", || {
        Some(town.mesh.run(&asked)).filter(|ran| String::from_utf8_lossy(&ran.stdout).contains(PAYMENTS.0))
    });
    assert_eq!(ran.ok(), format!("payments,pounds,credits\n{}\n", PAYMENTS.0));
    assert!(ran.stderr.contains("all signatures hold"), "{}", ran.stderr);
    for body in ["lambeth", "gla", "tfl", "barnet"] {
        assert!(ran.stderr.contains(body), "{body}: {}", ran.stderr);
    }
    let mut verify = meridian();
    verify.args(["receipt", "verify"]).arg(&receipt).arg("--ca").arg(town.mesh.ca());
    Running::start(&mut verify).end().ok();
    // An accountant's brackets.
    let credits = "SELECT COUNT(*) AS rows FROM every.spend WHERE amount = -250.00 AND _body = 'gla'";
    assert_eq!(town.mesh.ask(credits).ok(), "rows\n2\n");
}
