//! What a Parquet file says of its geometry, as GeoParquet 1.1 (OGC 24-013) has it: looked at before rows are read, so that
//! nothing is taken for what it is not.

use std::collections::BTreeMap;

use arrow::datatypes::{DataType, Schema};
use serde::Deserialize;
use serde_json::Value;

/// The key of the file's metadata.
const GEO: &str = "geo";

#[derive(Deserialize)]
struct Geo {
    version: String,
    primary_column: String,
    columns: BTreeMap<String, Column>,
}

#[derive(Deserialize)]
struct Column {
    encoding: String,
    #[serde(default)]
    edges: Option<String>,
    /// Longitude and latitude of WGS 84 where nothing is said, unknown where it is null.
    #[serde(default, deserialize_with = "said")]
    crs: Option<Value>,
}

/// Tells null from nothing.
fn said<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// Coordinates that are no longitudes and latitudes of WGS 84.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Elsewhere {
    pub(super) column: String,
    /// The reference system's own name or code; empty where the file says that it is unknown.
    pub(super) crs: String,
}

/// What the schema of a file, with its metadata, says of geometry that lies elsewhere; why the file can't be used.
pub(super) fn check(schema: &Schema) -> Result<Vec<Elsewhere>, String> {
    let Some(geo) = schema.metadata().get(GEO) else { return Ok(Vec::new()) };
    // A later version may say other things elsewhere: it is asked first.
    let version = serde_json::from_str::<Value>(geo).ok();
    match version.as_ref().and_then(|geo| geo.get("version")).and_then(Value::as_str) {
        Some(version) if !version.starts_with("1.") => {
            return Err(format!("it is GeoParquet {version:?}, and 1.0 and 1.1 are known here; write it anew as 1.1"));
        }
        _ => {}
    }
    let geo: Geo = serde_json::from_str(geo)
        .map_err(|_| "its metadata `geo` is none of GeoParquet's; write the file anew as GeoParquet 1.1".to_owned())?;
    if !geo.columns.contains_key(&geo.primary_column) {
        let Geo { version, primary_column, .. } = geo;
        return Err(format!(
            "its metadata `geo` ({version}) says nothing of the primary column {primary_column:?}; write the file anew as \
             GeoParquet 1.1"
        ));
    }
    let found = geo.columns.into_iter().map(|(name, column)| column.check(name, schema));
    Ok(found.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}

impl Column {
    fn check(self, name: String, schema: &Schema) -> Result<Option<Elsewhere>, String> {
        let Self { encoding, edges, crs } = self;
        if encoding != "WKB" {
            return Err(format!(
                "its geometry {name:?} is encoded as {encoding:?}; write it as WKB, as geopandas does with \
                 geometry_encoding=\"WKB\""
            ));
        }
        let bytes = schema.field_with_name(&name).is_ok_and(|field| {
            matches!(field.data_type(), DataType::Binary | DataType::LargeBinary | DataType::BinaryView)
        });
        if !bytes {
            return Err(format!("its geometry {name:?} is no column of bytes; write the file anew as GeoParquet 1.1"));
        }
        if edges.as_deref().is_some_and(|edges| edges != "planar") {
            return Err(format!(
                "the edges of its geometry {name:?} are arcs on a sphere, and here they are straight; write it with edges \
                 \"planar\", long edges cut into short ones"
            ));
        }
        match crs {
            None => Ok(None),
            Some(Value::Null) => Ok(Some(Elsewhere { column: name, crs: String::new() })),
            Some(Value::Object(crs)) => {
                let text = |value: Option<&Value>| match value {
                    Some(Value::String(text)) => text.clone(),
                    Some(Value::Number(number)) => number.to_string(),
                    _ => String::new(),
                };
                let id = crs.get("id");
                let id = [id.and_then(|id| id.get("authority")), id.and_then(|id| id.get("code"))].map(text).join(":");
                let wgs84 = ["OGC:CRS84", "EPSG:4326", "OGC:CRS84H", "EPSG:4979"].contains(&id.as_str());
                let crs = if id == ":" { text(crs.get("name")) } else { id };
                Ok((!wgs84).then_some(Elsewhere { column: name, crs }))
            }
            Some(_) => Err(format!(
                "the reference system of its geometry {name:?} is no PROJJSON; write the file anew as GeoParquet 1.1"
            )),
        }
    }
}
