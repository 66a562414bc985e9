//! Declared tables, and datasets without noise.

use super::*;

const TABLES: &str = r#"
[[tables]]
name = "by_hmo"
dimensions = ["hmo"]
sum = "cost"

[[tables]]
name = "all_hmo"
dimensions = []
filter = { hmo = true }
"#;

/// The dataset of visits without noise, with these tables.
fn without_noise(tables: &str) -> String {
    let noise = "noise = { largest = 3, variance = 1.5, forbidden = 2, stay = 0.25 }";
    let text = VISITS.replace(noise, "noise = \"none\"").replace("history = \"record\"\n", "");
    assert!(text.contains("\"none\""));
    format!("{text}{tables}")
}

fn loaded(text: &str) -> Result<DatasetConfig, Vec<String>> {
    let folder = baseline();
    write(folder.path(), "datasets/visits.toml", text);
    load(folder.path()).map(|config| config.dataset("visits").unwrap().clone())
}

/// `from` replaced by `to` in the dataset without noise: exactly one problem, which says where (by a word of the line),
/// what, and what to do.
#[track_caller]
fn refused(from: &str, to: &str, word: &str, expected: &str) {
    let text = without_noise(TABLES);
    assert!(text.contains(from), "no {from:?}");
    let text = text.replacen(from, to, 1);
    let line = 1 + text.lines().position(|line| line.contains(word)).unwrap();
    let problems = loaded(&text).expect_err(to);
    assert_eq!(problems.len(), 1, "{problems:#?}");
    let expected = format!("datasets/visits.toml:{line}: {expected}");
    assert!(problems[0].starts_with(&expected), "found    {}\nexpected {expected}", problems[0]);
}

#[test]
fn tables_are_read() {
    let config = loaded(&without_noise(TABLES)).unwrap();
    assert_eq!(config.noise, NoiseConfig::None);
    let [by_hmo, all_hmo] = <[TableConfig; 2]>::try_from(config.tables).unwrap();
    let (dimensions, sum) = (vec![name("hmo")], Some(name("cost")));
    assert_eq!(by_hmo, TableConfig { name: name("by_hmo"), dimensions, filter: Vec::new(), sum });
    let filter = vec![(name("hmo"), "true".to_owned())];
    assert_eq!(all_hmo, TableConfig { name: name("all_hmo"), dimensions: Vec::new(), filter, sum: None });
}

#[test]
fn tables() {
    refused("\"by_hmo\"", "\"By HMO\"", "By HMO", "tables.name is \"By HMO\", which is no name: write");
    refused("\"all_hmo\"", "\"by_hmo\" # again", "again", "table by_hmo stands twice: rename");
    refused(
        "[\"hmo\"]",
        "[\"hm\"]",
        "\"hm\"",
        "table by_hmo: dimensions names `hm`, which is no published column: name",
    );
    refused(
        "[\"hmo\"]",
        "[\"age\"]",
        "[\"age\"]",
        "table by_hmo: dimensions names `age`, which has the role measure: name one of [[columns]] that has the role dim",
    );
    refused("[\"hmo\"]", "[\"hmo\", \"hmo\"]", "[\"hmo\"", "table by_hmo: dimension `hmo` stands twice: remove");
    refused(
        "[\"hmo\"]",
        "[\"day\"]",
        "[\"day\"]",
        "table by_hmo: dimensions names `day`, which declares no domain: add domain",
    );
    refused("dimensions = [\"hmo\"]\n", "", "[[tables]]", "`dimensions` is missing: add it");
    refused("sum =", "sums =", "sums", "unknown key `sums`: did you mean `sum`?");
    refused("sum = \"cost\"", "sum = \"hmo\"", "sum =", "table by_hmo: sum names `hmo`, which has the role dimension");
}

#[test]
fn filters() {
    refused("{ hmo =", "{ hm =", "{ hm", "table all_hmo: filter names `hm`, which is no published column: name");
    refused("{ hmo =", "{ cost =", "{ cost", "table all_hmo: filter names `cost`, which has the role measure: name");
    refused("{ hmo = true }", "{ hmo = 7 }", "{ hmo", "table all_hmo: filter of hmo is 7, which is not in its domain");
    refused("{ hmo = true }", "{ hmo = [1] }", "{ hmo", "table all_hmo: filter of hmo is [1], which is not in its");
    refused(
        "dimensions = []",
        "dimensions = [\"hmo\"]",
        "{ hmo",
        "table all_hmo: filter names `hmo`, which is one of its",
    );
}

#[test]
fn without_noise_there_are_tables_and_with_noise_there_are_none() {
    let lone = loaded(&without_noise("")).unwrap_err();
    assert!(lone[0].contains("visits.toml:7: noise is none, and there are no [[tables]]"), "{lone:?}");
    let both = loaded(&format!("{VISITS}{TABLES}")).unwrap_err();
    assert!(both[0].contains("[[tables]] stands in a dataset with noise: set noise = \"none\""), "{both:?}");
    // A table that rounds is known when it is read.
    let rounded = without_noise(TABLES).replace("\"none\"", "{ table = \"data/ptable.csv\" }");
    assert_eq!(loaded(&rounded).unwrap().tables.len(), 2);
    let history = without_noise(TABLES).replace("[unit]", "history = \"reuse\"\n\n[unit]");
    assert!(loaded(&history).unwrap_err()[0].contains("history stands in a dataset without noise: leave it out"));
    let live = without_noise(TABLES).replace("weekly", "live");
    assert!(loaded(&live).unwrap_err()[0].contains("as_of is live, and the dataset declares tables: write daily"));
    let table = "[[tables]]\nname = \"all\"\ndimensions = []\n\n[[columns]]";
    let expected = "datasets/stations.toml:13: [[tables]] stands in a dataset of form rows: leave";
    check("datasets/stations.toml", "[[columns]]", table, expected);
}

#[test]
fn agreements_change_nothing_in_tables() {
    let granted = |key: &str| {
        let folder = baseline();
        write(folder.path(), "datasets/visits.toml", &without_noise(TABLES));
        let grant = format!("[[grants]]\ndataset = \"visits\"\nform = \"statistics\"\n{key}\n");
        write(folder.path(), "agreements/fire-risk.toml", &format!("{AGREEMENT}\n{grant}"));
        load(folder.path()).map(drop)
    };
    granted("").unwrap();
    granted("threshold = 10").unwrap();
    let raised = granted("threshold = 20").unwrap_err();
    assert!(raised[0].contains("the declared tables of `visits` are solved for 10: raise"), "{raised:?}");
    let allowed = granted("allowance = 5").unwrap_err();
    assert!(allowed[0].contains("allowance stands in a grant over declared tables of `visits`: leave"), "{allowed:?}");
}
