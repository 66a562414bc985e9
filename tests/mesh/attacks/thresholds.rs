//! Thresholds and dominance: few units, made to look like many or told from what is shown beside them.

use super::attacker::{Attacker, count, rms};
use super::town::{self, Person, Published};

const K: usize = 10;

pub(super) fn datasets() -> Vec<Published> {
    let visits = [
        ("person", "bigint", "role = \"identifier\""),
        ("ward", "varchar", "role = \"dimension\""),
        ("month", "integer", "role = \"dimension\""),
        ("cost", "bigint", "role = \"measure\"\nbounds = [0, 1000]"),
    ];
    let sums = [
        ("unit", "bigint", "role = \"identifier\""),
        ("cell", "varchar", "role = \"dimension\""),
        ("number", "integer", "role = \"dimension\"\nranges = true"),
        ("x", "bigint", "role = \"measure\"\nbounds = [-1000000, 1000000]"),
    ];
    vec![
        Published::people("complemented", &people()),
        Published::people("binned", &people()),
        Published::people("patients", &people()).of_kind("patient"),
        Published::new("visits", "column = \"person\"", &visits, visited()).of_kind("patient"),
        Published::new("edges", "column = \"unit\"\nunique = true", &sums, edges()),
        Published::new("dominated", "column = \"unit\"", &sums, dominated()),
    ]
}

fn people() -> Vec<Person> {
    town::people(31, 1_200)
}

/// Visits of the same people: three each, and thirty of one in ward w9 beside three others'.
fn visited() -> String {
    let mut csv = "person,ward,month,cost\n".to_owned();
    for (at, person) in people().iter().enumerate() {
        let Person { id, ward, .. } = person;
        for month in 1..=3 {
            csv += &format!("{id},w{ward},{month},{}\n", 100 + (at * 7 + month) % 50);
        }
    }
    let few = people();
    csv += &format!("{},w9,1,100\n", few[0].id).repeat(30);
    csv + &few[1..4].iter().map(|person| format!("{},w9,1,100\n", person.id)).collect::<String>()
}

/// Forty cells each of nine, ten and eleven units.
fn edges() -> String {
    let mut csv = "unit,cell,number,x\n".to_owned();
    for (size, cell) in [9, 10, 11].iter().flat_map(|size| (0..40).map(move |cell| (*size, cell))) {
        for unit in 0..size {
            csv += &format!("{},{size}-{cell},{unit},10\n", (size * 40 + cell) * 20 + unit);
        }
    }
    csv
}

/// What the one large contribution of `one` is.
const LARGE: i64 = 237_000;

fn dominated() -> String {
    let mut csv = "unit,cell,number,x\n".to_owned();
    let mut unit = 0;
    let mut add = |cell: &str, number: i64, x: i64| {
        unit += 1;
        csv += &format!("{unit},{cell},{number},{x}\n");
    };
    let small = |add: &mut dyn FnMut(&str, i64, i64), cell: &str, units: i64, x: i64| {
        (1..=units).for_each(|number| add(cell, number, x));
    };
    add("one", 0, LARGE);
    small(&mut add, "one", 59, 1_000);
    add("two", 0, 500_000);
    add("two", 0, 400_000);
    small(&mut add, "two", 40, 1_000);
    small(&mut add, "even", 40, 1_000);
    add("signs", 0, 900_000);
    add("signs", 0, -900_000);
    small(&mut add, "signs", 20, 1_000);
    // Twenty sites of two enterprises.
    for site in 0..20 {
        csv += &format!("{},sites,{site},1000\n", 8_000 + site % 2);
    }
    csv
}

/// Gains nothing: thirty visits of one person and three others' are four people.
#[test]
fn rows_counted_in_place_of_units() {
    let mut attacker = Attacker::new();
    let sql =
        "SELECT COUNT(*) AS n, COUNT(month) AS m, SUM(cost) AS s, AVG(cost) AS a FROM lfb.visits WHERE ward = 'w9'";
    assert_eq!(attacker.row(sql), [None; 4]);
    let grouped = attacker.table("SELECT ward, COUNT(*) AS n FROM lfb.visits GROUP BY ward");
    assert_eq!(grouped.len(), town::WARDS, "{grouped:?}");
}

