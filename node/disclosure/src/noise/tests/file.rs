//! Tables that are read: what is missing is 0, and what is wrong is refused with its line.

use super::{
    super::{CountTable, TableError},
    refused,
};

const HEADER: &str = "\"pcv\",\"ckey\",\"pvalue\"\n";

fn read(lines: &str) -> Result<CountTable, TableError> {
    CountTable::read(format!("{HEADER}{lines}").as_bytes())
}

#[test]
fn pairs_that_are_not_there_have_no_noise() {
    let table = read("1,0,-1\n750,255,3\n12,7,0\n").unwrap();
    for units in 0..=2_000 {
        for key in 0..=255 {
            let expected = match (CountTable::pcv(units), key) {
                (1, 0) => -1,
                (750, 255) => 3,
                _ => 0,
            };
            assert_eq!(table.noise(units, key), expected, "{units}, {key}");
        }
    }
    assert_eq!(table.largest(), 3);
    assert!(!table.keyed(1), "rows without noise give all keys the same");
}

#[test]
fn a_table_whose_rows_are_constant_is_not_keyed() {
    let lines = |first: i64| {
        (1..=750).flat_map(move |pcv| (0..=255).map(move |key| (pcv, key, if key == 0 { first } else { 1 })))
    };
    let table = |first| {
        let lines: String = lines(first).map(|(pcv, key, noise)| format!("{pcv},{key},{noise}\n")).collect();
        read(&lines).unwrap()
    };
    assert!(!table(1).keyed(10));
    assert!(table(-1).keyed(10));
    assert_eq!(table(1).deviation(), 0.0);
}

#[test]
fn wrong_lines_are_refused_with_their_number() {
    let check = |lines: &str, line: u64, part: &str| {
        let error = refused(read(lines));
        let TableError::File { line: found, problem } = &error else { panic!("{error}") };
        assert_eq!(*found, line, "{lines:?}: {error}");
        assert!(problem.contains(part), "{lines:?}: {error}");
    };
    check("1,0,-1\n0,0,1\n", 3, "pcv");
    check("751,0,1\n", 2, "pcv");
    check("1.0,0,1\n", 2, "pcv");
    check(",0,1\n", 2, "pcv");
    check("1,256,1\n", 2, "ckey");
    check("1,-1,1\n", 2, "ckey");
    check("1,0,0.5\n", 2, "pvalue");
    check("1,0,\n", 2, "pvalue");
    check("1,0,40000\n", 2, "pvalue");
    check("20,0,-21\n", 2, "less than 0");
    check("1,0,1\n1,1,1\n1,0,1\n", 4, "once");
    check("1,0\n", 2, "3 fields");
    check("1,0,1\r\n1,1,1\r\n1,2\r\n", 4, "3 fields");
    check("1,0,1\n1,1,1,1\n", 3, "3 fields");
    check("", 1, "differs from 0");
    check("5,5,0\n", 1, "differs from 0");
}

#[test]
fn other_columns_and_unreadable_text_are_refused() {
    for text in ["", "1,0,1\n", "ckey,pcv,pvalue\n1,0,1\n", "pcv,ckey,pvalue,more\n"] {
        let error = refused(CountTable::read(text.as_bytes()));
        assert!(matches!(&error, TableError::File { line: 1, .. }), "{text:?}: {error}");
    }
    let error = refused(CountTable::read(&b"pcv,ckey,pvalue\n1,0,1\n1,1,\xff\n"[..]));
    assert!(matches!(&error, TableError::File { line: 3, problem } if problem.contains("UTF-8")), "{error}");
}

#[test]
fn errors_hold_no_noise() {
    for lines in ["1,0,-12345\n", "1,0,777777\n", "1,300,4321\n"] {
        let text = refused(read(lines)).to_string();
        assert!(["12345", "777777", "4321"].iter().all(|noise| !text.contains(noise)), "{text}");
    }
}
