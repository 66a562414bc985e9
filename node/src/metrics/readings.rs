//! What is not counted as it happens but read when somebody looks.

use std::fmt;
use std::sync::OnceLock;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::exemplar::Exemplar;

/// Whether a value may go down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It goes up alone.
    Counter,
    /// It goes up and down.
    Gauge,
}

/// One state of a node, with a value for each set of labels.
#[derive(Debug, Clone)]
pub struct Reading {
    /// Its name, without the prefix that all have; with its unit at its end, where it has one.
    pub name: &'static str,
    /// What it is, for people.
    pub help: &'static str,
    /// Whether it may go down.
    pub kind: Kind,
    /// Values with their labels.
    pub values: Vec<(Vec<(&'static str, String)>, f64)>,
}

impl Reading {
    /// A value that goes up and down.
    pub fn gauge(name: &'static str, help: &'static str, value: f64) -> Self {
        Self { name, help, kind: Kind::Gauge, values: vec![(Vec::new(), value)] }
    }

    /// The same, with a value for each of what a label names.
    pub fn gauges(
        name: &'static str,
        help: &'static str,
        label: &'static str,
        values: impl IntoIterator<Item = (String, f64)>,
    ) -> Self {
        let values = values.into_iter().map(|(named, value)| (vec![(label, named)], value)).collect();
        Self { name, help, kind: Kind::Gauge, values }
    }

    /// A value that goes up alone.
    pub fn counter(name: &'static str, help: &'static str, value: u64) -> Self {
        Self { name, help, kind: Kind::Counter, values: vec![(Vec::new(), value as f64)] }
    }
}

type Read = Box<dyn Fn() -> Vec<Reading> + Send + Sync>;

/// Where they are read, once that is known.
#[derive(Default)]
pub(super) struct Readings(OnceLock<Read>);

impl Readings {
    pub(super) fn set(&self, read: Read) {
        // There is one node in a process, and it says so once.
        let _ = self.0.set(read);
    }
}

impl fmt::Debug for Readings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Readings").finish_non_exhaustive()
    }
}

impl Collector for Readings {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Some(read) = self.0.get() else { return Ok(()) };
        for reading in read().into_iter().filter(|reading| !reading.values.is_empty()) {
            let kind = match reading.kind {
                Kind::Counter => MetricType::Counter,
                Kind::Gauge => MetricType::Gauge,
            };
            let mut metric = encoder.encode_descriptor(reading.name, reading.help, None, kind)?;
            for (labels, value) in &reading.values {
                if labels.is_empty() {
                    put(&mut metric, reading.kind, *value)?;
                } else {
                    put(&mut metric.encode_family(labels)?, reading.kind, *value)?;
                }
            }
        }
        Ok(())
    }
}

fn put(metric: &mut MetricEncoder<'_>, kind: Kind, value: f64) -> fmt::Result {
    match kind {
        Kind::Gauge => metric.encode_gauge(&value),
        Kind::Counter => {
            let none: Option<&Exemplar<Vec<(&str, String)>, f64>> = None;
            metric.encode_counter(&value, none)
        }
    }
}
