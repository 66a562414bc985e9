//! Differencing: two questions whose sets differ in few people, and what their answers give away of those few.

use super::attacker::{Attacker, count, earn, rms};
use super::town::{self, Person, Published, Random};
use crate::support::{PURPOSE, until};

pub(super) fn datasets() -> Vec<Published> {
    vec![
        Published::people("one_more", &people()),
        Published::people("tracked", &people()),
        Published::people("crept", &people()),
        Published::people("inserted", &people()),
        Published::people("inserted_live", &people()).with("as_of = \"live\""),
        Published::people("overlapping", &people()),
        Published::people("parts", &people()),
        Published::people("both", &people()),
        Published::people("shared", &people()),
    ]
}

/// What camden publishes.
pub(super) fn of_camden() -> Vec<Published> {
    vec![Published::people("both", &people())]
}

fn people() -> Vec<Person> {
    town::people(11, 1_200)
}

/// Gains whether one person is ill: a count with and a count without the one group that only they can be in are equal
/// wherever nobody is in it, and differ about four times of five where somebody is; with four pairs that is nearly
/// always right. Sums give nothing here, since near ones have one answer. The owner's log counts the near pairs.
#[test]
fn with_and_without_one_unit() {
    let (mut attacker, people) = (Attacker::new(), people());
    let targets: Vec<&Person> =
        people.iter().filter(|p| p.ill).take(30).chain(people.iter().filter(|p| !p.ill).take(30)).collect();
    let supersets = ["true", "sex = '@'", "age BETWEEN 18 AND 80 AND ward = '#'", "ward = '#'"];
    let mut conditions = Vec::new();
    for person in &targets {
        for superset in supersets {
            let superset = superset.replace('@', &person.sex().to_string()).replace('#', &format!("w{}", person.ward));
            conditions.push(superset.clone());
            conditions.push(format!("{superset} AND NOT ({} AND ill)", person.alone()));
        }
    }
    let counts = attacker.numbers("COUNT(*)", "lfb.one_more", &conditions);
    for pairs in [1, 4] {
        let differs = |of: &[Option<f64>]| of.chunks(2).take(pairs).any(|pair| pair[0] != pair[1]);
        let each = supersets.len() * 2;
        let right = targets.iter().zip(counts.chunks(each)).filter(|(person, of)| person.ill == differs(*of)).count();
        let share = right as f64 / targets.len() as f64;
        eprintln!("{pairs} pairs of counts: right of {share:.3} of people, where guessing is right of 0.5");
        assert!(if pairs == 1 { share < 0.97 } else { share > 0.8 }, "the sentence above would be wrong");
    }
    let sums = attacker.numbers("SUM(income)", "lfb.one_more", &conditions);
    assert!(sums.chunks(2).all(|pair| pair[0] == pair[1]), "a sum without one person is the sum with them");
}

/// Gains nothing beyond the two counts: a tracker in any form is the same set, so that it has the same figure, or it is
/// refused.
#[test]
fn trackers_with_or_de_morgan_case_and_arithmetic() {
    let (mut attacker, people) = (Attacker::new(), people());
    let target = people.iter().find(|person| person.ill).unwrap();
    let (one, rest) = (target.alone(), "ward = 'w3'");
    let forms = [
        format!("{rest} OR ({one})"),
        format!("NOT (NOT ({rest}) AND NOT ({one}))"),
        format!("CASE WHEN {rest} THEN 1 WHEN {one} THEN 1 ELSE 0 END = 1"),
        format!("CASE WHEN {rest} THEN 'in' WHEN NOT ({one}) THEN 'out' ELSE 'in' END = 'in'"),
        format!("({rest}) IS TRUE OR ({one}) IS TRUE"),
        format!("NOT (({rest}) IS NOT TRUE AND ({one}) IS NOT TRUE)"),
    ];
    let numbers = attacker.numbers("COUNT(*)", "lfb.tracked", &forms);
    assert!(numbers.iter().all(|number| *number == numbers[0] && number.is_some()), "{numbers:?}");
    let united = format!(
        "SELECT COUNT(*) AS n FROM (SELECT person FROM lfb.tracked WHERE {rest} UNION ALL SELECT person FROM lfb.tracked \
         WHERE {one}) AS t"
    );
    assert!(attacker.number(&united.replace("COUNT(*)", "COUNT(DISTINCT person)")) == numbers[0]);
    attacker.all_refused(&[
        format!("SELECT SUM(CASE WHEN {rest} THEN 1 ELSE 0 END + CASE WHEN {one} THEN 1 ELSE 0 END) FROM lfb.tracked"),
        format!("SELECT COUNT(*) FROM lfb.tracked WHERE ({rest})::INT + ({one})::INT > 0"),
        format!("SELECT COUNT(*) FROM lfb.tracked WHERE greatest(({rest})::INT, ({one})::INT) = 1"),
        format!("SELECT SUM(income * CASE WHEN {one} THEN 1 ELSE 0 END) FROM lfb.tracked"),
        format!("SELECT SUM(abs(income)) FROM lfb.tracked WHERE {rest}"),
        format!("SELECT COUNT(*) FROM lfb.tracked WHERE ({rest}) <> ({one})"),
    ]);
}

