//! A server that is away, goes away, is late, is another or has another table: what is said, and that nothing wrong is.

use std::time::Duration;

use futures::StreamExt;

use super::super::Fault;
use super::*;
use crate::sources::Cause;

const TABLE: &str =
    "CREATE TABLE homes (id int, town text); INSERT INTO homes SELECT i, 'York' FROM generate_series(1, 100) i";
const COLUMNS: [&str; 2] = ["id integer", "town varchar"];

fn fault(error: &DataFusionError) -> Fault {
    match crate::sources::unanswered::cause(error) {
        Some(Cause::Database(fault)) => fault.clone(),
        other => panic!("{error}: {other:?}"),
    }
}

async fn refused(spec: &SourceSpec) -> (Fault, String) {
    match loaded(spec).await {
        Err(SourceError::Database { fault, .. }) => (fault.clone(), fault.to_string()),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_is_not_there_or_not_given_is_named() {
    let database = Database::new(&format!("{TABLE}; CREATE ROLE poor LOGIN"));
    let error = loaded(&database.dataset(Form::Open, "nothing", &COLUMNS, None)).await.unwrap_err();
    let words = ["dataset dwellings", "table public.nothing of database housing", "no such table"];
    assert!(words.iter().all(|word| error.to_string().contains(word)), "{error}");
    let poor = database.reached(|config| config.user = "poor".into());
    assert_eq!(refused(&spec(&poor, Form::Open, "homes", &COLUMNS, None)).await.0, Fault::Denied);
    let error =
        loaded(&database.dataset(Form::Open, "homes", &["id integer", "postcode varchar"], None)).await.unwrap_err();
    assert!(error.to_string().contains("the table has no column `postcode`"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_away_or_does_not_know_the_user_is_said() {
    let database = Database::new(TABLE);
    let closed = database.reached(|config| {
        (config.host, config.port) = (Host::Network("127.0.0.1".into()), 1);
    });
    let (fault, text) = refused(&spec(&closed, Form::Open, "homes", &COLUMNS, None)).await;
    assert!(matches!(fault, Fault::Unreachable(_)) && text.contains("refused"), "{text}");
    let nobody = database.reached(|config| config.user = "nobody_at_all".into());
    let (fault, text) = refused(&spec(&nobody, Form::Open, "homes", &COLUMNS, None)).await;
    assert!(matches!(fault, Fault::Login(_)), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_comes_from_a_file_that_nobody_else_can_read() {
    use std::os::unix::fs::PermissionsExt;
    let database = Database::new(&format!(
        "{TABLE}; CREATE ROLE reader LOGIN PASSWORD 'p ss''word'; GRANT SELECT ON homes TO reader"
    ));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("password");
    std::fs::write(&path, "p ss'word\n").unwrap();
    let by_tcp = |config: &mut ServerConfig| {
        (config.host, config.user) = (Host::Network("127.0.0.1".into()), "reader".into());
        config.password_file = Some(path.clone());
    };
    let mode = |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    mode(0o644);
    let dataset = spec(&database.reached(by_tcp), Form::Open, "homes", &COLUMNS, None);
    let (fault, text) = refused(&dataset).await;
    assert!(matches!(fault, Fault::File { .. }) && text.contains("chmod 600"), "{text}");
    mode(0o600);
    assert_eq!(loaded(&dataset).await.unwrap().rows, 100);
    std::fs::write(&path, "another").unwrap();
    let (fault, text) = refused(&spec(&database.reached(by_tcp), Form::Open, "homes", &COLUMNS, None)).await;
    assert!(matches!(fault, Fault::Login(_)) && !text.contains("another"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_that_takes_too_long_is_ended() {
    let slow = "CREATE VIEW slow AS SELECT i AS id, 'York'::text AS town FROM generate_series(1, 1000) i WHERE pg_sleep(0.05) IS NOT NULL";
    let database = Database::new(slow);
    let hasty = database.reached(|config| config.statement_seconds = 1);
    let (fault, text) = refused(&spec(&hasty, Form::Open, "slow", &COLUMNS, None)).await;
    assert_eq!(fault, Fault::Slow(1), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_wanted_any_more_is_ended_at_the_server() {
    let database = Database::new(
        "CREATE TABLE many (id bigint, town text); INSERT INTO many SELECT i, repeat('x', 1000) FROM generate_series(1, 20000) i",
    );
    let loaded = loaded(&database.dataset(Form::Open, "many", &["id bigint", "town varchar"], None)).await.unwrap();
    let context = session(&BTreeMap::from([("d", loaded)]));
    let mut stream = context.sql("SELECT * FROM d").await.unwrap().execute_stream().await.unwrap();
    stream.next().await.unwrap().unwrap();
    let busy = || {
        database.run("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'meridian' AND state = 'active' AND datname = current_database()")
    };
    assert_eq!(busy(), "1", "nobody reads on, and so nobody sends on");
    drop(stream);
    for _ in 0..3000 {
        if busy() == "0" {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("it is still at it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_column_that_is_gone_or_another_fails_the_query_and_has_the_table_looked_at_again() {
    let database = Database::new(TABLE);
    let dataset = database.dataset(Form::Open, "homes", &COLUMNS, None);
    for (change, found) in [
        ("ALTER TABLE homes ALTER COLUMN id TYPE bigint", Fault::Retyped("id".into())),
        ("ALTER TABLE homes ALTER COLUMN id TYPE integer", Fault::Retyped("id".into())),
        ("ALTER TABLE homes RENAME COLUMN town TO city", Fault::NoColumn("town".into())),
        ("DROP TABLE homes", Fault::NoTable),
    ] {
        let loaded = loaded(&dataset).await.unwrap_or_else(|error| panic!("{change}: {error}"));
        let context = session(&BTreeMap::from([("d", loaded.clone())]));
        assert!(!loaded.is_stale(&dataset.rights, now()));
        database.run(change);
        let error = ask(&context, "SELECT id, town FROM d").await.unwrap_err();
        assert_eq!(fault(&error), found, "{change}");
        assert!(!error.to_string().contains("town") && error.to_string().contains("dwellings"), "{error}");
        assert!(loaded.is_stale(&dataset.rights, now()), "{change}");
        if found == Fault::NoColumn("town".into()) {
            let error = super::loaded(&dataset).await.unwrap_err();
            assert!(error.to_string().contains("`town`"), "{error}");
            database.run("ALTER TABLE homes RENAME COLUMN city TO town");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_goes_away_during_a_query_fails_it_and_is_found_again() {
    let mut postgres = server::Postgres::start(&[]).unwrap();
    postgres.run("postgres", "CREATE TABLE many (id bigint, town text); INSERT INTO many SELECT i, repeat('x', 1000) FROM generate_series(1, 20000) i");
    let server = Server::new(config(&postgres, "postgres"));
    let dataset = spec(&server, Form::Open, "many", &["id bigint", "town varchar"], None);
    let loaded = loaded(&dataset).await.unwrap();
    let context = session(&BTreeMap::from([("d", loaded)]));
    let mut stream = context.sql("SELECT * FROM d").await.unwrap().execute_stream().await.unwrap();
    let mut rows = stream.next().await.unwrap().unwrap().num_rows();
    // Another connection is kept, and does not know yet.
    ask(&context, "SELECT id FROM d LIMIT 1").await.unwrap();
    postgres.kill();
    let error = loop {
        match stream.next().await.expect("no end before the end") {
            Ok(batch) => rows += batch.num_rows(),
            Err(error) => break error,
        }
    };
    assert!(rows < 20_000 && matches!(fault(&error), Fault::Gone(_)), "{error}");
    let error = ask(&context, "SELECT id FROM d LIMIT 1").await.unwrap_err();
    assert!(matches!(fault(&error), Fault::Unreachable(_)), "{error:?}");
    postgres.up().unwrap();
    for _ in 0..3000 {
        if ask(&context, "SELECT id FROM d LIMIT 1").await.is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("it is up, and not found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_needs_the_authority_and_the_name() {
    let folder = tempfile::tempdir().unwrap();
    let mut postgres = server::Postgres::start(&[]).unwrap();
    let mut authority = rcgen::CertificateParams::new(Vec::<String>::new()).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca_key = rcgen::KeyPair::generate().unwrap();
    let ca = authority.self_signed(&ca_key).unwrap();
    let issuer = rcgen::Issuer::new(authority, ca_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate =
        rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let place = postgres.path().join("data");
    for (name, text) in [("server.crt", certificate.pem()), ("server.key", key.serialize_pem())] {
        std::fs::write(place.join(name), text).unwrap();
        std::fs::set_permissions(place.join(name), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        postgres.owned(&place.join(name)).unwrap();
    }
    let ask = "CREATE TABLE homes (id int, town text); INSERT INTO homes VALUES (1, 'York'); CREATE ROLE reader LOGIN PASSWORD 'secret'; \
        GRANT SELECT ON homes TO reader; ALTER SYSTEM SET ssl = on";
    for statement in ask.split("; ") {
        postgres.run("postgres", statement);
    }
    postgres.down();
    postgres.up().unwrap();
    let (ca_file, other_file, password) =
        (folder.path().join("ca.pem"), folder.path().join("other.pem"), folder.path().join("password"));
    std::fs::write(&ca_file, ca.pem()).unwrap();
    let other = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    std::fs::write(&other_file, other.cert.pem()).unwrap();
    std::fs::write(&password, "secret").unwrap();
    std::fs::set_permissions(&password, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let base = config(&postgres, "postgres");
    let by = |host: &str, ca: &std::path::Path| {
        let mut config = base.clone();
        (config.host, config.user) = (Host::Network(host.into()), "reader".into());
        (config.password_file, config.ca) = (Some(password.clone()), Some(ca.into()));
        spec(&Server::new(config), Form::Open, "homes", &COLUMNS, None)
    };
    assert_eq!(loaded(&by("localhost", &ca_file)).await.unwrap().rows, 1);
    for (host, ca) in [("localhost", &other_file), ("127.0.0.1", &ca_file)] {
        let (fault, text) = refused(&by(host, ca)).await;
        assert!(matches!(fault, Fault::Tls(_)), "{host}: {text}");
    }
    postgres.run("postgres", "ALTER SYSTEM SET ssl = off");
    postgres.down();
    postgres.up().unwrap();
    let (fault, text) = refused(&by("localhost", &ca_file)).await;
    assert!(matches!(fault, Fault::Tls(_)), "no TLS is no way in: {text}");
}
