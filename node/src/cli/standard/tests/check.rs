//! Which rows don't conform: counts of all, numbers of some, and values only of what is open.

use super::*;
use crate::app::conformance;
use crate::standards::Conformance;

const DWELLINGS: &str = "uprn,borough_gss,accommodation_type,hmo,households\n\
    1,E09000007,flat,none,1\n\
    2,E09000007,villa,none,1\n\
    2,Camden,flat,,2\n\
    3,E09000007,castle,huge,-1\n\
    ,E09000007,flat,none,1\n\
    ,E09000007,flat,none,1\n";

/// A dataset of dwellings as open rows; some of its lines may be replaced.
fn dataset(path: &Path, replaced: &[(&str, &str)]) -> String {
    let column = |name: &str, column_type: &str| format!("[[columns]]\nname = \"{name}\"\ntype = \"{column_type}\"\n");
    let columns = [
        ("uprn", "bigint"),
        ("borough_gss", "varchar"),
        ("accommodation_type", "varchar"),
        ("hmo", "varchar"),
        ("households", "integer"),
    ];
    let text = format!(
        "name = \"homes\"\ntitle = \"Homes\"\ndescription = \"\"\nlicence = \"OGL\"\nform = \"open\"\nstandard = \"dwellings\"\n\
         [source]\nkind = \"csv\"\npath = \"{}\"\n{}",
        path.display(),
        columns.map(|(name, kind)| column(name, kind)).concat(),
    );
    replaced.iter().fold(text, |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    })
}

fn looked(replaced: &[(&str, &str)]) -> Option<Conformance> {
    let (_folder, path) = file(DWELLINGS);
    let (_node, node) = node(&dataset(&path, replaced));
    let config = Config::load(&node).unwrap();
    run(conformance::look(&config.datasets[0], Utc::now())).unwrap()
}

#[test]
fn values_that_are_not_valid_are_counted_by_column_and_keys_that_repeat() {
    let found = looked(&[]).unwrap();
    let counts: Vec<(&str, u64, u64)> =
        found.columns.iter().map(|column| (column.name.as_str(), column.missing, column.invalid)).collect();
    let expected =
        [("uprn", 0, 0), ("borough_gss", 0, 1), ("accommodation_type", 0, 2), ("hmo", 0, 1), ("households", 0, 1)];
    assert_eq!((counts.as_slice(), found.rows, found.repeated_keys), (expected.as_slice(), 6, 1));
    assert!(!found.holds());
    let sample: Vec<_> = found.columns[2].sample.iter().map(|it| (it.row, it.value.as_deref())).collect();
    assert_eq!(sample, [(2, Some("villa")), (4, Some("castle"))]);
    assert!(!format!("{found:?}").contains("villa") && !found.faults().concat().contains("villa"));
}

#[test]
fn values_of_what_is_not_open_are_not_shown() {
    let found = looked(&[("form = \"open\"", "form = \"rows\"")]).unwrap();
    let rows: Vec<u64> = found.columns[2].sample.iter().map(|it| it.row).collect();
    assert_eq!(rows, [2, 4]);
    assert!(found.columns.iter().flat_map(|column| &column.sample).all(|it| it.value.is_none()));
    let json = serde_json::to_string(&found).unwrap();
    assert!(!json.contains("villa"), "{json}");
}

#[test]
fn a_required_value_that_is_missing_is_counted() {
    let text = DWELLINGS.replace("1,E09000007,flat,none,1", "1,,flat,none,1");
    let (_folder, path) = file(&text);
    let (_node, node) = node(&dataset(&path, &[]));
    let config = Config::load(&node).unwrap();
    let found = run(conformance::look(&config.datasets[0], Utc::now())).unwrap().unwrap();
    assert_eq!((found.columns[1].missing, found.columns[1].sample[0].row), (1, 1));
    assert!(found.faults()[0].contains("borough_gss is required and NULL in 1 rows"), "{:?}", found.faults());
}

#[test]
fn columns_that_do_not_fit_are_a_fault_of_the_file() {
    let (_folder, path) = file(DWELLINGS);
    for (from, to, line, what) in [
        (
            "[[columns]]\nname = \"households\"\ntype = \"integer\"\n",
            "",
            6,
            "the standard `dwellings` requires column households",
        ),
        (
            "type = \"integer\"",
            "type = \"double\"",
            24,
            "column households is of type double, and of type integer in the standard",
        ),
    ] {
        let (folder, node) = node(&dataset(&path, &[(from, to)]));
        let error = Config::load(&node).unwrap_err().to_string();
        let expected = format!("{}:{line}: {what}", folder.path().join("datasets/mapped.toml").display());
        assert!(error.starts_with(&expected), "found    {error}\nexpected {expected}");
    }
    assert!(looked(&[("standard = \"dwellings\"", "standard = \"yurts\"")]).is_none());
}

#[test]
fn a_file_of_the_node_takes_the_place_of_a_standard_that_is_built_in() {
    let (_folder, path) = file(DWELLINGS);
    let (folder, node) = node(&dataset(&path, &[]));
    fs::create_dir(folder.path().join("standards")).unwrap();
    let standard = "name = \"dwellings\"\ntitle = \"Ours\"\n[[columns]]\nname = \"hmo\"\ntype = \"varchar\"\n\
                    values = [\"none\", \"huge\"]\n";
    fs::write(folder.path().join("standards/ours.toml"), standard).unwrap();
    let config = Config::load(&node).unwrap();
    assert_eq!(config.standards.len(), built_in().len());
    let found = run(conformance::look(&config.datasets[0], Utc::now())).unwrap().unwrap();
    assert!(found.holds() && found.columns.len() == 1, "{found:?}");
}
