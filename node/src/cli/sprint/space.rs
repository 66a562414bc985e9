//! The folder of a sprint: for each body what its node publishes, the questions, and `sprint.toml`.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, SchemaRef};
use meridian_proto::Name;

use super::super::Error;
use super::super::format::{Format, FormatError, Sheet, Whole};
use super::super::join::replace;
use super::super::local::create_dir;
use super::super::output::{Output, Target};
use super::super::say;
use super::agreement::Terms;
use super::file::{Dataset, Rows, Sprint};
use super::told::Told;
use super::twin::{self, Twin};
use super::values::Source;
use crate::config;
use crate::standards::Standard;

/// The rows of an open dataset, as its owner released them.
pub(super) struct Copied {
    pub(super) schema: SchemaRef,
    pub(super) batches: Vec<RecordBatch>,
}

/// Everything of which the folder is made.
pub(super) struct Space {
    /// Its datasets are filled in when they are written.
    pub(super) sprint: Sprint,
    pub(super) chosen: Vec<Told>,
    /// By the names of their datasets.
    pub(super) copies: BTreeMap<String, Copied>,
    /// The names of files, and what is in them.
    pub(super) questions: Vec<(String, String)>,
    /// The most rows that are made of a dataset.
    pub(super) rows: u64,
}

impl Space {
    /// Writes all of it, and returns what it is.
    pub(super) fn write(mut self, dir: &Path) -> Result<Sprint, Error> {
        for body in &self.sprint.bodies {
            for folder in ["datasets", "agreements", "data"] {
                create_dir(&dir.join(body.body.as_str()).join(folder))?;
            }
        }
        let source = self.source();
        let standards = config::built_in();
        for told in &self.chosen {
            let standard = standards.iter().find(|known| Some(&known.standard.name) == told.standard.as_ref());
            let written = self.write_dataset(told, standard.map(|known| &*known.standard), &source, dir)?;
            self.sprint.datasets.push(written);
        }
        self.write_agreements(dir)?;
        let queries = dir.join("queries");
        create_dir(&queries)?;
        for (name, text) in &self.questions {
            replace(&queries.join(name), text.as_bytes())?;
        }
        self.sprint.write(dir)?;
        Ok(self.sprint)
    }

    /// Made rows have the codes that stand in open ones.
    fn source(&self) -> Source {
        let mut source = Source::new(self.sprint.seed, self.sprint.made);
        for told in &self.chosen {
            let Some(copied) = self.copies.get(&told.full_name()) else { continue };
            for column in &told.columns {
                if let Some(concept) = &column.concept {
                    source.know(concept, copied.texts(column.name.as_str()));
                }
            }
        }
        source
    }

    fn write_dataset(
        &self,
        told: &Told,
        standard: Option<&Standard>,
        source: &Source,
        dir: &Path,
    ) -> Result<Dataset, Error> {
        let Sprint { name: sprint, made, .. } = &self.sprint;
        let folder = dir.join(told.body.as_str());
        let (file, rows, count) = match self.copies.get(&told.full_name()) {
            Some(copied) => {
                let path = format!("data/{}.parquet", told.name);
                copied.write(&folder.join(&path))?;
                (twin::copy(told, sprint, path, &made.to_string())?, Rows::Copied, copied.rows())
            }
            None => {
                let path = format!("data/{}.csv", told.name);
                let twin = Twin::new(source, told, standard, self.rows);
                twin.write_rows(source, &folder.join(&path))?;
                (twin.file(sprint, path)?, Rows::Synthetic, twin.rows)
            }
        };
        let file = file + &self.references(told)?;
        replace(&folder.join("datasets").join(told.name.as_str()).with_extension("toml"), file.as_bytes())?;
        Ok(Dataset { name: told.full_name(), rows, count })
    }

    /// The references to datasets whose rows are in the sprint as they are.
    fn references(&self, told: &Told) -> Result<String, Error> {
        let mut stanzas = String::new();
        for reference in &told.references {
            let to = self.chosen.iter().find(|other| reference.is_to(other));
            let Some(copied) = to.and_then(|to| self.copies.get(&to.full_name())) else {
                say(format_args!(
                    "{} is joined with {} at its owner's, and here it is not: that dataset is not in the sprint with its rows",
                    told.full_name(),
                    reference.name()
                ));
                continue;
            };
            let of = reference.of();
            let (schema, batches) = copied.columns([&of.key].into_iter().chain(&of.labels).map(Name::as_str))?;
            stanzas += &format!("\n{}", of.stanza(&schema, &batches)?);
        }
        Ok(stanzas)
    }

