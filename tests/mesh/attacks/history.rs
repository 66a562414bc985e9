//! The memory of earlier answers under attack: what reuse gives away to those who know some, or who let it measure for
//! them, and what it keeps. `node/src/history` says the same in words.

use super::attacker::{Attacker, earn, rms};
use super::town::{self, Person, Published, Random};
use crate::support::{PURPOSE, until};

/// Cells fewer than this many people apart have one sum.
const K: usize = 10;

pub(super) fn datasets() -> Vec<Published> {
    vec![
        Published::people("known", &people()),
        Published::people("measured", &people()),
        Published::people("told", &people()),
        Published::people("coarse_first", &lopsided()),
        Published::people("fine_first", &lopsided()),
        Published::people("changing", &people()).with("as_of = \"live\""),
        Published::people("anchored", &people()),
    ]
}

fn people() -> Vec<Person> {
    town::people(21, 1_200)
}

/// A ward in which all but four are women.
fn lopsided() -> Vec<Person> {
    let mut people = town::people(22, 600);
    let mut men = 0;
    people.retain(|person| {
        let man = person.ward == 0 && !person.woman;
        men += usize::from(man);
        !man || men <= 4
    });
    people
}

fn without(people: &[&str]) -> String {
    let groups: Vec<String> = people.iter().map(|one| format!("({one})")).collect();
    format!("SELECT SUM(income) AS s FROM lfb.@ WHERE NOT ({})", groups.join(" OR "))
}

/// Gains one bit of anybody for one question, for certain: whoever knows nine people leaves them out, and the tenth with
/// them if they are ill; the sum is the one over all exactly where the tenth is not.
#[test]
fn an_analyst_who_knows_all_but_one() {
    let (mut attacker, people) = (Attacker::new(), people());
    let all = attacker.number("SELECT SUM(income) AS s FROM lfb.known").unwrap();
    let known: Vec<String> = people[..K - 1].iter().map(Person::alone).collect();
    let targets: Vec<&Person> = people[K..].iter().step_by(17).take(40).collect();
    let right = targets.iter().filter(|person| {
        let tenth = format!("{} AND ill", person.alone());
        let excluded: Vec<&str> = known.iter().map(String::as_str).chain([tenth.as_str()]).collect();
        let sum = attacker.number(&without(&excluded).replace('@', "known")).unwrap();
        (sum != all) == person.ill
    });
    let share = right.count() as f64 / targets.len() as f64;
    eprintln!("knowing nine: right of {share:.3}");
    assert!(share > 0.5, "the sentence above, and that of node/src/history, would be wrong");
    // With eight the same question tells nothing: two more are as near as one.
    let eight: Vec<&str> = known[..K - 2].iter().map(String::as_str).collect();
    for person in &targets {
        let next = format!("{} AND ill", person.alone());
        let excluded: Vec<&str> = eight.iter().copied().chain([next.as_str()]).collect();
        assert_eq!(attacker.number(&without(&excluded).replace('@', "known")), Some(all));
    }
}

/// Gains the same without knowing anybody: groups are left out, one more each time, until the sum changes; what was left
/// out before holds nine people, and is the measure from then on. It takes some ten questions, once.
#[test]
fn an_analyst_who_lets_the_history_measure() {
    let (mut attacker, people, mut random) = (Attacker::new(), people(), Random(23));
    let all = attacker.number("SELECT SUM(income) AS s FROM lfb.measured").unwrap();
    let mut is_all = |groups: &[String]| {
        let groups: Vec<&str> = groups.iter().map(String::as_str).collect();
        attacker.number(&without(&groups).replace('@', "measured")).unwrap() == all
    };
    let (mut measure, mut questions) = (Vec::new(), 0);
    // Groups of about two people each, then single slots: the last that did not change the sum left nine out.
    for width in [4, 0] {
        let before = measure.len();
        loop {
            let (street, age, sex) = (random.below(20), 18 + random.below(55), ["f", "m"][random.below(2)]);
            let more = format!("street = 's{street:02}' AND sex = '{sex}' AND age BETWEEN {age} AND {}", age + width);
            questions += 1;
            let with = [&measure[..], &[more]].concat();
            if !is_all(&with) {
                break;
            }
            if with.len() > 17 {
                measure.truncate(before);
                continue;
            }
            measure = with;
        }
    }
    let targets: Vec<&Person> = people.iter().filter(|person| person.street >= 20).step_by(13).take(40).collect();
    let right = targets.iter().filter(|person| {
        let with = [&measure[..], &[format!("{} AND ill", person.alone())]].concat();
        is_all(&with) != person.ill
    });
    let share = right.count() as f64 / targets.len() as f64;
    eprintln!("knowing nobody, after {questions} questions: right of {share:.3} at one question each");
    assert!(share > 0.5, "the sentence above, and that of node/src/history, would be wrong");
}

