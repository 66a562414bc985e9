//! Traces of questions over several nodes, as a collector of an operator's own gets them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::OpenOptions;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use tokio::runtime::Runtime;
use tonic::{Request, Response, Status, async_trait};

use super::support::{Mesh, free, until};

/// A collector that keeps what it gets.
struct Collector {
    address: SocketAddr,
    taken: Taken,
    _runtime: Runtime,
}

#[derive(Clone, Default)]
struct Taken(Arc<Mutex<Vec<ExportTraceServiceRequest>>>);

#[async_trait]
impl TraceService for Taken {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(request.into_inner());
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

/// A span, as far as these tests look at it.
#[derive(Debug, Clone)]
struct Seen {
    /// The body whose node it is of.
    of: String,
    name: String,
    trace: String,
    id: String,
    parent: String,
    attributes: BTreeMap<String, String>,
}

impl Collector {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (address, taken) = (free(), Taken::default());
        let service = TraceServiceServer::new(taken.clone());
        runtime.spawn(tonic::transport::Server::builder().add_service(service).serve(address));
        Self { address, taken, _runtime: runtime }
    }

    /// Has the node of a body that is not up send its spans here.
    fn of(&self, mesh: &Mesh, body: &str, more: &str) {
        let file = OpenOptions::new().append(true).open(mesh.folder(body).join("node.toml"));
        write!(file.unwrap(), "\n[telemetry]\notlp = \"http://{}\"\n{more}", self.address).unwrap();
    }

    fn all(&self) -> Vec<Seen> {
        let taken = self.taken.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut seen = Vec::new();
        for resource in taken.iter().flat_map(|request| &request.resource_spans) {
            let about = attributes(&resource.resource.as_ref().unwrap().attributes);
            assert_eq!(about["service.name"], "meridian");
            for span in resource.scope_spans.iter().flat_map(|scope| &scope.spans) {
                assert!(span.end_time_unix_nano >= span.start_time_unix_nano && span.events.is_empty());
                assert!(span.trace_state.is_empty() && span.links.is_empty());
                seen.push(Seen {
                    of: about["service.instance.id"].clone(),
                    name: span.name.clone(),
                    trace: hex::encode(&span.trace_id),
                    id: hex::encode(&span.span_id),
                    parent: hex::encode(&span.parent_span_id),
                    attributes: attributes(&span.attributes),
                });
            }
        }
        seen
    }
}

fn attributes(of: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |value: &KeyValue| match value.value.as_ref().and_then(|value| value.value.clone()) {
        Some(Value::StringValue(text)) => text,
        other => panic!("{other:?}"),
    };
    of.iter().map(|attribute| (attribute.key.clone(), text(attribute))).collect()
}

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const JOINED: &str = "SELECT b.name AS canary_column, COUNT(*) AS fires FROM lfb.incidents i \
                      JOIN gla.boroughs b ON i.borough_gss = b.gss WHERE i.year = 2021 AND b.name <> 'canary_literal' GROUP BY b.name";

#[test]
fn one_question_is_one_trace_over_three_nodes() {
    let (mesh, collector) = (Mesh::prepared(), Collector::new());
    for body in ["loda", "lfb", "gla"] {
        collector.of(&mesh, body, "");
    }
    mesh.start_all();
    let mut asha = mesh.client("loda", Some(&mesh.asha()));
    asha.headers = vec![("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00")];
    asha.statement(JOINED).unwrap();
    let spans = until("all spans have come", || {
        let spans: Vec<Seen> = collector.all().into_iter().filter(|span| span.trace == TRACE).collect();
        let runs = |of: &str| spans.iter().any(|span| span.of == of && span.name == "run");
        let calls = spans.iter().filter(|span| span.name == "DoGet").count();
        (runs("london.loda") && runs("london.lfb") && runs("london.gla") && calls >= 3).then_some(spans.clone())
    });
    let by_id: BTreeMap<&str, &Seen> = spans.iter().map(|span| (span.id.as_str(), span)).collect();
    let parent = |span: &Seen| by_id.get(span.parent.as_str()).copied();
    let named = |of: &str, name: &str| -> Vec<&Seen> {
        spans.iter().filter(|span| span.of == format!("london.{of}") && span.name == name).collect()
    };
    // The client's own span is above the calls that it made, and theirs above each step.
    for name in ["GetFlightInfo", "DoGet"] {
        let calls = named("loda", name);
        assert!(!calls.is_empty() && calls.iter().all(|call| call.parent == "b7ad6b7169203331"), "{name}: {calls:#?}");
    }
    for body in ["loda", "lfb", "gla"] {
        for name in ["plan", "gate", "place", "log", "run"] {
            let steps = named(body, name);
            assert!(!steps.is_empty(), "no {name} of {body} in {spans:#?}");
            for step in steps {
                let above = parent(step).unwrap_or_else(|| panic!("{step:?} hangs on nothing"));
                assert!(above.of == step.of && ["DoGet", "GetFlightInfo"].contains(&above.name.as_str()), "{above:?}");
            }
        }
    }
    // What a body is asked is a span of the asker's, and that body's call hangs on it.
    for body in ["lfb", "gla"] {
        for call in named(body, "DoGet") {
            let asked = parent(call).unwrap_or_else(|| panic!("{call:?} hangs on nothing"));
            assert_eq!((asked.of.as_str(), asked.name.as_str()), ("london.loda", "ask"));
            assert_eq!(asked.attributes["meridian.body"], body);
            assert_eq!(
                parent(asked).map(|above| (above.of.as_str(), above.name.as_str())),
                Some(("london.loda", "DoGet"))
            );
            assert_eq!(call.attributes["meridian.caller"], "loda");
        }
    }
    assert!(named("lfb", "run").iter().all(|run| run.attributes["meridian.datasets"] == "london.lfb.incidents"));
    // A question without a word of a trace is one trace of its own, planned and read in two calls.
    let before: BTreeSet<String> = collector.all().into_iter().map(|span| span.trace).collect();
    mesh.ask(JOINED).ok();
    until("the other question is one trace", || {
        let new = collector.all().into_iter().filter(|span| !before.contains(&span.trace) && span.name == "run");
        let traces: Vec<(String, String)> = new.map(|span| (span.trace, span.of)).collect();
        let ids: BTreeSet<&String> = traces.iter().map(|(trace, _)| trace).collect();
        let bodies: BTreeSet<&String> = traces.iter().map(|(_, of)| of).collect();
        (ids.len() == 1 && bodies.len() == 3).then_some(())
    });
}

