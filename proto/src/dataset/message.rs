//! Descriptions as they travel, checked where they arrive.

use std::collections::HashSet;

use super::{Column, Coverage, Covers, Dataset, Description, Form, Reference, Role};
use crate::{About, Invalid, LogKeys, Name, wire};

impl TryFrom<wire::Description> for Description {
    type Error = Invalid;

    fn try_from(message: wire::Description) -> Result<Self, Invalid> {
        let datasets = message.datasets.into_iter().map(Dataset::try_from).collect::<Result<Vec<_>, _>>()?;
        let mut seen = HashSet::new();
        for dataset in &datasets {
            if !seen.insert(dataset.name.clone()) {
                return Err(Invalid::value("Description", "datasets", dataset.name.as_str(), "a name stands once"));
            }
        }
        Ok(Self {
            federation: message.federation.parse()?,
            body: message.body.parse()?,
            version: message.version,
            title: message.title,
            datasets,
            log_keys: message.log_keys.map(LogKeys::try_from).transpose()?,
        })
    }
}

impl From<&Description> for wire::Description {
    fn from(value: &Description) -> Self {
        Self {
            federation: value.federation.to_string(),
            body: value.body.to_string(),
            version: value.version,
            title: value.title.clone(),
            datasets: value.datasets.iter().map(Into::into).collect(),
            log_keys: value.log_keys.as_ref().map(Into::into),
        }
    }
}

impl TryFrom<wire::Dataset> for Dataset {
    type Error = Invalid;

    fn try_from(mut message: wire::Dataset) -> Result<Self, Invalid> {
        let form = message.form().try_into()?;
        let about = About::taken(&mut message)?;
        let columns = message.columns.into_iter().map(Column::try_from).collect::<Result<Vec<_>, _>>()?;
        let mut seen = HashSet::new();
        for column in &columns {
            if !seen.insert(column.name.clone()) {
                return Err(Invalid::value("Dataset", "columns", column.name.as_str(), "a name stands once"));
            }
        }
        // Statistics of which every column is hidden can still be counted.
        if columns.is_empty() && matches!(form, Form::Open | Form::Rows) {
            return Err(Invalid::Missing { message: "Dataset", field: "columns" });
        }
        let coverage = message.coverage.into_iter().map(Coverage::try_from).collect::<Result<Vec<_>, _>>()?;
        if let Some(unknown) = coverage.iter().find(|c| !seen.contains(&c.column)) {
            return Err(Invalid::value("Dataset", "coverage", unknown.column.as_str(), "it names a published column"));
        }
        let ranged = coverage.iter().filter(|coverage| matches!(coverage.covers, Covers::Range { .. }));
        let mut types = ranged.filter_map(|c| columns.iter().find(|column| column.name == c.column));
        if let Some(column) = types.find(|column| !column.column_type.has_ranges()) {
            let rule = "a range is of integers, decimals, dates or timestamps";
            return Err(Invalid::value("Dataset", "coverage", column.name.as_str(), rule));
        }
        Ok(Self {
            name: message.name.parse()?,
            title: message.title,
            description: message.description,
            licence: message.licence,
            form,
            needs_agreement: message.needs_agreement,
            columns,
            unit_kind: message.unit_kind,
            threshold: message.threshold,
            standard: if message.standard.is_empty() { None } else { Some(message.standard.parse()?) },
            coverage,
            size_class: message.size_class.min(18),
            update_frequency: message.update_frequency,
            references: message.references.into_iter().map(Reference::try_from).collect::<Result<_, _>>()?,
            about,
        })
    }
}

/// Without the hidden columns: whoever is told of a dataset is not told that they exist.
impl From<&Dataset> for wire::Dataset {
    fn from(value: &Dataset) -> Self {
        let told = |column: &Name| value.visible_columns().any(|visible| visible.name == *column);
        Self {
            name: value.name.to_string(),
            title: value.title.clone(),
            description: value.description.clone(),
            licence: value.licence.clone(),
            form: wire::Form::from(value.form).into(),
            needs_agreement: value.needs_agreement,
            columns: value.visible_columns().map(Into::into).collect(),
            unit_kind: value.unit_kind.clone(),
            threshold: value.threshold,
            standard: value.standard.as_ref().map(ToString::to_string).unwrap_or_default(),
            coverage: value.coverage.iter().filter(|coverage| told(&coverage.column)).map(Into::into).collect(),
            size_class: value.size_class,
            update_frequency: value.update_frequency.clone(),
            references: value.references.iter().map(Into::into).collect(),
            keywords: value.about.keywords.clone(),
            contact: value.about.contact.as_ref().map(Into::into),
            last_change: value.about.last_change,
            quality: value.about.quality.as_ref().map(Into::into),
            members_only: value.about.members_only,
        }
    }
}

