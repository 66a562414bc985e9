//! The shapes in which the boroughs hold their dwellings: each has its own headings and codes, and a mapping to the
//! standard.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, StringArray};
use arrow::datatypes::DataType;

/// How a borough holds its dwellings.
pub(super) struct Shape {
    /// Parquet, else CSV.
    pub(super) parquet: bool,
    /// The columns of the source, in order.
    pub(super) columns: &'static [Column],
    /// The view that turns them into the standard.
    pub(super) mapping: &'static str,
}

/// A column of a source.
pub(super) struct Column {
    /// Its heading.
    pub(super) heading: &'static str,
    /// What it holds.
    pub(super) content: Content,
}

/// What a column holds. Codes stand in the order of `calibration::HOUSEHOLDS`: detached, semi-detached, terraced, flat,
/// mobile; no HMO, small HMO, large HMO.
pub(super) enum Content {
    /// The UPRN as a number.
    Uprn,
    /// The UPRN as text.
    UprnText,
    /// The accommodation type as text.
    Type([&'static str; 5]),
    /// The accommodation type as a number.
    TypeNumber([i32; 5]),
    /// Multiple occupancy as text, empty where it does not apply.
    Hmo([Option<&'static str>; 3]),
    /// Multiple occupancy as a number.
    HmoNumber([i32; 3]),
    /// The household that the row stands for: always 1.
    Household,
}

impl Column {
    /// The type of the column in the source.
    pub(super) fn data_type(&self) -> DataType {
        match self.content {
            Content::Uprn => DataType::Int64,
            Content::UprnText | Content::Type(_) | Content::Hmo(_) => DataType::Utf8,
            Content::TypeNumber(_) | Content::HmoNumber(_) | Content::Household => DataType::Int32,
        }
    }

    /// The values that the fifteen kinds of household have in this column; none if each row has its own.
    pub(super) fn values(&self) -> Option<ArrayRef> {
        let values: ArrayRef = match &self.content {
            Content::Uprn | Content::UprnText => return None,
            Content::Type(codes) => Arc::new(StringArray::from_iter_values(codes.repeat(3))),
            Content::TypeNumber(codes) => Arc::new(Int32Array::from(codes.repeat(3))),
            Content::Hmo(codes) => Arc::new(StringArray::from_iter(codes.iter().flat_map(|c| [*c; 5]))),
            Content::HmoNumber(codes) => Arc::new(Int32Array::from_iter_values(codes.iter().flat_map(|c| [*c; 5]))),
            Content::Household => Arc::new(Int32Array::from(vec![1; 15])),
        };
        Some(values)
    }
}

/// The shape in which a borough holds its dwellings: four smaller ones keep a spreadsheet, the others databases of
/// five makers.
pub(super) fn shape_of(slug: &str) -> &'static Shape {
    match slug {
        "barking_dagenham" | "city" | "kensington_chelsea" | "kingston" => &SPREADSHEET,
        "barnet" | "camden" | "enfield" | "hillingdon" | "lambeth" | "redbridge" => &GAZETTEER,
        "bexley" | "croydon" | "greenwich" | "harrow" | "lewisham" | "richmond" => &COUNCIL_TAX,
        "brent" | "hackney" | "haringey" | "hounslow" | "merton" | "southwark" => &CODED,
        "bromley" | "ealing" | "havering" | "newham" | "sutton" | "waltham_forest" => &HOUSING_STOCK,
        _ => &SHORT_CODES,
    }
}

const fn column(heading: &'static str, content: Content) -> Column {
    Column { heading, content }
}

static GAZETTEER: Shape = Shape {
    parquet: true,
    columns: &[
        column("UPRN", Content::Uprn),
        column("BLPU_CLASS", Content::Type(["RD02", "RD03", "RD04", "RD06", "RD01"])),
        column("HMO_YN", Content::Hmo([Some("N"), Some("Y"), Some("Y")])),
        column("HMO_SIZE", Content::Hmo([None, Some("S"), Some("L")])),
    ],
    mapping: include_str!("../../london/mappings/gazetteer.sql"),
};

static COUNCIL_TAX: Shape = Shape {
    parquet: true,
    columns: &[
        column("PROPERTY REFERENCE", Content::UprnText),
        column(
            "DWELLING TYPE",
            Content::Type(["HOUSE DETACHED", "HOUSE SEMI", "HOUSE TERRACE", "FLAT OR MAISONETTE", "CARAVAN OR BOAT"]),
        ),
        column("NO OF HOUSEHOLDS", Content::Household),
        column("HMO LICENCE CLASS", Content::Hmo([Some("NOT REQUIRED"), Some("ADDITIONAL"), Some("MANDATORY")])),
    ],
    mapping: include_str!("../../london/mappings/council_tax.sql"),
};

static CODED: Shape = Shape {
    parquet: true,
    columns: &[
        column("uprn", Content::Uprn),
        column("accom_code", Content::TypeNumber([1, 2, 3, 4, 5])),
        column("hmo_code", Content::HmoNumber([0, 1, 2])),
    ],
    mapping: include_str!("../../london/mappings/coded.sql"),
};

static HOUSING_STOCK: Shape = Shape {
    parquet: true,
    columns: &[
        column("UniquePropertyRef", Content::UprnText),
        column(
            "PropertyType",
            Content::Type(["Detached", "Semi-Detached", "Terraced", "Flat/Maisonette", "Mobile/Temporary"]),
        ),
        column("IsHMO", Content::HmoNumber([0, 1, 1])),
        column("LargeHMO", Content::HmoNumber([0, 0, 1])),
        column("Households", Content::Household),
    ],
    mapping: include_str!("../../london/mappings/housing_stock.sql"),
};

static SHORT_CODES: Shape = Shape {
    parquet: true,
    columns: &[
        column("type", Content::Type(["D", "S", "H", "F", "M"])),
        column("hmo", Content::Hmo([Some("N"), Some("3-4"), Some("5+")])),
        column("hholds", Content::Household),
        column("uprn", Content::Uprn),
    ],
    mapping: include_str!("../../london/mappings/short_codes.sql"),
};

static SPREADSHEET: Shape = Shape {
    parquet: false,
    columns: &[
        column("UPRN", Content::UprnText),
        column(
            "Property Type",
            Content::Type([
                "Detached house",
                "Semi-detached house",
                "Terraced house",
                "Flat or maisonette",
                "Caravan or houseboat",
            ]),
        ),
        column("HMO?", Content::Hmo([Some("No"), Some("Yes"), Some("Yes")])),
        column("Residents", Content::Hmo([None, Some("3 to 4"), Some("5 or more")])),
        column("Households", Content::Household),
    ],
    mapping: include_str!("../../london/mappings/spreadsheet.sql"),
};
