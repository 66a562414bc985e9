//! A dataset's terms as the gate takes them, from its configuration.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::common::ScalarValue;
use meridian_proto::{ColumnType, Dataset, DatasetName, Form, Name};

use super::controls::Made;
use super::rights::Applied;
use crate::clock::Clock;
use crate::config::{AgreementConfig, DatasetConfig, GrantConfig, NodeConfig, UnitKey};
use crate::gate::{Belongs, ColumnTerms, Grant, Precision, Terms, Unit};
use crate::history::History;
use crate::secrets::{Purpose, Secret};
use crate::sources::{self, AsOf, OuterUnitSpec, SnapshotStore, SourceError, SourceSpec, UnitSpec};

/// What all datasets of a node have in common.
#[derive(Debug, Clone)]
pub(super) struct Ground {
    pub(super) secret: Arc<Secret>,
    pub(super) history: Arc<History>,
    pub(super) clock: Clock,
    pub(super) rights: Arc<Applied>,
}

/// The dataset's terms, `dataset` being its description as it is published.
pub(super) fn terms(
    node: &NodeConfig,
    config: &DatasetConfig,
    dataset: Arc<Dataset>,
    grants: &[Grant],
    made: &Made,
) -> Terms {
    Terms {
        name: DatasetName {
            federation: node.federation.clone(),
            body: node.body.clone(),
            dataset: config.dataset.name.clone(),
        },
        columns: columns(config, &dataset, made),
        dataset,
        own: config.own,
        unit: unit(config),
        controls: made.controls.clone(),
        tables: None,
        listed: config.listed,
        grants: grants.to_vec(),
        references: config.references.clone(),
    }
}

/// What to write so that nobody may ask statistics with noise without end; `None` where nobody may. Declared tables say the
/// same to everybody, however often.
pub(super) fn endless(config: &DatasetConfig, terms: &Terms) -> Option<String> {
    if terms.dataset.form != Form::Statistics || terms.controls.is_none() {
        return None;
    }
    let file = config.file.display();
    if !terms.dataset.needs_agreement {
        return Some(format!(
            "{file}: add recipients = \"agreement\", and to each agreement's grant of {} a line such as allowance = 500 \
             (visible cells)",
            config.name()
        ));
    }
    let without = |grant: &&Grant| grant.form == Form::Statistics && grant.allowance.is_none();
    let mut agreements: Vec<&str> = terms.grants.iter().filter(without).map(|grant| grant.agreement.as_str()).collect();
    agreements.sort_unstable();
    agreements.dedup();
    (!agreements.is_empty()).then(|| {
        format!(
            "in {}, add to the grant of {} a line such as allowance = 500 (visible cells)",
            agreements.join(", "),
            config.name()
        )
    })
}

fn unit(config: &DatasetConfig) -> Option<Unit> {
    let unit = config.unit.as_ref()?;
    let (column, unique) = match &unit.key {
        UnitKey::EachRow => (None, true),
        UnitKey::Column { name, unique } => (Some(name.clone()), *unique),
    };
    let belongs = unit.belongs_to.as_ref();
    let belongs_to = belongs.map(|b| Belongs { kind: b.kind.clone(), column: b.column.clone() });
    Some(Unit { kind: unit.kind.clone(), column, unique, belongs_to })
}

fn columns(config: &DatasetConfig, dataset: &Dataset, made: &Made) -> HashMap<Name, ColumnTerms> {
    let of = |column: &meridian_proto::Column| {
        let name = &column.name;
        let precision =
            made.fixed.precision.get(name).map(|p| Precision { decimals: p.decimals, multiple: p.multiple });
        let domain = made
            .fixed
            .domains
            .get(name)
            .or_else(|| config.domains.get(name))
            .map(|texts| texts.iter().filter_map(|text| sources::literal(column.column_type, text)).collect());
        let bands =
            config.bands.get(name).map(|bands| bands.iter().filter_map(|b| band(column.column_type, *b)).collect());
        let bounds = made.fixed.bounds.get(name).copied();
        (name.clone(), ColumnTerms { bounds, precision: precision.unwrap_or_default(), bands, domain })
    };
    dataset.columns.iter().map(of).collect()
}