impl TryFrom<wire::Reference> for Reference {
    type Error = Invalid;

    fn try_from(message: wire::Reference) -> Result<Self, Invalid> {
        Ok(Self {
            body: message.body.parse()?,
            dataset: message.dataset.parse()?,
            key: message.key.parse()?,
            labels: message.labels.iter().map(|label| label.parse()).collect::<Result<_, _>>()?,
        })
    }
}

impl From<&Reference> for wire::Reference {
    fn from(value: &Reference) -> Self {
        Self {
            body: value.body.to_string(),
            dataset: value.dataset.to_string(),
            key: value.key.to_string(),
            labels: value.labels.iter().map(ToString::to_string).collect(),
        }
    }
}

impl TryFrom<wire::Column> for Column {
    type Error = Invalid;

    fn try_from(message: wire::Column) -> Result<Self, Invalid> {
        let role = match message.role() {
            wire::Role::Dimension => Role::Dimension,
            wire::Role::Measure => Role::Measure,
            wire::Role::Identifier => Role::Identifier,
            wire::Role::Hidden | wire::Role::Unspecified => Role::Hidden,
        };
        Ok(Self {
            name: message.name.parse()?,
            column_type: message.r#type.parse()?,
            role,
            required: message.required,
            ranges: message.ranges,
            concept: message.concept,
            unit: message.unit,
            description: message.description,
        })
    }
}

impl From<&Column> for wire::Column {
    fn from(value: &Column) -> Self {
        let role = match value.role {
            Role::Dimension => wire::Role::Dimension,
            Role::Measure => wire::Role::Measure,
            Role::Identifier => wire::Role::Identifier,
            Role::Hidden => wire::Role::Hidden,
        };
        Self {
            name: value.name.to_string(),
            r#type: value.column_type.to_string(),
            role: role.into(),
            required: value.required,
            ranges: value.ranges,
            concept: value.concept.clone(),
            unit: value.unit.clone(),
            description: value.description.clone(),
        }
    }
}

impl TryFrom<wire::Coverage> for Coverage {
    type Error = Invalid;

    fn try_from(message: wire::Coverage) -> Result<Self, Invalid> {
        let wire::Coverage { column, value, from, to } = message;
        let covers = match (from, to) {
            (None, None) => Covers::Value(value),
            (from, to) if value.is_empty() => Covers::Range { from, to },
            _ => return Err(Invalid::value("Coverage", "value", &value, "a value or a range stands in it, not both")),
        };
        Ok(Self { column: column.parse()?, covers })
    }
}

impl From<&Coverage> for wire::Coverage {
    fn from(value: &Coverage) -> Self {
        let (text, from, to) = match &value.covers {
            Covers::Value(text) => (text.clone(), None, None),
            Covers::Range { from, to } => (String::new(), from.clone(), to.clone()),
        };
        Self { column: value.column.to_string(), value: text, from, to }
    }
}

impl TryFrom<wire::Form> for Form {
    type Error = Invalid;

    fn try_from(message: wire::Form) -> Result<Self, Invalid> {
        match message {
            wire::Form::Unspecified => Err(Invalid::Missing { message: "Dataset", field: "form" }),
            wire::Form::Open => Ok(Self::Open),
            wire::Form::Rows => Ok(Self::Rows),
            wire::Form::Statistics => Ok(Self::Statistics),
            wire::Form::None => Ok(Self::None),
        }
    }
}

impl From<Form> for wire::Form {
    fn from(value: Form) -> Self {
        match value {
            Form::Open => Self::Open,
            Form::Rows => Self::Rows,
            Form::Statistics => Self::Statistics,
            Form::None => Self::None,
        }
    }
}