/// Gains nothing on sums: what was told to one caller is told to the other, whoever asks first, and under whichever name.
#[test]
fn two_analysts_who_share_what_they_were_told() {
    let mesh = super::mesh();
    let [mut loda, mut camden] = ["loda", "camden"].map(|asker| Attacker::by(mesh, asker, "lfb"));
    let with = "SELECT SUM(income) AS s, AVG(income) AS a FROM lfb.told WHERE ward = 'w4'".to_owned();
    let told = loda.table(&with);
    for person in people().iter().filter(|person| person.ward == 4).take(20) {
        let less = format!("{with} AND NOT ({})", person.alone());
        assert_eq!(camden.table(&less)[0][0], told[0][0]);
        let claimed = "spiffe://london/body/loda/analyst/bola";
        let answer = loda.client.remote_for(&less, claimed, PURPOSE).unwrap();
        assert!(answer.text().contains(told[0][0].as_ref().unwrap()), "{}", answer.text());
    }
}

/// Gains nothing of what four people earn, from the coarse to the fine or from the fine to the coarse: the ward and its
/// women have one sum, since they are four people apart.
#[test]
fn the_coarse_to_fine_order() {
    let mut attacker = Attacker::new();
    let coarse = "SELECT SUM(income) AS s FROM lfb.@ WHERE ward = 'w0'";
    let fine = "SELECT SUM(income) AS s FROM lfb.@ WHERE ward = 'w0' AND sex = 'f'";
    let few = "SELECT SUM(income) AS s FROM lfb.@ WHERE ward = 'w0' AND sex = 'm'";
    for (dataset, order) in [("coarse_first", [coarse, fine]), ("fine_first", [fine, coarse])] {
        let [first, second] = order.map(|sql| attacker.number(&sql.replace('@', dataset)));
        assert!(first.is_some() && first == second, "{dataset}: {first:?} {second:?}");
        assert_eq!(attacker.number(&few.replace('@', dataset)), None);
        let rolled = "SELECT sex, SUM(income) AS s FROM lfb.@ WHERE ward = 'w0' GROUP BY ROLLUP (sex)";
        let rolled = attacker.table(&rolled.replace('@', dataset));
        assert_eq!(rolled.len(), 2, "the total and the women: {rolled:?}");
        assert_eq!(rolled[0][1], rolled[1][1]);
    }
}

/// Gains nothing of one person whose income changes: the sum stays what it was until ten people's have; what the owner
/// publishes as live may so be as many people behind.
#[test]
fn the_value_that_changes() {
    let (mut attacker, mut people) = (Attacker::new(), people());
    let sum = "SELECT SUM(income) AS s FROM lfb.changing WHERE ward = 'w1'";
    let before = attacker.number(sum).unwrap();
    let dataset = datasets().into_iter().find(|dataset| dataset.name == "changing").unwrap();
    let change = |attacker: &mut Attacker, people: &mut Vec<Person>, changed: usize, arrived: usize| {
        people.iter_mut().filter(|person| person.ward == 1).take(changed).for_each(|person| person.income = 60_123);
        // Whoever comes into another ward shows that the change has been noticed.
        let newcomers = (0..40).map(|n| Person { id: 10_000 + 100 * arrived + n, ward: arrived, ..people[0].clone() });
        let newcomers: Vec<Person> = newcomers.collect();
        people.extend(newcomers);
        dataset.write_rows(super::mesh(), "lfb", &town::rows(people));
        let here = format!("SELECT COUNT(*) AS n FROM lfb.changing WHERE ward = 'w{arrived}'");
        until("the node has noticed", || attacker.ask(&here).ok()?[0][0].is_some().then_some(()));
    };
    change(&mut attacker, &mut people, 1, 7);
    assert_eq!(attacker.number(sum), Some(before), "one income changed");
    change(&mut attacker, &mut people, K - 1, 8);
    assert_eq!(attacker.number(sum), Some(before), "nine changed");
    change(&mut attacker, &mut people, 3 * K, 9);
    assert_ne!(attacker.number(sum), Some(before), "thirty changed");
}

/// Gains of one person's income, from 30 triples of sums that are far from each other, less than guessing the mean does:
/// each sum's noise is that of a largest contribution.
#[test]
fn three_anchors_that_are_far_from_each_other() {
    let (mut attacker, people, mut random) = (Attacker::new(), people(), Random(24));
    let mean = earn(&people, |_| true) / people.len() as f64;
    let spread = rms(&people.iter().map(|person| person.income as f64 - mean).collect::<Vec<_>>());
    let mut errors = Vec::new();
    for target in people.iter().step_by(150).take(6) {
        let mut conditions = Vec::new();
        for _ in 0..30 {
            let streets: Vec<usize> =
                (0..20).map(|_| random.below(town::STREETS)).filter(|s| *s != target.street).collect();
            let streets = town::in_streets(&streets[..10]);
            let [one, other] = ["f", "m"].map(|sex| format!("{streets} AND sex = '{sex}'"));
            conditions.push(format!("{streets} OR ({})", target.alone()));
            conditions.extend([one, other]);
        }
        let sums = attacker.numbers("SUM(income)", "lfb.anchored", &conditions);
        let found: Vec<f64> = sums.chunks(3).filter_map(|of| Some(of[0]? - of[1]? - of[2]?)).collect();
        errors.push(found.iter().sum::<f64>() / found.len() as f64 - target.income as f64);
    }
    eprintln!("three far sums, 30 times: an income is found to {:.0}, guessed to {spread:.0}", rms(&errors));
    assert!(rms(&errors) > spread, "{} and {spread}", rms(&errors));
}
