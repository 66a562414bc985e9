//! The formats in which open data is given.

use meridian_proto::{Column, ColumnType, Dataset};

/// A format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Comma-separated values with a heading (RFC 4180), for spreadsheets too: no cell is a formula.
    Csv,
    /// A collection of features (RFC 7946), where there is geometry.
    GeoJson,
    /// Apache Parquet, with the types as they are published.
    Parquet,
}

/// What geometry is called in a dataset that does not say which of its columns it is.
const GEOMETRY: [&str; 2] = ["geometry", "geom"];

impl Kind {
    /// All of them, in the order in which they are told.
    pub const ALL: [Self; 3] = [Self::Csv, Self::GeoJson, Self::Parquet];

    /// The end of its address: `csv`.
    pub fn ending(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::GeoJson => "geojson",
            Self::Parquet => "parquet",
        }
    }

    /// The one with this ending.
    pub fn of_ending(ending: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.ending() == ending)
    }

    /// For people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Csv => "CSV",
            Self::GeoJson => "GeoJSON",
            Self::Parquet => "Parquet",
        }
    }

    /// As IANA knows it.
    pub fn media(self) -> &'static str {
        match self {
            Self::Csv => "text/csv",
            Self::GeoJson => "application/geo+json",
            Self::Parquet => "application/vnd.apache.parquet",
        }
    }

    /// Whether it is sent packed to whoever takes that.
    pub(super) fn is_packed(self) -> bool {
        self != Self::Parquet
    }

    /// Whether a dataset has a file of this kind.
    pub fn is_of(self, dataset: &Dataset) -> bool {
        match self {
            Self::Csv | Self::Parquet => given(dataset).next().is_some(),
            Self::GeoJson => geometry(dataset).is_some(),
        }
    }

    /// The question whose answer the file is.
    pub(super) fn sql(self, body: &str, dataset: &Dataset) -> String {
        let geometry = geometry(dataset).map(|column| column.name.as_str());
        let column = |column: &Column| {
            let name = column.name.as_str();
            let written = match self {
                Self::Csv => "st_astext",
                Self::GeoJson => "st_asgeojson",
                Self::Parquet => return format!("\"{name}\""),
            };
            match geometry {
                Some(geometry) if geometry == name => format!("{written}(\"{name}\") AS \"{name}\""),
                Some(_) | None => format!("\"{name}\""),
            }
        };
        let columns: Vec<String> = given(dataset).map(column).collect();
        format!("SELECT {} FROM \"{body}\".\"{}\"", columns.join(", "), dataset.name)
    }
}

/// The columns that anybody gets: those that are published. Where all of a dataset is open, roles hide nothing.
fn given(dataset: &Dataset) -> impl Iterator<Item = &Column> {
    dataset.visible_columns()
}

/// The column with the geometry.
pub(super) fn geometry(dataset: &Dataset) -> Option<&Column> {
    given(dataset).find(|column| column.column_type == ColumnType::Bytea && GEOMETRY.contains(&column.name.as_str()))
}
