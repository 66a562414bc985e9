//! Agreements in force while a node runs: what changes in the files takes effect without a restart, also for what was
//! prepared before and for what is under way.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use arrow_flight::sql::{
    ActionCreatePreparedStatementRequest, ActionCreatePreparedStatementResult, Any, CommandPreparedStatementQuery,
    ProstMessageExt,
};
use prost::Message;
use tonic::Code;

use super::support::{Client, Mesh, PURPOSE, remote_ticket, statement, ticket_of, until};

const FIRES: &str = "SELECT year, COUNT(*) AS n FROM lfb.incidents GROUP BY year ORDER BY year";
const HOUSES: &str = "SELECT id, street FROM lfb.houses ORDER BY id";

/// The brigade's node alone, with a dataset of rows beside its fires.
pub(crate) struct Brigade {
    pub(crate) mesh: Mesh,
}

/// `houses`: rows under an agreement.
const DATASET: &str = r#"name = "houses"
title = "Houses"
description = "Houses visited"
licence = "OGL-UK-3.0"
form = "rows"

[source]
kind = "csv"
path = "data/houses.csv"

[[columns]]
name = "id"
type = "integer"
role = "identifier"

[[columns]]
name = "street"
type = "varchar"
role = "dimension"

[[columns]]
name = "note"
type = "varchar"
role = "dimension"
"#;

const AGREEMENT: &str = r#"id = "houses-2026"
title = "Houses visited"
purpose = "fire-risk"
benefit = "Visits go where they help"
legal_power = "Fire and Rescue Services Act 2004, section 6"
lawful_basis = "UK GDPR article 6(1)(e)"
recipients = ["loda"]
start = "2026-01-01"
end = "2099-12-31"
contact = "data@lfb.example"

[[grants]]
dataset = "houses"
form = "rows"
columns = ["id", "street"]
filter = "street <> 'Hidden Lane'"
"#;

const AGREED: &str = "agreements/houses.toml";

impl Brigade {
    /// Not yet up.
    pub(crate) fn prepared(houses: usize) -> Self {
        let brigade = Self { mesh: Mesh::prepared() };
        let mut rows = String::from("id,street,note\n");
        for id in 0..houses {
            let street = if id % 4 == 3 { "Hidden Lane" } else { "High Street" };
            writeln!(rows, "{id},{street},none").unwrap();
        }
        brigade.write("data/houses.csv", &rows);
        brigade.write("datasets/houses.toml", DATASET);
        brigade.write(AGREED, AGREEMENT);
        brigade
    }

    pub(crate) fn up(houses: usize) -> Self {
        let brigade = Self::prepared(houses);
        brigade.mesh.start("lfb");
        brigade
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.mesh.folder("lfb").join(file)
    }

    pub(crate) fn write(&self, file: &str, text: &str) {
        // Under another name first, so that half a file is never read.
        let (path, made) = (self.path(file), self.path("made"));
        fs::write(&made, text).unwrap();
        fs::rename(made, path).unwrap();
    }

    pub(crate) fn edit(&self, file: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.path(file)).unwrap();
        assert!(text.contains(from), "{file} holds no {from:?}");
        self.write(file, &text.replacen(from, to, 1));
    }

    pub(crate) fn remove(&self, file: &str) {
        fs::remove_file(self.path(file)).unwrap();
    }

    /// How often the node has said this.
    pub(crate) fn said(&self, what: &str) -> usize {
        self.mesh.log("lfb").matches(what).count()
    }

    /// Changes files and waits until the node has said that once more.
    pub(crate) fn until_said(&self, what: &str, change: impl FnOnce()) {
        let before = self.said(what);
        change();
        until(&format!("the node says {what:?}"), || (self.said(what) > before).then_some(()));
    }

    /// Changes terms and waits until they are in force.
    pub(crate) fn amend(&self, file: &str, from: &str, to: &str) {
        self.until_said("its terms have changed", || self.edit(file, from, to));
    }

    /// LODA's node.
    pub(crate) fn loda(&self) -> Client {
        self.mesh.client("lfb", Some(&self.mesh.node_pair("loda")))
    }
}

/// What an answer of rows is refused for; the number of rows otherwise.
fn houses(client: &mut Client) -> Result<usize, String> {
    client.remote(HOUSES).map(|answer| answer.rows()).map_err(|status| status.message().to_owned())
}

#[track_caller]
fn refused(client: &mut Client, sql: &str, words: &[&str]) {
    let status = client.remote(sql).unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied, "{status}");
    for word in words {
        assert!(status.message().contains(word), "{word:?}: {status}");
    }
}

