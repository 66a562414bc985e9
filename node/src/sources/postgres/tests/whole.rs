//! Joins, aggregates, sorts and limits as one query of the server, by its own log; and when they are not.

use super::*;

const TABLES: &str = "CREATE TABLE homes (id int PRIMARY KEY, town text, price numeric(12,2), built date, area float8, rooms bigint); \
    INSERT INTO homes SELECT i, CASE i % 3 WHEN 0 THEN 'York' WHEN 1 THEN 'Hull' END, i * 1.5, date '2000-01-01' + i, i / 3.0, i % 5 \
      FROM generate_series(1, 100) i; \
    CREATE TABLE towns (name varchar(20), people int); INSERT INTO towns VALUES ('York', 200000), ('Hull', 260000), ('Leeds', 790000)";
const HOMES: [&str; 6] =
    ["id integer", "town varchar", "price decimal(12,2)", "built date", "area double", "rooms bigint"];
const TOWNS: [&str; 2] = ["name varchar", "people integer"];

async fn towns(database: &Database, form: Form) -> SessionContext {
    let homes = loaded(&database.dataset(form, "homes", &HOMES, None)).await.unwrap();
    let towns = loaded(&database.dataset(form, "towns", &TOWNS, None)).await.unwrap();
    session(&BTreeMap::from([("homes", homes), ("towns", towns)]))
}

