//! What an operator's monitoring reads of a node, in the text form of OpenMetrics: counts, times and states.
//!
//! Nothing here tells of a protected row or of somebody's question. Labels come from fixed sets: outcomes, forms, whether a
//! caller is one's own or another body, the bodies of the membership and the names of one's own datasets. What was withheld is
//! not counted, and nobody is named.

mod readings;

use std::sync::Arc;
use std::time::Duration;

use meridian_proto::{BodyName, Form};
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use readings::Readings;
pub use readings::{Kind, Reading};

/// Upper ends of the classes of times (seconds).
const SECONDS: [f64; 12] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 300.0];

/// Who asks, or is given something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Party {
    /// An analyst of one's own body.
    Own,
    /// The node of another body.
    Other,
}

/// How a question ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// All of its answer has left.
    Answered,
    /// It ended before all of its answer had left.
    Interrupted,
    /// The gate or the terms did not allow it.
    Refused,
    /// The statement can't be read, or does not fit the catalogue.
    Invalid,
    /// Another body could not be reached, or answered with an error.
    OtherFailed,
    /// A limit on size, on time, or on what is under way at once.
    Limited,
    /// The log could not be written.
    Unlogged,
    /// A fault of the node.
    Fault,
}

impl Party {
    fn word(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Other => "other",
        }
    }
}

impl Ended {
    /// Its word, of a fixed set.
    pub fn word(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Interrupted => "interrupted",
            Self::Refused => "refused",
            Self::Invalid => "invalid",
            Self::OtherFailed => "other_failed",
            Self::Limited => "limited",
            Self::Unlogged => "unlogged",
            Self::Fault => "fault",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Question {
    caller: &'static str,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct By {
    caller: &'static str,
}

/// The strictest form of what an answer rests on.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Of {
    caller: &'static str,
    form: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Source {
    body: String,
}

/// What is counted of a node, and what is read from it when somebody looks.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    readings: Arc<Readings>,
    questions: Family<Question, Counter>,
    running: Gauge,
    seconds: Family<By, Histogram, fn() -> Histogram>,
    releases: Family<Of, Counter>,
    rows_sent: Family<By, Counter>,
    bytes_sent: Family<By, Counter>,
    rows_received: Family<Source, Counter>,
    bytes_received: Family<Source, Counter>,
}

impl Metrics {
    /// Nothing is counted yet.
    pub fn new() -> Arc<Self> {
        let times: fn() -> Histogram = || Histogram::new(SECONDS);
        let mut metrics = Self {
            registry: Registry::with_prefix("meridian"),
            readings: Arc::default(),
            questions: Family::default(),
            running: Gauge::default(),
            seconds: Family::new_with_constructor(times),
            releases: Family::default(),
            rows_sent: Family::default(),
            bytes_sent: Family::default(),
            rows_received: Family::default(),
            bytes_received: Family::default(),
        };
        metrics.register();
        Arc::new(metrics)
    }

    fn register(&mut self) {
        let registry = &mut self.registry;
        registry.register(
            "questions",
            "Questions that have ended, by who asked and how they ended",
            self.questions.clone(),
        );
        registry.register("questions_running", "Answers under way", self.running.clone());
        let help = "Time from a question to the end of its answer";
        registry.register_with_unit("question", help, Unit::Seconds, self.seconds.clone());
        let help = "Answers that left, by the strictest form of the datasets that they rest on";
        registry.register("releases", help, self.releases.clone());
        registry.register("rows_sent", "Rows of answers that were sent", self.rows_sent.clone());
        let help = "Arrow IPC bodies of answers that were sent";
        registry.register_with_unit("sent", help, Unit::Bytes, self.bytes_sent.clone());
        registry.register("rows_received", "Rows that other bodies' answers brought", self.rows_received.clone());
        let help = "Arrow IPC bodies that other bodies' answers brought, as their receipts say";
        registry.register_with_unit("received", help, Unit::Bytes, self.bytes_received.clone());
        registry.register_collector(Box::new(Arc::clone(&self.readings)));
    }

