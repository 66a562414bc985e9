//! Traces of questions from body to body, for a collector of the operator's own: what was done when, and never what was asked.
//!
//! A span has a fixed name and at most bodies, datasets, the call's name and its outcome: no SQL, no literal, no row's value, no
//! analyst. Off unless node.toml names a collector. What a caller says of its trace is a stranger's word: only a well-formed
//! `traceparent` (W3C Trace Context, version 00) is taken, for its two ids alone; whether anything is kept is decided here.

use std::fmt;
use std::sync::OnceLock;
use std::time::Duration;

use http::HeaderMap;
use opentelemetry::trace::{
    FutureExt, SpanContext, SpanId, SpanKind, Status, TraceContextExt, TraceFlags, TraceId, TraceState, Tracer,
    TracerProvider, WithContext,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracer, SdkTracerProvider};

/// The header of W3C Trace Context.
pub const TRACEPARENT: &str = "traceparent";

/// A collector that does not answer is not waited for longer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Time for what is left when the node ends.
const LAST: Duration = Duration::from_secs(2);

/// The one of the process, once there is a collector.
static TRACER: OnceLock<SdkTracer> = OnceLock::new();

/// Spans on their way to a collector.
#[derive(Debug)]
pub struct Exporting(SdkTracerProvider);

impl Exporting {
    /// From now on spans of this part of all traces, in percent, go to the OTLP collector at `http://HOST:PORT`. Needs a Tokio
    /// runtime, and does not wait for the collector: one that is away loses spans, and nothing else.
    pub fn begin(collector: &str, percent: u8, federation: &str, body: &str) -> Result<Self, String> {
        let exporter = SpanExporter::builder().with_tonic().with_endpoint(collector).with_timeout(PATIENCE).build();
        let resource = Resource::builder_empty().with_service_name("meridian").with_attributes([
            KeyValue::new("service.instance.id", format!("{federation}.{body}")),
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        ]);
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter.map_err(|error| error.to_string())?)
            // By the trace's id, so that nodes with the same part keep the same traces.
            .with_sampler(Sampler::TraceIdRatioBased(f64::from(percent) / 100.0))
            .with_resource(resource.build())
            .build();
        // There is one node in a process.
        let _ = TRACER.set(provider.tracer("meridian"));
        Ok(Self(provider))
    }

    /// Hands over what is left.
    pub async fn end(self) {
        let ended = tokio::task::spawn_blocking(move || self.0.shutdown_with_timeout(LAST)).await;
        if let Ok(Err(error)) = ended {
            tracing::debug!(%error, "the last spans were not taken");
        }
    }
}

/// Whether an address is one that spans may go to: plain HTTP on this machine.
pub fn is_collector(text: &str) -> bool {
    let Ok(uri) = text.parse::<http::Uri>() else { return false };
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let is_local = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    let bare = matches!(uri.path(), "" | "/") && uri.query().is_none();
    uri.scheme_str() == Some("http") && is_local && bare && uri.port_u16().is_some()
}

/// That a caller said where in their trace a call belongs.
struct Told;

/// A place in a trace, below which spans begin.
#[derive(Clone, Default)]
pub struct Trace(Context);

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Trace").field(self.0.span().span_context()).finish()
    }
}

impl Trace {
    /// Where the work of this task belongs.
    pub fn current() -> Self {
        Self(Context::current())
    }

    /// Where a question belongs whose place was another: here, if whoever reads the answer says so, and otherwise where it was
    /// planned.
    pub fn read_here(self) -> Self {
        let here = Context::current();
        if here.get::<Told>().is_some() || !self.0.span().span_context().is_valid() { Self(here) } else { self }
    }

    /// A span of the node's own work.
    pub fn begin(&self, name: &'static str) -> Span {
        Span::of(name, SpanKind::Internal, &self.0, Vec::new())
    }

    /// A span of what another body is asked.
    pub fn ask(&self, body: &str) -> Span {
        Span::of("ask", SpanKind::Client, &self.0, vec![KeyValue::new("meridian.body", body.to_owned())])
    }
}

/// A piece of work; it ends when this is dropped.
#[derive(Debug)]
pub struct Span(Option<Trace>);

impl Span {
    /// A call by this name, of a node or an analyst of a body, in the trace that its headers name.
    pub fn of_call(method: &'static str, body: String, headers: &HeaderMap) -> Self {
        let parent = match told(headers) {
            Some(told) => Context::new().with_remote_span_context(told).with_value(Told),
            None => Context::new(),
        };
        Self::of(method, SpanKind::Server, &parent, vec![KeyValue::new("meridian.caller", body)])
    }

