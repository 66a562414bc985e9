//! What a body publishes: its description, its datasets, their columns and terms.

use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;

use prost::Message;

use crate::{About, Invalid, LogKeys, Name, wire};

/// How a dataset may leave its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// Rows, to every member and to the public.
    Open,
    /// Rows, to the recipients of an active agreement.
    Rows,
    /// Cells that pass disclosure control.
    Statistics,
    /// Nothing.
    None,
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "open",
            Self::Rows => "rows",
            Self::Statistics => "statistics",
            Self::None => "none",
        })
    }
}

/// What a column of a `statistics` dataset may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Filter, group, and a label of the answer.
    Dimension,
    /// Clamped to its bounds, then summed.
    Measure,
    /// Names a unit; never in an answer.
    Identifier,
    /// Does not exist for the caller.
    Hidden,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dimension => "dimension",
            Self::Measure => "measure",
            Self::Identifier => "identifier",
            Self::Hidden => "hidden",
        })
    }
}

/// The type of a published column, in the words of SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ColumnType {
    /// True or false.
    Boolean,
    /// 32 bits, signed.
    Integer,
    /// 64 bits, signed.
    Bigint,
    /// IEEE 754 binary64.
    Double,
    /// Exact, with precision 1 to 38 and scale 0 to precision.
    Decimal(u8, i8),
    /// UTF-8 text.
    Varchar,
    /// Days since the Unix epoch.
    Date,
    /// Microseconds since the Unix epoch, no zone.
    Timestamp,
    /// Bytes; geometry as well-known binary.
    Bytea,
}

impl ColumnType {
    /// Whether a coverage of it can be a range. Not of texts, whose order is that of their bytes, nor of bytes, nor of doubles, for NaN.
    pub fn has_ranges(self) -> bool {
        match self {
            Self::Integer | Self::Bigint | Self::Decimal(..) | Self::Date | Self::Timestamp => true,
            Self::Boolean | Self::Double | Self::Varchar | Self::Bytea => false,
        }
    }
}

impl fmt::Display for ColumnType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean => f.write_str("boolean"),
            Self::Integer => f.write_str("integer"),
            Self::Bigint => f.write_str("bigint"),
            Self::Double => f.write_str("double"),
            Self::Decimal(precision, scale) => write!(f, "decimal({precision},{scale})"),
            Self::Varchar => f.write_str("varchar"),
            Self::Date => f.write_str("date"),
            Self::Timestamp => f.write_str("timestamp"),
            Self::Bytea => f.write_str("bytea"),
        }
    }
}

impl FromStr for ColumnType {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        Ok(match text {
            "boolean" => Self::Boolean,
            "integer" => Self::Integer,
            "bigint" => Self::Bigint,
            "double" => Self::Double,
            "varchar" => Self::Varchar,
            "date" => Self::Date,
            "timestamp" => Self::Timestamp,
            "bytea" => Self::Bytea,
            other => decimal(other).ok_or_else(|| {
                Invalid::value(
                    "Column",
                    "type",
                    other,
                    "a type is boolean, integer, bigint, double, decimal(precision,scale), varchar, date, timestamp or bytea",
                )
            })?,
        })
    }
}

fn decimal(text: &str) -> Option<ColumnType> {
    let (precision, scale) = text.strip_prefix("decimal(")?.strip_suffix(')')?.split_once(',')?;
    let precision: u8 = precision.trim().parse().ok()?;
    let scale: i8 = scale.trim().parse().ok()?;
    let fits = (1..=38).contains(&precision) && scale >= 0 && u8::try_from(scale).ok()? <= precision;
    fits.then_some(ColumnType::Decimal(precision, scale))
}

/// A published column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its SQL name.
    pub name: Name,
    /// Its type.
    pub column_type: ColumnType,
    /// What it may be used for where the form is `statistics`.
    pub role: Role,
    /// Never NULL.
    pub required: bool,
    /// A dimension that admits comparisons with constants.
    pub ranges: bool,
    /// The meaning of its values, such as `gss:borough`; empty if not said.
    pub concept: String,
    /// The unit of measure; empty if none.
    pub unit: String,
    /// For people.
    pub description: String,
}

