//! Where an answer goes and in which format: a program that reads, a terminal with its pager, a file that is whole or not there.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use clap::Args;
use meridian_proto::Receipt;

use super::format::{Format, FormatError, Sheet, Whole};
use super::pager;
use super::receipt::Detail;
use super::terminal::Screen;
use super::{Error, say};

/// How an answer and its receipt are written.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Output {
    /// How the answer is written; without it as the ending of --output says, else as a table
    #[arg(long, value_enum)]
    pub(crate) format: Option<Format>,
    /// Write the answer into this file, which is there once the answer is whole
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// How much of the receipt is printed
    #[arg(long, value_enum, default_value_t)]
    pub(crate) receipt: Detail,
    /// Keep the receipt in this file, for `meridian receipt`
    #[arg(long, value_name = "FILE")]
    pub(crate) receipt_file: Option<PathBuf>,
    /// Say how long it took
    #[arg(long)]
    pub(crate) timing: bool,
    /// Don't cut a table to the width of the terminal
    #[arg(long)]
    pub(crate) wide: bool,
    /// Don't show a table that is longer than the terminal in a pager (the one that PAGER names, or less)
    #[arg(long)]
    pub(crate) no_pager: bool,
}

impl Output {
    /// The format that was asked for, or that the file's ending stands for.
    pub(crate) fn format(&self) -> Result<Format, Error> {
        match (self.format, &self.output) {
            (Some(format), _) => Ok(format),
            (None, Some(file)) if is_new_or_file(file) => Format::of(file).ok_or_else(|| {
                Error::Usage(format!(
                    "the ending of {} stands for no format: take .csv, .json, .jsonl, .md, .parquet, .arrow, .arrows, \
                     .geojson or .txt, or say --format",
                    file.display()
                ))
            }),
            (None, _) => Ok(Format::default()),
        }
    }

