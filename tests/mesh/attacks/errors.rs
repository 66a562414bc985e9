//! Errors as answers: expressions that fail on one row, in every place of a statement, and words that tell.

use super::attacker::{Attacker, Table};
use super::town::Published;
use crate::support::Mesh;

/// Columns of rows, some of which are to make an expression fail: a divisor, a text, a number, a pattern.
const COLUMNS: [(&str, &str, &str); 6] = [
    ("id", "bigint", "role = \"dimension\""),
    ("open", "boolean", "role = \"dimension\""),
    ("divisor", "bigint", "role = \"dimension\""),
    ("text", "varchar", "role = \"dimension\""),
    ("number", "bigint", "role = \"dimension\""),
    ("pattern", "varchar", "role = \"dimension\""),
];

/// Twenty rows that are granted, and one that is not; where it is poisoned, every expression fails on it.
fn rows(poisoned: bool) -> String {
    let mut csv = "id,open,divisor,text,number,pattern\n".to_owned();
    for id in 1..=20 {
        csv += &format!("{id},true,{id},{id},{id},a\n");
    }
    csv + if poisoned { "21,false,0,SECRET-TEXT,-9223372036854775807,(SECRET\n" } else { "21,false,1,1,1,a\n" }
}

/// The same with a measure, as statistics.
fn statistics(name: &'static str, poisoned: bool) -> Published {
    let unit = "column = \"id\"\nunique = true";
    let mut columns = COLUMNS;
    columns[0].2 = "role = \"identifier\"";
    Published::new(name, unit, &columns, rows(poisoned))
}

pub(super) fn datasets() -> Vec<Published> {
    vec![
        Published::new("granted_clean", "", &COLUMNS, rows(false)).in_form("rows"),
        Published::new("granted_toxic", "", &COLUMNS, rows(true)).in_form("rows"),
        statistics("counted_clean", false),
        statistics("counted_toxic", true),
    ]
}

/// Writes the agreement that grants the rows of the twenty.
pub(super) fn agree(mesh: &Mesh) {
    let grant = |dataset: &str| {
        let columns = "columns = [\"id\", \"divisor\", \"text\", \"number\", \"pattern\"]";
        format!("[[grants]]\ndataset = \"{dataset}\"\nform = \"rows\"\n{columns}\nfilter = \"open\"\n")
    };
    let agreement = format!(
        "id = \"twenty-rows\"\ntitle = \"Twenty rows\"\npurpose = \"fire-risk\"\nbenefit = \"none\"\nlegal_power = \"none\"\n\
         lawful_basis = \"none\"\nrecipients = [\"loda\"]\nstart = \"2026-01-01\"\nend = \"2027-12-31\"\n\
         contact = \"data@lfb.example\"\n{}{}",
        grant("granted_clean"),
        grant("granted_toxic")
    );
    std::fs::write(mesh.folder("lfb").join("agreements/twenty-rows.toml"), agreement).unwrap();
}

/// An expression, a number, in every place of a statement.
fn places(expression: &str) -> Vec<String> {
    let of_b = expression.replace("divisor", "b.divisor").replace("text", "b.text").replace("number", "b.number");
    let of_b = of_b.replace("pattern", "b.pattern");
    vec![
        format!("SELECT id, {expression} AS x FROM lfb.@ ORDER BY id"),
        format!("SELECT SUM({expression}) AS x FROM lfb.@"),
        format!("SELECT id FROM lfb.@ WHERE {expression} > 0 ORDER BY id"),
        format!("SELECT COUNT(*) AS n FROM lfb.@ WHERE {expression} IS NOT NULL"),
        format!("SELECT COUNT(*) AS n FROM lfb.@ HAVING SUM({expression}) > 0"),
        format!("SELECT id, COUNT(*) AS n FROM lfb.@ GROUP BY id HAVING MIN({expression}) > 0 ORDER BY id")
            .replace("MIN(", "SUM("),
        format!("SELECT a.id FROM (SELECT 1 AS id) AS a JOIN lfb.@ AS b ON {of_b} > a.id ORDER BY 1"),
        format!("SELECT id FROM lfb.@ ORDER BY {expression}, id"),
        format!("SELECT {expression} AS x, COUNT(*) AS n FROM lfb.@ GROUP BY 1 ORDER BY 1"),
        format!(
            "SELECT CASE WHEN {expression} > 0 THEN 1 ELSE 2 END AS x, COUNT(*) AS n FROM lfb.@ GROUP BY 1 ORDER BY 1"
        ),
    ]
}

/// What comes of a statement: rows, or the code and the words.
fn outcome(attacker: &mut Attacker, sql: &str) -> Result<Table, String> {
    attacker.ask(sql).map_err(|status| {
        // Less the statement itself, which is cut to fit.
        let said = status.message().lines().filter(|line| !line.starts_with("1 |"));
        format!("{:?}: {}", status.code(), said.collect::<Vec<_>>().join("\n"))
    })
}

/// A row that is not granted, or not in any cell, must make no difference: neither an error nor another answer.
#[track_caller]
fn makes_no_difference(expressions: &[&str]) {
    let mut attacker = Attacker::new();
    let mut told = Vec::new();
    for sql in expressions.iter().flat_map(|expression| places(expression)) {
        for form in ["granted", "counted"] {
            let [sound, poisoned] = ["clean", "toxic"].map(|rows| {
                let name = format!("{form}_{rows}");
                outcome(&mut attacker, &sql.replace('@', &name)).map_err(|said| said.replace(&name, "@"))
            });
            let said = poisoned.as_ref().err().cloned().unwrap_or_default();
            assert!(!said.contains("SECRET"), "{sql}: {said}");
            if sound != poisoned {
                told.push(format!("{form}: {sql}\n  {sound:?}\n  {poisoned:?}"));
            }
        }
    }
    assert!(told.is_empty(), "{} statements tell of the row:\n{}", told.len(), told.join("\n"));
}

