//! No bytes of a protected row leave: canaries in hidden columns and in cells below the threshold are looked for in
//! everything that a node sends, says and writes down.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::Path;

use arrow_flight::sql::{
    ActionCreatePreparedStatementRequest, CommandGetCatalogs, CommandGetDbSchemas, CommandGetSqlInfo,
    CommandGetTableTypes, CommandGetTables, CommandGetXdbcTypeInfo, ProstMessageExt,
};
use meridian_proto::DESCRIBE_ACTION;
use prost::Message;

use super::support::{Client, Mesh, statement, until};

/// A value that is in the rows, in the forms in which it could leave.
#[derive(Clone)]
pub(super) struct Canary {
    what: &'static str,
    needles: Vec<Vec<u8>>,
}

pub(super) fn text(what: &'static str, text: &str) -> Canary {
    let reversed: String = text.chars().rev().collect();
    let forms = [text.to_owned(), text.to_lowercase(), reversed, hex::encode(text)];
    Canary { what, needles: forms.map(String::into_bytes).into() }
}

/// A number that is exact as a double, too, and fills more than four bytes.
pub(super) fn number(what: &'static str, number: i64) -> Canary {
    #[expect(clippy::cast_precision_loss, reason = "below 2^53")]
    let double = number as f64;
    let mut needles = vec![number.to_string().into_bytes(), number.to_le_bytes().into(), double.to_le_bytes().into()];
    // As exponents write it.
    needles.push(format!("{double:e}").into_bytes());
    Canary { what, needles }
}

/// Which canaries are in these bytes.
pub(super) fn found<'a>(canaries: &'a [Canary], bytes: &[u8]) -> Vec<&'a str> {
    let is_in = |needle: &Vec<u8>| {
        let first = needle[0];
        bytes.iter().enumerate().any(|(at, byte)| *byte == first && bytes[at..].starts_with(needle))
    };
    canaries.iter().filter(|canary| canary.needles.iter().any(is_in)).map(|canary| canary.what).collect()
}

const EASTING: i64 = 7_733_102_506_610_011;
const NORTHING: i64 = 6_655_770_918_273_641;
const UPRN: i64 = 990_017_733_102_506;
/// Wards are not among the granted columns.
const WARD: &str = "E05CANARYWARD";
const BELOW: &str = "CANARY-NINE-ROWS";
const AT: &str = "CANARY-TWENTY-ROWS";
const ABOVE: &str = "CANARY-THIRTY-ROWS";

/// What may never leave the brigade or the City.
fn secrets() -> Vec<Canary> {
    vec![
        text("a property type of nine fires", BELOW),
        text("a ward", WARD),
        text("a day", "1907-03-29"),
        text("what the mapping drops", "CANARY-UNMAPPED"),
        number("an easting", EASTING),
        number("a northing", NORTHING),
        number("a UPRN", UPRN),
        text("any of the UPRNs", &UPRN.to_string()[..14]),
        text("a borough's own word", "CANARY-DWELLING"),
    ]
}

/// What may: the same kind of value, in cells that noise can't bring under ten rows.
fn releasable() -> Vec<Canary> {
    vec![text("a property type of twenty fires", AT), text("a property type of thirty fires", ABOVE)]
}

fn append(file: &Path, rows: impl IntoIterator<Item = String>) {
    let mut file = OpenOptions::new().append(true).open(file).unwrap();
    for row in rows {
        writeln!(file, "{row}").unwrap();
    }
}

/// Three boroughs whose rows hold canaries.
fn with_canaries() -> Mesh {
    let mesh = holding_canaries();
    mesh.start_all();
    mesh
}

/// The same, not yet up.
fn holding_canaries() -> Mesh {
    let mesh = Mesh::prepared();
    let fires = mesh.folder("lfb").join("data/dwelling_fires.csv");
    // The year of the nine is a cell of nine, too.
    let fire = |day: &str, property: &str| {
        let unmapped = "CANARY-UNMAPPED-HMO,CANARY-UNMAPPED-LICENCE";
        format!("{day},E09000007,{WARD},{EASTING},{NORTHING},{unmapped},{property}")
    };
    append(&fires, (0..9).map(|_| fire("1907-03-29", BELOW)));
    append(&fires, (0..20).map(|_| fire("2021-05-05", AT)));
    append(&fires, (0..30).map(|_| fire("2021-05-05", ABOVE)));
    let dwellings = mesh.folder("city").join("data/dwellings.csv");
    append(&dwellings, (0..9).map(|row| format!("{},CANARY-DWELLING,Yes,CANARY-DWELLING-RESIDENTS,7", UPRN + row)));
    mesh
}

