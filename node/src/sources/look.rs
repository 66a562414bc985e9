//! Records of a file that nobody has mapped yet, as a source would read them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, AsArray};

use super::files::{FileFault, Files};
use super::{CsvFormat, SourceKind, Tidy};

/// A file that can't be looked at.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} can't be read as records: {why}; correct the file, or say how fields are delimited", path.display())]
pub struct Unread {
    /// The file.
    pub path: PathBuf,
    /// Why; names the line, and holds nothing of it.
    pub why: String,
}

/// The first records of a file, its heading among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Records {
    /// Each with its cells as text; an empty one is `None`.
    pub rows: Vec<Vec<Option<String>>>,
    /// How many columns there are.
    pub columns: usize,
    /// What a mapping calls them where the source has its heading in the first row; `None` if it can't have.
    pub names: Option<Vec<String>>,
}

/// Reads so many records at most.
pub fn records(path: &Path, delimiter: u8, most: usize) -> Result<Records, Unread> {
    read(path, delimiter, most).map_err(|fault| Unread { path: path.to_path_buf(), why: fault.why() })
}

fn read(path: &Path, delimiter: u8, most: usize) -> Result<Records, FileFault> {
    let format =
        |header| CsvFormat { delimiter, header, encoding: None, skip: 0, pad: false, tidy: Tidy::default() };
    let opened = |header| Files::open(path, &SourceKind::Csv(format(header)));
    let file = Arc::new(opened(false)?);
    let columns = file.schema().fields().len();
    let mut rows = Vec::new();
    for part in file.parts() {
        let batch = part?.batch;
        let texts: Vec<_> = batch.columns().iter().filter_map(|column| column.as_string_opt::<i32>()).collect();
        for row in 0..batch.num_rows().min(most - rows.len()) {
            let cell = |texts: &&arrow::array::StringArray| texts.is_valid(row).then(|| texts.value(row).to_owned());
            rows.push(texts.iter().map(cell).collect());
        }
        if rows.len() >= most {
            break;
        }
    }
    let names = opened(true).ok();
    let names = names.map(|file| file.schema().fields().iter().map(|field| field.name().clone()).collect());
    Ok(Records { rows, columns, names })
}