#[test]
fn what_an_agreement_gives_follows_its_file() {
    let brigade = Brigade::up(40);
    let mut loda = brigade.loda();
    assert_eq!(houses(&mut loda), Ok(30), "one street is filtered out");
    refused(&mut loda, "SELECT note FROM lfb.houses", &["note", "houses-2026"]);

    brigade.amend(AGREED, "filter = \"street <> 'Hidden Lane'\"", "");
    assert_eq!(houses(&mut loda), Ok(40));
    brigade.amend(AGREED, "[\"id\", \"street\"]", "[\"id\"]");
    refused(&mut loda, HOUSES, &["street", "not granted by houses-2026"]);
    brigade.amend(AGREED, "[\"id\"]", "[\"id\", \"street\", \"note\"]");
    loda.remote("SELECT note FROM lfb.houses").unwrap();

    brigade.amend(AGREED, "end = \"2099-12-31\"", "end = \"2026-01-02\"");
    refused(&mut loda, HOUSES, &["houses-2026", "not in force"]);
    brigade.amend(
        AGREED,
        "start = \"2026-01-01\"\nend = \"2026-01-02\"",
        "start = \"2098-01-01\"\nend = \"2099-12-31\"",
    );
    refused(&mut loda, HOUSES, &["houses-2026", "not in force"]);
    brigade.amend(AGREED, "start = \"2098-01-01\"", "start = \"2026-01-01\"");
    assert_eq!(houses(&mut loda), Ok(40));

    brigade.amend(AGREED, "contact", "analysts = [\"asha\"]\ncontact");
    assert_eq!(houses(&mut loda), Ok(40));
    loda.remote_for(HOUSES, "spiffe://london/body/loda/analyst/bola", PURPOSE).unwrap_err();
    brigade.amend(AGREED, "recipients = [\"loda\"]", "recipients = [\"gla\"]\nparties = [\"lfb\", \"gla\", \"loda\"]");
    refused(&mut loda, HOUSES, &["loda has none"]);
    let mut gla = brigade.mesh.client("lfb", Some(&brigade.mesh.node_pair("gla")));
    gla.remote_for(HOUSES, "spiffe://london/body/gla/analyst/asha", PURPOSE).unwrap();
    brigade.amend(AGREED, "purpose = \"fire-risk\"", "purpose = \"planning\"");
    gla.remote_for(HOUSES, "spiffe://london/body/gla/analyst/asha", PURPOSE).unwrap_err();

    // None of this loaded rows again.
    assert_eq!(brigade.said("loaded dataset=houses"), 1, "{}", brigade.mesh.log("lfb"));
}

#[test]
fn a_bad_file_changes_nothing_and_is_told_with_line_and_fix() {
    let brigade = Brigade::up(40);
    let mut loda = brigade.loda();
    brigade.until_said("the configuration is bad here", || brigade.edit(AGREED, "columns", "colunms"));
    let log = brigade.mesh.log("lfb");
    assert!(log.contains("houses.toml:15: unknown key `colunms`: did you mean `columns`?"), "{log}");
    assert_eq!(houses(&mut loda), Ok(30));
    // Wider and bad is not wider.
    brigade.until_said("the configuration is bad here", || {
        brigade.edit(AGREED, "colunms = [\"id\", \"street\"]\nfilter = \"street <> 'Hidden Lane'\"", "wider = []");
    });
    assert_eq!(houses(&mut loda), Ok(30));
    brigade.until_said("the configuration is good again", || brigade.write(AGREED, AGREEMENT));
    brigade.until_said("the configuration is bad here", || {
        brigade.edit("datasets/houses.toml", "form = \"rows\"", "form = \"open\"\nform = \"rows\"");
    });
    assert_eq!(houses(&mut loda), Ok(30));
    refused(&mut loda, "SELECT note FROM lfb.houses", &["note"]);
    brigade.until_said("takes effect with a restart", || brigade.edit("node.toml", "title = \"", "title = \"The "));
}

#[test]
fn a_revoked_agreement_ends_what_was_prepared_before() {
    let brigade = Brigade::up(40);
    let mut loda = brigade.loda();
    let info = loda.info(statement(HOUSES)).unwrap();
    let request = ActionCreatePreparedStatementRequest { query: HOUSES.into(), transaction_id: None };
    let made = loda.action("CreatePreparedStatement", request.as_any().encode_to_vec()).unwrap();
    let made = Any::decode(made[0].as_slice()).unwrap();
    let made = made.unpack::<ActionCreatePreparedStatementResult>().unwrap().expect("a prepared statement");
    let prepared = CommandPreparedStatementQuery { prepared_statement_handle: made.prepared_statement_handle };
    let planned = loda.info(prepared.clone().as_any()).unwrap();

    let text = fs::read_to_string(brigade.path(AGREED)).unwrap();
    brigade.until_said("its terms have changed", || brigade.remove(AGREED));
    for info in [&info, &planned] {
        let status = loda.read(ticket_of(info)).unwrap_err();
        assert_eq!(status.code(), Code::PermissionDenied, "{status}");
    }
    assert_eq!(loda.info(prepared.clone().as_any()).unwrap_err().code(), Code::PermissionDenied);
    brigade.until_said("its terms have changed", || brigade.write(AGREED, &text));
    let again = loda.info(prepared.as_any()).unwrap();
    assert_eq!(loda.read(ticket_of(&again)).unwrap().rows(), 30);
}