/// A predicate that holds in every row of a dataset; where the column is NULL it does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coverage {
    /// The column.
    pub column: Name,
    /// What stands in it.
    pub covers: Covers,
}

/// What stands in a column in every row; texts of the column's type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Covers {
    /// This value.
    Value(String),
    /// Values from one to another, both included; at least one end is given. Only of a type that [has ranges](ColumnType::has_ranges).
    Range {
        /// The lowest.
        from: Option<String>,
        /// The highest.
        to: Option<String>,
    },
}

/// A dataset of another body that the owner of a `statistics` dataset fetches whole, checks and joins at home.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The other body.
    pub body: Name,
    /// Its dataset.
    pub dataset: Name,
    /// The column of the reference by which it is joined; no value stands in it twice.
    pub key: Name,
    /// The columns of the reference that may be used, all as dimensions.
    pub labels: Vec<Name>,
}

/// A published dataset with its terms, as its owner tells the federation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dataset {
    /// Its SQL name.
    pub name: Name,
    /// For people.
    pub title: String,
    /// For people.
    pub description: String,
    /// SPDX identifier or address of the licence.
    pub licence: String,
    /// How it may leave.
    pub form: Form,
    /// Whether `statistics` leave only under an agreement.
    pub needs_agreement: bool,
    /// The published columns, in order.
    pub columns: Vec<Column>,
    /// What a `statistics` dataset protects: `dwelling`, `person`; empty elsewhere.
    pub unit_kind: String,
    /// Smallest number of units in a released cell; 0 where the form is not `statistics`.
    pub threshold: u32,
    /// The standard that it conforms to.
    pub standard: Option<Name>,
    /// What holds in every row.
    pub coverage: Vec<Coverage>,
    /// Rows as a power of ten, rounded up.
    pub size_class: u32,
    /// For people; empty if not said.
    pub update_frequency: String,
    /// Datasets of other bodies that its rows may be joined with.
    pub references: Vec<Reference>,
    /// What else people are told of it.
    pub about: About,
}

impl Dataset {
    /// The column of that name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name.as_str() == name)
    }

    /// The columns that exist for a caller who does not get rows: all but the hidden ones where the form is `statistics`.
    pub fn visible_columns(&self) -> impl Iterator<Item = &Column> {
        let all = self.form != Form::Statistics;
        self.columns.iter().filter(move |column| all || column.role != Role::Hidden)
    }
}

/// What one body publishes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// The federation that it belongs to.
    pub federation: Name,
    /// The body.
    pub body: Name,
    /// Milliseconds since the Unix epoch at which it was made; a later one replaces an earlier one.
    pub version: u64,
    /// The body's name for people.
    pub title: String,
    /// Its listed datasets.
    pub datasets: Vec<Dataset>,
    /// The keys of its log; a body that tells none has no log that others can verify.
    pub log_keys: Option<LogKeys>,
}

impl Description {
    /// Decodes and checks a description.
    pub fn decode(bytes: &[u8]) -> Result<Self, Invalid> {
        wire::Description::decode(bytes).map_err(|error| Invalid::encoding("Description", &error))?.try_into()
    }

