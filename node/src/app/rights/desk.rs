//! What an officer of the body does with the list of rights: whom it is about, which datasets, and when it takes effect.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use datafusion::prelude::SessionContext;
use meridian_federation::session;
use meridian_proto::{Column, Name};

use super::{kinds, now_ms, recorded};
use crate::app::terms;
use crate::audit::{self, Log, LogError, Record, Recorded};
use crate::config::{Config, DatasetConfig, UnitKey};
use crate::rights::{Entry, List, Right, RightsError, Store};
use crate::secrets::{Purpose, Secret, SecretError};
use crate::sources::{self, SourceSpec};

/// Characters of a reference.
const LONGEST_REFERENCE: usize = 64;
/// A unit's value that is shorter stands in many a number by chance (characters).
const TELLING: usize = 5;

/// Why a right is not exercised, or not reported on. No unit and no value stands in it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DeskError {
    /// The node's secret can't be had.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The list.
    #[error(transparent)]
    List(#[from] RightsError),
    /// The log can't be read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// What was said can't be meant.
    #[error("{0}")]
    Said(String),
    /// It is done, and the log doesn't say so yet.
    #[error(
        "entry {number} stands and takes effect, but it is not recorded in the log yet: {why}; the node records it as soon \
         as it can"
    )]
    Unrecorded {
        /// The entry.
        number: u64,
        /// Why.
        why: LogError,
    },
}

/// What the body says of its own case.
#[derive(Debug, Clone, Default)]
pub(crate) struct Case {
    /// It stands in the log.
    pub(crate) reference: String,
    /// It stays in the sealed list.
    pub(crate) reason: String,
}

/// What was done.
#[derive(Debug)]
pub(crate) struct Done {
    /// The entry.
    pub(crate) entry: Entry,
    /// What becomes of which dataset.
    pub(crate) concerned: Vec<Concerned>,
    /// Datasets of the kind that it can't be applied to, and why.
    pub(crate) beyond: Vec<(Name, &'static str)>,
    /// Whether it is in the log already; otherwise the node that runs records it.
    pub(crate) recorded: bool,
}

/// What becomes of a dataset.
#[derive(Debug)]
pub(crate) struct Concerned {
    /// The dataset.
    pub(crate) dataset: Name,
    /// When.
    pub(crate) effect: Effect,
    /// How many rows of the unit its source holds now, or why that can't be told; `None` where it wasn't looked up.
    pub(crate) rows: Option<Result<usize, String>>,
}

/// When an entry takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Within seconds where the node runs, otherwise when it starts.
    AtOnce,
    /// With the snapshot of the period that begins then.
    Snapshot(DateTime<Utc>),
    /// Nothing of the dataset is released.
    Never,
}

/// An entry as it is listed.
#[derive(Debug)]
pub(crate) struct Listed {
    /// The entry.
    pub(crate) entry: Entry,
    /// The entry that ended it.
    pub(crate) ended: Option<u64>,
    /// Since when it is in force in which dataset, by the log (milliseconds since the Unix epoch).
    pub(crate) in_force: Vec<(String, u64)>,
}

/// What is right where the source is wrong.
#[derive(Debug)]
pub(crate) struct Rectification {
    /// The dataset.
    pub(crate) dataset: String,
    /// Columns and values.
    pub(crate) values: Vec<(String, String)>,
    /// Whether it ends when the source holds them.
    pub(crate) until_corrected: bool,
}

/// The node's list as an officer of its body works with it, whether the node runs or not.
pub(crate) struct Desk {
    pub(super) config: Config,
    pub(super) secret: Secret,
    pub(super) context: SessionContext,
    store: Store,
}

impl Desk {
    /// The list of the node of this configuration.
    pub(crate) fn open(config: Config) -> Result<Self, DeskError> {
        let secret = Secret::open(&config.node.state)?;
        let store = Store::new(&config.node.state, &secret);
        let settings = session::session_config().with_target_partitions(config.node.limits.target_partitions);
        Ok(Self { config, secret, context: SessionContext::new_with_config(settings), store })
    }

    /// Leaves a unit out: of the datasets named, or of all of its kind.
    pub(crate) async fn leave_out(
        &self,
        right: Right,
        kind: &str,
        unit: &str,
        datasets: &[String],
        case: Case,
    ) -> Result<Done, DeskError> {
        let kind = self.kind(kind)?;
        let (about, beyond) = self.about(&kind, datasets)?;
        let units = self.units(&kind, unit, &about)?;
        let entry = Entry { named: !datasets.is_empty(), units, ..entry(right, &kind, &about, checked(case, unit)?) };
        let entry = self.add(entry)?;
        self.done(entry, &about, beyond).await
    }

