//! The table that is printed: a row for each query, sums and geometric means of what is compared.

use std::time::Duration;

use crate::answer::{Answer, Sent};

/// From this many times the reference's time on, the plan is printed.
const SLOW: f64 = 2.0;

/// An engine that took longer than this for a query is not asked it again: its first time stands, marked.
const ONCE: Duration = Duration::from_secs(20);

/// What stands in a cell.
pub(crate) enum Shown {
    Times { first: Duration, times: Vec<Duration>, sent: Option<Sent> },
    Differs,
    Failed,
}

impl Shown {
    /// After one more right answer; the first does not count.
    pub(crate) fn with(before: Option<Self>, Answer { time, sent, .. }: Answer) -> Self {
        match before {
            Some(Self::Times { first, mut times, .. }) => {
                times.push(time);
                Self::Times { first, times, sent }
            }
            Some(other) => other,
            None => Self::Times { first: time, times: Vec::new(), sent },
        }
    }

    /// Whether the query is worth another run.
    pub(crate) fn goes_on(&self) -> bool {
        matches!(self, Self::Times { first, .. } if *first < ONCE)
    }

    /// Milliseconds, if the answer is right.
    fn median(&self) -> Option<f64> {
        let Self::Times { first, times, .. } = self else { return None };
        let mut times = if times.is_empty() { vec![*first] } else { times.clone() };
        times.sort_unstable();
        Some(times[times.len() / 2].as_secs_f64() * 1e3)
    }

    fn text(&self) -> String {
        match self {
            Self::Times { times, .. } => {
                let once = if times.is_empty() { "*" } else { "" };
                format!("{:.1}{once}", self.median().unwrap_or_default())
            }
            Self::Differs => "differs".into(),
            Self::Failed => "failed".into(),
        }
    }
}

/// Columns: the reference, and then each engine with its ratio to it.
pub(crate) struct Table {
    titles: Vec<&'static str>,
    rows: Vec<(usize, Vec<Option<f64>>)>,
}

impl Table {
    pub(crate) fn new(titles: Vec<&'static str>) -> Self {
        print!("\nquery {:>12}", titles[0]);
        titles[1..].iter().for_each(|title| print!(" {title:>12} {:>7}", "ratio"));
        println!(" {:>10} {:>12} {:>12}", "rows sent", "bytes sent", "of an answer");
        Self { titles, rows: Vec::new() }
    }

    /// Prints the row of a query.
    pub(crate) fn row(&mut self, number: usize, shown: Vec<Shown>) {
        let medians: Vec<Option<f64>> = shown.iter().map(Shown::median).collect();
        print!("{number:>5} {:>12}", shown[0].text());
        for (shown, median) in shown.iter().zip(&medians).skip(1) {
            print!(" {:>12} {:>7}", shown.text(), ratio(*median, medians[0]));
        }
        let sent = shown.iter().find_map(|shown| match shown {
            Shown::Times { sent, .. } => *sent,
            Shown::Differs | Shown::Failed => None,
        });
        let Sent { rows, bytes, least } = sent.unwrap_or_default();
        println!(" {rows:>10} {bytes:>12} {least:>12}");
        self.rows.push((number, medians));
    }

    /// Prints the sums and the geometric means over the queries that an engine and the reference answer.
    pub(crate) fn total(&self) {
        let sum = |column: usize, of: usize| -> f64 {
            self.rows.iter().filter(|(_, row)| row[column].is_some()).filter_map(|(_, row)| row[of]).sum()
        };
        print!("  sum {:>12.1}", sum(0, 0));
        for column in 1..self.titles.len() {
            let own = sum(column, column);
            print!(" {own:>12.1} {:>7}", ratio(Some(own), Some(sum(column, 0))));
        }
        print!("\n mean {:>12}", "");
        for column in 1..self.titles.len() {
            let ratios = self.rows.iter().filter_map(|(_, row)| Some((row[column]? / row[0]?).ln()));
            let logarithms: Vec<f64> = ratios.collect();
            let mean = (logarithms.iter().sum::<f64>() / logarithms.len() as f64).exp();
            let mean = if logarithms.is_empty() { "-".into() } else { format!("{mean:.2}") };
            print!(" {:>12} {mean:>7}", "geometric");
        }
        println!();
    }

    /// The numbers of the queries.
    pub(crate) fn asked(&self) -> impl Iterator<Item = usize> {
        self.rows.iter().map(|(number, _)| *number)
    }

    /// Whether the mesh takes more than twice the reference's time.
    pub(crate) fn is_slow(&self, number: usize) -> bool {
        let mesh = self.titles.iter().position(|title| *title == "mesh").unwrap();
        let times = |row: &Vec<Option<f64>>| Some(row[mesh]? / row[0]?);
        self.rows.iter().any(|(of, row)| *of == number && times(row).is_some_and(|times| times > SLOW))
    }
}

fn ratio(time: Option<f64>, reference: Option<f64>) -> String {
    match (time, reference) {
        (Some(time), Some(reference)) if reference > 0.0 => format!("{:.2}", time / reference),
        _ => "-".into(),
    }
}
