//! GeoJSON (RFC 7946): each row is a feature, its geometry a column of well-known binary, the other columns its properties.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Schema};
use arrow::json::writer::{LineDelimited, Writer, WriterBuilder};

use super::{Format, FormatError, encode};
use crate::geometry;

/// Names by which a geometry is known among several columns of bytes.
const NAMES: [&str; 5] = ["geometry", "geom", "wkb_geometry", "the_geom", "shape"];

/// A collection of features that is being written.
pub(super) struct Features {
    /// Which column is the geometry.
    geometry: usize,
    begun: bool,
}

impl Features {
    /// A collection without features yet.
    pub(super) fn new(schema: &Schema) -> Result<Self, FormatError> {
        Ok(Self { geometry: geometry_of(schema)?, begun: false })
    }

    /// Adds rows; their text.
    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<Vec<u8>, FormatError> {
        let mut properties = batch.clone();
        let geometries = properties.remove_column(self.geometry);
        let properties = objects(&properties).map_err(|error| encode(Format::Geojson, error))?;
        let mut text = Vec::new();
        // Without other columns there are no lines.
        let none = std::iter::repeat(&b"{}"[..]);
        let lines = properties.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).chain(none);
        for (row, properties) in (0..batch.num_rows()).zip(lines) {
            text.extend_from_slice(if std::mem::replace(&mut self.begun, true) { b",\n" } else { OPENING });
            text.extend_from_slice(b"{\"type\":\"Feature\",\"geometry\":");
            text.extend_from_slice(shape(geometries.as_ref(), row)?.as_bytes());
            text.extend_from_slice(b",\"properties\":");
            text.extend_from_slice(properties);
            text.push(b'}');
        }
        Ok(text)
    }

    /// The end of the collection.
    pub(super) fn finish(self, meaning: Option<&str>) -> Vec<u8> {
        let mut text = if self.begun { Vec::new() } else { OPENING.to_vec() };
        text.extend_from_slice(b"\n]");
        if let Some(meaning) = meaning {
            // A foreign member, as section 6.1 has them.
            let meaning = serde_json::json!(meaning);
            text.extend_from_slice(format!(",\"meridian_null\":{meaning}").as_bytes());
        }
        text.extend_from_slice(b"}\n");
        text
    }
}

const OPENING: &[u8] = b"{\"type\":\"FeatureCollection\",\"features\":[\n";

/// The one column of bytes, or of several the one that has a name by which geometries are known.
fn geometry_of(schema: &Schema) -> Result<usize, FormatError> {
    let fields = schema.fields().iter().enumerate();
    let bytes: Vec<_> = fields.filter(|(_, field)| is_bytes(field.data_type())).collect();
    let named = bytes.iter().find(|(_, field)| NAMES.iter().any(|name| field.name().eq_ignore_ascii_case(name)));
    match (bytes.as_slice(), named) {
        ([(only, _)], _) | (_, Some((only, _))) => Ok(*only),
        ([], None) => Err(FormatError::Geometry(
            "the answer has no column of bytes (bytea) with a geometry: select one, or make one with \
             st_point(longitude, latitude) AS geometry; without one, use --format json"
                .into(),
        )),
        (several, None) => {
            let names: Vec<&str> = several.iter().map(|(_, field)| field.name().as_str()).collect();
            let names = super::printable(&names.join(", ")).into_owned();
            Err(FormatError::Geometry(format!(
                "it is not clear which of the columns {names} is the geometry: name it so with AS geometry"
            )))
        }
    }
}

fn is_bytes(kind: &DataType) -> bool {
    matches!(kind, DataType::Binary | DataType::LargeBinary | DataType::BinaryView)
}

/// The geometry of a row as JSON.
fn shape(column: &dyn Array, row: usize) -> Result<String, FormatError> {
    if column.is_null(row) {
        return Ok("null".into());
    }
    let bytes = match column.data_type() {
        DataType::LargeBinary => column.as_binary::<i64>().value(row),
        DataType::BinaryView => column.as_binary_view().value(row),
        _ => column.as_binary::<i32>().value(row),
    };
    geometry::to_geojson(bytes).map_err(|why| {
        FormatError::Geometry(format!("a geometry can't be written: {why}; use --format json, or leave such rows out"))
    })
}

/// One JSON object per line.
fn objects(batch: &RecordBatch) -> Result<Vec<u8>, arrow::error::ArrowError> {
    if batch.num_columns() == 0 {
        return Ok(Vec::new());
    }
    let mut writer: Writer<Vec<u8>, LineDelimited> = WriterBuilder::new().with_explicit_nulls(true).build(Vec::new());
    writer.write(batch)?;
    writer.finish()?;
    Ok(writer.into_inner())
}
