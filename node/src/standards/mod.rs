//! Agreed shapes of data: what a standard is, whether rows keep to it, and how a file that nobody has mapped could.
//!
//! | where | what |
//! | --- | --- |
//! | `rows` | counts the rows that a standard does not admit |
//! | `sheet` | a file as people write it: where its heading is, and which rows are none |
//! | `values` | what the texts of a column are: amounts, days in which layout, names, codes |
//! | `headings` | how alike the heading of a column and the names of a standard's column are |
//! | `proposal` | which column of the file is which of the standard, how sure that is and why |
//! | `expressions` | the SQL that makes a value of a type out of texts |
//! | `draft` | the dataset's file that is written of it |

mod draft;
mod expressions;
mod headings;
mod proposal;
mod rows;
mod sheet;
mod values;

use meridian_proto::{ColumnType, Name};

pub use draft::draft;
pub use proposal::{Confidence, Found, Origin, Proposal, propose};
pub use rows::{ColumnConformance, Conformance, RowsError, Sample, conformance};
pub use sheet::Sheet;

/// An agreed shape to which many bodies' datasets conform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standard {
    /// What it is called.
    pub name: Name,
    /// Its title for people.
    pub title: String,
    /// Its columns, in order.
    pub columns: Vec<StandardColumn>,
    /// The columns in whose values no two rows are the same; a row with NULL in one of them is like no other.
    pub keys: Vec<Name>,
}

impl Standard {
    /// The column of that name.
    pub fn column(&self, name: &Name) -> Option<&StandardColumn> {
        self.columns.iter().find(|column| column.name == *name)
    }
}

/// A column of a standard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandardColumn {
    /// What it is called.
    pub name: Name,
    /// Its type.
    pub column_type: ColumnType,
    /// What it means; empty if nothing is said.
    pub concept: String,
    /// Whether every dataset has it, and a value in every row.
    pub required: bool,
    /// What it is, for people.
    pub description: String,
    /// Its valid values; `None` if all of its type are.
    pub values: Option<ValidValues>,
    /// What its values look like, beyond the type.
    pub kind: Kind,
    /// What others call it, the most fitting first.
    pub synonyms: Vec<String>,
}

/// Which values of a column are valid; NULL always is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValidValues {
    /// These, as texts of the column's type.
    List(Vec<String>),
    /// Those from the first to the last, both included, as texts of the column's type.
    Range {
        /// The lowest.
        from: Option<String>,
        /// The highest.
        to: Option<String>,
    },
    /// Texts that this regular expression matches as a whole.
    Pattern(String),
}

/// What the values of a column look like, by which it is found in a file without headings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Any text.
    Text,
    /// Names of organisations or people: many, and most of them words.
    Organisation,
    /// A few texts that come back again and again.
    Category,
    /// Numbers or letters that stand for one thing each.
    Code,
    /// Pounds and pence.
    Money,
    /// Numbers.
    Number,
    /// Days or moments.
    Date,
    /// Yes or no.
    Boolean,
    /// A London borough, by whatever name or code.
    Borough,
    /// Unique Property Reference Numbers.
    Uprn,
    /// Postcodes.
    Postcode,
}

impl Kind {
    /// What a column's type and concept say where its file says nothing.
    pub fn usual(column_type: ColumnType, concept: &str) -> Self {
        match (concept, column_type) {
            ("gss:borough", _) => Self::Borough,
            ("os:uprn", _) => Self::Uprn,
            (_, ColumnType::Varchar | ColumnType::Bytea) => Self::Text,
            (_, ColumnType::Boolean) => Self::Boolean,
            (_, ColumnType::Date | ColumnType::Timestamp) => Self::Date,
            (_, ColumnType::Integer | ColumnType::Bigint | ColumnType::Double | ColumnType::Decimal(..)) => {
                Self::Number
            }
        }
    }
}
