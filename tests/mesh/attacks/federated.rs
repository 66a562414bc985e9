//! Attacks on what the asker's node makes of several bodies' cells: what one body withholds is not read off the others'.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::sync::OnceLock;

use crate::support::Mesh;

/// Camden's dwellings, and Hackney's: how many of each type. Three of Camden's are mobile homes, and one is a castle.
const CAMDEN: [(&str, usize); 4] = [("flat", 150), ("detached", 40), ("mobile", 3), ("castle", 1)];
const HACKNEY: [(&str, usize); 4] = [("flat", 120), ("terraced", 60), ("mobile", 25), ("castle", 2)];
/// Largest noise of a count.
const LARGEST: i64 = 5;
/// The two bodies, without the City, whose counts are published.
const BOTH: &str = "every.dwellings WHERE _body IN ('camden', 'hackney')";

/// Three boroughs, of which two hold rows that the tests know.
fn mesh() -> &'static Mesh {
    static MESH: OnceLock<Mesh> = OnceLock::new();
    MESH.get_or_init(|| {
        let mesh = Mesh::prepared();
        publish(&mesh, "camden", "E09000007", &CAMDEN);
        publish(&mesh, "hackney", "E09000012", &HACKNEY);
        mesh.start_all();
        mesh
    })
}

fn publish(mesh: &Mesh, body: &str, gss: &str, of: &[(&str, usize)]) {
    let mut csv = "uprn,borough_gss,accommodation_type,hmo,households\n".to_owned();
    let kinds = of.iter().flat_map(|(kind, number)| std::iter::repeat_n(kind, *number));
    for (number, kind) in kinds.enumerate() {
        writeln!(csv, "{},{gss},{kind},none,{}", 1_000 + number, 1 + number % 2).unwrap();
    }
    let column =
        |name: &str, of: &str, rest: &str| format!("[[columns]]\nname = \"{name}\"\ntype = \"{of}\"\n{rest}\n");
    let columns = [
        column("uprn", "bigint", "role = \"identifier\"\nconcept = \"os:uprn\""),
        column("borough_gss", "varchar", "role = \"dimension\"\nconcept = \"gss:borough\"\nrequired = true"),
        column("accommodation_type", "varchar", "role = \"dimension\""),
        column("hmo", "varchar", "role = \"dimension\""),
        column("households", "integer", "role = \"measure\"\nbounds = [0, 10]\nrequired = true"),
    ];
    let text = format!(
        "name = \"dwellings\"\ntitle = \"Dwellings\"\ndescription = \"Tests\"\nlicence = \"none\"\nform = \"statistics\"\n\
         recipients = \"members\"\nthreshold = 10\nstandard = \"dwellings\"\ncoverage = {{ borough_gss = \"{gss}\" }}\n\
         [unit]\nkind = \"dwelling\"\ncolumn = \"uprn\"\nunique = true\n[source]\nkind = \"csv\"\npath = \"data/known.csv\"\n{}",
        columns.concat()
    );
    let folder = mesh.folder(body);
    fs::write(folder.join("data/known.csv"), csv).unwrap();
    fs::write(folder.join("datasets/dwellings.toml"), text).unwrap();
    // What its agreements grant of the rows that it had is none of these.
    let _ = fs::remove_dir_all(folder.join("agreements"));
}

/// The first column's cells, each with the second one's number; none where that is withheld.
fn cells(sql: &str) -> BTreeMap<String, Option<i64>> {
    let ran = mesh().ask(sql);
    let rows = ran.csv().into_iter().skip(1);
    rows.map(|row| (row[0].to_owned(), (!row[1].is_empty()).then(|| row[1].parse().unwrap()))).collect()
}

/// The one row of an answer.
fn row(sql: &str) -> Vec<Option<i64>> {
    let ran = mesh().ask(sql);
    let rows = ran.csv();
    assert_eq!(rows.len(), 2, "{sql}: {rows:?}");
    rows[1].iter().map(|cell| (!cell.is_empty()).then(|| cell.parse().unwrap())).collect()
}

fn by_type(from: &str) -> BTreeMap<String, Option<i64>> {
    let filtered = if from.contains("WHERE") { from.to_owned() } else { format!("{from} WHERE true") };
    cells(&format!("SELECT accommodation_type, COUNT(*) AS n FROM {filtered} GROUP BY accommodation_type"))
}

