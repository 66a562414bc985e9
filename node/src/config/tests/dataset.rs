//! What is said about a dataset's terms, columns and source.

use meridian_proto::{Coverage, Covers};

use super::*;

#[test]
fn what_people_are_told() {
    let (file, licence) = ("datasets/incidents.toml", "licence = \"OGL-UK-3.0\"\n");
    let with = |line: &str, said: &str| {
        check(file, licence, &format!("{licence}{line}\n"), &format!("datasets/incidents.toml:5: {said}"));
    };
    with(
        "contact = { name = \"Data team\", email = \"data\" }",
        "contact.email is \"data\", which is no address of mail: write",
    );
    with("contact = { name = \" \", email = \"data@lfb.example\" }", "contact.name is empty: fill");
    with("contact = { email = \"data@lfb.example\" }", "`name` is missing: add");
    with("contact = { name = \"x\", mail = \"y\" }", "unknown key `mail`");
    with("keywords = [\"fire\", \"fire\"]", "the keyword \"fire\" stands twice: remove one");
    with("keywords = [\"\"]", "a keyword is empty: fill");
    with(&format!("keywords = [\"{}\"]", "x".repeat(201)), "a keyword has more than 200 characters");
    with("last_change = \"yesterday\"", "last_change is \"yesterday\", which is no date: write it as");

    let folder = baseline();
    let lines = "keywords = [\"fire\"]\nlast_change = \"1970-02-01\"\nmembers_only = true\n";
    write(folder.path(), file, &INCIDENTS.replace(licence, &format!("{licence}{lines}")));
    let state = "state = \"state\"\n";
    let contact = "contact = { name = \"Data team\", email = \"data@lfb.example\" }\n";
    write(folder.path(), "node.toml", &NODE.replace(state, &format!("{state}{contact}")));
    let config = load(folder.path()).unwrap();
    let about = &config.dataset("incidents").unwrap().dataset.about;
    assert_eq!(
        (about.keywords.as_slice(), about.last_change, about.members_only),
        (&["fire".to_owned()][..], Some(31), true)
    );
    let of_node = about.contact.as_ref().unwrap();
    assert_eq!((of_node.name.as_str(), of_node.email.as_str()), ("Data team", "data@lfb.example"));
}

#[test]
fn datasets() {
    let file = "datasets/incidents.toml";
    check(
        file,
        "threshold =",
        "treshold =",
        "datasets/incidents.toml:7: unknown key `treshold`: did you mean `threshold`?",
    );
    check(
        file,
        "form = \"statistics\"",
        "form = \"statistic\"",
        "datasets/incidents.toml:5: unknown value `statistic`: did you mean `statistics`?",
    );
    check(file, "threshold = 12", "threshold = 2", "datasets/incidents.toml:7: threshold is 2: write 3 or more");
    check(
        file,
        "kind = \"csv\"",
        "kind = \"word\"",
        "datasets/incidents.toml:16: unknown value `word`: known here: parquet, csv, excel, jsonl",
    );
    check(
        file,
        "column = \"uprn\"",
        "column = \"urn\"",
        "datasets/incidents.toml:12: unit.column is `urn`, which is no published column: add",
    );
    check(
        file,
        "role = \"identifier\"",
        "role = \"dimension\"",
        "datasets/incidents.toml:12: unit.column is `uprn`, which has the role dimension: give",
    );
    check(
        file,
        "column = \"uprn\"",
        "column = \"uprn\"\nrows = true",
        "datasets/incidents.toml:10: [unit] names neither or both of column and rows: write",
    );
    check(
        file,
        "bounds = [0, 10.5]\n",
        "",
        "datasets/incidents.toml:41: column pumps is a measure without bounds: add",
    );
    check(file, "[0, 10.5]", "[11, 10.5]", "datasets/incidents.toml:44: column pumps: bounds are no range: write");
    check(file, "[0, 10.5]", "[0, inf]", "datasets/incidents.toml:44: column pumps: bounds are no range: write");
    check(
        file,
        "decimal(6,2)",
        "varchar",
        "datasets/incidents.toml:42: column pumps is a measure of type varchar: choose",
    );
    check(
        file,
        "decimal(6,2)",
        "decimal(60,2)",
        "datasets/incidents.toml:42: type is \"decimal(60,2)\", which is no column type: write",
    );
    check(
        file,
        "type = \"varchar\"\nrole",
        "type = \"varchar\"\nranges = true\nbounds = [0,1]\nrole",
        "datasets/incidents.toml:32: column borough_gss has bounds, but is no measure: leave",
    );
    check(
        file,
        "name = \"note\"",
        "name = \"note\"\nranges = true",
        "datasets/incidents.toml:48: column note has ranges, but the role hidden: leave",
    );
    check(
        file,
        "name = \"note\"\ntype = \"varchar\"",
        "name = \"note\"\ntype = \"bytea\"\nrole = \"dimension\"",
        "datasets/incidents.toml:48: column note is a dimension of type bytea: leave role out",
    );
    check(file, "name = \"note\"", "name = \"year\"", "datasets/incidents.toml:47: column year stands twice: rename");
    check(
        file,
        "year = 2024",
        "yeer = 2024",
        "datasets/incidents.toml:8: coverage names `yeer`, which is no published column: name",
    );
    check(file, "year = 2024", "year = \"last\"", "datasets/incidents.toml:8: coverage of year is no integer: write");
    check(file, "year = 2024", "year = [2024]", "datasets/incidents.toml:8: coverage of year is no integer: write");
    check(
        file,
        "data/incidents.csv",
        "data/gone.csv",
        "datasets/incidents.toml:17: source.path is data/gone.csv, which can't be read:",
    );
    for (key, problem) in [
        (
            "encoding = \"latin-9000\"",
            "source.encoding is \"latin-9000\", which is no encoding of the web's standard: write",
        ),
        ("drop = [\"totals\"]", "unknown value `totals`: known here: blank_rows, repeated_headings"),
        ("sheet = \"Payments\"", "sheet stands in a source of kind csv: leave it out: it is for excel only"),
        ("as_text = [\"a\"]", "as_text stands in a source of kind csv: leave it out: it is for sqlite only"),
    ] {
        check(file, "delimiter = \";\"", key, &format!("datasets/incidents.toml:18: {problem}"));
    }
    check(
        file,
        "delimiter = \";\"",
        "header = false\ndrop = [\"repeated_headings\"]",
        "datasets/incidents.toml:19: source.drop names repeated_headings, and the file has none: leave it out, or set",
    );
    check(
        file,
        "delimiter = \";\"",
        "delimiter = \"; \"",
        "datasets/incidents.toml:18: source.delimiter is \"; \": write",
    );
    check(
        file,
        "'SELECT \"UPRN No\" AS uprn, ward, borough_gss, year, pumps, note FROM source'",
        "' '",
        "datasets/incidents.toml:21: mapping.sql is empty: fill",
    );
    let file = "datasets/stations.toml";
    check(
        file,
        "form =",
        "threshold = 5\nform =",
        "datasets/stations.toml:5: threshold stands in a dataset of form rows: leave",
    );
    check(
        file,
        "form =",
        "recipients = \"members\"\nform =",
        "datasets/stations.toml:5: recipients stands in a dataset of form rows: leave",
    );
    check(
        file,
        "size =",
        "own = \"statistics\"\nsize =",
        "datasets/stations.toml:6: own is statistics, but the form is not: set",
    );
    check(file, "\"1e2\"", "\"100\"", "datasets/stations.toml:6: size is \"100\", which is no power of ten: write");
    check(
        file,
        "name = \"stations\"",
        "name = \"fire stations\"",
        "datasets/stations.toml:1: name is \"fire stations\", which is no name: write",
    );
    check(
        file,
        "kind = \"parquet\"",
        "kind = \"parquet\"\nheader = true",
        "datasets/stations.toml:10: header stands in a source of kind parquet: leave it out: it is for csv and excel only",
    );
}

