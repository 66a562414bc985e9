//! Checks a dataset's columns against the standard that it claims.

use std::sync::Arc;

use meridian_proto::{Column, Form};

use super::super::problem::{File, Report};
use super::super::{StandardConfig, raw};
use crate::standards::Standard;

/// The standard, if the node knows it: all bodies may ask it by its columns, so that one that is required is there, and each
/// has its type.
pub(super) fn check(
    file: &File,
    raw: &raw::Dataset,
    columns: &[Column],
    standards: &[StandardConfig],
    report: &mut Report,
) -> Option<Arc<Standard>> {
    let said = raw.standard.as_ref()?;
    let known = standards.iter().find(|known| known.standard.name.as_str() == said.get_ref())?;
    let standard = &known.standard;
    if raw.columns.is_empty() && *raw.form.get_ref() == Form::None {
        return Some(Arc::clone(standard));
    }
    for wanted in &standard.columns {
        let name = &wanted.name;
        let written = raw.columns.iter().find(|column| column.name.get_ref() == name.as_str());
        match (written, columns.iter().find(|column| column.name == *name)) {
            (Some(written), Some(found)) if found.column_type != wanted.column_type => {
                let what = format!(
                    "column {name} is of type {}, and of type {} in the standard `{}`",
                    found.column_type, wanted.column_type, standard.name
                );
                let fix = format!("write type = \"{}\", for which the mapping may cast it", wanted.column_type);
                file.problem(report, written.column_type.span(), what, fix);
            }
            (None, _) if wanted.required => {
                let what = format!("the standard `{}` requires column {name}, which is not published", standard.name);
                let fix = format!(
                    "add it to [[columns]] with type = \"{}\" and to the mapping, or leave standard out",
                    wanted.column_type
                );
                file.problem(report, said.span(), what, fix);
            }
            _ => {}
        }
    }
    Some(Arc::clone(standard))
}
