//! Standards: what is said about wrong ones, that those which every node knows are good, and what becomes of changed files.

use super::*;
use crate::standards::{Kind, ValidValues};

const FILE: &str = "standards/trees.toml";

const TREES: &str = r#"name = "trees"
title = "Trees"
keys = ["tree_id"]

[[columns]]
name = "tree_id"
type = "varchar"
required = true
pattern = "T[0-9]+"
synonyms = ["tree number"]

[[columns]]
name = "height"
type = "double"
from = 0
to = 150.5

[[columns]]
name = "kind"
type = "varchar"
kind = "category"
values = ["oak", "ash"]
"#;

#[track_caller]
fn refused(from: &str, to: &str, expected: &str) {
    let folder = baseline();
    assert!(TREES.contains(from), "{from}");
    write(folder.path(), FILE, &TREES.replacen(from, to, 1));
    let problems = load(folder.path()).expect_err(to);
    assert_eq!(problems.len(), 1, "{problems:#?}");
    let expected = format!("{FILE}:{expected}");
    assert!(problems[0].starts_with(&expected), "found    {}\nexpected {expected}", problems[0]);
}

#[test]
fn a_standard_is_read_beside_those_that_every_node_knows() {
    let folder = baseline();
    write(folder.path(), FILE, TREES);
    let config = load(folder.path()).unwrap();
    let trees = &config.standard("trees").unwrap().standard;
    assert_eq!((trees.columns.len(), trees.keys.clone()), (3, vec![name("tree_id")]));
    assert_eq!(trees.columns[0].values, Some(ValidValues::Pattern("T[0-9]+".into())));
    let range = ValidValues::Range { from: Some("0".into()), to: Some("150.5".into()) };
    assert_eq!((&trees.columns[1].values, trees.columns[2].kind), (&Some(range), Kind::Category));
    let built_in: Vec<String> = built_in().iter().map(|known| known.standard.name.to_string()).collect();
    let of_examples: Vec<&str> = meridian_examples::london::standards().iter().map(|(name, _)| *name).collect();
    assert_eq!(built_in, of_examples);
    assert_eq!(config.standards.len(), built_in.len() + 1);
}

#[test]
fn what_is_wrong_with_a_standard_is_said() {
    refused("title = \"Trees\"", "title = \"\"", "2: title is empty");
    refused("keys = [\"tree_id\"]", "keys = [\"tree\"]", "3: keys names `tree`, which is no column");
    refused("keys = [\"tree_id\"]", "keys = [\"tree_id\", \"tree_id\"]", "3: keys names `tree_id` twice");
    refused("type = \"double\"", "type = \"float\"", "14: type is \"float\", which is no column type");
    refused("name = \"kind\"", "name = \"height\"", "19: column height stands twice");
    refused("T[0-9]+", "T[0-9", "9: column tree_id: pattern is no regular expression");
    refused("pattern = \"T[0-9]+\"", "from = 1", "9: column tree_id has from or to, but is a varchar");
    refused("from = 0", "values = [1.0]", "16: column height says twice what is valid");
    refused("from = 0", "from = \"low\"", "15: column height: from is no double");
    refused("from = 0", "from = 200", "15: column height has a from above its to");
    refused("kind = \"category\"", "kind = \"sort\"", "21: unknown value `sort`");
    refused("required = true", "needed = true", "8: unknown key `needed`");
}

#[test]
fn a_standard_that_changes_binds_datasets_that_are_in_force_no_more_than_their_last_good_content() {
    let folder = baseline();
    write(folder.path(), FILE, TREES);
    let claims = STATIONS.replace("form =", "standard = \"trees\"\nform =").replace("\"code\"", "\"tree_id\"");
    write(folder.path(), "datasets/stations.toml", &claims);
    let agreement = AGREEMENT.replace("filter = \"opened >= DATE '2015-01-01'\"", "");
    write(folder.path(), "agreements/fire-risk.toml", &agreement);
    let path = folder.path().join("node.toml");
    let mut reader = Reader::new(&path, Config::load(&path).unwrap());
    reader.look();
    write(folder.path(), FILE, &TREES.replacen("type = \"double\"", "type = \"double\"\nrequired = true", 1));
    let news = reader.look().unwrap();
    assert_eq!(news.problems.len(), 1, "{:#?}", news.problems);
    assert!(news.problems[0].what.contains("requires column height"), "{:#?}", news.problems);
    assert!(news.changed.unwrap().dataset("stations").is_some());
}
