//! Address lists of node.toml, and mappings that look into them.

use super::*;

const LIST: &str = "\n[[addresses]]\nname = \"gazetteer\"\npath = \"list.csv\"\n";
const MAPPING: &str = "\n[mapping]\naddresses = \"gazetteer\"\nleast_score = 0.9\nsql = \"SELECT * FROM source\"\n";

fn changed(list: &str, mapping: &str) -> Result<Config, Vec<String>> {
    let folder = baseline();
    write(folder.path(), "list.csv", "uprn,address\n1,1 A STREET\n");
    write(folder.path(), "node.toml", &format!("{NODE}{list}"));
    let path = folder.path().join("datasets/stations.toml");
    let text = fs::read_to_string(&path).unwrap();
    let before = text.split_once("\n[mapping]").map_or(text.as_str(), |(before, _)| before);
    let (source, columns) = before.split_at(before.find("\n[[columns]]").unwrap());
    fs::write(&path, format!("{source}{mapping}{columns}")).unwrap();
    load(folder.path())
}

#[test]
fn a_mapping_names_a_list_of_the_node() {
    let config = changed(LIST, MAPPING).unwrap();
    let known = &config.node.addresses[0];
    assert_eq!((known.config().name.as_str(), known.config().memory_mib), ("gazetteer", 1024));
    let addresses = config.dataset("stations").unwrap().source.addresses.as_ref().unwrap();
    assert!(Arc::ptr_eq(&addresses.list, known));
    assert!((addresses.least_score - 0.9).abs() < 1e-9);
}

#[test]
fn what_is_wrong_with_lists_names_line_and_fix() {
    for (list, mapping, expected) in [
        (LIST.replace("list.csv", "gone.csv"), MAPPING.into(), "addresses.path is gone.csv, which can't be read"),
        (format!("{LIST}memory_mib = 0\n"), MAPPING.into(), "addresses.memory_mib is 0"),
        (LIST.repeat(2), MAPPING.into(), "address list `gazetteer` stands twice"),
        (LIST.into(), MAPPING.replace("gazetteer", "atlas"), "write one of gazetteer"),
        (String::new(), MAPPING.into(), "add [[addresses]] with this name to node.toml"),
        (LIST.into(), MAPPING.replace("0.9", "1.5"), "mapping.least_score is 1.5"),
        (
            LIST.into(),
            MAPPING.replace("addresses = \"gazetteer\"\n", ""),
            "mapping.least_score stands without addresses",
        ),
    ] {
        let problems = changed(&list, &mapping).expect_err(expected);
        assert!(problems.iter().any(|problem| problem.contains(expected)), "{expected}: {problems:?}");
    }
}