/// Gains nothing: a join that gives one person nine hundred rows makes no more of them than one. Asked at another body's
/// node, it goes to the owner as one question, and is answered or refused as it is there.
#[test]
fn join_fan_out_that_multiplies_one_unit() {
    let mut attacker = Attacker::new();
    let mesh = super::mesh();
    let person = people()[0].clone();
    for from in [
        "lfb.visits v JOIN lfb.patients p ON v.person = p.person",
        "lfb.patients p JOIN lfb.visits v ON p.person = v.person JOIN lfb.visits w ON w.person = p.person",
    ] {
        let one =
            format!("p.street = 's{:02}' AND p.age = {} AND p.sex = '{}'", person.street, person.age, person.sex());
        let sql = format!("SELECT COUNT(*) AS n, SUM(v.cost) AS s FROM {from} WHERE {one}");
        assert_eq!(attacker.row(&sql), [None; 2], "{sql}");
        let few = format!("SELECT COUNT(*) AS n, SUM(v.cost) AS s FROM {from} WHERE v.ward = 'w9'");
        assert_eq!(attacker.row(&few), [None; 2], "{few}");
        assert_eq!(mesh.ask(&few).csv()[1], ["", ""], "{few}");

        let many =
            format!("SELECT v.ward, COUNT(*) AS n, SUM(v.cost) AS s FROM {from} GROUP BY v.ward ORDER BY v.ward");
        let there: Vec<Vec<String>> = attacker
            .table(&many)
            .into_iter()
            .map(|row| row.into_iter().map(Option::unwrap_or_default).collect())
            .collect();
        assert_eq!(there.len(), town::WARDS);
        let asked = mesh.ask(&many);
        assert_eq!(asked.csv()[1..], there, "{many}");
        let explained = mesh.run(&["explain", "--", &many]);
        assert!(explained.ok().starts_with("One query to one body"), "{}", explained.ok());
    }
    // The asker's node can't know that these are of two kinds.
    let of_two_kinds = "SELECT COUNT(*) AS n FROM lfb.visits v JOIN lfb.binned b ON v.person = b.person";
    let refused = attacker.refusal(of_two_kinds);
    let words = refused.split(": ").nth(1).unwrap().split(';').next().unwrap().to_owned();
    let asked = mesh.ask(of_two_kinds);
    assert!(asked.fails(1).contains(&words), "{refused}\n{}", asked.stderr);
    let doubled = "SELECT COUNT(*) AS n FROM (SELECT person FROM lfb.visits WHERE ward = 'w9' UNION ALL SELECT person FROM \
                   lfb.visits WHERE ward = 'w9') AS t";
    assert_eq!(attacker.number(doubled), None);
}

/// Gains that a cell which is shown has ten units at least, as everybody is told; nine are never shown, and ten and
/// eleven only where noise leaves them ten.
#[test]
fn one_below_at_and_above_the_threshold() {
    let mut attacker = Attacker::new();
    let table = attacker.table("SELECT cell, COUNT(*) AS n FROM lfb.edges GROUP BY cell");
    let shown = |size: &str| table.iter().filter(|row| row[0].as_ref().unwrap().starts_with(size)).count();
    eprintln!("shown of 40 cells: {} of 9 units, {} of 10, {} of 11", shown("9-"), shown("10-"), shown("11-"));
    assert_eq!(shown("9-"), 0);
    assert!((5..40).contains(&shown("10-")) && (5..=40).contains(&shown("11-")));
    for row in &table {
        let count: f64 = row[1].as_ref().unwrap().parse().unwrap();
        assert!((K as f64..=16.0).contains(&count), "{row:?}");
    }
}

/// Gains of a withheld cell, from its complement and the total, a number that is off by the noise of two counts.
#[test]
fn a_cell_and_its_complement() {
    let (mut attacker, people) = (Attacker::new(), people());
    let mut errors = Vec::new();
    for age in 18..48 {
        let few = count(&people, |person| person.age == age && person.ill && person.ward < 3);
        assert!(few < K as f64);
        let cell = format!("age = {age} AND ill AND ward IN ('w0', 'w1', 'w2')");
        let row = attacker.row(&format!(
            "SELECT COUNT(*) FILTER (WHERE {cell}) AS a, COUNT(*) FILTER (WHERE NOT ({cell})) AS b, COUNT(*) AS c FROM lfb.complemented"
        ));
        assert_eq!(row[0], None);
        errors.push(row[2].unwrap() - row[1].unwrap() - few);
    }
    eprintln!("a complement tells a withheld cell to {:.2} people", rms(&errors));
    assert!(rms(&errors) > 0.5);
}