/// The SELECTs that a question comes to, and its answer.
async fn asked(database: &Database, context: &SessionContext, sql: &str) -> (Vec<String>, String) {
    let before = database.postgres.log();
    let answer = ask(context, sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    (database.done(&before), shown(&answer))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_over_tables_of_one_server_is_one_query_there() {
    let database = Database::new(TABLES);
    let context = towns(&database, Form::Open).await;
    for (question, parts, line) in [
        ("SELECT COUNT(*) AS n FROM homes", &["count(*)"][..], "| 100 |"),
        (
            "SELECT town, COUNT(*) AS n, SUM(price) AS p, MAX(built) AS b FROM homes GROUP BY town ORDER BY town",
            &[
                "GROUP BY",
                "(sum(CASE WHEN \"price\" <> 'NaN'",
                "max(CASE WHEN isfinite(\"built\")",
                "ORDER BY",
                "COLLATE \"C\" ASC NULLS LAST",
            ],
            "| Hull | 34 | 2575.50 | 2000-04-10 |",
        ),
        (
            "SELECT COUNT(DISTINCT town) AS n, SUM(id) AS s, MIN(town) AS t FROM homes WHERE rooms > 2",
            &["count(DISTINCT \"town\")", "(sum((\"id\")::int8))::int8", "WHERE \"rooms\" > 2"],
            "| 2 | 2040 | Hull |",
        ),
        ("SELECT id FROM homes ORDER BY built DESC LIMIT 2", &["ORDER BY", "DESC NULLS", "LIMIT 2"], "| 99  |"),
        (
            "SELECT COUNT(*) FILTER (WHERE town = 'York') AS n FROM homes",
            &["FILTER (WHERE \"town\" = 'York')"],
            "| 33 |",
        ),
        (
            "SELECT rooms, COUNT(*) AS n FROM homes GROUP BY rooms HAVING COUNT(*) > 19 ORDER BY rooms LIMIT 3 OFFSET 1",
            &["GROUP BY", "> 19", "ORDER BY"],
            "| 1     | 20 |",
        ),
        (
            "SELECT t.people, COUNT(*) AS n FROM homes h JOIN towns t ON h.town = t.name GROUP BY t.people ORDER BY n DESC, 1",
            &["JOIN", "GROUP BY", "ORDER BY"],
            "| 260000 | 34 |",
        ),
        (
            "SELECT t.name, h.id FROM towns t LEFT JOIN homes h ON h.town = t.name AND h.id < 4 WHERE t.people > 200000 ORDER BY t.name",
            &["LEFT JOIN", "\"people\" > 200000"],
            "| Leeds |    |",
        ),
        ("SELECT DISTINCT town FROM homes ORDER BY 1", &["GROUP BY \"town\"", "ORDER BY"], "| York |"),
    ] {
        let (done, answer) = asked(&database, &context, question).await;
        assert_eq!(done.len(), 1, "{question}: {done:?}");
        assert!(parts.iter().all(|part| done[0].contains(part)), "{question}: {done:?}");
        assert!(answer.lines().any(|found| found.starts_with(line)), "{question}: {done:?}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_come_out_differently_is_not_done_there() {
    let database = Database::new(TABLES);
    let context = towns(&database, Form::Open).await;
    for (question, absent) in [
        ("SELECT AVG(price) FROM homes", "avg"),
        ("SELECT SUM(area) FROM homes", "sum"),
        ("SELECT MAX(area) FROM homes", "max"),
        ("SELECT area, COUNT(*) FROM homes GROUP BY area", "GROUP BY"),
        ("SELECT id % 7, COUNT(*) FROM homes GROUP BY id % 7", "GROUP BY"),
        ("SELECT id FROM homes ORDER BY area", "ORDER BY"),
        ("SELECT h.id FROM homes h FULL JOIN towns t ON h.town = t.name", "JOIN"),
        ("SELECT town, id, ROW_NUMBER() OVER (PARTITION BY town ORDER BY id) FROM homes", "OVER"),
    ] {
        let (done, _) = asked(&database, &context, question).await;
        assert!(done.iter().all(|sql| !sql.contains(absent)), "{question}: {done:?}");
    }
    // Two databases are two, also on one server.
    let other = Database::new(TABLES);
    let homes = loaded(&database.dataset(Form::Open, "homes", &HOMES, None)).await.unwrap();
    let elsewhere = loaded(&other.dataset(Form::Open, "towns", &TOWNS, None)).await.unwrap();
    let context = session(&BTreeMap::from([("homes", homes), ("towns", elsewhere)]));
    let (done, answer) =
        asked(&database, &context, "SELECT h.id FROM homes h JOIN towns t ON h.town = t.name WHERE h.id < 3").await;
    assert!(
        done == [r#"SELECT "id", "town" FROM "public"."homes" WHERE "id" < 3"#] && answer.contains("| 1  |"),
        "{done:?}: {answer}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_what_is_not_open_only_scans_are_done_there() {
    let database = Database::new(TABLES);
    let context = towns(&database, Form::Rows).await;
    let (done, answer) = asked(&database, &context, "SELECT COUNT(*) AS n FROM homes WHERE town = 'York'").await;
    assert!(
        done == [r#"SELECT FROM "public"."homes" WHERE "town" = 'York'"#] && answer.contains("| 33 |"),
        "{done:?}: {answer}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_stays_whatever_is_computed_above_it() {
    let database = Database::new(TABLES);
    let context = towns(&database, Form::Open).await;
    let answer =
        ask(&context, "SELECT upper(town) AS town FROM homes WHERE town IS NOT NULL ORDER BY id DESC").await.unwrap();
    let lines = shown(&answer);
    let found: Vec<&str> = lines.lines().skip(3).take(4).collect();
    assert_eq!(found, ["| HULL |", "| YORK |", "| HULL |", "| YORK |"], "{lines}");
    let (done, _) = asked(&database, &context, "SELECT id FROM homes ORDER BY id DESC").await;
    assert!(done[0].contains("ORDER BY"), "{done:?}");
    let plan =
        context.sql("SELECT id FROM homes ORDER BY id DESC").await.unwrap().create_physical_plan().await.unwrap();
    let plan = datafusion::physical_plan::displayable(plan.as_ref()).indent(false).to_string();
    assert!(!plan.contains("SortExec"), "nothing is sorted twice: {plan}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sum_that_does_not_fit_is_an_error_and_not_another_number() {
    let database = Database::new("CREATE TABLE big (n bigint); INSERT INTO big VALUES (9223372036854775807), (1)");
    let big = loaded(&database.dataset(Form::Open, "big", &["n bigint"], None)).await.unwrap();
    let error = ask(&session(&BTreeMap::from([("big", big)])), "SELECT SUM(n) FROM big").await.unwrap_err();
    assert!(
        error.to_string().contains("does not fit") && !error.to_string().contains("9223372036854775807"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_dataset_promises_is_counted_there() {
    let database = Database::new(TABLES);
    let before = database.postgres.log();
    let homes = loaded(&database.dataset(Form::Open, "homes", &["id integer", "rooms bigint"], None)).await.unwrap();
    let done = database.done(&before);
    assert!(homes.rows == 100 && done.len() == 1 && done[0].contains("count("), "{done:?}");
}
