//! How files of records are laid out, as their owner says.

use encoding_rs::Encoding;

use super::{EngineConfig, ServerConfig, SourceKind, Sqlite};

/// The layout of CSV.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CsvFormat {
    /// One byte between fields.
    pub delimiter: u8,
    /// Whether the first record names the columns; otherwise they are `column_1`, `column_2` and so on.
    pub header: bool,
    /// How bytes are text where no byte-order mark says it; UTF-8 if nothing is said.
    pub encoding: Option<&'static Encoding>,
    /// Lines above the first record.
    pub skip: u32,
    /// Whether records may lack fields at their end, which are NULL then.
    pub pad: bool,
    /// What is done to cells and records.
    pub tidy: Tidy,
}

impl Default for CsvFormat {
    fn default() -> Self {
        Self { delimiter: b',', header: true, encoding: None, skip: 0, pad: false, tidy: Tidy::default() }
    }
}

/// The layout of a workbook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExcelFormat {
    /// The sheet; the workbook's only one if nothing is said.
    pub sheet: Option<String>,
    /// Whether the first row names the columns; otherwise they are `column_1`, `column_2` and so on.
    pub header: bool,
    /// Rows above the first.
    pub skip: u32,
    /// What is done to cells and rows.
    pub tidy: Tidy,
}

impl Default for ExcelFormat {
    fn default() -> Self {
        Self { sheet: None, header: true, skip: 0, tidy: Tidy::default() }
    }
}

/// What is done to the cells and rows of a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tidy {
    /// Blanks and invisible characters around cells are cut off; what is nothing but such is NULL.
    pub trim: bool,
    /// Rows without a value are left out.
    pub blank_rows: bool,
    /// Rows that repeat the heading are left out.
    pub repeated_headings: bool,
}

/// The layout in bytes that no other layout has.
pub(super) fn layout(kind: &SourceKind) -> Vec<u8> {
    match kind {
        SourceKind::Parquet => b"parquet".to_vec(),
        SourceKind::JsonLines => b"json lines".to_vec(),
        SourceKind::GeoJson => b"geojson".to_vec(),
        SourceKind::Sqlite(Sqlite { table, as_text }) => format!("sqlite {table:?} {as_text:?}").into_bytes(),
        SourceKind::Postgres(source) => {
            let ServerConfig { host, port, database, .. } = source.server.config();
            format!("postgres {host:?} {port} {database}").into_bytes()
        }
        SourceKind::FlightSql(source) => {
            let EngineConfig { host, port, .. } = source.engine.config();
            format!("flight sql {host:?} {port} {:?}", source.table).into_bytes()
        }
        SourceKind::Excel(ExcelFormat { sheet, header, skip, tidy }) => {
            let mut layout = vec![b'e', u8::from(*header)];
            layout.extend(tidy.bytes());
            layout.extend(skip.to_be_bytes());
            layout.extend(sheet.as_ref().map(|sheet| format!("sheet {sheet}")).unwrap_or_default().as_bytes());
            layout
        }
        SourceKind::Csv(CsvFormat { delimiter, header, encoding, skip, pad, tidy }) => {
            let mut layout = vec![b'c', *delimiter, u8::from(*header)];
            // What needs no words keeps the bytes that it had before there were any.
            if (*skip, *pad, *tidy) != (0, false, Tidy::default()) || encoding.is_some() {
                layout.extend([u8::from(*pad)]);
                layout.extend(tidy.bytes());
                layout.extend(skip.to_be_bytes());
                layout.extend(encoding.map_or("", Encoding::name).as_bytes());
            }
            layout
        }
    }
}

impl Tidy {
    fn bytes(self) -> [u8; 3] {
        [self.trim, self.blank_rows, self.repeated_headings].map(u8::from)
    }
}