    /// None: what is not traced.
    pub fn none() -> Self {
        Self(None)
    }

    fn of(name: &'static str, kind: SpanKind, parent: &Context, attributes: Vec<KeyValue>) -> Self {
        let Some(tracer) = TRACER.get() else { return Self(None) };
        let builder = tracer.span_builder(name).with_kind(kind).with_attributes(attributes);
        let span = tracer.build_with_context(builder, parent);
        Self(Some(Trace(parent.with_span(span))))
    }

    /// The place of this span.
    pub fn trace(&self) -> Trace {
        self.0.clone().unwrap_or_default()
    }

    /// The work, whose own spans begin below this one.
    pub fn follow<F>(&self, work: F) -> WithContext<F> {
        work.with_context(self.trace().0)
    }

    /// Says over which datasets it is.
    pub fn datasets<'a>(&self, names: impl Iterator<Item = &'a str>) {
        if let Some(Trace(context)) = &self.0 {
            context.span().set_attribute(KeyValue::new("meridian.datasets", names.collect::<Vec<_>>().join(",")));
        }
    }

    /// Says how it ended: a word of a fixed set.
    pub fn outcome(&self, word: &str, is_good: bool) {
        if let Some(Trace(context)) = &self.0 {
            context.span().set_attribute(KeyValue::new("meridian.outcome", word.to_owned()));
            if !is_good {
                context.span().set_status(Status::error(""));
            }
        }
    }

    /// What another node is told, so that its spans begin below this one.
    pub fn traceparent(&self) -> Option<String> {
        let Trace(context) = self.0.as_ref()?;
        let span = context.span();
        let of = span.span_context();
        of.is_valid().then(|| format!("00-{}-{}-{:02x}", of.trace_id(), of.span_id(), of.trace_flags().to_u8() & 1))
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        if let Some(Trace(context)) = &self.0 {
            context.span().end();
        }
    }
}

/// What a caller says of its trace, in valid form: its ids, and nothing else.
fn told(headers: &HeaderMap) -> Option<SpanContext> {
    let mut values = headers.get_all(TRACEPARENT).into_iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    parsed(value.to_str().ok()?)
}

fn parsed(text: &str) -> Option<SpanContext> {
    let parts: Vec<&str> = text.split('-').collect();
    let ["00", trace, span, flags] = parts.as_slice() else { return None };
    let is_hex = |text: &str, digits: usize| {
        text.len() == digits && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    if !is_hex(trace, 32) || !is_hex(span, 16) || !is_hex(flags, 2) {
        return None;
    }
    let (trace, span) = (TraceId::from_hex(trace).ok()?, SpanId::from_hex(span).ok()?);
    // Whether they keep it is theirs to know.
    let told = SpanContext::new(trace, span, TraceFlags::default(), true, TraceState::default());
    told.is_valid().then_some(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_traceparent_counts_in_its_own_form_alone() {
        let (trace, span) = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331");
        for (text, is_good) in [
            (format!("00-{trace}-{span}-01"), true),
            (format!("00-{trace}-{span}-00"), true),
            (format!("01-{trace}-{span}-01"), false),
            (format!("00-{trace}-{span}-01-more"), false),
            (format!("00-{}-{span}-01", trace.to_uppercase()), false),
            (format!("00-{}-{span}-01", "0".repeat(32)), false),
            (format!("00-{trace}-{}-01", "0".repeat(16)), false),
            (format!("00-{trace}-{span}"), false),
            ("00-SELECT-x-01".to_owned(), false),
            (String::new(), false),
        ] {
            let told = parsed(&text);
            assert_eq!(told.is_some(), is_good, "{text}");
            assert!(told.is_none_or(|told| !told.is_sampled() && told.is_remote()));
        }
        let mut twice = HeaderMap::new();
        for _ in 0..2 {
            twice.append(
                TRACEPARENT,
                http::HeaderValue::from_static("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
            );
        }
        assert!(told(&twice).is_none());
    }

    #[test]
    fn spans_stay_on_this_machine() {
        for (text, is_good) in [
            ("http://127.0.0.1:4317", true),
            ("http://[::1]:4317/", true),
            ("http://localhost:4317", true),
            ("http://collector.example:4317", false),
            ("https://127.0.0.1:4317", false),
            ("http://127.0.0.1", false),
            ("127.0.0.1:4317", false),
        ] {
            assert_eq!(is_collector(text), is_good, "{text}");
        }
    }

    #[test]
    fn without_a_collector_nothing_is_told_to_anybody() {
        let span = Trace::current().begin("plan");
        assert!(span.traceparent().is_none() || TRACER.get().is_some());
    }
}
