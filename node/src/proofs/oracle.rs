//! The engine against the model: the same cases, the same answers and refusals.

use std::panic::AssertUnwindSafe;

use futures::FutureExt;

use super::asked::{Asked, Declined};
use super::case::Case;
use super::model::{Expected, Model};
use super::value::Value;
use super::{database, generate, run, shrink, sql};
use crate::history::History;

/// Questions of one case.
const QUESTIONS: usize = 5;
/// Cases that are tried where nothing else is said: 10,000 questions.
const CASES: u64 = 2_000;

#[test]
fn answers_and_refusals_are_those_of_a_slow_and_obvious_model() {
    run::all("MERIDIAN_ORACLE", CASES, |seed| async move {
        let case = generate::case(seed, QUESTIONS);
        differs(&case).await?;
        // A case that was made smaller may make no sense, and then it panics.
        let fails =
            |case| async move { AssertUnwindSafe(differs(&case)).catch_unwind().await.is_ok_and(|how| how.is_some()) };
        let small = shrink::smallest(case, shrink::smaller, fails).await;
        let how = differs(&small).await.unwrap();
        Some(format!("{how}\n{}", shrink::pasted(seed, "agrees", &[&small])))
    });
}

/// How the engine's answers differ from the model's; none where they do not.
pub(super) async fn differs(case: &Case) -> Option<String> {
    let history = History::in_memory();
    let asked = Asked::new(database::tables(case, &history));
    let mut model = Model::new(case);
    for (at, question) in case.questions.iter().enumerate() {
        let statement = sql::statement(question);
        let found = asked.ask(&statement, question.purpose).await;
        let expected = model.ask(question);
        let agrees = match (&expected, &found) {
            // What is refused may also be no SQL: a sum of texts.
            (Expected::Refused(rules), Err(declined)) => {
                declined.rule == "sql" || rules.iter().any(|rule| *rule == declined.rule)
            }
            (Expected::Answered(answer), Ok(rows)) => same_rows(&answer.rows, rows),
            _ => false,
        };
        if !agrees {
            return Some(format!("question {at}: {statement}\nmodel: {}\nengine: {}", told(&expected), engine(&found)));
        }
    }
    None
}

fn told(expected: &Expected) -> String {
    match expected {
        Expected::Refused(rules) => format!("refused by one of {rules:?}"),
        Expected::Answered(answer) => {
            let cells = answer.cells.iter().map(|cell| format!("{cell:?}\n")).collect::<String>();
            format!("{}{cells}", lines(&answer.rows))
        }
    }
}

fn engine(found: &Result<Vec<Vec<Value>>, Declined>) -> String {
    match found {
        Ok(rows) => lines(rows),
        Err(declined) => format!("refused: {declined:?}"),
    }
}

fn lines(rows: &[Vec<Value>]) -> String {
    std::iter::once("\n".to_owned()).chain(rows.iter().map(|row| format!("{row:?}\n"))).collect()
}

/// Whether two answers are the same, doubles but for their last bits.
pub(super) fn same_rows(one: &[Vec<Value>], other: &[Vec<Value>]) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
}

fn same(one: &[Value], other: &[Value]) -> bool {
    let near =
        |a: f64, b: f64| a.total_cmp(&b).is_eq() || (a - b).abs() <= a.abs() * 1e-14 || (a.is_nan() && b.is_nan());
    let equal = |pair: (&Value, &Value)| match pair {
        (Value::Real(a), Value::Real(b)) => near(*a, *b),
        (a, b) => a == b,
    };
    one.len() == other.len() && one.iter().zip(other).all(equal)
}
