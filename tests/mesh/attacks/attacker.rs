//! Whoever attacks: a peer's node that sends what it likes to the node of the owner, and reads what comes.

use arrow::util::display::{ArrayFormatter, FormatOptions};
use tonic::Status;

use super::town;
use crate::support::{Client, Mesh};

/// Operators of one statement; a node takes 500.
const MOST_OPERATORS: usize = 400;

/// LODA's node at another body's.
pub(super) struct Attacker {
    pub(super) client: Client,
    /// How many cells it has asked for.
    pub(super) cells: usize,
}

/// Rows of cells as text; nothing where a cell is NULL.
pub(super) type Table = Vec<Vec<Option<String>>>;

impl Attacker {
    /// At the brigade of the shared town.
    pub(super) fn new() -> Self {
        Self::at(super::mesh(), "lfb")
    }

    /// At a body of a mesh.
    pub(super) fn at(mesh: &Mesh, body: &str) -> Self {
        Self::by(mesh, "loda", body)
    }

    /// One body's node at another's.
    pub(super) fn by(mesh: &Mesh, asker: &str, body: &str) -> Self {
        Self { client: mesh.client(body, Some(&mesh.node_pair(asker))), cells: 0 }
    }

    pub(super) fn ask(&mut self, sql: &str) -> Result<Table, Status> {
        let answer = self.client.remote(sql)?;
        let options = FormatOptions::new().with_null("\0");
        let mut table = Table::new();
        for batch in &answer.batches {
            let columns: Vec<_> =
                batch.columns().iter().map(|column| ArrayFormatter::try_new(column, &options).unwrap()).collect();
            for row in 0..batch.num_rows() {
                let cells = columns.iter().map(|column| column.value(row).to_string());
                table.push(cells.map(|cell| (cell != "\0").then_some(cell)).collect());
            }
        }
        self.cells += table.iter().map(Vec::len).sum::<usize>();
        Ok(table)
    }

    /// The answer; it must be admitted.
    #[track_caller]
    pub(super) fn table(&mut self, sql: &str) -> Table {
        self.ask(sql).unwrap_or_else(|status| panic!("{sql}\n{status}"))
    }

    /// The first row's cells as numbers.
    #[track_caller]
    pub(super) fn row(&mut self, sql: &str) -> Vec<Option<f64>> {
        let table = self.table(sql);
        let row = table.first().unwrap_or_else(|| panic!("no row: {sql}"));
        row.iter().map(|cell| cell.as_ref().map(|cell| cell.parse().unwrap())).collect()
    }

    /// The one cell of an answer.
    #[track_caller]
    pub(super) fn number(&mut self, sql: &str) -> Option<f64> {
        self.row(sql)[0]
    }

    /// The same aggregate for each of these conditions.
    #[track_caller]
    pub(super) fn numbers(&mut self, aggregate: &str, from: &str, conditions: &[String]) -> Vec<Option<f64>> {
        let (mut found, mut open) = (Vec::with_capacity(conditions.len()), 0);
        while open < conditions.len() {
            let (mut each, mut left) = (Vec::new(), MOST_OPERATORS);
            while let Some(condition) = conditions.get(open).filter(|condition| operators(condition) <= left) {
                each.push(format!("{aggregate} FILTER (WHERE {condition}) AS c{open}"));
                left -= operators(condition);
                open += 1;
            }
            found.extend(self.row(&format!("SELECT {} FROM {from}", each.join(", "))));
        }
        found
    }

    /// What is said of a statement that is not answered.
    #[track_caller]
    pub(super) fn refusal(&mut self, sql: &str) -> String {
        match self.ask(sql) {
            Ok(table) => panic!("answered: {sql}\n{table:?}"),
            Err(status) => format!("{:?}: {}", status.code(), status.message()),
        }
    }

    /// All of these are refused, by the gate and not by accident, and nothing of the people is in the words.
    #[track_caller]
    pub(super) fn all_refused(&mut self, statements: &[impl AsRef<str>]) {
        for sql in statements {
            let said = self.refusal(sql.as_ref());
            let by_the_gate = said.starts_with("PermissionDenied") || said.starts_with("InvalidArgument");
            assert!(by_the_gate && !said.contains("NOTE-"), "{}\n{said}", sql.as_ref());
        }
    }
}

/// At least how many operators a condition has.
fn operators(condition: &str) -> usize {
    let of = |words: &[&str]| words.iter().map(|word| condition.matches(word).count()).sum::<usize>();
    2 + of(&["=", "<", ">", "AND", "OR", "NOT", "IN ", "BETWEEN", "LIKE", "("])
}

/// The root of the mean of squares.
pub(super) fn rms(errors: &[f64]) -> f64 {
    (errors.iter().map(|error| error * error).sum::<f64>() / errors.len() as f64).sqrt()
}

/// How many of these people a condition holds for.
pub(super) fn count(people: &[town::Person], holds: impl Fn(&town::Person) -> bool) -> f64 {
    people.iter().filter(|person| holds(person)).count() as f64
}

/// What these people earn together.
pub(super) fn earn(people: &[town::Person], holds: impl Fn(&town::Person) -> bool) -> f64 {
    people.iter().filter(|person| holds(person)).map(|person| person.income as f64).sum()
}