    /// Encodes it for signing.
    pub fn encode(&self) -> Vec<u8> {
        wire::Description::from(self).encode_to_vec()
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    fn description() -> Description {
        Description {
            federation: "london".parse().unwrap(),
            body: "lfb".parse().unwrap(),
            version: 7,
            title: "London Fire Brigade".into(),
            log_keys: Some(LogKeys {
                federation: "london".parse().unwrap(),
                body: "lfb".parse().unwrap(),
                log: "london/lfb/log+00000000+AQ==".into(),
                witness: "london/lfb/witness+00000000+BA==".into(),
            }),
            datasets: vec![Dataset {
                name: "incidents".parse().unwrap(),
                title: "Fires".into(),
                description: String::new(),
                licence: "OGL-UK-3.0".into(),
                form: Form::Statistics,
                needs_agreement: true,
                columns: vec![Column {
                    name: "borough_gss".parse().unwrap(),
                    column_type: ColumnType::Varchar,
                    role: Role::Dimension,
                    required: true,
                    ranges: false,
                    concept: "gss:borough".into(),
                    unit: String::new(),
                    description: String::new(),
                }],
                unit_kind: "incident".into(),
                threshold: 10,
                standard: None,
                coverage: vec![],
                size_class: 5,
                update_frequency: String::new(),
                references: vec![Reference {
                    body: "gla".parse().unwrap(),
                    dataset: "property_wards".parse().unwrap(),
                    key: "uprn".parse().unwrap(),
                    labels: vec!["ward_gss".parse().unwrap()],
                }],
                about: About::default(),
            }],
        }
    }

    #[test]
    fn a_description_comes_back_as_it_was_sent() {
        let sent = description();
        assert_eq!(Description::decode(&sent.encode()).unwrap(), sent);
    }

    #[test]
    fn a_range_comes_back_as_it_was_sent() {
        let mut sent = description();
        let year = Column {
            name: "year".parse().unwrap(),
            column_type: ColumnType::Integer,
            ..sent.datasets[0].columns[0].clone()
        };
        sent.datasets[0].columns.push(year);
        let end = |text: &str| Some(text.to_owned());
        for covers in [
            Covers::Range { from: end("2020"), to: end("2024") },
            Covers::Range { from: end("2020"), to: None },
            Covers::Range { from: None, to: end("2024") },
            Covers::Value("2024".into()),
            Covers::Value(String::new()),
        ] {
            sent.datasets[0].coverage = vec![Coverage { column: "year".parse().unwrap(), covers }];
            assert_eq!(Description::decode(&sent.encode()).unwrap(), sent);
        }

        let mut both = wire::Description::from(&sent);
        let coverage = wire::Coverage { column: "year".into(), value: "2024".into(), from: end("2020"), to: None };
        both.datasets[0].coverage = vec![coverage.clone()];
        assert!(Description::try_from(both.clone()).is_err());
        let ranged = wire::Coverage { value: String::new(), ..coverage };
        both.datasets[0].coverage = vec![ranged.clone()];
        assert!(Description::try_from(both.clone()).is_ok());
        for no_range in ["boolean", "double", "varchar"] {
            both.datasets[0].columns[1].r#type = no_range.into();
            assert!(Description::try_from(both.clone()).is_err(), "{no_range}");
        }
    }

    #[test]
    fn hidden_columns_of_statistics_are_not_told() {
        let mut sent = description();
        let hidden = |name: &str| Column {
            name: name.parse().unwrap(),
            role: Role::Hidden,
            ..sent.datasets[0].columns[0].clone()
        };
        let columns = vec![sent.datasets[0].columns[0].clone(), hidden("easting")];
        let coverage = vec![Coverage { column: "easting".parse().unwrap(), covers: Covers::Value("1".into()) }];
        let told = sent.clone();
        sent.datasets[0] = Dataset { columns, coverage, ..sent.datasets[0].clone() };
        assert_eq!(Description::decode(&sent.encode()).unwrap(), told);
        sent.datasets[0].columns.remove(0);
        assert!(Description::decode(&sent.encode()).unwrap().datasets[0].columns.is_empty());
        sent.datasets[0].form = Form::Rows;
        assert_eq!(Description::decode(&sent.encode()).unwrap().datasets[0].columns.len(), 1);
    }

    #[test]
    fn a_message_that_parses_but_breaks_a_rule_is_refused() {
        let mut message = wire::Description::from(&description());
        message.body = "LFB; DROP TABLE".into();
        assert!(Description::try_from(message).is_err());

        let mut message = wire::Description::from(&description());
        let twice = message.datasets[0].columns[0].clone();
        message.datasets[0].columns.push(twice);
        assert!(Description::try_from(message).is_err());

        let mut message = wire::Description::from(&description());
        message.datasets[0].form = 0;
        assert!(Description::try_from(message).is_err());

        let mut message = wire::Description::from(&description());
        message.datasets[0].columns[0].r#type = "decimal(39,2)".into();
        assert!(Description::try_from(message).is_err());

        assert!(Description::decode(b"\xff\xff\xff").is_err());
    }

    #[test]
    fn column_types_are_written_as_they_are_read() {
        for text in ["boolean", "integer", "bigint", "double", "decimal(12,2)", "varchar", "date", "timestamp"] {
            assert_eq!(text.parse::<ColumnType>().unwrap().to_string(), text);
        }
    }
}
