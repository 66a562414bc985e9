//! An engine that is away, faulty or hostile: what is said, and that nothing wrong or secret is.

use futures::StreamExt;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tonic::Code;

use super::own::SECRET;
use super::*;

const COLUMNS: [&str; 2] = ["id bigint", "town varchar"];

/// An engine with a table, and a way to it that can be cut.
async fn homes() -> Own {
    let own = Own::start().await;
    let rows = "SELECT arrow_cast(column1, 'Int64') AS id, column2 AS town FROM (VALUES (1, 'York secret4711'), (2, 'Hull secret4711'))";
    own.state.context.sql(&format!("CREATE TABLE homes AS {rows}")).await.unwrap().collect().await.unwrap();
    own
}

async fn asked_of(own: &Own, request_seconds: u32) -> (SourceSpec, Loaded, SessionContext) {
    let engine = FlightEngine::new(EngineConfig { request_seconds, ..config(own.port, EngineDialect::DataFusion) });
    let spec = spec(&engine, Form::Open, "homes", &COLUMNS);
    let loaded = loaded(&spec).await.unwrap();
    let context = session(&BTreeMap::from([("d", loaded.clone())]));
    (spec, loaded, context)
}

const SQL: &str = "SELECT id, town FROM d";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_that_is_away_or_another_or_without_the_table_is_said() {
    let own = homes().await;
    let engine = |port| FlightEngine::new(config(port, EngineDialect::DataFusion));
    let away = refused(&spec(&engine(1), Form::Open, "homes", &COLUMNS)).await;
    assert!(matches!(away, EngineFault::Unreachable(_)) && away.to_string().contains("refused"), "{away}");
    let missing = refused(&spec(&engine(own.port), Form::Open, "nothing", &COLUMNS)).await;
    assert_eq!(missing, EngineFault::Refused(Code::Internal));
    assert!(!missing.to_string().contains(SECRET), "{missing}");
    let error = loaded(&spec(&engine(own.port), Form::Open, "homes", &["id bigint", "postcode varchar"])).await;
    let error = error.unwrap_err().to_string();
    assert!(error.contains("the table has no column `postcode`"), "{error}");
    // Something that is no engine.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let other = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            drop(stream);
        }
    });
    let fault = refused(&spec(&engine(port), Form::Open, "homes", &COLUMNS)).await;
    assert!(matches!(fault, EngineFault::Gone(_) | EngineFault::Unreachable(_)), "{fault}");
    other.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_fault_of_an_engine_fails_the_question_and_tells_nothing_of_rows() {
    let own = homes().await;
    let (spec, loaded, context) = asked_of(&own, 60).await;
    let places = |count, address: &str| Way::Places(count, vec![address.to_owned()]);
    let unfit = |text: &str| EngineFault::Malformed(text.into());
    for (way, expected) in [
        (Way::Refusing(Code::Internal), EngineFault::Refused(Code::Internal)),
        (Way::Refusing(Code::PermissionDenied), EngineFault::Denied),
        (Way::Refusing(Code::Unauthenticated), EngineFault::Login),
        (Way::Refusing(Code::ResourceExhausted), EngineFault::Busy),
        (Way::Refusing(Code::Unimplemented), EngineFault::NotFlightSql),
        (Way::Cut, EngineFault::Refused(Code::Internal)),
        (Way::Short, EngineFault::Cut { found: 2, announced: 3 }),
        (Way::Texts, EngineFault::Retyped("id".into())),
        (Way::Fewer, EngineFault::Columns { found: 1, asked: 2 }),
        (Way::Malformed, unfit("a record batch lies outside the bytes that came with it")),
        (Way::Garbled, unfit("it can't be decoded")),
        (Way::Places(0, Vec::new()), EngineFault::Places(0, 10_000)),
        (places(1, "grpc://127.0.0.1:9"), EngineFault::Elsewhere),
        (places(1, "grpc+tls://attacker.example:443"), EngineFault::Elsewhere),
        (places(2, "https://127.0.0.1.attacker.example/rows"), EngineFault::Elsewhere),
        (places(1, "not an address"), EngineFault::Elsewhere),
    ] {
        own.goes(way.clone());
        let error = ask(&context, SQL).await.expect_err(&format!("{way:?}"));
        assert_eq!(fault(&error), expected, "{way:?}");
        let told = format!("{error} {error:?} {expected}");
        assert!(!told.contains(SECRET) && error.to_string().contains("dwellings"), "{told}");
        assert!(!error.to_string().contains("127.0.0.1") && !error.to_string().contains("lake"), "{error}");
        own.goes(Way::Honest);
        assert_eq!(ask(&context, SQL).await.unwrap()[0].num_rows(), 2, "it goes on after {way:?}");
    }
    assert!(loaded.is_stale(&RightsSpec::default(), now()), "a table that may be another one is looked at again");
    assert_eq!(super::loaded(&spec).await.unwrap().rows, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_that_says_nothing_is_not_waited_for_without_end() {
    let own = homes().await;
    let (_, _, context) = asked_of(&own, 10).await;
    own.goes(Way::Silent);
    let error = ask(&context, SQL).await.unwrap_err();
    assert_eq!(fault(&error), EngineFault::Slow(10));
    assert!(error.to_string().contains("longer than its owner allows"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_in_several_places_are_taken_from_the_engine_itself() {
    let own = homes().await;
    let (_, _, context) = asked_of(&own, 60).await;
    let here = format!("grpc+tcp://127.0.0.1:{}", own.port);
    for addresses in [
        vec![],
        vec![here.clone()],
        vec!["arrow-flight-reuse-connection://?".to_owned()],
        vec!["grpc://elsewhere.example:1".to_owned(), here],
    ] {
        own.goes(Way::Places(2, addresses.clone()));
        own.state.shown.lock().unwrap().clear();
        let found = ask(&context, SQL).await.unwrap();
        assert_eq!(found.iter().map(RecordBatch::num_rows).sum::<usize>(), 2, "{addresses:?}");
        assert_eq!(own.state.shown.lock().unwrap().len(), 3, "a plan, and each place");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_without_end_are_held_back_and_ended_when_nobody_reads_on() {
    let own = homes().await;
    let (_, _, context) = asked_of(&own, 60).await;
    own.goes(Way::Endless);
    let mut stream = context.sql(SQL).await.unwrap().execute_stream().await.unwrap();
    for _ in 0..100 {
        assert!(stream.next().await.unwrap().unwrap().num_rows() > 0);
    }
    drop(stream);
    own.goes(Way::Honest);
    assert_eq!(ask(&context, SQL).await.unwrap()[0].num_rows(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_breaks_in_the_middle_fails_the_question_and_the_next_has_another() {
    let own = homes().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (port, target) = (listener.local_addr().unwrap().port(), own.port);
    let (cut, _) = tokio::sync::broadcast::channel::<()>(1);
    let cuts = cut.clone();
    let way = tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            let mut cut = cuts.subscribe();
            tokio::spawn(async move {
                let mut far = TcpStream::connect(("127.0.0.1", target)).await.unwrap();
                tokio::select! {
                    _ = copy_bidirectional(&mut near, &mut far) => {}
                    _ = cut.recv() => {}
                }
            });
        }
    });
    let engine = FlightEngine::new(config(port, EngineDialect::DataFusion));
    let loaded = loaded(&spec(&engine, Form::Open, "homes", &COLUMNS)).await.unwrap();
    let context = session(&BTreeMap::from([("d", loaded)]));
    own.goes(Way::Endless);
    let mut stream = context.sql(SQL).await.unwrap().execute_stream().await.unwrap();
    stream.next().await.unwrap().unwrap();
    cut.send(()).unwrap();
    let error = loop {
        match stream.next().await.expect("no end before the end") {
            Ok(batch) => assert!(batch.num_rows() > 0),
            Err(error) => break error,
        }
    };
    assert!(matches!(fault(&error), EngineFault::Gone(_)), "{:?}", fault(&error));
    own.goes(Way::Honest);
    assert_eq!(ask(&context, SQL).await.unwrap()[0].num_rows(), 2);
    // One that broke while nobody used it is no fault.
    cut.send(()).unwrap();
    assert_eq!(ask(&context, SQL).await.unwrap()[0].num_rows(), 2);
    way.abort();
}
