//! Texts with the addresses that they mean, and texts that mean none of the list.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::HashSet;

use super::made::{self, Draw};
use super::{Builder, Fields, LEAST_SCORE, List, Outcome};

const PLENTY: usize = 1 << 30;

/// Rows of flat, name, number, street, town and postcode, numbered from 1, and a hundred streets of others.
fn list(rows: &[[&str; 6]]) -> List {
    let mut builder = Builder::new(PLENTY);
    for (uprn, [flat, name, number, street, town, postcode]) in (1..).zip(rows) {
        let there = |text: &'static str| (!text.is_empty()).then_some(text);
        let row = [flat, name, number, street, town, postcode]
            .map(|text| there(Box::leak(text.to_string().into_boxed_str())));
        let [flat, name, number, street, town, postcode] = row;
        builder.add(uprn, &Fields { flat, name, number, street, town, postcode, ..Fields::default() }).unwrap();
    }
    for filler in made::addresses(2000, &mut Draw::new(7)) {
        let other = format!("{} Z", filler.street.replace(' ', "Z "));
        let street = Some(other.as_str());
        builder.add(filler.uprn, &Fields { street, ..filler.fields() }).unwrap();
    }
    builder.finish()
}

#[track_caller]
fn finds(list: &List, text: &str, uprn: Option<i64>) {
    let found = list.find(text, None, LEAST_SCORE);
    assert_eq!(found.uprn(), uprn, "{text}: {found:?}");
}

#[test]
fn the_same_address_is_written_in_many_ways() {
    let list = list(&[
        ["", "", "12", "MARLBOROUGH STREET", "LONDON", "NW1 8QP"],
        ["FLAT 3", "", "12", "SAINT JAMES ROAD", "LONDON", "SW8 1AA"],
        ["", "", "12A", "MARLBOROUGH STREET", "LONDON", "NW1 8QP"],
        ["", "", "20-24", "MARLBOROUGH STREET", "LONDON", "NW1 8QR"],
        ["", "ROSE COTTAGE", "", "HEATH LANE", "LONDON", "NW3 1AB"],
        ["FLAT A", "", "40", "HEATH LANE", "LONDON", "NW3 1AB"],
        ["GROUND FLOOR FLAT", "", "42", "HEATH LANE", "LONDON", "NW3 1AB"],
        ["FLAT 7", "ALPHA COURT", "", "HEATH LANE", "LONDON", "NW3 1AC"],
    ]);
    for (text, uprn) in [
        ("12 Marlborough Street, London NW1 8QP", 1),
        ("12, marlborough st, nw18qp", 1),
        ("12 Marlborough St, London", 1),
        ("12 Marlborough Street London NW1 8QR", 1),
        ("12 Marlborouhg Street, NW1 8QP", 1),
        ("London, NW1 8QP, Marlborough Street 12", 1),
        ("12, NW1 8QP", 1),
        ("Apt 3, 12 St James Rd, London, SW8 1AA", 2),
        ("3, 12 St. James Road SW8 1AA", 2),
        ("12 St James Road, Flat 3, SW8 1AA", 2),
        ("12 a Marlborough Street NW1 8QP", 3),
        ("Flat A, 12 Marlborough Street NW1 8QP", 3),
        ("20 to 24 Marlborough Street NW1 8QR", 4),
        ("22 Marlborough Street NW1 8QR", 4),
        ("Rose Cottage, Heath Lane, NW3 1AB", 5),
        ("Rose Cottage Heath Ln London", 5),
        ("40A Heath Lane NW3 1AB", 6),
        ("Ground floor, 42 Heath Lane, NW3 1AB", 7),
        ("GFF 42 Heath Lane, NW3 1AB", 7),
        ("7 Alpha Court, Heath Lane, NW3 1AC", 8),
        ("Flat 7 Alpha Ct Heath Lane", 8),
    ] {
        finds(&list, text, Some(uprn));
    }
}

#[test]
fn what_is_another_address_is_not_matched() {
    let list = list(&[
        ["", "", "12", "PARLIAMENT ROAD", "LONDON", "NW1 8QP"],
        ["FLAT 3", "", "14", "PARLIAMENT ROAD", "LONDON", "NW1 8QP"],
        ["", "ROSE COTTAGE", "", "HEATH LANE", "LONDON", "NW3 1AB"],
    ]);
    for text in [
        "13 Parliament Road NW1 8QP",
        "12A Parliament Road NW1 8QP",
        "Flat 1, 12 Parliament Road NW1 8QP",
        "14 Parliament Road NW1 8QP",
        "Flat 4, 14 Parliament Road NW1 8QP",
        "12 Parliament Avenue NW1 8QP",
        "12 Upper Parliament Road NW1 8QP",
        "12 Parliament Road North NW1 8QP",
        "12 Parliament Road SE15 3AB",
        "12 Parliament Road, Brighton",
        "Ivy Cottage, Heath Lane, NW3 1AB",
        "Heath Lane, NW3 1AB",
        "NW1 8QP",
        "",
        "12",
        "\u{202e}\u{0}",
    ] {
        finds(&list, text, None);
    }
}

