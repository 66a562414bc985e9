//! Noise: attempts to average it away, to see it change, and to solve for what is under it.

use std::collections::BTreeSet;
use std::fs;

use super::attacker::{Attacker, count, rms};
use super::town::{self, Person, Published, Random, STREETS, in_streets};
use crate::support::Mesh;

const LARGEST: f64 = 5.0;
/// Of one count, with the parameters that a dataset has where its file says nothing: variance 2.
const DEVIATION: f64 = 1.414;

pub(super) fn datasets() -> Vec<Published> {
    vec![
        Published::people("repeated", &people()),
        Published::people("summed", &people()),
        Published::people("rebuilt", &few()),
    ]
}

fn people() -> Vec<Person> {
    town::people(1, 1_200)
}

fn few() -> Vec<Person> {
    town::people(2, 200)
}

/// Gains nothing: 1,000 times the same question give one count, one sum and one average, each with its one noise.
#[test]
fn the_same_query_a_thousand_times() {
    let mut attacker = Attacker::new();
    let one = "SELECT COUNT(*) AS n, SUM(income) AS s, AVG(income) AS a FROM lfb.repeated WHERE ward = 'w1'";
    let twenty = vec![one; 20].join(" UNION ALL ");
    let mut answers = BTreeSet::new();
    for _ in 0..50 {
        let table = attacker.table(&twenty);
        assert_eq!(table.len(), 20);
        answers.extend(table);
    }
    assert_eq!(answers.len(), 1, "{answers:?}");
    let found: Vec<f64> = answers.pop_first().unwrap().into_iter().map(|cell| cell.unwrap().parse().unwrap()).collect();
    let truth = count(&people(), |person| person.ward == 1);
    assert!((found[0] - truth).abs() <= LARGEST, "{} of {truth}", found[0]);
}

/// Gains nothing: the same people chosen in other words are the same cell, with the same noise.
#[test]
fn the_same_set_in_other_words() {
    let mut attacker = Attacker::new();
    let condition = "ward = 'w2'";
    let others = "ward IN ('w0', 'w1', 'w3', 'w4', 'w5')";
    for (aggregate, from) in [("COUNT(*)", "lfb.repeated"), ("SUM(income)", "lfb.repeated")] {
        let in_words = |condition: &str| format!("SELECT {aggregate} AS n FROM {from} WHERE {condition}");
        let words = [
            in_words(condition),
            in_words("'w2' = ward"),
            in_words("ward IN ('w2', 'w2', 'nowhere')"),
            in_words("NOT (ward <> 'w2')"),
            in_words(&format!("NOT ({others})")),
            in_words(&format!("NOT ({others}) AND ward IS NOT NULL")),
            in_words("ward LIKE 'w2%'"),
            in_words("starts_with(ward, 'w2')"),
            in_words("left(ward, 2) = 'w2'"),
            in_words("upper(ward) = 'W2'"),
            in_words("CASE ward WHEN 'w2' THEN 'yes' ELSE 'no' END = 'yes'"),
            in_words("ward = 'w2' AND (ill OR NOT ill)"),
            in_words("(ward = 'w2' AND sex = 'f') OR (ward = 'w2' AND sex = 'm')"),
            in_words("ward = 'w2' AND age >= 0"),
            in_words("person IN (SELECT person FROM lfb.repeated WHERE ward = 'w2')"),
            in_words("ward = 'w2' AND person IN (SELECT person FROM lfb.repeated)"),
            format!("SELECT {aggregate} FILTER (WHERE {condition}) AS n FROM {from}"),
            format!("SELECT n FROM (SELECT ward, {aggregate} AS n FROM {from} GROUP BY ward) AS t WHERE ward = 'w2'"),
            format!(
                "SELECT n FROM (SELECT ward, {aggregate} AS n FROM {from} GROUP BY ROLLUP (ward)) AS t WHERE ward = 'w2'"
            ),
            format!("SELECT {aggregate} AS n FROM (SELECT * FROM {from} ORDER BY age) AS t WHERE {condition}"),
            format!("WITH t AS (SELECT * FROM {from}) SELECT {aggregate} AS n FROM t WHERE {condition}"),
        ];
        let answers: BTreeSet<String> = words.iter().map(|sql| format!("{:?}", attacker.number(sql))).collect();
        assert_eq!(answers.len(), 1, "{aggregate}: {answers:?}");
    }
    let units =
        ["COUNT(*)", "COUNT(person)", "COUNT(DISTINCT person)", "SUM(1)", "COUNT(1)", "APPROX_DISTINCT(person)"];
    let counted: BTreeSet<String> = units
        .iter()
        .map(|aggregate| attacker.number(&format!("SELECT {aggregate} AS n FROM lfb.repeated WHERE {condition}")))
        .map(|count| format!("{count:?}"))
        .collect();
    assert_eq!(counted.len(), 1, "{counted:?}");
}