#[test]
fn a_revoked_agreement_ends_an_answer_that_is_under_way() {
    let brigade = Brigade::up(20_000);
    let mut loda = brigade.loda();
    // Far more than fits into any buffer on the way.
    let sql = "SELECT a.id, a.street, b.street AS other FROM lfb.houses a JOIN lfb.houses b ON a.street = b.street";
    let mut before = 0;
    let answer = loda.read_with(remote_ticket(sql, "spiffe://london/body/loda/analyst/asha", PURPOSE), |count| {
        before = count;
        if count == 3 {
            brigade.until_said("its terms have changed", || brigade.remove(AGREED));
        }
    });
    let status = answer.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied, "{status}");
    assert!(status.message().contains("houses-2026") && status.message().contains("on its way"), "{status}");
    assert!(before >= 3);
    let ended = until("the end is recorded", || {
        let lines = brigade.mesh.records("lfb");
        lines
            .iter()
            .rev()
            .map(|line| line.json["outcome"]["outcome"]["interrupted"].clone())
            .find(|end| end.is_object())
    });
    assert!(ended["why"].as_str().unwrap().starts_with("agreement.active: "), "{ended}");
    assert!(ended["rows"].as_u64().unwrap() > 0 && ended["bytes"].as_u64().unwrap() > 1_000, "{ended}");
    refused(&mut loda, HOUSES, &["houses"]);
}

#[test]
fn of_several_agreements_one_that_fits_is_relied_on() {
    let brigade = Brigade::up(40);
    let mut loda = brigade.loda();
    let second = AGREEMENT.replace("houses-2026", "notes-2026").replace("[\"id\", \"street\"]", "[\"id\", \"note\"]");
    brigade.until_said("its terms have changed", || brigade.write("agreements/notes.toml", &second));
    for (columns, agreement) in [("street", "houses-2026"), ("note", "notes-2026")] {
        let answer = loda.remote(&format!("SELECT id, {columns} FROM lfb.houses")).unwrap();
        assert_eq!(answer.records()[0].agreements, [agreement]);
    }
    refused(&mut loda, "SELECT street, note FROM lfb.houses", &["not granted by houses-2026"]);
    let both = "SELECT a.street FROM lfb.houses a JOIN lfb.houses b ON a.id = b.id WHERE b.note = 'none'";
    refused(&mut loda, both, &["not granted by"]);
}

#[test]
fn datasets_come_and_go_and_the_federation_learns_of_it() {
    let brigade = Brigade::up(40);
    brigade.mesh.start("loda");
    let listed =
        |name: &str| brigade.mesh.run(&["catalogue", "--format", "csv"]).ok().contains(&format!("london.lfb.{name}"));
    until("LODA's node knows the houses", || listed("houses").then_some(()));
    let flats = DATASET.replace("\"houses\"", "\"flats\"");
    brigade.write("datasets/flats.toml", &flats);
    until("LODA's node knows the flats", || listed("flats").then_some(()));
    brigade.amend("datasets/flats.toml", "form = \"rows\"", "form = \"open\"");
    let count = |sql| brigade.loda().remote(sql).unwrap().text();
    assert!(count("SELECT COUNT(*) AS n FROM lfb.flats WHERE note = 'none'").contains("40"));
    // Other columns: the rows are read again, and by the new names.
    let (from, to) = (
        "path = \"data/houses.csv\"",
        "path = \"data/houses.csv\"\n\n[mapping]\nsql = \"SELECT id, street, note AS remark FROM source\"",
    );
    brigade.until_said("loaded dataset=flats", || {
        brigade.write(
            "datasets/flats.toml",
            &flats.replace("\"rows\"", "\"open\"").replace(from, to).replace("\"note\"", "\"remark\""),
        );
    });
    assert!(count("SELECT COUNT(*) AS n FROM lfb.flats WHERE remark = 'none'").contains("40"));
    brigade.remove("datasets/flats.toml");
    until("LODA's node knows the flats no more", || (!listed("flats")).then_some(()));
    assert!(listed("houses"));
    let status = brigade.loda().remote("SELECT COUNT(*) AS n FROM lfb.flats").unwrap_err();
    assert!(status.message().contains("no dataset london.lfb.flats"), "{status}");
}

#[test]
fn noise_waits_for_the_next_snapshot_also_over_a_restart() {
    let brigade = Brigade::up(4);
    let before = brigade.loda().remote(FIRES).unwrap().text();
    brigade.until_said("takes effect with its next snapshot", || {
        brigade.edit(
            "datasets/incidents.toml",
            "form = \"statistics\"",
            "form = \"statistics\"\nnoise = { largest = 6, variance = 4.0 }",
        );
    });
    assert_eq!(brigade.loda().remote(FIRES).unwrap().text(), before);
    brigade.mesh.stop("lfb");
    brigade.mesh.start("lfb");
    assert_eq!(brigade.loda().remote(FIRES).unwrap().text(), before);
    // A threshold that is raised holds at once, as an agreement's does.
    brigade.amend("datasets/incidents.toml", "threshold = 10", "threshold = 100000");
    assert_eq!(brigade.loda().remote(FIRES).unwrap().rows(), 0);
    let waits = "takes effect with its next snapshot";
    until("it is told with each change and with the start", || (brigade.said(waits) >= 3).then_some(()));
    assert_eq!(brigade.said(waits), 3, "{}", brigade.mesh.log("lfb"));
}
