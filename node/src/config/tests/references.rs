//! References to other bodies' datasets.

use super::*;
use crate::gate::Reference;

const LABELS: &str =
    "labels = { ward_gss = { role = \"dimension\", domain = [\"E05009288\", 7] }, zone = { role = \"dimension\" } }";
const FIRST: &str = "[[references]]
body = \"loda\"
dataset = \"property_wards\"
key = \"uprn\"
sha256 = \"00ff000000000000000000000000000000000000000000000000000000000001\"
";
const SECOND: &str = "[[references]]
body = \"loda\"
dataset = \"property_wards\"
key = \"uprn\"
sha256 = \"00ff000000000000000000000000000000000000000000000000000000000001\"
labels = { zone = { role = \"dimension\" } }
";

/// The dataset with a reference behind everything else.
fn with_reference() -> String {
    format!("{VISITS}\n{FIRST}{LABELS}\n")
}

/// Replaces `from` by `to` in it: exactly one problem is found, `line` lines below `[[references]]`.
#[track_caller]
fn wrong(from: &str, to: &str, line: usize, expected: &str) {
    let folder = baseline();
    let text = with_reference();
    let at = text.rfind(from).unwrap_or_else(|| panic!("no {from:?}"));
    let changed = format!("{}{to}{}", &text[..at], &text[at + from.len()..]);
    write(folder.path(), "datasets/visits.toml", &changed);
    let problems = load(folder.path()).expect_err(to);
    let begins = VISITS.lines().count() + 2;
    let expected = format!("datasets/visits.toml:{}: {expected}", begins + line);
    assert_eq!(problems.len(), 1, "{problems:#?}");
    assert!(problems[0].starts_with(&expected), "found    {}\nexpected {expected}", problems[0]);
}

#[test]
fn references_are_read_and_told() {
    let folder = baseline();
    write(folder.path(), "datasets/visits.toml", &with_reference());
    let config = load(folder.path()).unwrap();
    let visits = config.dataset("visits").unwrap();
    let mut sha256 = [0; 32];
    (sha256[1], sha256[31]) = (255, 1);
    let domain = Some(vec!["E05009288".to_owned(), "7".to_owned()]);
    let expected = Reference {
        body: name("loda"),
        dataset: name("property_wards"),
        key: name("uprn"),
        sha256,
        labels: vec![(name("ward_gss"), domain), (name("zone"), None)],
    };
    assert_eq!(visits.references, [expected]);
    let told = meridian_proto::Reference {
        body: name("loda"),
        dataset: name("property_wards"),
        key: name("uprn"),
        labels: vec![name("ward_gss"), name("zone")],
    };
    assert_eq!(visits.dataset.references, [told]);
    assert!(config.dataset("incidents").unwrap().references.is_empty());
}

#[test]
fn references() {
    wrong("\"loda\"", "\"LODA\"", 1, "references.body is \"LODA\", which is no name: write");
    wrong("\"loda\"", "\"gla\"", 1, "references.body is `gla`, which is no member of the federation: correct");
    wrong("\"loda\"", "\"lfb\"", 1, "references.body is `lfb`, which is this body: remove");
    wrong("\"property_wards\"", "\"\"", 2, "references.dataset is \"\", which is no name: write");
    wrong("key = \"uprn\"", "key = \"UPRN\"", 3, "references.key is \"UPRN\", which is no name: write");
    wrong("0001\"", "001\"", 4, "references.sha256 is \"00ff00");
    wrong("0001\"", "000g\"", 4, "references.sha256 is \"00ff00");
    let twice = format!("{LABELS}\n\n{SECOND}");
    wrong(LABELS, &twice, 9, "the reference to loda.property_wards stands twice: merge");
    wrong("[[references]]", "[[reference]]", 0, "unknown key `reference`: did you mean `references`?");
    let rows = format!("{SECOND}\n[[columns]]");
    let expected = "datasets/stations.toml:13: [[references]] stands in a dataset of form rows: leave";
    check("datasets/stations.toml", "[[columns]]", &rows, expected);
}

#[test]
fn labels() {
    wrong(LABELS, "labels = {}", 5, "labels is empty: name the columns");
    wrong("zone =", "Zone =", 5, "a name in labels is \"Zone\", which is no name: write");
    wrong("zone =", "uprn =", 5, "label uprn is the reference's key: leave");
    wrong("zone = { role = \"dimension\" }", "zone = {}", 5, "`role` is missing: add it");
    let measure = "label zone has the role measure: write role = \"dimension\"";
    wrong("zone = { role = \"dimension\"", "zone = { role = \"measure\"", 5, measure);
    let said = "[\"E05009288\", 7]";
    wrong(said, "[]", 5, "column ward_gss: domain holds 0 values: write");
    wrong(said, "[\"7\", 7]", 5, "column ward_gss: 7 stands twice in domain: remove");
    wrong(said, "\"gss:ward\"", 5, "invalid type: string \"gss:ward\", expected a sequence: correct");
}
