//! Addresses that a mapping finds in a list of the node.

use std::time::SystemTime;

use super::*;

const LIST: &str = "UPRN,Organisation,Sub_Building,Building_Name,Building_Number,Street,Locality,Town,Postcode\n\
    000100000001,,,,12,MARLBOROUGH STREET,,LONDON,NW1 8QP\n\
    100000002,,FLAT 3,,14,MARLBOROUGH STREET,,LONDON,NW1 8QP\n\
    100000003,,,,5,HEATH LANE,,LONDON,NW3 1AB\n\
    100000004,,,,5,HEATH LANE,,LONDON,SE15 3AB\n\
    ,,,,6,HEATH LANE,,LONDON,SE15 3AB\n";
const TEXTS: &str = "id,address,postcode\n1,12 marlborough st,NW18QP\n2,\"Apt 3, 14 Marlborough St\",\n3,\"5 Heath Lane, London\",\n\
    4,99 Zanzibar Road,NW1 8QP\n5,,NW1 8QP\n6,5 Heath Ln,SE15 3AB\n";
const MAPPING: &str = "SELECT CAST(id AS BIGINT) AS id, match_address(address, postcode) AS uprn, \
    match_address_score(address, postcode) >= 0.8 AS sure FROM source";
const COLUMNS: [&str; 3] = ["id bigint", "uprn bigint", "sure boolean"];
/// Nothing of it is said.
const SECRETS: [&str; 3] = ["MARLBOROUGH", "marlborough", "Zanzibar"];

fn list(path: &Path, memory_mib: usize) -> Arc<AddressList> {
    let name = "gazetteer".parse().unwrap();
    AddressList::new(AddressListConfig { name, path: path.to_path_buf(), memory_mib })
}

/// Texts, and a list beside them in a file of this name.
fn source(name: &str, text: impl AsRef<[u8]>) -> (Source, PathBuf) {
    let mut source = csv(TEXTS, &COLUMNS, Some(MAPPING));
    let path = source.folder.path().join(name);
    fs::write(&path, text).unwrap();
    source.spec.addresses = Some(Addresses::new(list(&path, 64), 0.8));
    (source, path)
}

#[tokio::test]
async fn a_mapping_finds_its_addresses_and_guesses_none() {
    let (source, _) = source("list.csv", LIST);
    let expected = [
        "|1|100000001|true|",
        "|2|100000002|true|",
        // Two agree as well.
        "|3||true|",
        "|4|||",
        "|5|||",
        "|6|100000004|true|",
    ];
    assert_rows(&rows(&source).await, &expected);
    let loaded = load(&source.spec, &context(), now()).await.unwrap();
    let found = loaded.addresses.unwrap();
    assert_eq!((found.list.as_str(), found.matched.as_str()), ("gazetteer", "up to 10"));
    assert_eq!((found.under.as_str(), found.ambiguous.as_str()), ("up to 10", "up to 10"));
}

#[tokio::test]
async fn a_list_may_be_one_column_of_texts_or_another_kind_of_file() {
    let texts = "uprn,address\n100000001,\"12 MARLBOROUGH STREET, LONDON, NW1 8QP\"\n100000004,\"5 HEATH LANE, LONDON, SE15 3AB\"\n";
    let (source, _) = source("list.csv", texts);
    assert!(rows(&source).await.contains("100000001"));
    let lines =
        "{\"uprn\":100000001,\"street\":\"MARLBOROUGH STREET\",\"building_number\":\"12\",\"postcode\":\"NW1 8QP\"}\n";
    let (source, _) = self::source("list.jsonl", lines);
    assert!(rows(&source).await.contains("100000001"));
}

#[tokio::test]
async fn a_list_is_read_once_and_again_when_it_has_changed() {
    let (source, path) = source("list.csv", LIST);
    let (before, rights) = (load(&source.spec, &context(), now()).await.unwrap(), RightsSpec::default());
    assert!(!before.is_stale(&rights, now()));
    let addresses = source.spec.addresses.clone().unwrap();
    let changed = LIST.replace("100000002", "100000009");
    fs::write(&path, &changed).unwrap();
    let later = SystemTime::now() + std::time::Duration::from_secs(60);
    File::options().write(true).open(&path).unwrap().set_modified(later).unwrap();
    assert!(before.is_stale(&rights, now()));
    assert!(rows(&source).await.contains("100000009"));
    assert!(source.spec.yields_what(&SourceSpec { addresses: Some(addresses.clone()), ..source.spec.clone() }));
    let lower = Addresses::new(addresses.list, 0.5);
    assert!(!source.spec.yields_what(&SourceSpec { addresses: Some(lower), ..source.spec.clone() }));
}

#[tokio::test]
async fn what_is_wrong_with_a_list_is_said_without_what_is_in_it() {
    for (name, text, expected) in [
        ("list.csv", "uprn,town\n1,LONDON\n", "it has neither a column address nor street"),
        ("list.csv", "street,number\nMARLBOROUGH STREET,1\n", "it has no column uprn"),
        ("list.csv", "uprn,address\n1,12 MARLBOROUGH STREET\nx1,MARLBOROUGH\n", "line 3: a UPRN that is no number"),
        ("list.csv", "uprn,address\n", "it holds no address"),
        ("list.txt", "uprn,address\n", "its name ends in none of .csv"),
        ("list.csv", "uprn,address\n1\n", "line 2: 1 fields where the first record has 2"),
    ] {
        let (source, _) = source(name, text);
        let said = refused(&source, &SECRETS).await;
        assert!(said.contains(&format!("address list gazetteer ({name}): {expected}")), "{said}");
    }
    let (mut source, path) = source("list.csv", LIST);
    source.spec.addresses = Some(Addresses::new(list(&path, 0), 0.8));
    let said = refused(&source, &SECRETS).await;
    assert!(said.contains("it needs more than 0 MiB of memory; raise memory_mib"), "{said}");
    fs::remove_file(&path).unwrap();
    assert!(refused(&source, &SECRETS).await.contains("address list gazetteer"));
}

#[tokio::test]
async fn without_a_list_there_is_no_such_function() {
    let (mut source, _) = source("list.csv", LIST);
    source.spec.addresses = None;
    let said = refused(&source, &SECRETS).await;
    assert!(said.contains("it calls match_address and names no address list"), "{said}");
}