/// Gains of a count what noise leaves: each year's step carries the noise of two counts; a sum's steps under ten people
/// are not seen at all, and more than twenty ranges of one column are no question.
#[test]
fn range_creep() {
    let (mut attacker, people) = (Attacker::new(), people());
    let below: Vec<String> = (30..70).map(|age| format!("age < {age}")).collect();
    let counts = attacker.numbers("COUNT(*)", "lfb.crept", &below);
    let steps: Vec<f64> = counts
        .windows(2)
        .zip(30..)
        .map(|(pair, age)| pair[1].unwrap() - pair[0].unwrap() - count(&people, |person| person.age == age))
        .collect();
    assert!(rms(&steps) > 1.0, "steps of counts are off by {} only", rms(&steps));
    let fine: Vec<String> = people[..60].iter().map(|person| format!("NOT ({})", person.alone())).collect();
    let sums = attacker.numbers("SUM(income)", "lfb.crept", &fine);
    assert!(sums.iter().all(|sum| *sum == sums[0]), "one person fewer is not seen in a sum");
    let many: Vec<String> = (18..60).step_by(2).map(|age| format!("age BETWEEN {age} AND {age}")).collect();
    attacker.all_refused(&[
        format!("SELECT COUNT(*) FROM lfb.crept WHERE {}", many.join(" OR ")),
        "SELECT COUNT(*) FROM lfb.crept WHERE street < 's20'".to_owned(),
        "SELECT COUNT(*) FROM lfb.crept WHERE income < 12345".to_owned(),
        "SELECT COUNT(*) FROM lfb.crept WHERE income BETWEEN 20000 AND 30000".to_owned(),
        "SELECT COUNT(*) FROM lfb.crept WHERE income = 20000".to_owned(),
    ]);
}

/// Gains nothing before the month ends: a snapshot stands between two dates. Where the owner publishes `as_of = "live"`
/// a count changes with a person who comes, about four times of five.
#[test]
fn the_same_question_before_and_after_an_insert() {
    let (mut attacker, mut people) = (Attacker::new(), people());
    let ask = |attacker: &mut Attacker, dataset: &str| {
        attacker.table(&format!(
            "SELECT ward, sex, ill, COUNT(*) AS n, SUM(income) AS s FROM lfb.{dataset} GROUP BY CUBE (ward, sex, ill)"
        ))
    };
    let [before, live] = ["inserted", "inserted_live"].map(|dataset| ask(&mut attacker, dataset));
    people.push(Person { id: 9_999, age: 99, ..people[0].clone() });
    let changed = town::rows(&people);
    for dataset in datasets().iter().filter(|dataset| dataset.name.starts_with("inserted")) {
        dataset.write_rows(super::mesh(), "lfb", &changed);
    }
    let after = until("the live dataset has noticed", || {
        let after = ask(&mut attacker, "inserted_live");
        (after != live).then_some(after)
    });
    assert_eq!(ask(&mut attacker, "inserted"), before, "the snapshot stands");
    let sums = |table: &super::attacker::Table| table.iter().map(|row| row[4].clone()).collect::<Vec<_>>();
    assert_eq!(sums(&after), sums(&live), "sums with one person more are the sums before");
}

/// Gains of a sliver of three people a number off by as much as the noise of two counts, and nothing of what they earn:
/// the sum over the larger area is that over the smaller one.
#[test]
fn overlapping_geographies() {
    let (mut attacker, people) = (Attacker::new(), people());
    let mut errors = Vec::new();
    for ward in 0..town::WARDS {
        let area = format!("ward = 'w{ward}'");
        let next = people.iter().filter(|person| person.ward == (ward + 1) % town::WARDS);
        let sliver: Vec<&Person> = next.take(3).collect();
        let larger = sliver.iter().fold(area.clone(), |all, person| format!("{all} OR ({})", person.alone()));
        let counts = attacker.numbers("COUNT(*)", "lfb.overlapping", &[area.clone(), larger.clone()]);
        errors.push(counts[1].unwrap() - counts[0].unwrap() - 3.0);
        let sums = attacker.numbers("SUM(income)", "lfb.overlapping", &[area, larger]);
        assert_eq!(sums[0], sums[1]);
    }
    assert!(rms(&errors) > 0.5, "{errors:?}");
}