    /// Overlays values of a unit.
    pub(crate) async fn rectify(&self, unit: &str, said: Rectification, case: Case) -> Result<Done, DeskError> {
        let config = self.dataset(&said.dataset)?;
        let kind = kinds(config).own.ok_or_else(|| nameless(config))?.clone();
        let values = values(config, said.values)?;
        let units = self.units(&kind, unit, &[config])?;
        let until_corrected = said.until_corrected;
        let entry = entry(Right::Rectify, &kind, &[config], checked(case, unit)?);
        let entry = self.add(Entry { named: true, units, values, until_corrected, ..entry })?;
        self.done(entry, &[config], Vec::new()).await
    }

    /// Ends an entry.
    pub(crate) async fn withdraw(&self, number: u64, case: Case) -> Result<Done, DeskError> {
        let Case { reference, reason } = checked(case, "")?;
        let entry = self.store.add(self.least()?, |list| {
            let ended = list.standing().find(|entry| entry.number == number);
            let ended = ended.ok_or(RightsError::NotStanding { number })?;
            Ok::<_, RightsError>(Entry {
                right: Right::Withdraw,
                at_ms: now_ms(),
                ends: Some(number),
                units: Vec::new(),
                values: Vec::new(),
                until_corrected: false,
                reference,
                reason,
                ..ended.clone()
            })
        })?;
        let about: Vec<_> = self.config.datasets.iter().filter(|config| self.is_about(&entry, config)).collect();
        self.done(entry, &about, Vec::new()).await
    }

    /// All entries, oldest first.
    pub(crate) fn list(&self) -> Result<Vec<Listed>, DeskError> {
        let lines = self.log()?;
        let list = self.read()?;
        let mut in_force: HashMap<u64, Vec<(String, u64)>> = HashMap::new();
        for line in &lines {
            if let Record::Effect { dataset, rights } = &line.record {
                rights.iter().for_each(|number| {
                    in_force.entry(*number).or_default().push((dataset.clone(), line.time_ms));
                });
            }
        }
        let listed = |entry: &Entry| Listed {
            ended: list.end_of(entry.number).map(|end| end.number),
            in_force: in_force.remove(&entry.number).unwrap_or_default(),
            entry: entry.clone(),
        };
        Ok(list.entries().iter().map(listed).collect())
    }

    pub(super) fn log(&self) -> Result<Vec<Recorded>, LogError> {
        audit::records_if_any(&self.audit())
    }

    /// The list, with all the entries that the log tells of.
    pub(super) fn read(&self) -> Result<List, DeskError> {
        Ok(self.store.read(self.least()?)?)
    }

    pub(super) fn kind(&self, kind: &str) -> Result<Name, DeskError> {
        kind.parse()
            .map_err(|_| DeskError::Said(format!("--kind is {kind:?}, which is no name; {}", self.known_kinds())))
    }

