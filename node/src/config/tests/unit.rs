//! What a unit can be.

use super::*;

#[test]
fn a_dataset_without_its_unit_is_refused() {
    let folder = baseline();
    let text = INCIDENTS.replace("[unit]\nkind = \"dwelling\"\ncolumn = \"uprn\"\nunique = true\n", "");
    write(folder.path(), "datasets/incidents.toml", &text);
    let problems = load(folder.path()).unwrap_err();
    assert!(
        problems[0].starts_with("datasets/incidents.toml:5: form is statistics, but there is no [unit]: add"),
        "{problems:#?}"
    );
}

#[test]
fn a_unit_may_bring_its_record_key_and_belong_to_another() {
    let unit = visits("", "").unit.unwrap();
    assert_eq!(unit.key, UnitKey::Column { name: name("person_id"), unique: false });
    assert_eq!(unit.record_key, Some(name("record_key")));
    assert_eq!(unit.belongs_to, Some(Belongs { kind: name("dwelling"), column: name("uprn") }));

    let unit = visits("column = \"person_id\"", "rows = true").unit.unwrap();
    assert_eq!((unit.key, unit.record_key), (UnitKey::EachRow, Some(name("record_key"))));
    let unit = visits("record_key = \"record_key\"\nbelongs_to = { kind = \"dwelling\", column = \"uprn\" }", "");
    let unit = unit.unit.unwrap();
    assert_eq!((unit.record_key, unit.belongs_to), (None, None));
}

#[test]
fn record_keys_are_hidden_whole_numbers() {
    let said = "record_key = \"record_key\"";
    refused(said, "record_key = \"key\"", "14: unit.record_key is `key`, which is no published column: add it");
    refused(said, "record_key = \"age\"", "14: unit.record_key is `age`, which has the role measure: give it");
    refused(
        said,
        "record_key = \"person_id\"",
        "14: unit.record_key is `person_id`, which has the type varchar: choose",
    );
    refused(
        "column = \"person_id\"",
        "column = \"record_key\"",
        "14: unit.record_key is `record_key`, as is unit.column: choose",
    );
    refused("record_key =", "recordkey =", "14: unknown key `recordkey`: did you mean `record_key`?");
}

#[test]
fn a_unit_belongs_to_another_kind_by_another_column() {
    let said = "belongs_to = { kind = \"dwelling\", column = \"uprn\" }";
    let to = |kind: &str, column: &str| format!("belongs_to = {{ kind = \"{kind}\", column = \"{column}\" }}");
    refused(said, &to("a dwelling", "uprn"), "15: unit.belongs_to.kind is \"a dwelling\", which is no name: write");
    refused(said, &to("person", "uprn"), "15: unit.belongs_to.kind is `person`, as is unit.kind: name");
    refused(said, &to("dwelling", "urn"), "15: unit.belongs_to.column is `urn`, which is no published column: add");
    refused(said, &to("dwelling", "hmo"), "15: unit.belongs_to.column is `hmo`, which has the role dimension: give");
    refused(said, &to("dwelling", "person_id"), "15: unit.belongs_to.column is `person_id`, as is unit.column: name");
    refused(said, "belongs_to = { kind = \"dwelling\" }", "15: `column` is missing: add it");
}