/// Gains nothing: a total over two bodies is the sum of what each of them says by itself, and where one withholds its part
/// there is no total, so that the other's part taken off it leaves either what the body says or nothing.
#[test]
fn total_less_the_part_of_another_body() {
    let (of_both, camden, hackney) = (by_type(BOTH), by_type("camden.dwellings"), by_type("hackney.dwellings"));
    let known = |of: &BTreeMap<String, Option<i64>>, kind: &str| of.get(kind).copied().flatten();
    let flats = known(&of_both, "flat").unwrap();
    assert_eq!(flats - known(&hackney, "flat").unwrap(), known(&camden, "flat").unwrap());
    assert!((flats - 270).abs() <= 2 * LARGEST, "{flats}");
    // Hackney tells of 25 mobile homes; with the three of Camden's they would be 28, and the three would be known.
    assert!(known(&hackney, "mobile").is_some(), "{hackney:?}");
    for kind in ["mobile", "castle", "detached", "terraced"] {
        assert_eq!(known(&of_both, kind), None, "{kind}: {of_both:?}");
    }
    assert!(!of_both.contains_key("castle") && known(&camden, "mobile").is_none(), "{of_both:?} {camden:?}");

    // A condition that is wide at one body and picks three dwellings at the other.
    for picks in [
        "accommodation_type = 'mobile' OR borough_gss = 'E09000012'",
        "NOT (borough_gss = 'E09000007' AND accommodation_type <> 'mobile')",
    ] {
        assert_eq!(row(&format!("SELECT COUNT(*) AS n FROM {BOTH} AND ({picks})")), [None], "{picks}");
    }
    for aggregate in ["SUM(households)", "AVG(households)", "COUNT(hmo)"] {
        let sql = format!("SELECT {aggregate} AS n FROM {BOTH} AND accommodation_type = 'mobile'");
        assert_eq!(row(&sql), [None], "{aggregate}");
    }
}

/// Gains nothing: labels that a body withholds are not counted, and a number of labels over two bodies is not made of two
/// numbers.
#[test]
fn labels_counted_over_two_bodies() {
    let labels = by_type("camden.dwellings").keys().cloned().collect::<Vec<_>>();
    assert_eq!(labels, ["detached", "flat"]);
    for (of, known) in [("camden.dwellings", 2), ("hackney.dwellings", 3)] {
        assert_eq!(row(&format!("SELECT COUNT(DISTINCT accommodation_type) AS n FROM {of}")), [Some(known)], "{of}");
    }
    for count in [
        "COUNT(DISTINCT accommodation_type)",
        "APPROX_DISTINCT(accommodation_type)",
        "COUNT(DISTINCT uprn)",
        "APPROX_DISTINCT(uprn)",
    ] {
        let ran = mesh().ask(&format!("SELECT {count} AS n FROM {BOTH}"));
        assert!(ran.fails(1).contains("can't be made of one from each"), "{count}: {}", ran.stderr);
    }
}

/// Gains nothing: whatever is made of cells one of which another body withholds is as unknown as that one.
#[test]
fn an_aggregate_above_a_withheld_cell() {
    let of = |body: &str| {
        format!(
            "(SELECT borough_gss, accommodation_type, COUNT(*) AS n, COUNT(*) FILTER (WHERE accommodation_type = 'flat') AS m \
             FROM {body} GROUP BY borough_gss, accommodation_type) AS x"
        )
    };
    for body in ["camden.dwellings", "every.dwellings"] {
        let cells = of(body);
        let made = "SUM(m) AS s, AVG(m) AS a, MAX(m) AS x, MIN(m) AS y, SUM(n + m) AS z, COUNT(m) AS c";
        // Where the whole question goes to the body, and where the asker's own node makes it of the body's cells. How many
        // cells are known is known.
        for from in [cells.clone(), format!("{cells} JOIN gla.boroughs b ON b.gss = x.borough_gss")] {
            let row = row(&format!("SELECT {made} FROM {from} WHERE borough_gss = 'E09000007'"));
            assert_eq!(row, [None, None, None, None, None, Some(1)], "{from}");
        }
    }
}