    fn write_agreements(&self, dir: &Path) -> Result<(), Error> {
        let Sprint { name, until, made, from, purposes, bodies, .. } = &self.sprint;
        let contact = format!("{} of {}", from.analyst, from.body);
        let terms = Terms { sprint: name, recipient: &from.body, contact: &contact, start: *made, until: *until };
        for body in bodies.iter().map(|body| &body.body).filter(|body| **body != from.body) {
            let datasets: Vec<&Told> = self.chosen.iter().filter(|told| told.body == *body).collect();
            for (number, purpose) in (1..).zip(purposes) {
                if let Some(text) = terms.agreement(number, purpose, &datasets)? {
                    let path = dir.join(body.as_str()).join(format!("agreements/sprint-{number}.toml"));
                    replace(&path, text.as_bytes())?;
                }
            }
        }
        Ok(())
    }
}

impl Copied {
    fn rows(&self) -> u64 {
        self.batches.iter().map(|batch| batch.num_rows() as u64).sum()
    }

    fn write(&self, path: &Path) -> Result<(), Error> {
        let output = Output { output: Some(path.to_owned()), ..Output::default() };
        let mut nowhere = io::sink();
        let (mut sheet, mut target) =
            (Sheet::new(Format::Parquet, SchemaRef::clone(&self.schema))?, Target::open(&output, &mut nowhere)?);
        for batch in &self.batches {
            sheet.write(batch, target.writer())?;
        }
        target.finish(sheet, Whole::default())
    }

    /// The values of a column as texts, each once.
    fn texts(&self, column: &str) -> Vec<String> {
        let mut texts = Vec::new();
        for batch in &self.batches {
            let cells = batch.column_by_name(column).and_then(|cells| cast(cells, &DataType::Utf8).ok());
            let cells = cells.as_ref().and_then(|cells| cells.as_string_opt::<i32>());
            texts.extend(cells.into_iter().flatten().flatten().map(str::to_owned));
        }
        texts.sort_unstable();
        texts.dedup();
        texts
    }

