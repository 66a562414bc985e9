//! Reads the file of an address list: which column is which, and a row for each address.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, AsArray, StringArray};
use arrow::datatypes::SchemaRef;
use meridian_addresses::{Builder, Fields, List};

use crate::sources::files::Files;
use crate::sources::{CsvFormat, ExcelFormat, SourceKind, Tidy};

/// What columns are called, without blanks and lines between words: as AddressBase has them, and others.
const NAMES: [(Part, &[&str]); 10] = [
    (Part::Uprn, &["uprn"]),
    (Part::Organisation, &["organisation", "organisationname", "organization"]),
    (Part::Flat, &["subbuilding", "subbuildingname", "flat", "saotext"]),
    (Part::Name, &["buildingname", "name", "paotext"]),
    (Part::Number, &["buildingnumber", "number", "streetnumber", "housenumber"]),
    (Part::Street, &["street", "streetname", "streetdescription", "thoroughfare", "thoroughfarename"]),
    (Part::Locality, &["locality", "dependentlocality", "localityname"]),
    (Part::Town, &["town", "posttown", "townname"]),
    (Part::Postcode, &["postcode", "postcodelocator"]),
    (Part::Text, &["address", "fulladdress", "addresstext", "singlelineaddress"]),
];
/// The largest UPRN: twelve digits.
const LARGEST_UPRN: i64 = 999_999_999_999;

/// A part of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Uprn,
    Organisation,
    Flat,
    Name,
    Number,
    Street,
    Locality,
    Town,
    Postcode,
    Text,
}

/// Which column of a file holds which part.
struct Columns(Vec<(Part, usize)>);

impl Columns {
    fn of(schema: &SchemaRef) -> Result<Self, String> {
        let plain = |name: &str| name.chars().filter(|c| c.is_alphanumeric()).collect::<String>().to_lowercase();
        let headings: Vec<String> = schema.fields().iter().map(|field| plain(field.name())).collect();
        let column = |names: &[&str]| names.iter().find_map(|name| headings.iter().position(|heading| heading == name));
        let columns = Self(NAMES.iter().filter_map(|(part, names)| Some((*part, column(names)?))).collect());
        let has = |part| columns.0.iter().any(|(of, _)| *of == part);
        if !has(Part::Uprn) {
            return Err("it has no column uprn; name the column with the UPRN so".into());
        }
        if !has(Part::Text) && !(has(Part::Street) && (has(Part::Number) || has(Part::Name))) {
            return Err("it has neither a column address nor street with building_number or building_name; name its columns \
                        uprn, organisation, sub_building, building_name, building_number, street, locality, town, postcode, \
                        or address for all in one"
                .into());
        }
        Ok(columns)
    }

    fn cell<'a>(&self, part: Part, columns: &[&'a StringArray], row: usize) -> Option<&'a str> {
        let (_, at) = self.0.iter().find(|(of, _)| *of == part)?;
        let column: &'a StringArray = columns.get(*at)?;
        column.is_valid(row).then(|| column.value(row).trim()).filter(|text| !text.is_empty())
    }
}

fn kind(path: &Path) -> Result<SourceKind, String> {
    let tidy = Tidy { trim: true, blank_rows: true, repeated_headings: false };
    let kinds = [
        SourceKind::Csv(CsvFormat { tidy, ..CsvFormat::default() }),
        SourceKind::Excel(ExcelFormat { tidy, ..ExcelFormat::default() }),
        SourceKind::JsonLines,
    ];
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let is_of = |kind: &SourceKind| kind.files().suffixes.iter().any(|suffix| name.ends_with(suffix));
    kinds
        .into_iter()
        .find(is_of)
        .ok_or_else(|| "its name ends in none of .csv, .csv.gz, .xlsx, .xls, .jsonl; save it as one of them".into())
}

/// Reads a list that may take so many bytes. The error holds nothing of a row.
pub(super) fn read(path: &Path, most: usize) -> Result<List, String> {
    let files = Arc::new(Files::open(path, &kind(path)?).map_err(|fault| fault.why())?);
    let columns = Columns::of(files.schema())?;
    let (mut builder, mut without) = (Builder::new(most), 0_u64);
    for part in files.parts() {
        let part = part.map_err(|fault| fault.why())?;
        let texts: Vec<&StringArray> =
            part.batch.columns().iter().filter_map(|column| column.as_string_opt()).collect();
        for row in 0..part.batch.num_rows() {
            let cell = |part| columns.cell(part, &texts, row);
            let Some(said) = cell(Part::Uprn) else {
                without += 1;
                continue;
            };
            let Some(uprn) = uprn(said) else {
                let place = files.place(&part, row).and_then(|(_, place)| place).map(|place| format!("{place}: "));
                return Err(format!(
                    "{}a UPRN that is no number of up to twelve digits; correct it",
                    place.unwrap_or_default()
                ));
            };
            let fields = Fields {
                organisation: cell(Part::Organisation),
                flat: cell(Part::Flat),
                name: cell(Part::Name),
                number: cell(Part::Number),
                street: cell(Part::Street),
                locality: cell(Part::Locality),
                town: cell(Part::Town),
                postcode: cell(Part::Postcode),
                text: cell(Part::Text).filter(|_| cell(Part::Street).is_none()),
            };
            let too_large =
                |_| format!("it needs more than {} MiB of memory; raise memory_mib in node.toml", most >> 20);
            builder.add(uprn, &fields).map_err(too_large)?;
        }
    }
    if without > 0 {
        tracing::warn!(path = %path.display(), rows = without, "rows of an address list have no UPRN, and are left out");
    }
    let list = builder.finish();
    if list.is_empty() { Err("it holds no address".into()) } else { Ok(list) }
}

/// A UPRN, with zeros in front or without.
fn uprn(text: &str) -> Option<i64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|uprn| digits && (1..=LARGEST_UPRN).contains(uprn))
}
