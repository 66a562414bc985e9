//! An engine's answer as text, the time it took, and whether it says the same as another.

use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};

/// What figures of two engines may differ by: they round quotients and averages at other digits.
const ABSOLUTE: f64 = 1e-5;
/// The same in proportion to the figure.
const RELATIVE: f64 = 1e-9;

/// Rows in their order, from the question to the last of them.
#[derive(Clone)]
pub(crate) struct Answer {
    pub(crate) rows: Vec<Vec<String>>,
    pub(crate) time: Duration,
    /// What other bodies sent to the asker, where there are any.
    pub(crate) sent: Option<Sent>,
}

/// What left other bodies for an answer.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sent {
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
    /// Bytes of the answer's own rows: where others hold all of it, no plan can have them send less.
    pub(crate) least: u64,
}

impl Answer {
    /// Of batches as they came.
    pub(crate) fn of(batches: &[RecordBatch], time: Duration) -> Self {
        let options = FormatOptions::default().with_null("NULL");
        let mut rows = Vec::new();
        for batch in batches {
            let columns = batch.columns().iter().map(|column| ArrayFormatter::try_new(column, &options).unwrap());
            let columns: Vec<_> = columns.collect();
            rows.extend((0..batch.num_rows()).map(|row| columns.iter().map(|c| c.value(row).to_string()).collect()));
        }
        Self { rows, time, sent: None }
    }

    /// Where the rows are not those of another answer: every query of TPC-H here has a total order.
    pub(crate) fn differs(&self, other: &Self) -> Option<String> {
        let (own, others) = (&self.rows, &other.rows);
        let differs = |(row, other): &(&Vec<String>, &Vec<String>)| {
            row.len() != other.len() || !row.iter().zip(*other).all(|(cell, other)| is_same(cell, other))
        };
        if let Some((row, other)) = own.iter().zip(others).find(differs) {
            return Some(format!("{row:?} where the reference has {other:?}"));
        }
        (own.len() != others.len()).then(|| format!("{} rows where the reference has {}", own.len(), others.len()))
    }
}

fn is_same(cell: &str, other: &str) -> bool {
    let near = |a: f64, b: f64| (a - b).abs() <= ABSOLUTE + RELATIVE * a.abs().max(b.abs());
    cell == other || matches!((cell.parse(), other.parse()), (Ok(a), Ok(b)) if near(a, b))
}
