//! What is done at the server, by its own log, and what is not.

use super::*;

const TABLE: &str = "CREATE TABLE homes (id int PRIMARY KEY, town text, kind char(8), price numeric(12,2), built date, \
    sold timestamptz, area float8, home uuid, free boolean, note text); \
    INSERT INTO homes SELECT i, CASE i % 3 WHEN 0 THEN 'York' WHEN 1 THEN 'Hull' END, 'flat', i * 1.5, date '2000-01-01' + i, \
      timestamptz '2020-01-01 00:00:00+00' + i * interval '1 hour', i / 3.0, ('00000000-0000-0000-0000-' || lpad(i::text, 12, '0'))::uuid, \
      i % 2 = 0, 'n' || i FROM generate_series(1, 100) i";
const COLUMNS: [&str; 10] = [
    "id integer",
    "town varchar",
    "kind varchar",
    "price decimal(12,2)",
    "built date",
    "sold timestamp",
    "area double",
    "home varchar",
    "free boolean",
    "note varchar",
];

/// The SELECTs that a question comes to, and its answer.
async fn asked(database: &Database, context: &SessionContext, sql: &str) -> (Vec<String>, String) {
    let before = database.postgres.log();
    let answer = ask(context, sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    (database.done(&before), shown(&answer))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn columns_conditions_and_limits_are_seen_in_the_servers_log() {
    let database = Database::new(TABLE);
    let loaded = loaded(&database.dataset(Form::Open, "homes", &COLUMNS, None)).await.unwrap();
    let context = session(&BTreeMap::from([("d", loaded)]));
    for (question, sent) in [
        ("SELECT id FROM d", r#"SELECT "id" FROM "public"."homes""#),
        ("SELECT 1 FROM d", r#"SELECT FROM "public"."homes""#),
        ("SELECT id FROM d LIMIT 3", r#"SELECT "id" FROM "public"."homes" LIMIT 3"#),
        ("SELECT id FROM d WHERE id > 95", r#"SELECT "id" FROM "public"."homes" WHERE "id" > 95"#),
        (
            "SELECT id FROM d WHERE town = 'York' LIMIT 2",
            r#"SELECT "id" FROM "public"."homes" WHERE "town" = 'York' LIMIT 2"#,
        ),
        ("SELECT id FROM d WHERE town > 'I'", r#"SELECT "id" FROM "public"."homes" WHERE "town" COLLATE "C" > 'I'"#),
        ("SELECT id FROM d WHERE town IS NULL", r#"SELECT "id" FROM "public"."homes" WHERE "town" IS NULL"#),
        ("SELECT id FROM d WHERE note LIKE 'n9%'", r#"SELECT "id" FROM "public"."homes" WHERE "note" LIKE 'n9%'"#),
        (
            "SELECT id FROM d WHERE built < DATE '2000-02-01'",
            r#"SELECT "id" FROM "public"."homes" WHERE ("built" < '2000-02-01'::date AND isfinite("built"))"#,
        ),
        (
            "SELECT id FROM d WHERE built = DATE '2000-02-01'",
            r#"SELECT "id" FROM "public"."homes" WHERE "built" = '2000-02-01'::date"#,
        ),
        ("SELECT id FROM d WHERE price = 15", r#"SELECT "id" FROM "public"."homes" WHERE "price" = 15.00"#),
        (
            "SELECT id FROM d WHERE home = '00000000-0000-0000-0000-000000000007'",
            r#"SELECT "id" FROM "public"."homes" WHERE "home" = '00000000-0000-0000-0000-000000000007'::uuid"#,
        ),
        ("SELECT id FROM d WHERE NOT free", r#"SELECT "id" FROM "public"."homes" WHERE (NOT "free")"#),
        (
            "SELECT id FROM d WHERE id IN (1, 3, 5, 7)",
            r#"SELECT "id" FROM "public"."homes" WHERE "id" IN (1, 3, 5, 7)"#,
        ),
        (
            "SELECT id FROM d WHERE (id = 1 OR town = 'Hull') AND area > 30.5",
            r#"SELECT "id" FROM "public"."homes" WHERE ("id" = 1 OR "town" = 'Hull') AND "area" > '30.5'::float8"#,
        ),
    ] {
        let (done, answer) = asked(&database, &context, question).await;
        assert_eq!(done, [sent], "{question}: {answer}");
    }
    let (done, answer) =
        asked(&database, &context, "SELECT id FROM d WHERE sold >= TIMESTAMP '2020-01-05 03:00:00' ORDER BY id").await;
    assert!(done[0].contains(r#""sold" >= '2020-01-05 03:00:00.000000+00'::timestamptz"#), "{done:?}");
    assert!(answer.contains("| 99 "), "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_mean_something_else_there_is_not_done_there() {
    let database = Database::new(TABLE);
    let loaded = loaded(&database.dataset(Form::Open, "homes", &COLUMNS, None)).await.unwrap();
    let context = session(&BTreeMap::from([("d", loaded)]));
    for question in [
        // Zero has two signs; a decimal here is a double there; functions, patterns and casts have meanings of their own.
        "SELECT id FROM d WHERE area = 0.0",
        "SELECT id FROM d WHERE upper(town) = 'YORK'",
        "SELECT id FROM d WHERE town ILIKE 'yo%'",
        "SELECT id FROM d WHERE note LIKE 'n\\_%'",
        "SELECT id FROM d WHERE town ~ 'Y.*k'",
        "SELECT id FROM d WHERE CAST(price AS INTEGER) = 15",
        "SELECT id FROM d WHERE id % 7 = 1",
        "SELECT id FROM d WHERE built > sold",
        "SELECT id FROM d WHERE area > price",
    ] {
        let (done, answer) = asked(&database, &context, question).await;
        assert!(done.len() == 1 && !done[0].contains("WHERE"), "{question}: {done:?}: {answer}");
    }
    // Nor is a limit, where a condition above it is not.
    let (done, answer) = asked(&database, &context, "SELECT id FROM d WHERE id % 50 = 1 LIMIT 2").await;
    assert!(!done[0].contains("LIMIT") && answer.contains("| 51 "), "{done:?}: {answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conditions_reach_the_server_through_a_mapping() {
    let database = Database::new(TABLE);
    let mapping = "SELECT id AS number, town AS place, CAST(price AS DOUBLE) AS price FROM source WHERE free";
    let columns = ["number bigint", "place varchar", "price double"];
    let loaded = loaded(&database.dataset(Form::Open, "homes", &columns, Some(mapping))).await.unwrap();
    assert_eq!(loaded.rows, 50);
    let context = session(&BTreeMap::from([("d", loaded)]));
    let question = "SELECT number, price FROM d WHERE place = 'Hull' AND number > 10 AND price < 30 ORDER BY number";
    let (done, answer) = asked(&database, &context, question).await;
    let sent = r#"SELECT "id", "price" FROM "public"."homes" WHERE "free" AND "town" = 'Hull' AND "id" > 10"#;
    assert_eq!(done, [sent], "{answer}");
    assert!(answer.contains("| 16     | 24.0  |") && !answer.contains("| 22 "), "{answer}");
}