/// Everything that a body keeps beside its data: what its node says, and its log.
pub(super) fn written_down(mesh: &Mesh, body: &str) -> Vec<u8> {
    let mut all = mesh.log(body).into_bytes();
    let mut folders = vec![mesh.folder(body).join("state")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                // What a node is about to put in another file's place may be there already, under that one's name.
                match fs::read(&path) {
                    Err(error) if error.kind() == ErrorKind::NotFound => {}
                    read => all.extend(read.unwrap()),
                }
            }
        }
    }
    all
}

/// Questions that are admitted.
const ADMITTED: [&str; 12] = [
    "SELECT property_type, COUNT(*) AS n FROM lfb.incidents GROUP BY property_type",
    "SELECT property_type, year, COUNT(*) AS n FROM lfb.incidents GROUP BY property_type, year",
    "SELECT year, COUNT(*) AS n FROM lfb.incidents GROUP BY year",
    "SELECT year, month, hmo, hmo_licence, COUNT(*) AS n FROM lfb.incidents GROUP BY year, month, hmo, hmo_licence",
    "SELECT borough_gss, COUNT(*) AS n FROM lfb.incidents WHERE year < 1950 GROUP BY borough_gss",
    "SELECT COUNT(*) AS n FROM lfb.incidents WHERE year < 1950",
    "SELECT COUNT(property_type) AS n FROM lfb.incidents WHERE year BETWEEN 1900 AND 1910",
    "SELECT DISTINCT property_type FROM lfb.incidents",
    "SELECT property_type, COUNT(*) AS n FROM lfb.incidents GROUP BY property_type ORDER BY n LIMIT 3",
    "SELECT property_type, COUNT(*) AS n FROM lfb.incidents GROUP BY property_type HAVING COUNT(*) < 12",
    "SELECT property_type, COUNT(*) AS n FROM lfb.incidents GROUP BY property_type ORDER BY property_type DESC",
    "SELECT MAX(n) AS most, MIN(property_type) AS first FROM \
     (SELECT property_type, COUNT(*) AS n FROM lfb.incidents GROUP BY property_type) AS cells",
];