/// An edge as a value of its column; dates are days since 1970-01-01.
fn band(column_type: ColumnType, edge: f64) -> Option<ScalarValue> {
    let number = ScalarValue::Float64(Some(edge));
    let data_type = sources::arrow_type(column_type);
    match column_type {
        ColumnType::Date => {
            number.cast_to(&arrow::datatypes::DataType::Int32).and_then(|days| days.cast_to(&data_type))
        }
        _ => number.cast_to(&data_type),
    }
    .ok()
}

/// The dataset's source, with what of it depends on the node's secret and on the rights of those whom it is about.
pub(super) fn source(node: &NodeConfig, config: &DatasetConfig, ground: &Ground) -> SourceSpec {
    SourceSpec { rights: ground.rights.spec(config), ..unmarked(node, config, &ground.secret) }
}

/// The dataset's source, with what of it depends on the node's secret and no rights.
pub(super) fn unmarked(node: &NodeConfig, config: &DatasetConfig, secret: &Secret) -> SourceSpec {
    let unit = config.unit.as_ref().map(|unit| {
        let (column, unique) = match &unit.key {
            UnitKey::EachRow => (None, true),
            UnitKey::Column { name, unique } => (Some(name.clone()), *unique),
        };
        let key = |kind: &Name| secret.key(Purpose::Units(kind.as_str()));
        let outer = |b: &crate::config::Belongs| OuterUnitSpec {
            kind: b.kind.clone(),
            column: b.column.clone(),
            key: key(&b.kind),
        };
        UnitSpec {
            kind: unit.kind.clone(),
            column,
            unique,
            record_key: unit.record_key.clone(),
            key: key(&unit.kind),
            belongs_to: unit.belongs_to.as_ref().map(outer),
        }
    });
    let as_of = if unit.is_some() { config.as_of } else { AsOf::Live };
    let snapshots = SnapshotStore { folder: node.state.join("snapshots"), key: secret.key(Purpose::Snapshots) };
    let most_held = u64::from(node.limits.held_mib) << 20;
    SourceSpec { unit, most_held, as_of, snapshots: Some(snapshots), ..config.source.clone() }
}

/// What the agreements grant of one dataset. A grant that does not fit the dataset grants nothing: the agreement was good
/// before the dataset changed.
pub(super) fn grants(dataset: &DatasetConfig, agreements: &[AgreementConfig]) -> Vec<Grant> {
    let of = |agreement: &AgreementConfig, grant: &GrantConfig| -> Result<Grant, SourceError> {
        for column in grant.columns.iter().flatten() {
            if dataset.dataset.column(column.as_str()).is_none() {
                return Err(SourceError::NoColumn { dataset: dataset.dataset.name.clone(), column: column.clone() });
            }
        }
        let filter = grant.filter.as_deref().map(|sql| sources::predicate(&dataset.dataset, sql)).transpose()?;
        Ok(Grant {
            agreement: agreement.id.clone(),
            purpose: agreement.purpose.clone(),
            recipients: agreement.recipients.clone(),
            form: grant.form,
            columns: grant.columns.clone(),
            filter,
            threshold: grant.threshold,
            allowance: grant.allowance,
            onward: grant.onward,
            askers: agreement.askers.clone(),
            start: agreement.start,
            end: agreement.end,
        })
    };
    let mut found = Vec::new();
    for agreement in agreements {
        for grant in agreement.grants.iter().filter(|grant| grant.dataset == dataset.dataset.name) {
            match of(agreement, grant) {
                Ok(grant) => found.push(grant),
                Err(error) => tracing::error!(agreement = agreement.id, %error, "a grant is not in force"),
            }
        }
    }
    found
}