/// The coverage of the visits, written so in their file.
fn covered(text: &str) -> Vec<Coverage> {
    visits("as_of = \"weekly\"", &format!("as_of = \"weekly\"\ncoverage = {{ {text} }}")).dataset.coverage.clone()
}

#[test]
fn coverage_can_be_a_range() {
    let range = |column: &str, from: Option<&str>, to: Option<&str>| {
        let covers = Covers::Range { from: from.map(str::to_owned), to: to.map(str::to_owned) };
        vec![Coverage { column: name(column), covers }]
    };
    assert_eq!(covered("uprn = { from = 1, to = 3000000 }"), range("uprn", Some("1"), Some("3000000")));
    assert_eq!(covered("uprn = { from = 7, to = 7 }"), range("uprn", Some("7"), Some("7")));
    assert_eq!(covered("day = { from = 2020-01-01 }"), range("day", Some("2020-01-01"), None));
    assert_eq!(covered("day = { to = \"2020-01-01\" }"), range("day", None, Some("2020-01-01")));
    assert_eq!(covered("cost = { from = -1.5, to = \"10\" }"), range("cost", Some("-1.5"), Some("10")));
    let day = Coverage { column: name("day"), covers: Covers::Value("2020-01-01".into()) };
    assert_eq!(covered("day = 2020-01-01"), [day]);
}

#[test]
fn coverage_that_is_no_range() {
    let file = "datasets/incidents.toml";
    for (from, to, problem) in [
        ("year = 2024", "year = { from = 2024, form = 1 }", "year has the unknown key `form`: write from, to or both"),
        ("year = 2024", "year = {}", "year is a range without ends: write from, to or both"),
        ("year = 2024", "year = { from = 2025, to = 2024 }", "year has a from above its to: write the lowest"),
        ("year = 2024", "year = { to = \"now\" }", "year has an end, to, that is no integer: write"),
        ("year = 2024", "year = { from = 2024-01-01 }", "year has an end, from, that is no integer: write"),
        ("year = 2024", "year = { from = [1] }", "year has an end, from, that is no integer: write"),
        (
            "borough_gss = \"E09000007\"",
            "borough_gss = { from = \"E\" }",
            "borough_gss is a range, but the column a varchar: write one value: only integers, decimals, dates and",
        ),
    ] {
        check(file, from, to, &format!("{file}:8: coverage of {problem}"));
    }
}
