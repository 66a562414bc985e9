//! Tables for people: an answer's cells as text, with NULL still told apart from every text.

use std::io::{self, Write};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::printable;

/// The cells of an answer; None is NULL.
pub(super) struct Grid {
    columns: Vec<Column>,
    rows: Vec<Vec<Option<String>>>,
}

struct Column {
    name: String,
    numeric: bool,
}

impl Grid {
    /// A grid without rows.
    pub(super) fn new(schema: &SchemaRef) -> Self {
        let columns = schema
            .fields()
            .iter()
            .map(|field| Column { name: field.name().clone(), numeric: field.data_type().is_numeric() });
        Self { columns: columns.collect(), rows: Vec::new() }
    }

    /// Adds rows.
    pub(super) fn add(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        let options = FormatOptions::default().with_display_error(false);
        let formatters = batch
            .columns()
            .iter()
            .map(|array| Ok((array, ArrayFormatter::try_new(array.as_ref(), &options)?)))
            .collect::<Result<Vec<_>, ArrowError>>()?;
        for row in 0..batch.num_rows() {
            let cells = formatters.iter().map(|(array, formatter)| {
                if array.is_null(row) { Ok(None) } else { formatter.value(row).try_to_string().map(Some) }
            });
            self.rows.push(cells.collect::<Result<_, ArrowError>>()?);
        }
        Ok(())
    }

    /// Writes aligned columns: a heading, a rule, the rows; numbers to the right.
    pub(super) fn table(&self, null: &str, out: &mut dyn Write) -> io::Result<()> {
        let shown = self.shown(|cell| printable(cell).into_owned(), null);
        let names: Vec<String> = self.columns.iter().map(|column| printable(&column.name).into_owned()).collect();
        let mut widths: Vec<usize> = names.iter().map(|name| width(name)).collect();
        for row in &shown {
            for (widest, cell) in widths.iter_mut().zip(row) {
                *widest = (*widest).max(width(cell));
            }
        }
        self.line(&names, &widths, out)?;
        let rule: Vec<String> = widths.iter().map(|&width| "─".repeat(width)).collect();
        self.line(&rule, &widths, out)?;
        for row in &shown {
            self.line(row, &widths, out)?;
        }
        out.flush()
    }

    /// Writes a Markdown table.
    pub(super) fn markdown(&self, null: &str, out: &mut dyn Write) -> io::Result<()> {
        let names: Vec<String> = self.columns.iter().map(|column| markdown(&column.name)).collect();
        writeln!(out, "| {} |", names.join(" | "))?;
        let rule: Vec<&str> = self.columns.iter().map(|column| if column.numeric { "--:" } else { "---" }).collect();
        writeln!(out, "| {} |", rule.join(" | "))?;
        for row in self.shown(markdown, null) {
            writeln!(out, "| {} |", row.join(" | "))?;
        }
        out.flush()
    }

    fn shown(&self, show: impl Fn(&str) -> String, null: &str) -> Vec<Vec<String>> {
        let cell = |cell: &Option<String>| cell.as_deref().map_or_else(|| null.to_owned(), &show);
        self.rows.iter().map(|row| row.iter().map(cell).collect()).collect()
    }

    fn line(&self, cells: &[String], widths: &[usize], out: &mut dyn Write) -> io::Result<()> {
        let mut line = String::new();
        for ((cell, &wide), column) in cells.iter().zip(widths).zip(&self.columns) {
            if !line.is_empty() {
                line.push_str("  ");
            }
            let padding = " ".repeat(wide.saturating_sub(width(cell)));
            if column.numeric {
                line.push_str(&padding);
                line.push_str(cell);
            } else {
                line.push_str(cell);
                line.push_str(&padding);
            }
        }
        writeln!(out, "{}", line.trim_end())
    }
}

fn width(text: &str) -> usize {
    text.chars().count()
}

/// A cell of a Markdown table: one line, and no mark that would end it or begin another.
fn markdown(text: &str) -> String {
    let mut cell = String::with_capacity(text.len());
    for line in text.replace("\r\n", "\n").split('\n') {
        if !cell.is_empty() {
            cell.push_str("<br>");
        }
        for c in printable(line).chars() {
            match c {
                '|' | '\\' | '`' | '*' | '[' | ']' | '<' => cell.extend(['\\', c]),
                c => cell.push(c),
            }
        }
    }
    cell
}