/// Gains a count without its noise for about 250 cells: a cell split in two in 128 ways has 128 sums of two counts, whose
/// noise is drawn anew each time; what stands against it is the allowance alone.
#[test]
fn disjoint_parts_of_the_same_set_summed() {
    let (mut attacker, people, mut random) = (Attacker::new(), people(), Random(3));
    let mut errors: Vec<(usize, Vec<f64>)> = [1, 8, 128].map(|splits| (splits, Vec::new())).into();
    for ward in 0..town::WARDS {
        let truth = count(&people, |person| person.ward == ward && person.ill);
        let mut halves = Vec::new();
        for _ in 0..128 {
            let ages: Vec<String> = random.half(60, 20).iter().map(|age| (18 + age).to_string()).collect();
            let ages = format!("age IN ({})", ages.join(", "));
            halves.push(format!("ward = 'w{ward}' AND ill AND {ages}"));
            halves.push(format!("ward = 'w{ward}' AND ill AND NOT ({ages})"));
        }
        let counts = attacker.numbers("COUNT(*)", "lfb.summed", &halves);
        let sums: Vec<f64> = counts.chunks(2).filter_map(|pair| Some(pair[0]? + pair[1]?)).collect();
        for (splits, errors) in &mut errors {
            let some = &sums[..(*splits).min(sums.len())];
            errors.push(some.iter().sum::<f64>() / some.len() as f64 - truth);
        }
    }
    for (splits, errors) in errors {
        let (found, expected) = (rms(&errors), DEVIATION * (2.0 / splits as f64).sqrt());
        eprintln!("{splits} splits: off by {found:.3}, as independent noise would be by {expected:.3}");
        assert!(found >= expected / 3.0, "{splits} splits: off by {found} only, {expected} expected");
    }
}

/// Gains nothing: rows in another order, another number of threads and partitions and a restart leave every figure.
#[test]
fn noise_that_changes_with_a_restart_a_thread_count_or_a_batch_size() {
    let mesh = Mesh::prepared();
    let mut people = people();
    let published = Published::people("moved", &people).with("as_of = \"live\"");
    published.write(&mesh, "lfb");
    mesh.start("lfb");
    let ask = || {
        let mut attacker = Attacker::at(&mesh, "lfb");
        let sql = "SELECT ward, sex, ill, COUNT(*) AS n, SUM(income) AS s, AVG(income) AS a FROM lfb.moved \
                   GROUP BY CUBE (ward, sex, ill)";
        attacker.table(sql)
    };
    let before = ask();
    assert!(before.len() > 50);
    mesh.stop("lfb");
    let file = mesh.folder("lfb").join("node.toml");
    let mut node: toml::Table = fs::read_to_string(&file).unwrap().parse().unwrap();
    let limits = node["limits"].as_table_mut().unwrap();
    limits.insert("target_partitions".into(), 7.into());
    limits.insert("worker_threads".into(), 1.into());
    fs::write(&file, toml::to_string(&node).unwrap()).unwrap();
    people.reverse();
    published.write_rows(&mesh, "lfb", &town::rows(&people));
    mesh.start("lfb");
    assert_eq!(ask(), before);
}

/// Pseudo-random subsets as reconstruction wants them, which no one declared.
const PSEUDO_RANDOM: [&str; 22] = [
    "md5(street) LIKE 'a%'",
    "digest(street, 'sha256') IS NOT NULL",
    "street ~ '[13579]$'",
    "regexp_like(street, '[02468]')",
    "regexp_replace(street, '.', '') = '1'",
    "age % 2 = 0",
    "mod(age, 3) = 1",
    "age & 1 = 1",
    "age # 5 > 3",
    "(age >> 1) = 12",
    "length(street) = 3",
    "ascii(street) % 2 = 1",
    "person % 7 = 3",
    "person IN (1003, 1005)",
    "street LIKE '%7'",
    "right(street, 1) = '7'",
    "substr(street, 3, 1) = '7'",
    "reverse(street) LIKE '7%'",
    "strpos(street, '7') > 0",
    "street = ward",
    "random() < 0.5",
    "age + age = 80",
];

