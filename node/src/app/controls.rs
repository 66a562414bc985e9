//! What answers depend on beside a dataset's rows: noise, dominance, threshold, bounds, precision and declared tables. It
//! stays as long as the snapshot of the rows, over restarts too.
//!
//! The same rows answered with other noise would be two observations of each cell. So what the dataset's file says of
//! these takes effect with the next snapshot, and until then the node keeps to what is sealed beside the present one;
//! its log says what waits, and until when. A threshold that is raised holds at once, as an agreement's does; but not that
//! of declared tables, which would withhold other cells of the same rows. Rows that are live have no snapshot: there a
//! change holds at once. Another definition of the rows, such as other columns, takes a snapshot of its own, and with it what
//! the file says then.

use std::collections::BTreeMap;
use std::sync::Arc;

use meridian_disclosure::noise::{CountTable, MagnitudeTable, Parameters, TableError};
use meridian_proto::{Dataset, Form, Name};
use serde::{Deserialize, Serialize};

use super::terms::Ground;
use crate::config::{DatasetConfig, DominanceConfig, HistoryMode, NoiseConfig, Precision, TableConfig};
use crate::gate::{Controls, Dominance};
use crate::secrets::Purpose;
use crate::sources::{self, Beside, Loaded, SourceError, SourceSpec};

/// Noise of sums where that of counts comes from a file: the largest, and its variance, in contributions.
const SUMS_BESIDE_A_TABLE: (u32, f64) = (5, 2.0);

/// Why a dataset's controls can't be made.
#[derive(Debug, thiserror::Error)]
pub(super) enum ControlsError {
    /// The noise can't be had.
    #[error("the noise of {dataset}: {why}")]
    Noise {
        /// The dataset.
        dataset: Name,
        /// What is wrong with it.
        why: TableError,
    },
    /// The table's file can't be read.
    #[error("the noise of {dataset}: {file} can't be read: {why}")]
    File {
        /// The dataset.
        dataset: Name,
        /// The file.
        file: String,
        /// The operating system's reason.
        why: std::io::Error,
    },
    /// Declared tables are exact, and everything else would be noisy.
    #[error(
        "the noise of {dataset}: its table adds noise, and the dataset declares tables: leave out [[tables]], or take a table that rounds, or noise = \"none\""
    )]
    Tables {
        /// The dataset.
        dataset: Name,
    },
    /// What is kept beside the snapshot.
    #[error(transparent)]
    Kept(#[from] SourceError),
    /// What is kept beside the snapshot is of another version of this program.
    #[error(
        "what is kept beside the snapshot of {dataset} can't be read by this version: {why}; remove the snapshot to have another taken"
    )]
    Text {
        /// The dataset.
        dataset: Name,
        /// The reason.
        why: String,
    },
}

/// What stays as long as a snapshot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Fixed {
    threshold: u32,
    history: HistoryMode,
    /// The content of the table's file, where noise is one.
    table: Option<String>,
    noise: NoiseConfig,
    dominance: DominanceConfig,
    pub(super) bounds: BTreeMap<Name, (f64, f64)>,
    pub(super) precision: BTreeMap<Name, Precision>,
    /// The domains of the dimensions of declared tables.
    #[serde(default)]
    pub(super) domains: BTreeMap<Name, Vec<String>>,
    /// The declared tables.
    #[serde(default)]
    pub(super) tables: Vec<TableConfig>,
}

impl Fixed {
    /// As the dataset's file says.
    pub(super) fn of(config: &DatasetConfig) -> Result<Self, ControlsError> {
        let table = match &config.noise {
            NoiseConfig::Table(path) if config.unit.is_some() => {
                let (dataset, file) = (config.dataset.name.clone(), path.display().to_string());
                let text = std::fs::read_to_string(path);
                Some(text.map_err(|why| ControlsError::File { dataset, file, why })?)
            }
            NoiseConfig::Table(_) | NoiseConfig::Made { .. } | NoiseConfig::None => None,
        };
        let used =
            config.tables.iter().flat_map(|table| table.dimensions.iter().chain(table.filter.iter().map(|f| &f.0)));
        let domain = |name: &Name| Some((name.clone(), config.domains.get(name)?.clone()));
        Ok(Self {
            threshold: config.dataset.threshold,
            history: config.history,
            table,
            noise: config.noise.clone(),
            dominance: config.dominance,
            bounds: config.bounds.iter().map(|(name, bounds)| (name.clone(), *bounds)).collect(),
            precision: config.precision.iter().map(|(name, precision)| (name.clone(), *precision)).collect(),
            domains: used.filter_map(domain).collect(),
            tables: config.tables.clone(),
        })
    }

    /// As it is for the snapshot that the rows come from; what is said now waits for the next one.
    pub(super) async fn kept(self, source: &SourceSpec, loaded: &Loaded) -> Result<Self, ControlsError> {
        let dataset = &source.dataset.name;
        let unreadable = |why: String| ControlsError::Text { dataset: dataset.clone(), why };
        if source.dataset.form != Form::Statistics {
            return Ok(self);
        }
        let text = toml::to_string(&self).map_err(|error| unreadable(error.to_string()))?;
        let Some(kept) = sources::kept(source, loaded, Beside::Controls).await? else {
            sources::keep(source, loaded, Beside::Controls, text).await?;
            return Ok(self);
        };
        if kept == text {
            return Ok(self);
        }
        let kept: Self = toml::from_str(&kept).map_err(|error| unreadable(error.message().to_owned()))?;
        let raised = if kept.tables.is_empty() { self.threshold } else { kept.threshold };
        let in_force = Self { threshold: kept.threshold.max(raised), ..kept };
        if in_force != self {
            let (waits, as_of) = (in_force.differences(&self).join(", "), source.as_of);
            tracing::warn!(%dataset, waits, ?as_of, "what its file says of these takes effect with its next snapshot");
        }
        Ok(in_force)
    }