    /// Some of the columns, in this order.
    fn columns<'a>(&self, names: impl Iterator<Item = &'a str>) -> Result<(SchemaRef, Vec<RecordBatch>), Error> {
        let unfit = |source| FormatError::Encode { format: "a reference", source };
        let places = names.map(|name| self.schema.index_of(name)).collect::<Result<Vec<_>, _>>().map_err(unfit)?;
        let schema = self.schema.project(&places).map_err(unfit)?;
        let batches = self.batches.iter().map(|batch| batch.project(&places)).collect::<Result<_, _>>();
        Ok((SchemaRef::new(schema), batches.map_err(unfit)?))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
    use std::sync::Arc;

    use arrow::array::{ArrayRef, BooleanArray, StringArray};
    use arrow::datatypes::{Field, Schema};
    use meridian_proto::Form;
    use serde_json::json;

    use super::super::file::{Body, Origin};
    use super::super::told::tests::told;
    use super::*;
    use crate::config::Config;

    const EVERY_TYPE: [[&str; 3]; 10] = [
        ["id", "bigint", "identifier"],
        ["done", "boolean", "dimension"],
        ["year", "integer", "dimension"],
        ["cost", "decimal(38,10)", "measure"],
        ["score", "double", "measure"],
        ["size", "bigint", "measure"],
        ["ward", "varchar", "dimension"],
        ["paid", "date", "dimension"],
        ["seen", "timestamp", "dimension"],
        ["shape", "bytea", "hidden"],
    ];

    fn space(chosen: Vec<Told>, copies: BTreeMap<String, Copied>) -> Space {
        let name = |text: &str| -> Name { text.parse().unwrap() };
        let body = |body: &str| Body { body: name(body), title: "A body".into() };
        let sprint = Sprint {
            name: name("homes"),
            federation: name("london"),
            until: "2026-12-11".parse().unwrap(),
            made: "2026-11-27".parse().unwrap(),
            seed: 1,
            purposes: vec!["fire-risk".into(), "ward-risk".into()],
            queries: Vec::new(),
            from: Origin { node: "https://a:1".into(), body: name("loda"), analyst: name("asha"), profile: None },
            bodies: vec![body("lfb"), body("loda")],
            datasets: Vec::new(),
        };
        Space { sprint, chosen, copies, questions: vec![("q.sql".into(), "SELECT 1".into())], rows: 50 }
    }

    /// What the node of a body would read, with the other as a member.
    fn config(dir: &Path, body: &str, other: &str) -> Config {
        let folder = dir.join(body);
        let node = format!(
            "federation = \"london\"\nbody = \"{body}\"\ntitle = \"A body\"\nlisten = \"127.0.0.1:1\"\nstate = \"state\"\n\n\
             [tls]\nca = \"a.pem\"\ncert = \"a.pem\"\nkey = \"a.pem\"\n\n[[members]]\nbody = \"{other}\"\n\
             endpoint = \"https://127.0.0.1:2\"\n"
        );
        replace(&folder.join("a.pem"), b"").unwrap();
        replace(&folder.join("node.toml"), node.as_bytes()).unwrap();
        Config::load(&folder.join("node.toml")).unwrap_or_else(|errors| panic!("{errors}"))
    }

    #[test]
    fn a_node_reads_what_is_written_and_finds_the_terms_that_were_told() {
        let mut counted = told("lfb.counted", "statistics", &EVERY_TYPE[..9]);
        (counted.threshold, counted.unit, counted.needs_agreement) = (Some(12), Some("person".parse().unwrap()), true);
        counted.description = "Of two\nlines, \"quoted\"".into();
        counted.update_frequency = Some("monthly".into());
        counted.keywords = vec!["homes".into()];
        counted.columns[2].ranges = true;
        counted.columns[6].concept = Some("gss:ward".into());
        counted.coverage = serde_json::from_value(json!([
            { "column": "ward", "value": "E05000001" },
            { "column": "year", "value": "2024" },
            { "column": "paid", "from": "2020-01-01", "to": null },
            { "column": "cost", "from": "0.5", "to": "1000" },
        ]))
        .unwrap();
        counted.references =
            serde_json::from_value(json!([{ "body": "loda", "dataset": "wards", "key": "gss", "labels": ["inner"] }]))
                .unwrap();
        // A view is told without a unit.
        let mut homes = told("lfb.homes", "statistics", &[["borough_gss", "varchar", "dimension"]]);
        homes.standard = Some("dwellings".parse().unwrap());
        homes.threshold = Some(10);
        let listed = told("lfb.listed", "rows", &EVERY_TYPE);
        let mut large = told("lfb.large", "open", &EVERY_TYPE);
        large.rows_at_most = Some(100_000_000);
        let wards = told("loda.wards", "open", &[["gss", "varchar", "dimension"], ["inner", "boolean", "dimension"]]);
        let schema = Arc::new(Schema::new(vec![
            Field::new("gss", DataType::Utf8, true),
            Field::new("inner", DataType::Boolean, true),
        ]));
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from(vec!["E05000001", "E05000002"])),
            Arc::new(BooleanArray::from(vec![true, false])),
        ];
        let batches = vec![RecordBatch::try_new(Arc::clone(&schema), columns).unwrap()];
        let copies = BTreeMap::from([("london.loda.wards".to_owned(), Copied { schema, batches })]);
        let dir = tempfile::tempdir().unwrap();
        let sprint = space(vec![counted, homes, large, listed, wards], copies).write(dir.path()).unwrap();

        let rows: Vec<_> = sprint.datasets.iter().map(|dataset| (dataset.rows, dataset.count)).collect();
        assert_eq!(rows, [[(Rows::Synthetic, 50); 4].as_slice(), &[(Rows::Copied, 2)]].concat());
        let lfb = config(dir.path(), "lfb", "loda");
        let counted = lfb.dataset("counted").unwrap();
        let dataset = &counted.dataset;
        assert_eq!((dataset.form, dataset.threshold, dataset.needs_agreement), (Form::Statistics, 12, true));
        assert_eq!((dataset.unit_kind.as_str(), dataset.coverage.len(), dataset.size_class), ("person", 4, 3));
        assert!(dataset.title.ends_with("(made-up rows)") && dataset.description.starts_with("SYNTHETIC"));
        assert!(dataset.columns[2].ranges && counted.references.len() == 1);
        // What the standard requires is there, and nobody sees it.
        let homes = &lfb.dataset("homes").unwrap().dataset;
        assert!(homes.column("households").is_some() && homes.visible_columns().count() == 1);
        assert_eq!(lfb.agreements.len(), 2);
        for (number, agreement) in (1..).zip(&lfb.agreements) {
            assert_eq!(agreement.id, format!("sprint-homes-{number}"));
            assert_eq!(agreement.end.to_string(), "2026-12-12");
            let granted: Vec<_> = agreement.grants.iter().map(|grant| (grant.dataset.as_str(), grant.form)).collect();
            assert_eq!(granted, [("counted", Form::Statistics), ("listed", Form::Rows)]);
        }
        let loda = config(dir.path(), "loda", "lfb");
        assert!(loda.dataset("wards").is_some() && loda.agreements.is_empty());
        assert_eq!(Sprint::read(dir.path()).unwrap(), sprint);
    }
}