    /// From now on these are read whenever somebody looks.
    pub fn read_by(&self, read: impl Fn() -> Vec<Reading> + Send + Sync + 'static) {
        self.readings.set(Box::new(read));
    }

    /// All of it, in the text form of OpenMetrics 1.0.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing into memory does not fail.
        let _ = text::encode(&mut text, &self.registry);
        text
    }

    /// A question has ended before there was an answer.
    pub fn unanswered(&self, caller: Party, outcome: Ended) {
        self.questions.get_or_create(&Question { caller: caller.word(), outcome: outcome.word() }).inc();
    }

    /// An answer has begun; it is told of its end.
    pub fn begun(self: &Arc<Self>, caller: Party) -> Answering {
        self.running.inc();
        Answering { metrics: Arc::clone(self), caller }
    }
}

/// What left with an answer.
#[derive(Debug, Clone, Copy)]
pub struct Sent {
    /// Rows.
    pub rows: u64,
    /// Bytes of Arrow IPC bodies.
    pub bytes: u64,
    /// The strictest form of what it rests on; `None` where it rests on no dataset.
    pub form: Option<Form>,
}

/// An answer that is under way until this is dropped.
#[derive(Debug)]
pub struct Answering {
    metrics: Arc<Metrics>,
    caller: Party,
}

impl Answering {
    /// It has ended, so long after it was asked.
    pub fn ended(&self, outcome: Ended, after: Duration, sent: Sent) {
        let (metrics, caller) = (&self.metrics, self.caller.word());
        metrics.unanswered(self.caller, outcome);
        metrics.seconds.get_or_create(&By { caller }).observe(after.as_secs_f64());
        metrics.rows_sent.get_or_create(&By { caller }).inc_by(sent.rows);
        metrics.bytes_sent.get_or_create(&By { caller }).inc_by(sent.bytes);
        metrics.releases.get_or_create(&Of { caller, form: word(sent.form) }).inc();
    }

    /// So much has come from another body for it.
    pub fn received(&self, body: &BodyName, rows: u64, bytes: u64) {
        let from = Source { body: body.to_string() };
        self.metrics.rows_received.get_or_create(&from).inc_by(rows);
        self.metrics.bytes_received.get_or_create(&from).inc_by(bytes);
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.metrics.running.dec();
    }
}

fn word(form: Option<Form>) -> &'static str {
    match form {
        Some(Form::Open) => "open",
        Some(Form::Rows) => "rows",
        Some(Form::Statistics) => "statistics",
        Some(Form::None) | None => "none",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_answer_is_counted_once_and_runs_until_it_is_dropped() {
        let metrics = Metrics::new();
        metrics.unanswered(Party::Other, Ended::Refused);
        let answering = metrics.begun(Party::Own);
        assert!(metrics.text().contains("meridian_questions_running 1\n"));
        let sent = Sent { rows: 3, bytes: 100, form: Some(Form::Statistics) };
        answering.ended(Ended::Answered, Duration::from_millis(20), sent);
        answering.received(&"lfb".parse().unwrap(), 3, 80);
        drop(answering);
        let text = metrics.text();
        for line in [
            "meridian_questions_total{caller=\"other\",outcome=\"refused\"} 1",
            "meridian_questions_total{caller=\"own\",outcome=\"answered\"} 1",
            "meridian_questions_running 0",
            "meridian_question_seconds_count{caller=\"own\"} 1",
            "meridian_releases_total{caller=\"own\",form=\"statistics\"} 1",
            "meridian_sent_bytes_total{caller=\"own\"} 100",
            "meridian_rows_received_total{body=\"lfb\"} 3",
        ] {
            assert!(text.contains(&format!("{line}\n")), "{line} in {text}");
        }
        assert!(text.ends_with("# EOF\n"));
    }

    #[test]
    fn what_is_read_is_read_when_somebody_looks() {
        let metrics = Metrics::new();
        assert!(!metrics.text().contains("log_records"));
        let reading = || vec![Reading::gauge("log_records", "Records of the log", 7.0)];
        metrics.read_by(reading);
        assert!(metrics.text().contains("meridian_log_records 7.0\n"), "{}", metrics.text());
    }
}
