//! The register as tables for programs: CSV and JSON of the same rows.

use serde_json::{Map, Value, json};

use super::model::{Agreement, Algorithm, Month, Register};
use super::part::Part;
use super::view::View;
use crate::printable::csv_cell;

/// Rows under a heading.
pub(super) struct Table {
    head: Vec<String>,
    rows: Vec<Vec<Value>>,
}

impl Table {
    fn new<const N: usize>(head: [&str; N], rows: Vec<[Value; N]>) -> Self {
        Self { head: head.map(str::to_owned).into(), rows: rows.into_iter().map(Vec::from).collect() }
    }

    /// One part of it, and the number of the next.
    pub(super) fn cut(self, part: Part) -> Option<(Self, Option<usize>)> {
        let keys: usize = self.head.iter().map(String::len).sum();
        // JSON says the names of all cells in each row.
        let weight = |row: &Vec<Value>| keys + 16 * row.len() + row.iter().map(bytes).sum::<usize>();
        let cut = part.of(self.rows, weight)?;
        Some((Self { head: self.head, rows: cut.items }, cut.next))
    }

    /// For spreadsheets: no cell is a formula.
    pub(super) fn csv(&self) -> String {
        let mut text = self.head.join(",") + "\n";
        for row in &self.rows {
            let cells = row.iter().map(|value| match value {
                Value::Null => String::new(),
                Value::String(said) => csv_cell(&said.replace('\n', " ")),
                other => other.to_string(),
            });
            text += &cells.collect::<Vec<_>>().join(",");
            text += "\n";
        }
        text
    }

    /// An object for each row.
    pub(super) fn json(&self) -> String {
        let object =
            |row: &Vec<Value>| Value::Object(self.head.iter().cloned().zip(row.iter().cloned()).collect::<Map<_, _>>());
        let rows = Value::Array(self.rows.iter().map(object).collect());
        format!("{rows:#}\n")
    }
}

fn bytes(value: &Value) -> usize {
    value.as_str().map_or(8, str::len)
}

/// One row for each dataset of each agreement at each body.
pub(super) fn agreements(view: &View, is_meant: impl Fn(&Register, &Agreement) -> bool) -> Table {
    let mut head = ["body", "made", "id", "title", "in_force", "start", "end"].map(str::to_owned).to_vec();
    let items = ["dataset", "dataset_title", "form", "columns", "smallest_group", "onward"];
    let (mut keys, mut rows) = (Vec::new(), Vec::new());
    for register in view.registers() {
        for agreement in register.agreements.iter().filter(|agreement| is_meant(register, agreement)) {
            let facts = agreement.facts();
            keys = facts.iter().map(|fact| fact.key.to_owned()).collect();
            for item in &agreement.items {
                let mut row = vec![
                    json!(register.body),
                    json!(register.made),
                    json!(agreement.id),
                    json!(agreement.title),
                    json!(agreement.in_force),
                    json!(agreement.start),
                    json!(agreement.end),
                ];
                row.extend(facts.iter().map(|fact| json!(fact.text)));
                let columns: Vec<&str> = item.columns.iter().map(AsRef::as_ref).collect();
                row.extend([
                    json!(item.dataset),
                    json!(item.title),
                    json!(item.form),
                    json!(columns.join(" ")),
                    json!(item.smallest_group),
                    json!(item.onward),
                ]);
                rows.push(row);
            }
        }
    }
    head.extend(keys);
    head.extend(items.map(str::to_owned));
    Table { head, rows }
}

/// One row for each month of each agreement; open data and refusals have no agreement.
pub(super) fn usage(view: &View, is_meant: impl Fn(&Register, &str) -> bool) -> Table {
    const HEAD: [&str; 11] = [
        "body",
        "agreement",
        "month",
        "what",
        "questions",
        "interrupted",
        "unknown",
        "rows_from",
        "rows_to",
        "bytes_from",
        "bytes_to",
    ];
    let mut rows = Vec::new();
    for register in view.registers() {
        let mut used = |agreement: &str, what: &str, months: &[Month]| {
            let row = |month: &Month| {
                [
                    json!(register.body),
                    json!(agreement),
                    json!(month.month),
                    json!(what),
                    json!(month.questions),
                    json!(month.interrupted),
                    json!(month.unknown),
                    json!(month.rows.from),
                    json!(month.rows.to),
                    json!(month.bytes.from),
                    json!(month.bytes.to),
                ]
            };
            if is_meant(register, agreement) {
                rows.extend(months.iter().map(row));
            }
        };
        for agreement in &register.agreements {
            used(agreement.id.as_str(), "released", &agreement.months);
        }
        for ended in &register.ended {
            used(ended.id.as_str(), "released", &ended.months);
        }
        used("", "open", &register.open);
        for refused in &register.refused {
            let mut row = HEAD.map(|_| Value::Null);
            let said =
                [json!(register.body), json!(""), json!(refused.month), json!("refused"), json!(refused.questions)];
            row.iter_mut().zip(said).for_each(|(cell, value)| *cell = value);
            rows.push(row);
        }
    }
    Table::new(HEAD, rows)
}

/// One row for each body.
pub(super) fn bodies(view: &View) -> Table {
    let row = |body| {
        let register = view.bodies.get(body).and_then(Option::as_deref);
        let in_force = register.map(|it| it.agreements.iter().filter(|agreement| agreement.in_force).count());
        [json!(body), json!(view.title(body)), json!(register.map(|it| it.made)), json!(in_force)]
    };
    Table::new(["body", "title", "made", "agreements_in_force"], view.bodies.keys().map(row).collect())
}

/// One row for each dataset that is shared under each agreement.
pub(super) fn datasets(view: &View) -> Table {
    let mut rows = Vec::new();
    for register in view.registers() {
        for agreement in &register.agreements {
            for item in &agreement.items {
                rows.push([
                    json!(register.body),
                    json!(item.dataset),
                    json!(item.title),
                    json!(item.form),
                    json!(item.smallest_group),
                    json!(item.onward),
                    json!(agreement.id),
                    json!(agreement.in_force),
                ]);
            }
        }
    }
    let head = ["body", "dataset", "title", "form", "smallest_group", "onward", "agreement", "in_force"];
    Table::new(head, rows)
}

/// One row for each month of each body.
pub(super) fn refused(view: &View) -> Table {
    let of = |register: &Register| {
        let body = register.body.clone();
        register.refused.iter().map(move |it| [json!(body), json!(it.month), json!(it.questions)]).collect::<Vec<_>>()
    };
    Table::new(["body", "month", "questions"], view.registers().flat_map(of).collect())
}

/// One row for each field of each record.
pub(super) fn algorithms(view: &View, is_meant: impl Fn(&Register, &Algorithm) -> bool) -> Table {
    let mut rows = Vec::new();
    for (register, algorithm) in view.algorithms().filter(|(register, algorithm)| is_meant(register, algorithm)) {
        let mut said = |tier: Value, section: &str, attribute: &str, text: &str| {
            rows.push([json!(register.body), json!(algorithm.id), tier, json!(section), json!(attribute), json!(text)]);
        };
        for section in &algorithm.sections {
            for field in &section.fields {
                said(json!(section.tier), section.title.as_str(), field.key.as_str(), field.text.as_str());
            }
        }
        said(Value::Null, "Query", "sql", algorithm.sql.as_str());
    }
    Table::new(["body", "algorithm", "tier", "section", "attribute", "text"], rows)
}