    /// The datasets whose rows can be found by units of a kind, all or those named; and those that can't.
    pub(super) fn about(
        &self,
        kind: &Name,
        named: &[String],
    ) -> Result<(Vec<&DatasetConfig>, Vec<(Name, &'static str)>), DeskError> {
        let mut about = Vec::new();
        for name in named {
            let config = self.dataset(name)?;
            if !kinds(config).contain(kind) {
                return Err(self.unfit(config, kind));
            }
            about.push(config);
        }
        if !named.is_empty() {
            return Ok((about, Vec::new()));
        }
        let of_kind = |config: &&DatasetConfig| config.unit.as_ref().is_some_and(|unit| unit.kind == *kind);
        about.extend(self.config.datasets.iter().filter(|config| kinds(config).contain(kind)));
        let nameless = self.config.datasets.iter().filter(of_kind).filter(|config| !kinds(config).contain(kind));
        let beyond: Vec<_> = nameless.map(|config| (config.dataset.name.clone(), EACH_ROW)).collect();
        if about.is_empty() {
            let what = if beyond.is_empty() { "no dataset has units of kind" } else { "no column names units of kind" };
            return Err(DeskError::Said(format!("{what} {kind}; {}", self.known_kinds())));
        }
        Ok((about, beyond))
    }

    /// The hashes that stand for a unit in these datasets: as a text, and as a value of each column that names units.
    pub(super) fn units(&self, kind: &Name, unit: &str, about: &[&DatasetConfig]) -> Result<Vec<u64>, DeskError> {
        let key = self.secret.key(Purpose::Units(kind.as_str()));
        let columns: Vec<&Column> = about.iter().filter_map(|config| naming(config, kind)).collect();
        let typed: Vec<u64> =
            columns.iter().filter_map(|column| sources::unit_named(&key, column.column_type, unit)).collect();
        if unit.trim().is_empty() || typed.is_empty() {
            let of = |column: &&Column| format!("{} {}", column.name, column.column_type);
            let columns: Vec<String> = columns.iter().map(of).collect();
            return Err(DeskError::Said(format!(
                "the unit is no value of the columns that name units of kind {kind} ({}); spell it as they do",
                columns.join(", ")
            )));
        }
        let units: BTreeSet<u64> = typed.into_iter().chain([sources::unit_hash(&key, unit)]).collect();
        Ok(units.into_iter().collect())
    }

    pub(super) fn spec(&self, config: &DatasetConfig) -> SourceSpec {
        terms::unmarked(&self.config.node, config, &self.secret)
    }

    /// Adds an entry to the list.
    pub(super) fn add(&self, entry: Entry) -> Result<Entry, DeskError> {
        self.store.add(self.least()?, |_| Ok(entry))
    }

    /// Records whatever the log lacks, unless a node has it; whether that is done.
    pub(super) async fn record(&self, number: u64) -> Result<bool, DeskError> {
        let keeping = super::super::keeping(&self.config.node, &self.secret);
        let unrecorded = |why| DeskError::Unrecorded { number, why };
        let Some(log) = Log::open_if_free(&self.audit(), &keeping).map_err(unrecorded)? else { return Ok(false) };
        let list = self.store.read(log.found().last())?;
        for entry in list.entries().iter().filter(|entry| !log.found().rights.contains(&entry.number)) {
            log.right(recorded(entry)).await.map_err(unrecorded)?;
        }
        Ok(true)
    }

    async fn done(
        &self,
        entry: Entry,
        about: &[&DatasetConfig],
        beyond: Vec<(Name, &'static str)>,
    ) -> Result<Done, DeskError> {
        let recorded = self.record(entry.number).await?;
        let units: HashSet<u64> = entry.units.iter().copied().collect();
        let mut concerned = Vec::new();
        for config in about {
            let (dataset, now, spec) = (config.dataset.name.clone(), Utc::now(), self.spec(config));
            let effect = match sources::takes_effect(&spec, now) {
                _ if config.dataset.form == meridian_proto::Form::None => Effect::Never,
                Some(start) => Effect::Snapshot(start),
                None => Effect::AtOnce,
            };
            let rows = if units.is_empty() {
                None
            } else {
                let rows = sources::in_source(&spec, &units, &self.context).await;
                Some(rows.map(|found| found.rows()).map_err(|error| error.to_string()))
            };
            concerned.push(Concerned { dataset, effect, rows });
        }
        Ok(Done { entry, concerned, beyond, recorded })
    }

    fn is_about(&self, entry: &Entry, config: &DatasetConfig) -> bool {
        entry.datasets.contains(&config.dataset.name) || (!entry.named && kinds(config).contain(&entry.unit_kind))
    }

    fn dataset(&self, name: &str) -> Result<&DatasetConfig, DeskError> {
        self.config.dataset(name).ok_or_else(|| {
            let names: Vec<&str> = self.config.datasets.iter().map(|config| config.dataset.name.as_str()).collect();
            DeskError::Said(format!("no dataset {name:?} is configured; there are: {}", names.join(", ")))
        })
    }

    fn unfit(&self, config: &DatasetConfig, kind: &Name) -> DeskError {
        let name = &config.dataset.name;
        match &config.unit {
            None => DeskError::Said(format!(
                "dataset {name} has no [unit], so that nobody's rows can be found in it; say in {} which column names whom \
                 its rows are about",
                config.file.display()
            )),
            Some(unit) if unit.kind == *kind => nameless(config),
            Some(unit) => {
                let outer = unit.belongs_to.iter().map(|belongs| &belongs.kind);
                let kinds: Vec<&str> = std::iter::once(&unit.kind).chain(outer).map(Name::as_str).collect();
                DeskError::Said(format!("dataset {name} has no units of kind {kind}, but of {}", kinds.join(" and ")))
            }
        }
    }

    fn known_kinds(&self) -> String {
        let units = self.config.datasets.iter().filter_map(|config| config.unit.as_ref());
        let kinds = units.flat_map(|unit| [Some(&unit.kind), unit.belongs_to.as_ref().map(|belongs| &belongs.kind)]);
        let kinds: BTreeSet<&str> = kinds.flatten().map(Name::as_str).collect();
        match kinds.is_empty() {
            true => {
                "no dataset has a [unit]: say in a dataset's file which column names whom its rows are about".into()
            }
            false => format!("kinds: {}", kinds.into_iter().collect::<Vec<_>>().join(", ")),
        }
    }

    fn least(&self) -> Result<u64, LogError> {
        Ok(audit::rights(&self.audit())?.last())
    }

    fn audit(&self) -> PathBuf {
        self.config.node.state.join("audit")
    }
}

const EACH_ROW: &str = "each of its rows is a unit of its own and has no name";

fn nameless(config: &DatasetConfig) -> DeskError {
    let (name, file) = (&config.dataset.name, config.file.display());
    let why = if config.unit.is_some() { EACH_ROW } else { "it has no [unit]" };
    DeskError::Said(format!(
        "nobody's rows can be found in dataset {name}: {why}; say in {file} which column names whom its rows are about"
    ))
}

/// An entry of now, about these datasets.
pub(super) fn entry(right: Right, kind: &Name, about: &[&DatasetConfig], case: Case) -> Entry {
    Entry {
        number: 0,
        at_ms: now_ms(),
        right,
        unit_kind: kind.clone(),
        units: Vec::new(),
        named: false,
        datasets: about.iter().map(|config| config.dataset.name.clone()).collect(),
        values: Vec::new(),
        until_corrected: false,
        ends: None,
        reference: case.reference,
        reason: case.reason,
    }
}

/// A case whose reference may stand in the log for good.
pub(super) fn checked(case: Case, unit: &str) -> Result<Case, DeskError> {
    let reference = &case.reference;
    let plain = reference.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._/:-".contains(&byte));
    if reference.len() > LONGEST_REFERENCE || !plain {
        return Err(DeskError::Said(format!(
            "--reference is no case number: write at most {LONGEST_REFERENCE} letters, digits and ._/:-, since it stands \
             in the log for good"
        )));
    }
    let unit = unit.trim().to_ascii_lowercase();
    if unit.len() >= TELLING && reference.to_ascii_lowercase().contains(&unit) {
        return Err(DeskError::Said(
            "--reference names the unit, and it would stand in the log for good; write the number of the case".into(),
        ));
    }
    Ok(case)
}

/// The column by which a dataset's rows are found by units of a kind.
fn naming<'a>(config: &'a DatasetConfig, kind: &Name) -> Option<&'a Column> {
    let unit = config.unit.as_ref()?;
    let own = match &unit.key {
        UnitKey::Column { name, .. } if unit.kind == *kind => Some(name),
        UnitKey::Column { .. } | UnitKey::EachRow => None,
    };
    let outer = unit.belongs_to.as_ref().filter(|belongs| belongs.kind == *kind).map(|belongs| &belongs.column);
    config.dataset.column(own.or(outer)?.as_str())
}