#[test]
fn of_two_that_are_as_likely_none_is_guessed() {
    let twice = list(&[
        ["", "", "12", "PARLIAMENT ROAD", "LONDON", "NW1 8QP"],
        ["", "", "12", "PARLIAMENT ROAD", "LONDON", "SE15 3AB"],
        ["FLAT 5", "", "9", "PARLIAMENT ROAD", "LONDON", "NW1 8QP"],
        ["UNIT 5", "", "9", "PARLIAMENT ROAD", "LONDON", "NW1 8QP"],
    ]);
    assert!(matches!(twice.find("12 Parliament Road, London", None, 0.7), Outcome::Ambiguous(Some(_))));
    assert!(matches!(twice.find("5, 9 Parliament Road, NW1 8QP", None, LEAST_SCORE), Outcome::Ambiguous(Some(_))));
    finds(&twice, "12 Parliament Road, London NW1 8QP", Some(1));
    finds(&twice, "Unit 5, 9 Parliament Road, NW1 8QP", Some(4));
    assert_eq!(twice.find("12 Parliament Road", Some("SE15 3AB"), LEAST_SCORE).uprn(), Some(2));
    assert_eq!(twice.find("12 Parliament Road, NW1 8QP", Some("SE15 3AB"), LEAST_SCORE).uprn(), Some(2));
}

#[test]
fn a_list_of_texts_is_as_good_as_one_of_columns() {
    let mut builder = Builder::new(PLENTY);
    for (uprn, text) in (1..).zip([
        "FLAT 3, 12 MARLBOROUGH STREET, LONDON, NW1 8QP",
        "ROSE COTTAGE, HEATH LANE, LONDON, NW3 1AB",
        "12 HEATH LANE LONDON NW3 1AB",
    ]) {
        builder.add(uprn, &Fields { text: Some(text), ..Fields::default() }).unwrap();
        // The same address in another way of writing is no other.
        builder.add(uprn, &Fields { text: Some(&text.to_lowercase()), ..Fields::default() }).unwrap();
    }
    let list = builder.finish();
    finds(&list, "Apt 3, 12 Marlborough St NW1 8QP", Some(1));
    finds(&list, "Rose Cottage, Heath Lane NW3 1AB", Some(2));
    finds(&list, "12 Heath Ln, NW3 1AB", Some(3));
    finds(&list, "14 Heath Ln, NW3 1AB", None);
}

#[test]
fn memory_is_bounded() {
    let addresses = made::addresses(2000, &mut Draw::new(1));
    let list = made::list(&addresses, PLENTY).unwrap();
    assert_eq!(list.len(), addresses.len());
    assert!(list.bytes() < addresses.len() * 1024, "{} bytes", list.bytes());
    assert_eq!(made::list(&addresses, 64 * 1024).unwrap_err().most, 64 * 1024);
    assert!(!format!("{list:?}").contains("STREET"));
}

/// Of 20,000 made addresses a tenth are left out of the list; all are written as [`made::written`] says, and looked for. An
/// address that stands twice in columns and numbers is left out of the labels: nobody could tell which is meant.
#[test]
fn of_written_addresses_nearly_all_matches_are_right() {
    let (mut right, mut wrong, mut missed, mut invented, mut absent) = (0_u32, 0_u32, 0_u32, 0_u32, 0_u32);
    for seed in [1, 20_261_127, 4_711] {
        let mut draw = Draw::new(seed);
        let all = made::addresses(20_000, &mut draw);
        let is_absent = |uprn: i64| uprn % 10 == 0;
        let listed: Vec<_> = all.iter().filter(|address| !is_absent(address.uprn)).cloned().collect();
        let list = made::list(&listed, PLENTY).unwrap();
        let key = |address: &made::Address| {
            (
                address.flat.clone(),
                address.name.clone(),
                address.number.clone(),
                address.street.clone(),
                address.postcode.clone(),
            )
        };
        let mut seen = HashSet::new();
        let repeated: HashSet<_> = all.iter().map(key).filter(|key| !seen.insert(key.clone())).collect();
        for address in all.iter().filter(|address| !repeated.contains(&key(address))) {
            let text = made::written(address, &mut draw);
            let found = list.find(&text, None, LEAST_SCORE);
            let counter = match (found.uprn(), is_absent(address.uprn)) {
                (Some(uprn), false) if uprn == address.uprn => &mut right,
                (Some(_), false) => &mut wrong,
                (None, false) => &mut missed,
                (Some(_), true) => &mut invented,
                (None, true) => &mut absent,
            };
            *counter += 1;
            if std::env::var_os("MERIDIAN_SHOW_MISSES").is_some()
                && found.uprn() != Some(address.uprn)
                && !(found.uprn().is_none() && is_absent(address.uprn))
            {
                eprintln!(
                    "{text:?} {address:?}\n    {found:?} {:?}",
                    found.uprn().and_then(|uprn| all.iter().find(|it| it.uprn == uprn))
                );
            }
        }
    }
    let precision = f64::from(right) / f64::from(right + wrong + invented);
    let recall = f64::from(right) / f64::from(right + wrong + missed);
    let said = format!(
        "precision {precision:.4}, recall {recall:.4}: {right} right, {wrong} wrong, {missed} missed, {invented} invented, {absent} rightly none"
    );
    eprintln!("{said}");
    assert!(precision >= 0.99 && recall >= 0.85, "{said}");
}