/// Gains nothing: a divisor of zero in a row that is not granted fails no question and changes no answer.
#[test]
fn division_by_zero() {
    makes_no_difference(&["(100 / divisor)", "(100 % divisor)", "(1000 / (divisor - 0))", "mod(100, divisor)"]);
}

/// Gains nothing: a number that overflows in a row that is not granted fails no question and changes no answer.
#[test]
fn overflow() {
    makes_no_difference(&[
        "(number * 3)",
        "(number - 9)",
        "abs(number - 1)",
        "power(number, 3)",
        "CAST(number AS SMALLINT)",
        "(-number)",
    ]);
}

/// Gains nothing: a text that is no number and no date in a row that is not granted fails no question.
#[test]
fn failed_casts_and_dates() {
    makes_no_difference(&[
        "CAST(text AS BIGINT)",
        "CAST(text AS DOUBLE)",
        "CAST(text AS DECIMAL(4, 1))",
        "date_part('year', CAST(('2020-01-' || text) AS DATE))",
        "date_part('year', to_date(text, '%d'))",
        "to_unixtime(text, '%s')",
        "arrow_cast(number, 'Int8')",
        "date_part('year', to_timestamp_seconds(number))",
        "ascii(chr(number))",
    ]);
}

/// Gains nothing: a negative number under a root in a row that is not granted fails no question.
#[test]
fn negative_roots() {
    makes_no_difference(&[
        "sqrt(number)",
        "ln(number)",
        "log(2, number)",
        "power(number, 0.5)",
        "factorial(number)",
        "acos(number)",
    ]);
}

/// Gains nothing: a pattern that is none in a row that is not granted fails no question.
#[test]
fn bad_regexes_built_from_a_column() {
    makes_no_difference(&[
        "CASE WHEN regexp_like('aaa', pattern) THEN 1 ELSE 2 END",
        "length(regexp_replace('aaa', pattern, 'b'))",
        "regexp_count('aaa', pattern)",
        "regexp_instr('aaa', pattern)",
        "CASE WHEN 'aaa' ~ pattern THEN 1 ELSE 2 END",
        "CASE WHEN 'aaa' SIMILAR TO pattern THEN 1 ELSE 2 END",
        "cardinality(regexp_match('aaa', pattern))",
    ]);
}

/// Gains nothing: where a question over granted rows fails, it is in words that hold no value of any row.
#[test]
fn messages_that_print_the_value() {
    let mut attacker = Attacker::new();
    for sql in [
        "SELECT CAST(text AS DATE) AS x FROM lfb.granted_toxic",
        "SELECT CAST('x' || text AS BIGINT) AS x FROM lfb.granted_toxic",
        "SELECT 1 / (id - 7) AS x FROM lfb.granted_toxic",
        "SELECT arrow_cast('7' || text, 'Timestamp(Second, None)') AS x FROM lfb.granted_toxic",
        "SELECT regexp_replace('x', '(' || text, 'y') AS x FROM lfb.granted_toxic",
        "SELECT to_date(text, '%Y-%m') AS x FROM lfb.granted_toxic",
        "SELECT COUNT(*) FROM lfb.counted_toxic WHERE CAST(text AS BIGINT) = 1",
        "SELECT CAST('not a number' AS BIGINT) + number AS x FROM lfb.granted_toxic",
    ] {
        if let Err(said) = outcome(&mut attacker, sql) {
            assert!(!said.contains("SECRET") && !said.contains("21"), "{sql}: {said}");
            for row in 1..=20 {
                assert!(!said.contains(&format!("'{row}'")) && !said.contains(&format!("\"{row}\"")), "{sql}: {said}");
            }
        }
    }
}

/// Gains nothing: a refusal is a function of the statement and the terms, word for word the same over other rows.
#[test]
fn refusals_that_depend_on_data() {
    let mut attacker = Attacker::new();
    let mut refused = 0;
    for sql in [
        "SELECT * FROM lfb.@",
        "SELECT text, COUNT(*) FROM lfb.@ GROUP BY text",
        "SELECT COUNT(*) FROM lfb.@ WHERE divisor = 0",
        "SELECT COUNT(*) FROM lfb.@ WHERE number < 0",
        "SELECT SUM(number) FROM lfb.@",
        "SELECT COUNT(*) FROM lfb.@ WHERE text = 'SECRET-TEXT'",
        "SELECT COUNT(*) FROM lfb.@ WHERE id = 21",
        "SELECT MAX(divisor) FROM lfb.@",
        "SELECT divisor, text, number, pattern, COUNT(*) FROM lfb.@ GROUP BY CUBE (divisor, text, number, pattern)",
        "SELECT COUNT(*) FROM lfb.@ a JOIN lfb.@ b ON a.id = b.id AND b.text = 'SECRET-TEXT'",
    ] {
        let [sound, poisoned] = ["counted_clean", "counted_toxic"]
            .map(|name| outcome(&mut attacker, &sql.replace('@', name)).map_err(|said| said.replace(name, "@")));
        assert_eq!(sound.is_err(), poisoned.is_err(), "{sql}");
        if let (Err(sound), Err(poisoned)) = (sound, poisoned) {
            assert_eq!(sound, poisoned, "{sql}");
            refused += 1;
        }
    }
    assert!(refused >= 5, "{refused} were refused");
}
