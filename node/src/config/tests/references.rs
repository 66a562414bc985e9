//! References to other bodies' datasets.

use super::*;

const LABELS: &str =
    "labels = { ward_gss = { role = \"dimension\", domain = [\"E05009288\", 7] }, zone = { role = \"dimension\" } }";
const REFERENCE: &str = "[[references]]
body = \"loda\"
dataset = \"property_wards\"
key = \"uprn\"
sha256 = \"00ff000000000000000000000000000000000000000000000000000000000001\"
labels = { zone = { role = \"dimension\" } }
";

#[test]
fn references_are_read() {
    let mut sha256 = [0; 32];
    (sha256[1], sha256[31]) = (255, 1);
    let domain = Some(vec!["E05009288".to_owned(), "7".to_owned()]);
    let expected = ReferenceConfig {
        body: name("loda"),
        dataset: name("property_wards"),
        key: name("uprn"),
        sha256,
        labels: vec![(name("ward_gss"), domain), (name("zone"), None)],
    };
    assert_eq!(visits("", "").references, [expected]);
}

#[test]
fn references() {
    refused("\"loda\"", "\"LODA\"", "71: references.body is \"LODA\", which is no name: write");
    refused("\"loda\"", "\"gla\"", "71: references.body is `gla`, which is no member of the federation: correct");
    refused("\"loda\"", "\"lfb\"", "71: references.body is `lfb`, which is this body: remove");
    refused("\"property_wards\"", "\"\"", "72: references.dataset is \"\", which is no name: write");
    refused("key = \"uprn\"", "key = \"UPRN\"", "73: references.key is \"UPRN\", which is no name: write");
    refused("0001\"", "001\"", "74: references.sha256 is \"00ff00");
    refused("0001\"", "000g\"", "74: references.sha256 is \"00ff00");
    refused(
        LABELS,
        &format!("{LABELS}\n\n{REFERENCE}"),
        "79: the reference to loda.property_wards stands twice: merge",
    );
    refused("[[references]]", "[[reference]]", "70: unknown key `reference`: did you mean `references`?");
    let rows = format!("{REFERENCE}\n[[columns]]");
    let expected = "datasets/stations.toml:13: [[references]] stands in a dataset of form rows: leave";
    check("datasets/stations.toml", "[[columns]]", &rows, expected);
}

#[test]
fn labels() {
    refused(LABELS, "labels = {}", "75: labels is empty: name the columns");
    refused("zone =", "Zone =", "75: a name in labels is \"Zone\", which is no name: write");
    refused("zone =", "uprn =", "75: label uprn is the reference's key: leave");
    refused("zone = { role = \"dimension\" }", "zone = {}", "75: `role` is missing: add it");
    refused(
        "zone = { role = \"dimension\"",
        "zone = { role = \"measure\"",
        "75: label zone has the role measure: write role = \"dimension\"",
    );
    let said = "[\"E05009288\", 7]";
    refused(said, "[]", "75: column ward_gss: domain holds 0 values: write");
    refused(said, "[\"7\", 7]", "75: column ward_gss: 7 stands twice in domain: remove");
    refused(said, "\"gss:ward\"", "75: invalid type: string \"gss:ward\", expected a sequence: correct");
}