/// Attempts at rows. They name no canary, so that one in an answer or an error came out of the rows.
const ATTEMPTS: [&str; 58] = [
    "SELECT * FROM lfb.incidents",
    "SELECT * FROM lfb.incidents LIMIT 1",
    "SELECT property_type FROM lfb.incidents",
    "TABLE lfb.incidents",
    "SELECT easting, COUNT(*) FROM lfb.incidents GROUP BY easting",
    "SELECT ward_gss, COUNT(*) FROM lfb.incidents GROUP BY ward_gss",
    "SELECT incident_date, COUNT(*) FROM lfb.incidents GROUP BY incident_date",
    "SELECT MIN(easting), MAX(northing) FROM lfb.incidents",
    "SELECT MIN(property_type), MAX(property_type) FROM lfb.incidents",
    "SELECT MIN(year) FROM lfb.incidents",
    "SELECT SUM(easting), AVG(northing) FROM lfb.incidents",
    "SELECT SUM(year), AVG(month) FROM lfb.incidents WHERE year < 1950",
    "SELECT MEDIAN(easting), STDDEV(easting) FROM lfb.incidents",
    "SELECT ARRAY_AGG(property_type) FROM lfb.incidents",
    "SELECT STRING_AGG(property_type, ',') FROM lfb.incidents",
    "SELECT FIRST_VALUE(property_type ORDER BY year) FROM lfb.incidents",
    "SELECT LAST_VALUE(easting ORDER BY year DESC) FROM lfb.incidents",
    "SELECT APPROX_DISTINCT(property_type), COUNT(DISTINCT easting) FROM lfb.incidents",
    "SELECT ROW_NUMBER() OVER (ORDER BY year), property_type FROM lfb.incidents",
    "SELECT property_type, COUNT(*) OVER (PARTITION BY property_type) FROM lfb.incidents",
    "SELECT CAST(property_type AS INTEGER), COUNT(*) FROM lfb.incidents GROUP BY 1",
    "SELECT COUNT(*) FROM lfb.incidents WHERE CAST(property_type AS INTEGER) = 1",
    "SELECT COUNT(*) FROM lfb.incidents WHERE CAST(property_type AS DATE) = DATE '2020-01-01'",
    "SELECT CAST(easting AS SMALLINT), COUNT(*) FROM lfb.incidents GROUP BY 1",
    "SELECT COUNT(*) FROM lfb.incidents WHERE arrow_cast(easting, 'Int8') = 1",
    "SELECT SUM(1 / (year - 1907)) FROM lfb.incidents",
    "SELECT COUNT(*) FROM lfb.incidents WHERE 1 / (year - 1907) = 1",
    "SELECT year, COUNT(*) FROM lfb.incidents GROUP BY year HAVING 1 / (COUNT(*) - 9) > 0",
    "SELECT year, COUNT(*) FROM lfb.incidents GROUP BY year ORDER BY 1 / (year - 1907)",
    "SELECT COUNT(*) FROM lfb.incidents WHERE sqrt(year - 1950) > 1",
    "SELECT COUNT(*) FROM lfb.incidents WHERE power(easting, 100) > 1",
    "SELECT COUNT(*) FROM lfb.incidents WHERE easting * 9223372036854775807 > 0",
    "SELECT COUNT(*) FROM lfb.incidents WHERE easting > 0",
    "SELECT COUNT(*) FROM lfb.incidents WHERE ward_gss LIKE 'E05C%'",
    "SELECT COUNT(*) FROM lfb.incidents WHERE regexp_like(property_type, property_type || '(')",
    "SELECT COUNT(*) FROM lfb.incidents WHERE property_type ~ '^CANARY-N'",
    "SELECT regexp_replace(property_type, '(.)', '\\1'), COUNT(*) FROM lfb.incidents GROUP BY 1",
    "SELECT substr(property_type, 1, 9), COUNT(*) FROM lfb.incidents GROUP BY 1",
    "SELECT md5(property_type), COUNT(*) FROM lfb.incidents GROUP BY 1",
    "SELECT length(property_type), COUNT(*) FROM lfb.incidents GROUP BY 1",
    "SELECT year % 100, COUNT(*) FROM lfb.incidents GROUP BY 1",
    "SELECT property_type FROM lfb.incidents UNION SELECT concat('CANARY-', 'NINE')",
    "SELECT property_type FROM lfb.incidents INTERSECT SELECT concat('CANARY-NINE', '-ROWS')",
    "SELECT concat('CANARY-NINE', '-ROW') EXCEPT SELECT property_type FROM lfb.incidents",
    "SELECT (SELECT property_type FROM lfb.incidents WHERE year < 1950 LIMIT 1)",
    "SELECT gss FROM (VALUES ('E09000007')) AS b(gss) WHERE EXISTS (SELECT 1 FROM lfb.incidents i WHERE i.borough_gss = b.gss)",
    "SELECT property_type FROM lfb.incidents WHERE year IN (SELECT MIN(year) FROM lfb.incidents)",
    "SELECT a.property_type FROM lfb.incidents a JOIN lfb.incidents b ON a.easting = b.easting LIMIT 5",
    "SELECT property_type FROM lfb.incidents TABLESAMPLE BERNOULLI (1)",
    "SELECT SUM(CASE WHEN year < 1950 THEN easting END) FROM lfb.incidents",
    "SELECT COUNT(*) FILTER (WHERE easting > 0) FROM lfb.incidents",
    "WITH RECURSIVE r AS (SELECT property_type FROM lfb.incidents UNION ALL SELECT property_type FROM r) SELECT * FROM r",
    "SELECT unnest(ARRAY_AGG(property_type)) FROM lfb.incidents",
    "EXPLAIN SELECT property_type, COUNT(*) FROM lfb.incidents WHERE year < 1950 GROUP BY property_type",
    "EXPLAIN ANALYZE SELECT property_type, COUNT(*) FROM lfb.incidents GROUP BY property_type",
    "EXPLAIN VERBOSE SELECT * FROM lfb.incidents",
    "COPY (SELECT * FROM lfb.incidents) TO '/tmp/meridian-canary.csv'",
    "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION 'data/dwelling_fires.csv'",
];

