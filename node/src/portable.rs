//! Values and fields as bytes that another process of the same program reads: Arrow's own encoding, of one row or of none.

use std::io::Cursor;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, FieldRef, Schema};
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use datafusion::error::{DataFusionError, Result};
use datafusion::scalar::ScalarValue;

/// A value.
pub(crate) fn of_value(value: &ScalarValue) -> Result<Vec<u8>> {
    let field = Arc::new(Field::new("value", value.data_type(), true));
    written(&field, Some(value))
}

/// Reads what [`of_value`] wrote.
pub(crate) fn value(bytes: &[u8]) -> Result<ScalarValue> {
    let mut reader = StreamReader::try_new(Cursor::new(bytes), None)?;
    let batch = reader.next().ok_or_else(malformed)??;
    let column = batch.columns().first().filter(|column| column.len() == 1).ok_or_else(malformed)?;
    ScalarValue::try_from_array(column, 0)
}

/// A field, its metadata included.
pub(crate) fn of_field(field: &FieldRef) -> Result<Vec<u8>> {
    written(field, None)
}

/// Reads what [`of_field`] wrote.
pub(crate) fn field(bytes: &[u8]) -> Result<FieldRef> {
    let schema = StreamReader::try_new(Cursor::new(bytes), None)?.schema();
    schema.fields().first().cloned().ok_or_else(malformed)
}

fn written(field: &FieldRef, value: Option<&ScalarValue>) -> Result<Vec<u8>> {
    let schema = Arc::new(Schema::new(vec![Arc::clone(field)]));
    let mut writer = StreamWriter::try_new(Vec::new(), &schema)?;
    if let Some(value) = value {
        // The type of NULL has no encoding of its own length.
        if value.data_type() == DataType::Null {
            return Err(malformed());
        }
        writer.write(&RecordBatch::try_new(schema, vec![value.to_array()?])?)?;
    }
    writer.finish()?;
    Ok(writer.into_inner()?)
}

fn malformed() -> DataFusionError {
    ArrowError::IpcError("no value and no field".into()).into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn values_and_fields_come_back_as_they_were() {
        for kept in [
            ScalarValue::Int64(Some(i64::MIN)),
            ScalarValue::Int64(None),
            ScalarValue::Utf8(Some("Zoë".into())),
            ScalarValue::Decimal128(Some(-12_345), 12, 2),
            ScalarValue::Float64(Some(f64::NEG_INFINITY)),
            ScalarValue::TimestampMicrosecond(Some(7), None),
        ] {
            assert_eq!(value(&of_value(&kept).unwrap()).unwrap(), kept);
        }
        let kept = Field::new("a b", DataType::Decimal128(7, 2), true).with_metadata([("k".into(), "v".into())].into());
        assert_eq!(*field(&of_field(&Arc::new(kept.clone())).unwrap()).unwrap(), kept);
        assert!(value(b"no").is_err() && field(b"").is_err());
    }
}