/// Gains of one withheld cell among shown ones, from its margins, a number off by the noise of all that is added up.
#[test]
fn margins_with_one_suppressed_cell() {
    let (mut attacker, people) = (Attacker::new(), people());
    let mut errors = Vec::new();
    for (ward, age) in (0..town::WARDS).flat_map(|ward| [20, 40, 60].map(|age| (ward, age))) {
        // Of the ward's people, those of one age are the cell that is withheld.
        let sql = format!(
            "SELECT CASE WHEN age = {age} AND sex = 'f' THEN 'few' ELSE 'rest' END AS g, COUNT(*) AS n FROM lfb.complemented \
             WHERE ward = 'w{ward}' GROUP BY ROLLUP (CASE WHEN age = {age} AND sex = 'f' THEN 'few' ELSE 'rest' END)"
        );
        let table = attacker.table(&sql);
        let of = |group: Option<&str>| table.iter().find(|row| row[0].as_deref() == group);
        assert!(of(Some("few")).is_none(), "{table:?}");
        let number = |group| of(group).unwrap()[1].as_ref().unwrap().parse::<f64>().unwrap();
        let few = count(&people, |person| person.ward == ward && person.age == age && person.woman);
        errors.push(number(None) - number(Some("rest")) - few);
    }
    assert!(rms(&errors) > 0.5, "{errors:?}");
}

/// Gains whether one or two make up nearly all of a sum, and, for someone who knows what the others contribute and can
/// take them in one by one, what the one contributes to 4 parts in a hundred: dominance has no noise of its own.
#[test]
fn dominance_by_one_and_by_two() {
    let mut attacker = Attacker::new();
    let sql = "SELECT cell, COUNT(DISTINCT unit) AS n, SUM(x) AS s, AVG(x) AS a FROM lfb.dominated GROUP BY cell";
    for row in attacker.table(sql) {
        let is_shown = row[0].as_deref() == Some("one") || row[0].as_deref() == Some("even");
        assert_eq!(row[2].is_some(), is_shown, "{row:?}");
        assert_eq!(row[3].is_some(), is_shown, "{row:?}");
    }
    let up_to: Vec<String> = (10..=59).map(|number| format!("cell = 'one' AND number <= {number}")).collect();
    let sums = attacker.numbers("SUM(x)", "lfb.dominated", &up_to);
    let first = sums.iter().position(Option::is_some).unwrap();
    assert!(sums[..first].iter().all(Option::is_none), "{sums:?}");
    // What is left beside the two largest is a tenth of the largest, or more.
    let others = i64::try_from(first + 10 - 1).unwrap() * 1_000;
    let bracket = (10 * (others - 1_000), 10 * others);
    eprintln!("dominance tells that {LARGE} is between {} and {}", bracket.0, bracket.1);
    assert!(bracket.0 < LARGE && LARGE <= bracket.1);
}

/// Gains nothing: twenty sites of two enterprises are two units.
#[test]
fn several_sites_of_one_enterprise() {
    let mut attacker = Attacker::new();
    let sql = "SELECT COUNT(*) AS n, COUNT(DISTINCT unit) AS u, SUM(x) AS s, AVG(x) AS a FROM lfb.dominated WHERE cell = 'sites'";
    assert_eq!(attacker.row(sql), [None; 4]);
}

/// Gains nothing: contributions count by their absolute values, so that a large one is not hidden behind one against it.
#[test]
fn negative_contributions() {
    let mut attacker = Attacker::new();
    let sql = "SELECT COUNT(DISTINCT unit) AS u, SUM(x) AS s, AVG(x) AS a FROM lfb.dominated WHERE cell = 'signs'";
    let row = attacker.row(sql);
    assert!(row[0].is_some() && row[1].is_none() && row[2].is_none(), "{row:?}");
}

/// Gains nothing: a sum takes a bare measure; rows that are taken several times over weigh more, and bring as much more
/// noise with them, drawn anew for each weighting.
#[test]
fn weighted_sums_by_case_factor_and_bits() {
    let mut attacker = Attacker::new();
    attacker.all_refused(&[
        "SELECT SUM(CASE WHEN person = 1003 THEN income END) FROM lfb.patients",
        "SELECT SUM(CASE WHEN street = 's03' THEN income ELSE 1 END) FROM lfb.patients",
        "SELECT SUM(CASE WHEN street = 's03' THEN income * 1000000 ELSE income END) FROM lfb.patients",
        "SELECT SUM(income * 1000000000000) FROM lfb.patients",
        "SELECT SUM(income * income) FROM lfb.patients",
        "SELECT SUM(income + 1) FROM lfb.patients",
        "SELECT SUM(-income) FROM lfb.patients",
        "SELECT SUM(power(2, age)) FROM lfb.patients",
        "SELECT SUM(CASE ward WHEN 'w0' THEN 1 WHEN 'w1' THEN 1024 WHEN 'w2' THEN 1048576 END) FROM lfb.patients",
        "SELECT SUM(1 << age) FROM lfb.patients",
        "SELECT bit_or(age), bit_xor(person) FROM lfb.patients",
        "SELECT AVG(CASE WHEN person = 1003 THEN income END) FROM lfb.patients",
        "SELECT SUM(income) FILTER (WHERE person = 1003) FROM lfb.patients",
    ]);
    // The same people under two weightings: with one noise for both, their difference would be exact.
    let all = "SELECT person, cost FROM lfb.visits";
    let mut exact = 0;
    for ward in 0..town::WARDS {
        let more = format!("{all} UNION ALL {all} WHERE ward = 'w{ward}' AND month = 1");
        let sum = |attacker: &mut Attacker, rows: &str| {
            attacker.number(&format!("SELECT SUM(cost) AS s FROM ({rows}) AS t")).unwrap()
        };
        let found = sum(&mut attacker, &more) - sum(&mut attacker, all);
        let at = |(at, _): &(usize, &Person)| 100 + (at * 7 + 1) % 50;
        let truth: usize =
            people().iter().enumerate().filter(|(_, person)| person.ward == ward).map(|one| at(&one)).sum();
        exact += usize::from((found - truth as f64).abs() < 0.5);
    }
    assert!(exact <= 1, "{exact} of {} differences are exact", town::WARDS);
}