/// The same at the City.
const OF_CITY: [&str; 11] = [
    "SELECT accommodation_type, SUM(households) AS n FROM city.dwellings GROUP BY accommodation_type",
    "SELECT accommodation_type, hmo, COUNT(*) AS n FROM city.dwellings GROUP BY accommodation_type, hmo",
    "SELECT SUM(households) AS n FROM city.dwellings WHERE accommodation_type IS NULL",
    "SELECT * FROM city.dwellings",
    "SELECT uprn, COUNT(*) FROM city.dwellings GROUP BY uprn",
    "SELECT MAX(uprn), MIN(uprn) FROM city.dwellings",
    "SELECT SUM(uprn) FROM city.dwellings",
    "SELECT COUNT(*) FROM city.dwellings WHERE uprn > 990017000000000",
    "SELECT MAX(households) FROM city.dwellings",
    "SELECT households, COUNT(*) FROM city.dwellings GROUP BY households",
    "SELECT COUNT(DISTINCT uprn) AS n FROM city.dwellings WHERE hmo IS NULL",
];

/// Asks everything that a peer can ask, in every way in which it can be asked.
fn ask_everything(client: &mut Client, statements: &[&str]) {
    for sql in statements {
        // Refused or answered: what counts is what comes.
        let _ = client.remote(sql);
        let _ = client.statement(sql);
        let _ = client.schema(statement(sql));
        let request = ActionCreatePreparedStatementRequest { query: (*sql).into(), transaction_id: None };
        let _ = client.action("CreatePreparedStatement", request.as_any().encode_to_vec());
    }
    let tables = CommandGetTables { include_schema: true, ..CommandGetTables::default() };
    for command in [
        CommandGetCatalogs {}.as_any(),
        CommandGetDbSchemas::default().as_any(),
        tables.as_any(),
        CommandGetTableTypes {}.as_any(),
        CommandGetSqlInfo::default().as_any(),
        CommandGetXdbcTypeInfo::default().as_any(),
    ] {
        let _ = client.schema(command.clone());
        if let Ok(info) = client.info(command) {
            client.read(super::support::ticket_of(&info)).unwrap();
        }
    }
    client.flights().unwrap();
    client.actions().unwrap();
    client.action(DESCRIBE_ACTION, Vec::new()).unwrap();
    let _ = client.action("meridian.everything", Vec::new());
    let _ = client.read(arrow_flight::Ticket { ticket: vec![0xff; 40].into() });
}

/// Gains nothing: of all that a node sends and writes down, no byte is of a protected row.
#[test]
fn no_bytes_of_a_protected_row_leave_a_node() {
    let mesh = with_canaries();
    let loda = mesh.node_pair("loda");
    for (body, statements) in [("lfb", [&ADMITTED[..], &ATTEMPTS[..]].concat()), ("city", OF_CITY.to_vec())] {
        let mut client = mesh.client(body, Some(&loda));
        if body == "lfb" {
            // What is looked through is not only refusals.
            ADMITTED.iter().for_each(|sql| drop(client.remote(sql).unwrap_or_else(|status| panic!("{sql}: {status}"))));
        }
        ask_everything(&mut client, &statements);
        let sent = client.everything();
        assert!(sent.len() > 10_000, "{} bytes came from {body}", sent.len());
        assert_eq!(found(&secrets(), &sent), [""; 0], "from {body} on the wire");
        assert_eq!(found(&secrets(), &written_down(&mesh, body)), [""; 0], "in what {body} wrote down");
        if body == "lfb" {
            // The search finds what is there.
            assert_eq!(found(&releasable(), &sent).len(), releasable().len());
        }
    }
}

/// Gains nothing: nor does any reach an analyst through the node that asks.
#[test]
fn nor_does_it_reach_an_analyst() {
    let mesh = with_canaries();
    let mut asha = mesh.client("loda", Some(&mesh.asha()));
    let of_all: Vec<String> = OF_CITY.iter().map(|sql| sql.replace("city.dwellings", "every.dwellings")).collect();
    let of_all: Vec<&str> = of_all.iter().map(String::as_str).collect();
    for sql in [&ADMITTED[..], &ATTEMPTS[..], &OF_CITY[..], &of_all[..]].concat() {
        let _ = asha.statement(sql);
    }
    let sent = asha.everything();
    assert_eq!(found(&secrets(), &sent), [""; 0], "from LODA's node on the wire");
    assert_eq!(found(&releasable(), &sent).len(), releasable().len(), "the search finds what is there");
    for body in ["loda", "lfb", "city"] {
        assert_eq!(found(&secrets(), &written_down(&mesh, body)), [""; 0], "in what {body} wrote down");
    }
}

