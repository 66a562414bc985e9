//! Generated questions: the answer over the server's table is that over a copy of its rows in memory.

use rand::rngs::StdRng;

use super::super::super::tests::generated;
use super::*;

/// What can only be in the table.
const ONLY: [&[&str]; 11] = [
    &[],
    &[],
    &[],
    &["'NaN'"],
    &["0", "'-0'", "'NaN'", "'Infinity'", "'-Infinity'"],
    &["E'a\\nb'"],
    &[],
    &["'infinity'", "'-infinity'", "'0044-03-15 BC'"],
    &["'infinity'", "'-infinity'", "'294250-01-01 00:00:00'"],
    &["'infinity'", "'-infinity'"],
    &[],
];

/// A database with the table, and what asks it and a copy of its rows.
async fn both(rng: &mut StdRng) -> (Database, SessionContext) {
    let database = Database::new(&format!(
        "SET TimeZone = 'UTC'; CREATE TABLE values_of (i int, s smallint, b bigint, n numeric(10,2), f float8, t text, c char(4), d date, \
         ts timestamp, tz timestamptz, bo boolean); INSERT INTO values_of VALUES {}",
        generated::rows(rng, ONLY)
    ));
    let loaded = loaded(&database.dataset(Form::Open, "values_of", &generated::COLUMNS, None)).await.unwrap();
    let context = generated::both(loaded).await;
    (database, context)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conditions_are_true_of_the_same_rows_there() {
    let mut rng = generated::chooser();
    let (_database, context) = both(&mut rng).await;
    generated::conditions(&context, &mut rng, 50).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whole_questions_have_the_same_answers_there() {
    let mut rng = generated::chooser();
    let (database, context) = both(&mut rng).await;
    let before = database.postgres.log();
    generated::questions(&context, &mut rng, || database.done(&before)).await;
}