/// Gains nothing: neither whoever sees the spans, who learns no SQL, no literal, no name of a person and no value of a row, nor
/// a caller whose words about a trace are no such words, or ask that it be kept.
#[test]
fn spans_tell_nothing_of_the_question_and_strangers_decide_nothing() {
    let (mesh, collector) = (Mesh::prepared(), Collector::new());
    collector.of(&mesh, "loda", "");
    collector.of(&mesh, "lfb", "percent = 1\n");
    mesh.start_all();
    let mut asha = mesh.client("loda", Some(&mesh.asha()));
    let forged = [
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-canary",
        "00-canary_literal-b7ad6b7169203331-01",
        "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
    ];
    for value in forged {
        asha.headers = vec![("traceparent", value), ("tracestate", "canary=canary")];
        asha.statement(JOINED).unwrap();
    }
    asha.statement("SELECT canary_column FROM lfb.incidents").unwrap_err();
    // Of these ids a node that keeps one of a hundred keeps none, whatever the caller asks for.
    asha.headers = vec![("traceparent", "00-ffffffffffffffffffffffffffffffff-b7ad6b7169203331-01")];
    asha.statement(JOINED).unwrap();
    let spans = until("all spans have come", || {
        let spans = collector.all();
        let runs = spans.iter().filter(|span| span.of == "london.loda" && span.name == "run").count();
        let last = spans.iter().any(|span| span.trace == "f".repeat(32) && span.name == "run");
        (runs > forged.len() && last).then_some(spans)
    });
    assert!(spans.iter().all(|span| span.trace != TRACE), "a trace was taken from a header that is none");
    assert!(!spans.iter().any(|span| span.of == "london.lfb" && span.trace == "f".repeat(32)));
    let names = [
        "GetFlightInfo",
        "PollFlightInfo",
        "GetSchema",
        "DoGet",
        "DoPut",
        "plan",
        "gate",
        "place",
        "log",
        "run",
        "ask",
    ];
    let keys = ["meridian.body", "meridian.caller", "meridian.datasets", "meridian.outcome"];
    for span in &spans {
        assert!(names.contains(&span.name.as_str()), "{span:?}");
        assert!(span.attributes.keys().all(|key| keys.contains(&key.as_str())), "{span:?}");
        let said = format!("{} {:?}", span.name, span.attributes).to_lowercase();
        for word in ["canary", "asha", "select", "2021", "fire-risk", "e0900"] {
            assert!(!said.contains(word), "{word} in {span:?}");
        }
    }
}

#[test]
fn without_a_collector_nothing_waits_and_nothing_is_sent() {
    let (mesh, collector) = (Mesh::prepared(), Collector::new());
    // One that is away.
    let away = free();
    let file = OpenOptions::new().append(true).open(mesh.folder("loda").join("node.toml"));
    write!(file.unwrap(), "\n[telemetry]\notlp = \"http://{away}\"\n").unwrap();
    mesh.start_all();
    mesh.ask(JOINED).ok();
    mesh.stop("loda");
    assert!(collector.all().is_empty());
    assert!(!mesh.log("loda").contains("canary"));
}