    fn differences(&self, other: &Self) -> Vec<&'static str> {
        let keys = [
            ("threshold", self.threshold != other.threshold),
            ("noise", self.noise != other.noise || self.table != other.table),
            ("dominance", self.dominance != other.dominance),
            ("history", self.history != other.history),
            ("bounds", self.bounds != other.bounds),
            ("precision", self.precision != other.precision),
            ("domain", self.domains != other.domains),
            ("tables", self.tables != other.tables),
        ];
        keys.into_iter().filter_map(|(key, differs)| differs.then_some(key)).collect()
    }

    /// The table by which counts are rounded, where one from a file is not noise.
    pub(super) fn rounding(&self, dataset: &Name) -> Result<Option<CountTable>, ControlsError> {
        let read = |text: &String| CountTable::read(text.as_bytes());
        self.table.as_ref().map(read).transpose().map_err(|why| ControlsError::Noise { dataset: dataset.clone(), why })
    }

    /// The dominance rules.
    pub(super) fn dominance(&self) -> Dominance {
        let largest = self.dominance.largest.map(|(n, share)| (usize::try_from(n).unwrap_or(usize::MAX), share));
        Dominance { percent: self.dominance.percent, largest }
    }

    /// The description with the threshold that is in force.
    pub(super) fn dataset(&self, config: &DatasetConfig) -> Arc<Dataset> {
        if config.dataset.threshold == self.threshold {
            return Arc::clone(&config.dataset);
        }
        Arc::new(Dataset { threshold: self.threshold, ..config.dataset.as_ref().clone() })
    }
}

/// What is in force, and the controls that were made of it.
#[derive(Debug, Clone)]
pub(super) struct Made {
    pub(super) fixed: Fixed,
    pub(super) controls: Option<Arc<Controls>>,
    /// The kind of the unit, whose noise is the same in all datasets of the body.
    kind: Option<Name>,
}

impl Made {
    /// Makes the controls of a dataset.
    pub(super) fn new(config: &DatasetConfig, fixed: Fixed, ground: &Ground) -> Result<Self, ControlsError> {
        let kind = kind(config);
        let made = kind.as_ref().map(|kind| controls(&config.dataset.name, kind, &fixed, ground));
        Ok(Self { controls: made.transpose()?.flatten(), fixed, kind })
    }

    /// Whether it was made of this.
    pub(super) fn of(&self, fixed: &Fixed, config: &DatasetConfig) -> bool {
        self.fixed == *fixed && self.kind == kind(config)
    }
}

/// Of an open dataset no statistics are made, and so no noise.
fn kind(config: &DatasetConfig) -> Option<Name> {
    let unit = config.unit.as_ref().filter(|_| config.dataset.form != Form::Open);
    unit.map(|unit| unit.kind.clone())
}

fn controls(
    dataset: &Name,
    kind: &Name,
    fixed: &Fixed,
    ground: &Ground,
) -> Result<Option<Arc<Controls>>, ControlsError> {
    let noise = |why| ControlsError::Noise { dataset: dataset.clone(), why };
    let counts = match &fixed.noise {
        NoiseConfig::None => return Ok(None),
        NoiseConfig::Made { largest, variance, forbidden, stay } => {
            let parameters = Parameters { largest: *largest, variance: *variance, forbidden: *forbidden, stay: *stay };
            CountTable::made(&parameters, ground.secret.key(Purpose::CountTable(kind.as_str())))
        }
        NoiseConfig::Table(_) => CountTable::read(fixed.table.as_deref().unwrap_or_default().as_bytes()),
    }
    .map_err(noise)?;
    match (counts.keyed(u64::from(fixed.threshold)), fixed.tables.is_empty()) {
        (true, true) => {}
        (true, false) => return Err(ControlsError::Tables { dataset: dataset.clone() }),
        (false, true) => {
            tracing::warn!(%dataset, "its table rounds and adds no noise, and it declares no tables, so that nothing is answered");
            return Ok(None);
        }
        (false, false) => return Ok(None),
    }
    let (largest, variance) = match &fixed.noise {
        NoiseConfig::None => return Ok(None),
        NoiseConfig::Made { largest, variance, .. } => (*largest, *variance),
        NoiseConfig::Table(_) => SUMS_BESIDE_A_TABLE,
    };
    let magnitudes = MagnitudeTable::made(largest, variance).map_err(noise)?;
    Ok(Some(Arc::new(Controls {
        counts,
        magnitudes,
        dominance: fixed.dominance(),
        key: ground.secret.key(Purpose::Magnitudes(kind.as_str())),
        reuse: fixed.history == HistoryMode::Reuse,
        history: Arc::clone(&ground.history),
    })))
}
