//! `meridian standard list` and `show`.

use std::io::Write;

use clap::Args;

use super::super::Error;
use super::super::format::printable;
use super::Known;
use crate::standards::{StandardColumn, ValidValues};

/// Options of `meridian standard list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    known: Known,
}

impl List {
    /// A line for each.
    pub(crate) fn run(self, out: &mut dyn Write) -> Result<(), Error> {
        for known in self.known.all()? {
            let place = if known.built_in { "built in".to_owned() } else { known.file.display().to_string() };
            let (name, title) = (&known.standard.name, &known.standard.title);
            writeln!(out, "{:<16} {:<44} {}", name.as_str(), printable(title), printable(&place))?;
        }
        Ok(())
    }
}

/// Options of `meridian standard show`.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The standard
    name: String,
    #[command(flatten)]
    known: Known,
}

impl Show {
    /// Its title, and two lines for each column.
    pub(crate) fn run(self, out: &mut dyn Write) -> Result<(), Error> {
        let standard = self.known.named(&self.name)?;
        writeln!(out, "{}: {}", standard.name, printable(&standard.title))?;
        if !standard.keys.is_empty() {
            let keys: Vec<&str> = standard.keys.iter().map(meridian_proto::Name::as_str).collect();
            writeln!(out, "no two rows have the same {}", keys.join(" and "))?;
        }
        for column in &standard.columns {
            let StandardColumn { name, column_type, required, description, .. } = column;
            let required = if *required { "required" } else { "" };
            writeln!(out, "  {:<18} {:<14} {required:<9} {}", name.as_str(), column_type.to_string(), valid(column))?;
            if !description.is_empty() {
                writeln!(out, "  {:<18} {}", "", printable(description))?;
            }
        }
        Ok(())
    }
}

fn valid(column: &StandardColumn) -> String {
    let text = match &column.values {
        None => String::new(),
        Some(ValidValues::List(values)) => values.join(", "),
        Some(ValidValues::Range { from: Some(from), to: Some(to) }) => format!("{from} to {to}"),
        Some(ValidValues::Range { from: Some(from), to: None }) => format!("{from} and more"),
        Some(ValidValues::Range { from: None, to: Some(to) }) => format!("up to {to}"),
        Some(ValidValues::Range { from: None, to: None }) => String::new(),
        Some(ValidValues::Pattern(pattern)) => format!("like {pattern}"),
    };
    printable(&text).into_owned()
}