/// Right values, each of its column's type and domain.
fn values(config: &DatasetConfig, said: Vec<(String, String)>) -> Result<Vec<(Name, String)>, DeskError> {
    let mut values: Vec<(Name, String)> = Vec::with_capacity(said.len());
    for (name, text) in said {
        let dataset = &config.dataset.name;
        let wrong = |why: String| DeskError::Said(format!("dataset {dataset}: column {name}: {why}"));
        let column = config.dataset.column(&name).ok_or_else(|| {
            let names: Vec<&str> = config.dataset.columns.iter().map(|column| column.name.as_str()).collect();
            wrong(format!("it is not published; there are: {}", names.join(", ")))
        })?;
        let unit = config.unit.as_ref();
        let key = unit.and_then(|unit| match &unit.key {
            UnitKey::Column { name, .. } => Some(name),
            UnitKey::EachRow => None,
        });
        if key == Some(&column.name) || unit.and_then(|unit| unit.record_key.as_ref()) == Some(&column.name) {
            return Err(wrong("it tells whom a row is about, and nothing of them; correct it in the source".into()));
        }
        if values.iter().any(|(taken, _)| *taken == column.name) {
            return Err(wrong("it is set twice; say which value is right".into()));
        }
        let literal = |text: &str| sources::literal(column.column_type, text);
        let value = literal(&text).ok_or_else(|| wrong(format!("the value is no {}", column.column_type)))?;
        let holds = |domain: &Vec<String>| domain.iter().any(|known| literal(known).as_ref() == Some(&value));
        if config.domains.get(&column.name).is_some_and(|domain| !holds(domain)) {
            return Err(wrong("the value is not in its domain; correct the domain in the dataset's file first".into()));
        }
        let mut coverage = config.dataset.coverage.iter().filter(|coverage| coverage.column == column.name);
        if coverage.any(|coverage| !sources::is_covered(column.column_type, &coverage.covers, &value)) {
            return Err(wrong("the value lies outside of the declared coverage; leave the row out instead".into()));
        }
        values.push((column.name.clone(), text));
    }
    if values.is_empty() {
        return Err(DeskError::Said("nothing is set; write --set column=value".into()));
    }
    Ok(values)
}