/// Gains of a withheld cell a number off by the noise of all the cells that are subtracted, and nothing of its sum.
#[test]
fn total_less_a_part() {
    let (mut attacker, people) = (Attacker::new(), people());
    let (mut errors, mut sums) = (Vec::new(), Vec::new());
    for ward in 0..town::WARDS {
        let few = |person: &Person| person.ward == ward && person.age < 20 && person.ill;
        let hidden = count(&people, few);
        let conditions = [
            format!("ward = 'w{ward}'"),
            format!("ward = 'w{ward}' AND NOT (age < 20 AND ill)"),
            format!("ward = 'w{ward}' AND age < 20 AND ill"),
        ];
        let counts = attacker.numbers("COUNT(*)", "lfb.parts", &conditions);
        assert!(hidden < 10.0 && counts[2].is_none(), "{hidden} people are a cell: {counts:?}");
        errors.push(counts[0].unwrap() - counts[1].unwrap() - hidden);
        let of = attacker.numbers("SUM(income)", "lfb.parts", &conditions);
        assert!(of[0] == of[1] && of[2].is_none(), "{of:?}");
        sums.push(earn(&people, few));
    }
    assert!(rms(&errors) > 0.5 && sums.iter().any(|sum| *sum > 0.0), "{errors:?} {sums:?}");
}

/// Gains one more draw of noise: two bodies that hold the same people have secrets of their own, so that the mean of
/// their two counts is a little nearer; cells that both withhold stay withheld.
#[test]
fn the_same_people_at_two_bodies() {
    let (people, mesh) = (people(), super::mesh());
    let mut at = ["lfb", "camden"].map(|body| Attacker::at(mesh, body));
    let conditions: Vec<String> = (0..town::WARDS)
        .flat_map(|ward| [format!("ward = 'w{ward}'"), format!("ward = 'w{ward}' AND age = 30 AND ill")])
        .collect();
    let [here, there] = [0, 1].map(|index| {
        let from = format!("{}.both", ["lfb", "camden"][index]);
        at[index].numbers("COUNT(*)", &from, &conditions)
    });
    let mut errors = Vec::new();
    for (ward, (here, there)) in here.chunks(2).zip(there.chunks(2)).enumerate() {
        assert!(here[1].is_none() && there[1].is_none());
        let mean = (here[0].unwrap() + there[0].unwrap()) / 2.0;
        errors.push(mean - count(&people, |person| person.ward == ward));
    }
    assert_ne!(here, there, "no body knows the other's noise");
    assert!(rms(&errors) > 0.3, "{errors:?}");
}

/// Gains nothing but a second allowance: two analysts, and two bodies, get the same figures, and a sum near to what one
/// of them was told is that same sum for the other.
#[test]
fn two_analysts_who_share() {
    let mesh = super::mesh();
    let people = people();
    let [mut loda, mut camden] = ["loda", "camden"].map(|asker| Attacker::by(mesh, asker, "lfb"));
    let sql = "SELECT ward, COUNT(*) AS n, SUM(income) AS s FROM lfb.shared GROUP BY ward";
    assert_eq!(loda.table(sql), camden.table(sql));
    for analyst in ["asha", "bola"] {
        let claimed = format!("spiffe://london/body/loda/analyst/{analyst}");
        let answer = loda.client.remote_for(sql, &claimed, PURPOSE).unwrap();
        assert_eq!(answer.rows(), town::WARDS, "{analyst}");
    }
    let target = &people[5];
    let with = format!("SELECT SUM(income) AS s FROM lfb.shared WHERE ward = 'w{}'", target.ward);
    let without = format!("{with} AND NOT ({})", target.alone());
    assert_eq!(loda.number(&with), camden.number(&without), "one is told the sum with, the other without");
}

/// Gains what range creep gains: prefixes that grow by a letter are sets like any other, with noise and threshold.
#[test]
fn prefix_creep() {
    let (mut attacker, people) = (Attacker::new(), people());
    let mut random = Random(12);
    for _ in 0..10 {
        let street = format!("s{:02}", random.below(town::STREETS));
        for length in 0..=3 {
            let prefix = &street[..length];
            let like = format!("street LIKE '{prefix}%' AND age = 40 AND ill");
            let left = format!("left(street, {length}) = '{prefix}' AND age = 40 AND ill");
            let numbers = attacker.numbers("COUNT(*)", "lfb.crept", &[like, left]);
            let truth = count(&people, |person| {
                format!("s{:02}", person.street).starts_with(prefix) && person.age == 40 && person.ill
            });
            assert_eq!(numbers[0], numbers[1], "{prefix}");
            assert!(numbers[0].is_none() || truth >= 10.0, "{truth} people are shown");
        }
    }
}