/// Gains nothing: what is above the release sees what was released, so that withheld cells are NULL there or absent.
#[test]
fn having_order_by_and_limit_on_what_was_suppressed() {
    let mut attacker = Attacker::new();
    let few = |cell: &Option<String>| cell.as_ref().is_some_and(|cell| cell.starts_with("9-"));
    for sql in [
        "SELECT cell, COUNT(*) AS n FROM lfb.edges GROUP BY cell HAVING COUNT(*) < 10",
        "SELECT cell, COUNT(*) AS n FROM lfb.edges GROUP BY cell HAVING COUNT(*) IS NULL",
        "SELECT cell, COUNT(*) AS n FROM lfb.edges GROUP BY cell HAVING SUM(x) <= 90",
        "SELECT cell, COUNT(*) AS n FROM lfb.edges GROUP BY cell ORDER BY COUNT(*) LIMIT 3",
        "SELECT cell, COUNT(*) AS n FROM lfb.edges GROUP BY cell ORDER BY COUNT(*) DESC NULLS FIRST LIMIT 3",
        "SELECT cell, COUNT(*) AS n FROM lfb.edges GROUP BY cell ORDER BY cell DESC LIMIT 50",
        "SELECT cell FROM lfb.edges GROUP BY cell HAVING COUNT(*) BETWEEN 1 AND 9",
        "SELECT DISTINCT cell FROM lfb.edges",
        "SELECT cell FROM lfb.edges GROUP BY cell",
    ] {
        let table = attacker.table(sql);
        assert!(!table.iter().any(|row| few(&row[0])), "{sql}: {table:?}");
    }
    let nine = "SELECT COUNT(*) AS n FROM lfb.edges WHERE cell = '9-0' HAVING COUNT(*) > 0";
    assert_eq!(attacker.table(nine), Vec::<Vec<_>>::new());
    let order = "SELECT MAX(n) AS a, COUNT(*) AS b FROM (SELECT cell, COUNT(*) AS n FROM lfb.edges WHERE cell LIKE '9-%' GROUP BY cell) AS t";
    assert_eq!(attacker.row(order), [None, Some(0.0)]);
}

/// Gains nothing: bins of one year, one street and one value are cells like any other, and a measure has the bins alone
/// that its owner declared.
#[test]
fn bins_of_width_one() {
    let (mut attacker, people) = (Attacker::new(), people());
    for keys in ["age, street", "age, ward, sex", "street, sex, ill, age", "age, ill"] {
        let table = attacker.table(&format!("SELECT {keys}, COUNT(*) AS n FROM lfb.binned GROUP BY {keys}"));
        for row in &table {
            let shown = count(&people, |person| {
                let ill = person.ill.to_string();
                let values = [
                    ("age", person.age.to_string()),
                    ("street", format!("s{:02}", person.street)),
                    ("ward", format!("w{}", person.ward)),
                    ("sex", person.sex().to_string()),
                    ("ill", ill),
                ];
                keys.split(", ").zip(row).all(|(key, cell)| {
                    let of = values.iter().find(|(name, _)| *name == key).unwrap();
                    cell.as_deref() == Some(of.1.as_str())
                })
            });
            assert!(shown >= K as f64, "{row:?} is a cell of {shown}");
        }
    }
    attacker.all_refused(&[
        "SELECT income, COUNT(*) FROM lfb.binned GROUP BY income",
        "SELECT income / 1, COUNT(*) FROM lfb.binned GROUP BY 1",
        "SELECT width_bucket(income, 0, 100000, 100000), COUNT(*) FROM lfb.binned GROUP BY 1",
        "SELECT COUNT(*) FROM lfb.binned WHERE income >= 20001 AND income < 20002",
        "SELECT date_bin(INTERVAL '1 day', age), COUNT(*) FROM lfb.binned GROUP BY 1",
        "SELECT round(income), COUNT(*) FROM lfb.binned GROUP BY 1",
    ]);
}
