//! Tables for people: an answer's cells as text, with NULL still told apart from every text.

use std::borrow::Cow;
use std::io::{self, Write};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::{Cut, Whole, printable};

/// Characters that are left of a text at least where a table has to fit.
const LEAST: usize = 12;
/// What stands between two columns.
const GAP: &str = "  ";
/// What stands in place of what is not shown.
const MORE: &str = "…";

/// The cells of an answer; None is NULL.
pub(super) struct Grid {
    columns: Vec<Column>,
    rows: Vec<Vec<Option<String>>>,
}

struct Column {
    name: String,
    numeric: bool,
}

/// How wide each column that is shown is, in characters.
struct Layout {
    widths: Vec<usize>,
    /// Whether there are columns behind them.
    more: bool,
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

    /// Characters of the longest line of the table, and its lines.
    pub(super) fn extent(&self, null: &str) -> (usize, usize) {
        let (names, cells) = self.needed(null);
        let widths = names.iter().zip(&cells).map(|(name, cell)| *name.max(cell));
        (widths.sum::<usize>() + GAP.len() * self.columns.len().saturating_sub(1), self.rows.len() + 2)
    }

    /// Writes aligned columns: a heading, a rule, the rows; numbers to the right. Says what did not fit.
    pub(super) fn table(&self, whole: &Whole<'_>, out: &mut dyn Write) -> io::Result<Cut> {
        let layout = self.layout(whole);
        let shown = layout.widths.len();
        let mut cut = Cut::default();
        cut.columns.extend(self.columns.iter().skip(shown).map(|column| column.name.clone()));
        let names = self.columns.iter().map(|column| printable(&column.name));
        self.line(names, &layout, &mut 0, out)?;
        let rule = layout.widths.iter().map(|&width| Cow::Owned("─".repeat(width)));
        self.line(rule, &layout, &mut 0, out)?;
        for row in &self.rows {
            self.line(row.iter().map(|cell| shown_cell(cell.as_deref(), whole.null)), &layout, &mut cut.cells, out)?;
        }
        out.flush()?;
        Ok(cut)
    }

    /// Writes a Markdown table.
    pub(super) fn markdown(&self, null: &str, out: &mut dyn Write) -> io::Result<()> {
        let names: Vec<String> = self.columns.iter().map(|column| markdown(&column.name)).collect();
        writeln!(out, "| {} |", names.join(" | "))?;
        let rule: Vec<&str> = self.columns.iter().map(|column| if column.numeric { "--:" } else { "---" }).collect();
        writeln!(out, "| {} |", rule.join(" | "))?;
        for row in &self.rows {
            let cells = row.iter().map(|cell| cell.as_deref().map_or_else(|| null.to_owned(), markdown));
            writeln!(out, "| {} |", cells.collect::<Vec<_>>().join(" | "))?;
        }
        out.flush()
    }

    /// The characters that the names and the widest cells of the columns take.
    fn needed(&self, null: &str) -> (Vec<usize>, Vec<usize>) {
        let names = self.columns.iter().map(|column| width(&printable(&column.name))).collect();
        let mut cells = vec![0; self.columns.len()];
        for row in &self.rows {
            for (widest, cell) in cells.iter_mut().zip(row) {
                *widest = (*widest).max(width(&shown_cell(cell.as_deref(), null)));
            }
        }
        (names, cells)
    }

    /// As wide as it is; or, to fit, texts and names shorter, numbers never, and then columns left out from the right.
    fn layout(&self, whole: &Whole<'_>) -> Layout {
        let (names, cells) = self.needed(whole.null);
        let natural: Vec<usize> = names.iter().zip(&cells).map(|(name, cell)| *name.max(cell)).collect();
        let most = whole.width.unwrap_or(usize::MAX);
        if total(&natural) <= most {
            return Layout { widths: natural, more: false };
        }
        let least = self.columns.iter().zip(&cells).zip(&natural).map(|((column, &cell), &natural)| {
            let least = if column.numeric { cell.max(LEAST) } else { LEAST };
            least.min(natural)
        });
        let least: Vec<usize> = least.collect();
        let capped = |cap: usize| -> Vec<usize> {
            natural.iter().zip(&least).map(|(&natural, &least)| natural.min(cap.max(least))).collect()
        };
        let widest = natural.iter().copied().max().unwrap_or_default();
        // The more a cap allows the wider it gets: the last one that fits.
        let fitting = (LEAST..=widest).collect::<Vec<_>>().partition_point(|&cap| total(&capped(cap)) <= most);
        if fitting > 0 {
            return Layout { widths: capped(LEAST + fitting - 1), more: false };
        }
        let mut widths = least;
        while widths.len() > 1 && total(&widths) + GAP.len() + width(MORE) > most {
            widths.pop();
        }
        Layout { more: widths.len() < self.columns.len(), widths }
    }

    fn line<'a>(
        &self,
        cells: impl Iterator<Item = Cow<'a, str>>,
        layout: &Layout,
        cut: &mut usize,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let mut line = String::new();
        for ((cell, &wide), column) in cells.zip(&layout.widths).zip(&self.columns) {
            if !line.is_empty() {
                line.push_str(GAP);
            }
            let cell = fitted(cell, wide, cut);
            let padding = " ".repeat(wide.saturating_sub(width(&cell)));
            if column.numeric {
                line.push_str(&padding);
                line.push_str(&cell);
            } else {
                line.push_str(&cell);
                line.push_str(&padding);
            }
        }
        if layout.more {
            line.push_str(GAP);
            line.push_str(MORE);
        }
        writeln!(out, "{}", line.trim_end())
    }
}

/// A cell as it is shown.
fn shown_cell<'a>(cell: Option<&'a str>, null: &'a str) -> Cow<'a, str> {
    cell.map_or(Cow::Borrowed(null), printable)
}

/// Characters of a line with these columns.
fn total(widths: &[usize]) -> usize {
    widths.iter().sum::<usize>() + GAP.len() * widths.len().saturating_sub(1)
}

/// A cell of at most so many characters, with a mark where it was longer.
fn fitted<'a>(cell: Cow<'a, str>, wide: usize, cut: &mut usize) -> Cow<'a, str> {
    if width(&cell) <= wide {
        return cell;
    }
    *cut += 1;
    Cow::Owned(cell.chars().take(wide.saturating_sub(1)).chain(MORE.chars()).collect())
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