/// Gains who is ill: hash, regexp and modulo are refused, but lists of streets and ages pick sets, too. Half as many cells
/// as the dataset has people give 12 in a hundred more right answers than the share of the ill alone, four times as many
/// give nearly all of them. Only the allowance stands against it.
#[test]
fn linear_reconstruction_from_pseudo_random_subsets() {
    let (mut attacker, people, mut random) = (Attacker::new(), few(), Random(4));
    attacker.all_refused(&PSEUDO_RANDOM.map(|condition| format!("SELECT COUNT(*) FROM lfb.rebuilt WHERE {condition}")));
    let mut sets = Vec::new();
    let mut conditions = Vec::new();
    for _ in 0..800 {
        let streets = random.half(STREETS, 10);
        let ages = random.half(60, 10);
        let (streets_sql, ages_sql) = (in_streets(&streets), in_ages(&ages));
        conditions
            .push(format!("ill AND (({streets_sql} AND {ages_sql}) OR (NOT ({streets_sql}) AND NOT ({ages_sql})))"));
        let is_in = |person: &Person| streets.contains(&person.street) == ages.contains(&(person.age - 18));
        sets.push(people.iter().map(|person| f64::from(u8::from(is_in(person)))).collect::<Vec<f64>>());
    }
    let counts = attacker.numbers("COUNT(*)", "lfb.rebuilt", &conditions);
    let equations: Vec<(Vec<f64>, f64)> = sets.into_iter().zip(counts).filter_map(|(set, n)| Some((set, n?))).collect();
    let share = count(&people, |person| person.ill) / people.len() as f64;
    let baseline = share.max(1.0 - share);
    for (cells, most) in [(100, 0.16), (200, 0.25), (800, 0.28)] {
        let solved = least_squares(&equations[..cells.min(equations.len())], share);
        let mut ranked: Vec<usize> = (0..people.len()).collect();
        ranked.sort_by(|a, b| solved[*b].total_cmp(&solved[*a]));
        ranked.truncate((share * people.len() as f64).round() as usize);
        let right = people.iter().enumerate().filter(|(at, person)| ranked.contains(at) == person.ill).count();
        let gained = right as f64 / people.len() as f64 - baseline;
        eprintln!("{cells} cells over {} people: {gained:+.3} beside guessing ({baseline:.3})", people.len());
        assert!(gained <= most, "{cells} cells gain {gained}");
    }
}

fn in_ages(ages: &[usize]) -> String {
    let ages: Vec<String> = ages.iter().map(|age| (age + 18).to_string()).collect();
    format!("age IN ({})", ages.join(", "))
}

/// The values that fit best, held near `prior`: normal equations by Cholesky's decomposition.
fn least_squares(equations: &[(Vec<f64>, f64)], prior: f64) -> Vec<f64> {
    let unknowns = equations[0].0.len();
    let weight = DEVIATION * DEVIATION / (prior * (1.0 - prior));
    let mut left = vec![vec![0.0; unknowns]; unknowns];
    let mut right = vec![weight * prior; unknowns];
    for (row, value) in equations {
        for (i, &a) in row.iter().enumerate().filter(|(_, a)| **a != 0.0) {
            right[i] += a * value;
            for j in 0..=i {
                left[i][j] += a * row[j];
            }
        }
    }
    for i in 0..unknowns {
        left[i][i] += weight;
        for j in 0..=i {
            let dot: f64 = (0..j).map(|k| left[i][k] * left[j][k]).sum();
            left[i][j] = if i == j { (left[i][i] - dot).sqrt() } else { (left[i][j] - dot) / left[j][j] };
        }
    }
    for i in 0..unknowns {
        let dot: f64 = (0..i).map(|k| left[i][k] * right[k]).sum();
        right[i] = (right[i] - dot) / left[i][i];
    }
    for i in (0..unknowns).rev() {
        let dot: f64 = (i + 1..unknowns).map(|k| left[k][i] * right[k]).sum();
        right[i] = (right[i] - dot) / left[i][i];
    }
    right
}

/// Gains nothing: rows, units, sums and averages over the same people, side by side or apart, have one noise for each
/// kind of figure, and an average is the two figures that are there already.
#[test]
fn several_aggregates_side_by_side() {
    let mut attacker = Attacker::new();
    for ward in 0..town::WARDS {
        let from = format!("FROM lfb.repeated WHERE ward = 'w{ward}'");
        let together = attacker.row(&format!(
            "SELECT COUNT(*) AS a, COUNT(DISTINCT person) AS b, COUNT(income) AS c, SUM(income) AS d, AVG(income) AS e {from}"
        ));
        let apart: Vec<Option<f64>> =
            ["COUNT(*)", "COUNT(DISTINCT person)", "COUNT(income)", "SUM(income)", "AVG(income)"]
                .iter()
                .map(|aggregate| attacker.number(&format!("SELECT {aggregate} AS n {from}")))
                .collect();
        assert_eq!(together, apart);
        let numbers: Vec<f64> = together.into_iter().map(Option::unwrap).collect();
        assert!(numbers[0] == numbers[1] && numbers[1] == numbers[2], "{numbers:?}");
        assert!((numbers[4] - numbers[3] / numbers[2]).abs() < 1e-6, "{numbers:?}");
    }
}