/// Gains nothing: at the most verbose level, no process says a value of a row or a literal of a question, and the health
/// port has no more to tell.
#[test]
fn nothing_that_a_process_says_is_of_a_row_or_a_question() {
    let mesh = holding_canaries();
    for body in mesh.bodies() {
        mesh.start_by(body, mesh.serve(body).env("MERIDIAN_LOG", "trace").env("RUST_LOG", "trace"));
    }
    until("LODA's node knows what the brigade and the City publish", || {
        let listed = mesh.run(&["catalogue", "--format", "csv"]);
        ["london.lfb.", "london.city."].iter().all(|body| listed.ok().contains(body)).then_some(())
    });
    let literal = "CANARY-LITERAL";
    let (mut asha, mut loda) =
        (mesh.client("loda", Some(&mesh.asha())), mesh.client("lfb", Some(&mesh.node_pair("loda"))));
    let chosen = [
        format!("SELECT COUNT(*) AS n FROM lfb.incidents WHERE property_type IN ('{literal}', '{ABOVE}')"),
        format!("SELECT COUNT(*) AS n FROM lfb.incidents WHERE property_type = '{literal}' AND easting = {EASTING}"),
        format!("SELECT '{literal}' || 1 / 0, * FROM gla.boroughs b JOIN gla.boroughs c ON b.gss = c.gss"),
        format!("SELECT * FROM gla.boroughs WHERE name LIKE '%{literal}%' OR CAST('{literal}' AS INTEGER) = 1"),
        format!("SELECT name FROM gla.boroughs WHERE name <> '{literal}'"),
        format!("SELECT '{literal}' FROM nowhere.at_all"),
        format!("SELEKT '{literal}'"),
    ];
    let chosen: Vec<&str> = chosen.iter().map(String::as_str).collect();
    for sql in [&ADMITTED[..], &ATTEMPTS[..], &OF_CITY[..], &chosen[..]].concat() {
        let _ = asha.statement(sql);
        let _ = loda.remote(sql);
    }
    assert_eq!(found(&releasable(), &asha.everything()).len(), releasable().len(), "there were answers");
    let canaries = [secrets(), releasable(), vec![text("a literal", literal)]].concat();
    for body in ["loda", "lfb", "city", "gla"] {
        let said = mesh.log(body);
        assert!(said.contains("DEBUG"), "{body} is not verbose:\n{said}");
        assert_eq!(found(&canaries, said.as_bytes()), [""; 0], "{body} says it");
        for path in ["/live", "/ready", "/metrics", "/"] {
            let told = mesh.health(body, path);
            assert!(told.contains("live") || told.contains("ready"), "{path}: {told}");
            assert_eq!(found(&canaries, told.as_bytes()), [""; 0], "{path} of {body} tells it");
        }
    }
}

/// Gains nothing of nine rows: a cell of twenty is shown with its noise, and no cell of nine is.
#[test]
fn the_threshold_is_ten() {
    let mesh = with_canaries();
    let mut client = mesh.client("lfb", Some(&mesh.node_pair("loda")));
    let answer = client.remote(ADMITTED[0]).unwrap();
    let text = answer.text();
    assert!(!text.contains(BELOW), "nine rows:\n{text}");
    // What is released is twenty and thirty, with noise of at most five.
    for (canary, fires) in [(AT, 20_i64), (ABOVE, 30)] {
        let line = text.lines().find(|line| line.contains(canary)).unwrap_or_else(|| panic!("{canary}:\n{text}"));
        let count: i64 = line.split('|').rev().find_map(|cell| cell.trim().parse().ok()).unwrap();
        assert!((count - fires).abs() <= 5, "{line}");
    }
    // An agreement may raise it.
    mesh.stop("lfb");
    let agreement = mesh.folder("lfb").join("agreements/fire-risk-2026.toml");
    let terms = fs::read_to_string(&agreement).unwrap();
    fs::write(&agreement, terms.replace("form = \"statistics\"", "form = \"statistics\"\nthreshold = 24")).unwrap();
    mesh.start("lfb");
    let text = mesh.client("lfb", Some(&mesh.node_pair("loda"))).remote(ADMITTED[0]).unwrap().text();
    assert!(!text.contains(AT) && text.contains(ABOVE), "{text}");
}

