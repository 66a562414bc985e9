//! Declared tables.

use super::*;

#[test]
fn tables_are_read() {
    let [by_hmo, all_hmo] = <[TableConfig; 2]>::try_from(visits("", "").tables).unwrap();
    let expected = TableConfig {
        name: name("by_hmo"),
        dimensions: vec![name("hmo")],
        filter: Vec::new(),
        sum: Some(name("cost")),
    };
    assert_eq!(by_hmo, expected);
    let filter = vec![(name("hmo"), "true".to_owned())];
    assert_eq!(all_hmo, TableConfig { name: name("all_hmo"), dimensions: Vec::new(), filter, sum: None });
}

#[test]
fn tables() {
    refused("\"by_hmo\"", "\"By HMO\"", "61: tables.name is \"By HMO\", which is no name: write");
    refused("\"all_hmo\"", "\"by_hmo\"", "66: table by_hmo stands twice: rename");
    refused("[\"hmo\"]", "[\"hm\"]", "62: table by_hmo: dimensions names `hm`, which is no published column: name");
    refused("[\"hmo\"]", "[\"age\"]", "62: table by_hmo: dimensions names `age`, which has the role measure: name");
    refused("[\"hmo\"]", "[\"hmo\",\n\"hmo\"]", "63: table by_hmo: dimension `hmo` stands twice: remove");
    refused("{ hmo =", "{ hm =", "68: table all_hmo: filter names `hm`, which is no published column: name");
    refused("{ hmo =", "{ cost =", "68: table all_hmo: filter names `cost`, which has the role measure: name");
    refused("hmo = true", "hmo = \"yes!\"", "68: table all_hmo: filter of hmo is no boolean: write");
    refused("hmo = true", "hmo = [true]", "68: table all_hmo: filter of hmo is no boolean: write");
    refused(
        "\"cost\"\n\n[[",
        "\"costs\"\n\n[[",
        "63: table by_hmo: sum names `costs`, which is no published column: name",
    );
    refused("\"cost\"\n\n[[", "\"hmo\"\n\n[[", "63: table by_hmo: sum names `hmo`, which has the role dimension: name");
    refused("dimensions = []\n", "", "65: `dimensions` is missing: add it");
    refused("sum =", "sums =", "63: unknown key `sums`: did you mean `sum`?");
    check(
        "datasets/stations.toml",
        "[[columns]]",
        "[[tables]]\nname = \"all\"\ndimensions = []\n\n[[columns]]",
        "datasets/stations.toml:13: [[tables]] stands in a dataset of form rows: leave",
    );
}
