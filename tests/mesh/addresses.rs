//! A body finds its own addresses in its address list: in the mapping, and nowhere else.

use std::fs;

use super::support::{Mesh, until};

/// What stands in the list and in the texts, and in no answer and no output.
const SECRET: &str = "Quillfeather";

#[test]
fn addresses_are_found_in_a_mapping_and_by_no_caller() {
    let mesh = Mesh::prepared();
    let folder = mesh.folder("gla");
    let node = fs::read_to_string(folder.join("node.toml")).unwrap();
    let list = "\n[[addresses]]\nname = \"gazetteer\"\npath = \"list.csv\"\n";
    fs::write(folder.join("node.toml"), node + list).unwrap();
    let rows = format!(
        "uprn,building_number,street,town,postcode\n100000001,12,{SECRET} STREET,LONDON,NW1 8QP\n\
         100000002,14,{SECRET} STREET,LONDON,NW1 8QP\n"
    );
    fs::write(folder.join("list.csv"), &rows).unwrap();
    let texts = format!("licence,premises\n1,\"12 {SECRET} St, NW1 8QP\"\n2,\"9 {SECRET} St, NW1 8QP\"\n");
    fs::write(folder.join("licences.csv"), texts).unwrap();
    let dataset = "name = \"licences\"\ntitle = \"Licences\"\ndescription = \"\"\nlicence = \"OGL-UK-3.0\"\nform = \"open\"\n\n\
        [source]\nkind = \"csv\"\npath = \"licences.csv\"\n\n\
        [mapping]\naddresses = \"gazetteer\"\n\
        sql = \"SELECT CAST(licence AS BIGINT) AS licence, match_address(premises) AS uprn FROM source\"\n\n\
        [[columns]]\nname = \"licence\"\ntype = \"bigint\"\n\n[[columns]]\nname = \"uprn\"\ntype = \"bigint\"\n";
    fs::write(folder.join("datasets/licences.toml"), dataset).unwrap();
    mesh.start_each();

    let sql = "SELECT licence, uprn FROM gla.licences ORDER BY licence";
    let answer =
        |sql: &str| until("an answer", || Some(mesh.ask(sql)).filter(|ran| ran.code == Some(0))).ok().to_owned();
    assert_eq!(answer(sql), "licence,uprn\n1,100000001\n2,\n");

    // Whoever could call it could find out who is in the list.
    for asked in [
        "SELECT match_address('12 High Street, NW1 8QP')".to_owned(),
        "SELECT match_address_score(CAST(licence AS VARCHAR)) FROM gla.licences".to_owned(),
    ] {
        let ran = mesh.ask(&asked);
        assert!(ran.code != Some(0) && ran.stderr.contains("match_address"), "{asked}: {}", ran.stderr);
    }

    // A list that changes is noticed; one that can't be read is named without what is in it.
    fs::write(folder.join("list.csv"), rows.replace("100000001", "1000000077")).unwrap();
    until("the new list", || answer(sql).contains("1000000077").then_some(()));
    fs::write(folder.join("list.csv"), rows.replace("100000001", "none")).unwrap();
    until("the list is named", || mesh.log("gla").contains("line 2: a UPRN that is no number").then_some(()));
    assert!(
        !mesh.log("gla").contains(SECRET) && !mesh.log("gla").contains(&SECRET.to_uppercase()),
        "{}",
        mesh.log("gla")
    );
}