/// Gains nothing: nine rows and none have the same answer, the same receipt and the same notices.
#[test]
fn nine_rows_and_none_look_alike() {
    let mesh = with_canaries();
    let mut client = mesh.client("lfb", Some(&mesh.node_pair("loda")));
    for question in [
        "SELECT COUNT(*) AS n FROM lfb.incidents WHERE property_type = '@'",
        "SELECT COUNT(*) AS n, COUNT(hmo) AS m FROM lfb.incidents WHERE property_type IN ('@')",
        "SELECT borough_gss, COUNT(*) AS n FROM lfb.incidents WHERE property_type = '@' GROUP BY borough_gss",
        "SELECT DISTINCT borough_gss FROM lfb.incidents WHERE property_type = '@'",
        "SELECT COUNT(*) > 0 AS any_at_all FROM lfb.incidents WHERE property_type = '@'",
        "SELECT COUNT(*) FILTER (WHERE property_type = '@') AS n, COUNT(*) AS all_of_them FROM lfb.incidents",
        "SELECT * FROM lfb.incidents WHERE property_type = '@'",
    ] {
        let mut answer = |property: &str| {
            let answer = client.remote(&question.replace('@', property));
            answer
                .map(|answer| (answer.text(), answer.records()[0].rows, answer.records()[0].notices.clone()))
                .map_err(|status| (status.code(), status.message().replace(property, "@")))
        };
        let (nine, none) = (answer(BELOW), answer("CANARY-ZERO-ROWS"));
        assert_eq!(nine, none, "{question}");
    }
}

/// Gains nothing: what was prepared or ticketed before the terms changed is decided by the terms as they are.
#[test]
fn terms_that_changed_hold_for_what_was_prepared_before() {
    let mesh = with_canaries();
    let mut client = mesh.client("lfb", Some(&mesh.node_pair("loda")));
    let info = client.info(statement(ADMITTED[0])).unwrap();
    let agreement = mesh.folder("lfb").join("agreements/fire-risk-2026.toml");
    let terms = fs::read_to_string(&agreement).unwrap();
    mesh.stop("lfb");
    fs::write(&agreement, terms.replace("end = \"2027-12-31\"", "end = \"2026-01-02\"")).unwrap();
    mesh.start("lfb");
    client.read(super::support::ticket_of(&info)).unwrap_err();
    let status = mesh.client("lfb", Some(&mesh.node_pair("loda"))).remote(ADMITTED[0]).unwrap_err();
    assert!(status.message().contains("not in force"), "{status}");
}

#[test]
fn the_search_finds_a_canary_in_every_form() {
    let canaries = secrets();
    for bytes in [
        b"..CANARY-NINE-ROWS..".to_vec(),
        b"canary-nine-rows".to_vec(),
        [&[1, 2][..], &EASTING.to_le_bytes()].concat(),
        format!("{{\"easting\":{EASTING}}}").into_bytes(),
        (EASTING as f64).to_le_bytes().to_vec(),
    ] {
        assert_eq!(found(&canaries, &bytes).len(), 1, "{bytes:?}");
    }
    assert!(found(&canaries, b"CANARY-TWENTY-ROWS CANARY-NINE-ROW 773310250661001").is_empty());
}

/// Gains nothing: a limit is reported without a reason and without a figure.
#[test]
fn a_limit_is_no_ruler() {
    let mesh = Mesh::prepared();
    let file = mesh.folder("lfb").join("node.toml");
    let text = fs::read_to_string(&file).unwrap();
    let mut node: toml::Table = text.parse().unwrap();
    node["limits"].as_table_mut().unwrap().insert("memory_mib".into(), 1.into());
    fs::write(&file, toml::to_string(&node).unwrap()).unwrap();
    mesh.start_all();
    // So many groups that they don't fit; how many there are is the rows' secret.
    let sql = "SELECT year, month, borough_gss, hmo, hmo_licence, property_type, COUNT(*) AS n FROM lfb.incidents \
               GROUP BY year, month, borough_gss, hmo, hmo_licence, property_type";
    let status = mesh.client("lfb", Some(&mesh.node_pair("loda"))).remote(sql).unwrap_err();
    let message = status.message().to_lowercase();
    assert!(message.contains("no reason is given"), "{status}");
    for figure in ["consumed", "peak", "allocat", "remain", "stream", " kb", " mb", " b,"] {
        assert!(!message.contains(figure), "{figure:?}: {status}");
    }
    let complaint = mesh.ask(sql);
    assert!(complaint.fails(1).contains("lfb") && !complaint.stderr.contains("consumed"), "{}", complaint.stderr);
}