    /// Refuses what can be seen to fail before anything is asked; a terminal gets no bytes.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let format = self.format()?;
        if format.is_binary() && self.output.is_none() && io::stdout().is_terminal() {
            return Err(Error::Usage(
                "this is a binary format: name a file with --output, or redirect the output into a program".into(),
            ));
        }
        let folder = self.output.as_deref().map(folder_of);
        match folder {
            Some(folder) if !folder.is_dir() => Err(Error::Usage(format!(
                "the folder {} for --output is not there: make it (mkdir -p), or name another",
                folder.display()
            ))),
            _ => Ok(()),
        }
    }

    /// Writes columns of text as an answer is written.
    pub(crate) fn write_texts(&self, columns: Vec<(&str, StringArray)>, out: &mut dyn Write) -> Result<(), Error> {
        let fields = columns.iter().map(|(name, _)| Field::new(*name, DataType::Utf8, true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let columns = columns.into_iter().map(|(_, texts)| -> ArrayRef { Arc::new(texts) }).collect();
        let batch = RecordBatch::try_new(Arc::clone(&schema), columns);
        let batch = batch.map_err(|source| FormatError::Encode { format: "a list", source })?;
        let mut sheet = Sheet::new(self.format()?, schema)?;
        let mut target = Target::open(self, out)?;
        sheet.write(&batch, target.writer())?;
        target.finish(sheet, Whole::default())
    }

    /// Keeps the receipt where that was asked for.
    pub(crate) fn keep_receipt(&self, receipt: &Receipt) -> Result<(), Error> {
        let Some(file) = &self.receipt_file else { return Ok(()) };
        fs::write(file, receipt.encode()).map_err(|source| Error::Write { path: file.clone(), source })
    }
}

/// Where one answer goes.
pub(crate) enum Target<'a> {
    /// Whatever reads; with the screen where that is a terminal.
    Reader(&'a mut dyn Write, Option<Screen>),
    /// A file.
    File(NewFile),
}

impl<'a> Target<'a> {
    /// Opens what `output` says, and takes `out` where it says nothing.
    pub(crate) fn open(output: &Output, out: &'a mut dyn Write) -> Result<Self, Error> {
        Ok(match &output.output {
            Some(path) => Self::File(NewFile::create(path)?),
            None => Self::Reader(out, Screen::of_stdout(output.wide, output.no_pager)),
        })
    }

    /// Where rows are written.
    pub(crate) fn writer(&mut self) -> &mut dyn Write {
        match self {
            Self::Reader(out, _) => *out,
            Self::File(file) => file.writer(),
        }
    }

    /// Whether what is written is on the screen before the answer is whole.
    pub(crate) fn is_shown(&self, format: Format) -> bool {
        matches!(self, Self::Reader(_, Some(_))) && !format.is_held()
    }

    /// Writes the end of the answer, and says what of it is not shown.
    pub(crate) fn finish(self, sheet: Sheet, whole: Whole<'_>) -> Result<(), Error> {
        match self {
            Self::Reader(out, Some(screen)) => on_screen(&screen, sheet, whole, out),
            Self::Reader(out, None) => {
                sheet.finish(&whole, out)?;
                Ok(())
            }
            Self::File(mut file) => {
                sheet.finish(&whole, file.writer())?;
                file.keep()
            }
        }
    }
}

/// A table that is longer than the screen goes to the pager, which moves to the side too; else it is cut to fit.
fn on_screen(screen: &Screen, sheet: Sheet, whole: Whole<'_>, out: &mut dyn Write) -> Result<(), Error> {
    let lines = sheet.extent(whole.null).map_or(0, |(_, lines)| lines);
    if screen.pages && lines > screen.height {
        let mut text = Vec::new();
        sheet.finish(&whole, &mut text)?;
        out.flush()?;
        if !pager::show(&text) {
            out.write_all(&text)?;
            out.flush()?;
        }
        return Ok(());
    }
    let cut = sheet.finish(&Whole { width: screen.width, ..whole }, out)?;
    if let Some(note) = cut.note() {
        say(format_args!("{note}; --wide, a file (--output) or another format shows all of it"));
    }
    Ok(())
}

/// A file that takes the place of what is there under its name when it is whole.
pub(crate) struct NewFile {
    path: PathBuf,
    writer: BufWriter<File>,
    /// Where it is written until then; none where the name stands for a device or a pipe.
    beside: Option<PathBuf>,
}

impl NewFile {
    /// Begins it.
    pub(crate) fn create(path: &Path) -> Result<Self, Error> {
        let failed = |source| Error::Write { path: path.to_owned(), source };
        if !is_new_or_file(path) {
            let file = OpenOptions::new().write(true).open(path).map_err(failed)?;
            return Ok(Self { path: path.to_owned(), writer: BufWriter::new(file), beside: None });
        }
        let name = path.file_name().ok_or_else(|| failed(io::Error::other("it names no file")))?;
        let beside = folder_of(path).join(format!(".{}.{}.part", name.to_string_lossy(), std::process::id()));
        let file = File::create(&beside).map_err(failed)?;
        Ok(Self { path: path.to_owned(), writer: BufWriter::new(file), beside: Some(beside) })
    }

    /// Where it is written.
    pub(crate) fn writer(&mut self) -> &mut dyn Write {
        &mut self.writer
    }

    /// It is whole.
    pub(crate) fn keep(mut self) -> Result<(), Error> {
        let failed = |source| Error::Write { path: self.path.clone(), source };
        self.writer.flush().map_err(failed)?;
        match self.beside.take() {
            Some(beside) => fs::rename(&beside, &self.path).map_err(|source| {
                let _ = fs::remove_file(&beside);
                failed(source)
            }),
            None => Ok(()),
        }
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if let Some(beside) = self.beside.take() {
            let _ = fs::remove_file(beside);
        }
    }
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Whether there is nothing of that name yet, or a file: no device and no pipe.
fn is_new_or_file(path: &Path) -> bool {
    fs::metadata(path).map_or(true, |found| found.is_file())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
    use super::*;

    #[test]
    fn a_file_is_there_when_it_is_whole_and_its_ending_says_how_it_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("fires.csv");
        fs::write(&path, "before").unwrap();
        let mut given_up = NewFile::create(&path).unwrap();
        given_up.writer().write_all(b"half").unwrap();
        drop(given_up);
        assert_eq!(fs::read_to_string(&path).unwrap(), "before");
        let mut kept = NewFile::create(&path).unwrap();
        kept.writer().write_all(b"whole").unwrap();
        kept.keep().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "whole");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);

        let output = |path: &Path| Output { output: Some(path.to_owned()), ..Output::default() };
        assert_eq!(output(&path).format().unwrap(), Format::Csv);
        assert_eq!(output(Path::new("a.GeoJSON")).format().unwrap(), Format::Geojson);
        assert_eq!(output(Path::new("/dev/null")).format().unwrap(), Format::Table);
        let error = output(Path::new("fires.xls")).format().unwrap_err().to_string();
        assert!(error.contains("fires.xls") && error.contains(".parquet"), "{error}");
        let error = output(&dir.path().join("none/fires.csv")).check().unwrap_err().to_string();
        assert!(error.contains("mkdir"), "{error}");
    }
}
