//! What a body publishes: its description, its datasets, their columns and terms.

mod message;
#[cfg(test)]
mod tests;

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
