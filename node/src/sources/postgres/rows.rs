//! The binary form of rows, as COPY sends them, straight into Arrow's columns.

use std::sync::Arc;

use arrow::array::builder::{
    ArrayBuilder, BinaryBuilder, BooleanBuilder, Date32Builder, Decimal128Builder, Float64Builder, Int32Builder,
    Int64Builder, StringBuilder, TimestampMicrosecondBuilder,
};
use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, SchemaRef};

use super::fault::Fault;
use super::kind::LATEST_MICROS;
use super::numeric::{Numeric, numeric};
use crate::sources::remote::Kind;

const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";
/// Rows of a batch.
const BATCH_ROWS: usize = 8 * 1024;
/// Bytes after which a batch is not filled further.
const BATCH_BYTES: usize = 8 << 20;
/// PostgreSQL counts from 2000-01-01, Arrow from 1970-01-01.
const DAYS_TO_2000: i32 = 10_957;
const MICROS_TO_2000: i64 = DAYS_TO_2000 as i64 * 86_400_000_000;

/// Fills batches from the pieces of a COPY.
pub(super) struct Rows {
    schema: SchemaRef,
    columns: Vec<(String, Values)>,
    rows: usize,
    bytes: usize,
    begun: bool,
    ended: bool,
    /// The columns of which a value had no place.
    beyond: Vec<String>,
}

/// What a column's values are put into.
enum Values {
    Boolean(BooleanBuilder),
    Integer(Int32Builder),
    Bigint(Int64Builder),
    Double(Float64Builder),
    Decimal(Decimal128Builder, i8),
    Date(Date32Builder),
    Timestamp(TimestampMicrosecondBuilder),
    Text(StringBuilder),
    Bytes(BinaryBuilder),
}

/// A value as it was found.
enum Put {
    Done,
    /// It has no place in Arrow, and is NULL.
    Beyond,
    Malformed,
}

impl Rows {
    pub(super) fn new(schema: SchemaRef, columns: &[(String, Kind)]) -> Self {
        let columns = columns.iter().map(|(name, kind)| (name.clone(), Values::of(*kind))).collect();
        Self { schema, columns, rows: 0, bytes: 0, begun: false, ended: false, beyond: Vec::new() }
    }

    /// Whether there is enough for a batch.
    pub(super) fn is_full(&self) -> bool {
        self.rows >= BATCH_ROWS || self.bytes >= BATCH_BYTES
    }

    /// Whether there is nothing for a batch.
    pub(super) fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Whether the end has come that says that all has.
    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    /// The columns in which a value was NULL for having no place, each once.
    pub(super) fn beyond(&mut self) -> Vec<String> {
        std::mem::take(&mut self.beyond)
    }

    /// Takes a piece, which holds whole rows.
    pub(super) fn push(&mut self, piece: &[u8]) -> Result<(), Fault> {
        self.bytes += piece.len();
        let mut rest = Bytes(piece);
        if !self.begun {
            rest.header().ok_or_else(|| Fault::Malformed("(the header)".into()))?;
            self.begun = true;
        }
        while !rest.0.is_empty() {
            match rest.two() {
                Some(-1) => self.ended = true,
                Some(count) if usize::try_from(count) == Ok(self.columns.len()) && !self.ended => {
                    self.row(&mut rest)?
                }
                _ => return Err(Fault::Malformed("(a row)".into())),
            }
        }
        Ok(())
    }

    fn row(&mut self, rest: &mut Bytes<'_>) -> Result<(), Fault> {
        for (name, values) in &mut self.columns {
            let put = match rest.field() {
                Some(None) => {
                    values.null();
                    Put::Done
                }
                Some(Some(value)) => values.put(value),
                None => Put::Malformed,
            };
            match put {
                Put::Done => {}
                Put::Beyond => {
                    values.null();
                    if !self.beyond.contains(name) {
                        self.beyond.push(name.clone());
                    }
                }
                Put::Malformed => return Err(Fault::Malformed(name.clone())),
            }
        }
        self.rows += 1;
        Ok(())
    }

    /// What there is, as a batch.
    pub(super) fn batch(&mut self) -> Result<RecordBatch, arrow::error::ArrowError> {
        let columns = self.columns.iter_mut().map(|(_, values)| values.finish()).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        (self.rows, self.bytes) = (0, 0);
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)
    }
}

impl Values {
    fn of(kind: Kind) -> Self {
        match kind {
            Kind::Boolean => Self::Boolean(BooleanBuilder::new()),
            Kind::Integer => Self::Integer(Int32Builder::new()),
            Kind::Bigint => Self::Bigint(Int64Builder::new()),
            Kind::Double => Self::Double(Float64Builder::new()),
            Kind::Decimal(precision, scale) => {
                let builder = Decimal128Builder::new().with_data_type(DataType::Decimal128(precision, scale));
                Self::Decimal(builder, scale)
            }
            Kind::Date => Self::Date(Date32Builder::new()),
            Kind::Timestamp | Kind::Timestamptz => Self::Timestamp(TimestampMicrosecondBuilder::new()),
            Kind::Text => Self::Text(StringBuilder::new()),
            Kind::Bytes => Self::Bytes(BinaryBuilder::new()),
        }
    }

    fn put(&mut self, value: &[u8]) -> Put {
        let put = match self {
            Self::Boolean(to) => array::<1>(value).map(|[byte]| to.append_value(byte != 0)),
            Self::Integer(to) => array(value).map(|bytes| to.append_value(i32::from_be_bytes(bytes))),
            Self::Bigint(to) => array(value).map(|bytes| to.append_value(i64::from_be_bytes(bytes))),
            Self::Double(to) => array(value).map(|bytes| to.append_value(one_nan(f64::from_be_bytes(bytes)))),
            Self::Decimal(to, scale) => match numeric(value, *scale) {
                Some(Numeric::Beyond) => return Put::Beyond,
                Some(Numeric::Value(value)) => {
                    to.append_value(value);
                    Some(())
                }
                None => None,
            },
            Self::Date(to) => match array(value).map(i32::from_be_bytes) {
                Some(i32::MIN | i32::MAX) => return Put::Beyond,
                days => days.and_then(|days| days.checked_add(DAYS_TO_2000)).map(|days| to.append_value(days)),
            },
            Self::Timestamp(to) => match array(value).map(i64::from_be_bytes) {
                Some(i64::MIN) => return Put::Beyond,
                Some(micros) if micros >= LATEST_MICROS - MICROS_TO_2000 => return Put::Beyond,
                micros => micros.map(|micros| to.append_value(micros + MICROS_TO_2000)),
            },
            Self::Text(to) => std::str::from_utf8(value).ok().map(|text| to.append_value(text)),
            Self::Bytes(to) => {
                to.append_value(value);
                Some(())
            }
        };
        put.map_or(Put::Malformed, |()| Put::Done)
    }

    fn null(&mut self) {
        match self {
            Self::Boolean(to) => to.append_null(),
            Self::Integer(to) => to.append_null(),
            Self::Bigint(to) => to.append_null(),
            Self::Double(to) => to.append_null(),
            Self::Decimal(to, _) => to.append_null(),
            Self::Date(to) => to.append_null(),
            Self::Timestamp(to) => to.append_null(),
            Self::Text(to) => to.append_null(),
            Self::Bytes(to) => to.append_null(),
        }
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Boolean(from) => ArrayBuilder::finish(from),
            Self::Integer(from) => ArrayBuilder::finish(from),
            Self::Bigint(from) => ArrayBuilder::finish(from),
            Self::Double(from) => ArrayBuilder::finish(from),
            Self::Decimal(from, _) => ArrayBuilder::finish(from),
            Self::Date(from) => ArrayBuilder::finish(from),
            Self::Timestamp(from) => ArrayBuilder::finish(from),
            Self::Text(from) => ArrayBuilder::finish(from),
            Self::Bytes(from) => ArrayBuilder::finish(from),
        }
    }
}

/// There is one NaN at the server, whatever its bits, and it is greater than all else.
fn one_nan(value: f64) -> f64 {
    if value.is_nan() { f64::NAN } else { value }
}

fn array<const N: usize>(value: &[u8]) -> Option<[u8; N]> {
    value.try_into().ok()
}

/// What is left of a piece.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn two(&mut self) -> Option<i16> {
        array(self.take(2)?).map(i16::from_be_bytes)
    }

    fn four(&mut self) -> Option<i32> {
        array(self.take(4)?).map(i32::from_be_bytes)
    }

    /// Signature, flags, and what may follow them.
    fn header(&mut self) -> Option<()> {
        let signature = self.take(SIGNATURE.len())?;
        let (flags, more) = (self.four()?, self.four()?);
        self.take(usize::try_from(more).ok()?)?;
        // The upper half of the flags is for what a reader has to know.
        (signature == SIGNATURE && flags >> 16 == 0).then_some(())
    }

    /// A field; `Some(None)` is NULL.
    fn field(&mut self) -> Option<Option<&'a [u8]>> {
        match self.four()? {
            -1 => Some(None),
            length => self.take(usize::try_from(length).ok()?).map(Some),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use arrow::datatypes::{Field, Schema};

    use super::*;

    fn header() -> Vec<u8> {
        [SIGNATURE, &[0; 8]].concat()
    }

    fn rows(kind: Kind) -> Rows {
        let schema = Arc::new(Schema::new(vec![Field::new("a", kind.arrow(), true)]));
        Rows::new(schema, &[("a".to_owned(), kind)])
    }

    fn row(value: &[u8]) -> Vec<u8> {
        [&1_i16.to_be_bytes()[..], &i32::try_from(value.len()).unwrap().to_be_bytes(), value].concat()
    }

    #[test]
    fn what_is_cut_or_of_another_length_names_its_column() {
        for piece in [row(&[0; 3]), row(&[0; 8]), row(&[0; 4])[..7].to_vec()] {
            let mut rows = rows(Kind::Integer);
            rows.push(&header()).unwrap();
            assert_eq!(rows.push(&piece), Err(Fault::Malformed("a".into())));
        }
        assert!(rows(Kind::Integer).push(b"PGCOPY").is_err());
        let mut two = rows(Kind::Text);
        assert_eq!(two.push(&[header(), row(&[0xFF])].concat()), Err(Fault::Malformed("a".into())));
    }

    #[test]
    fn infinite_moments_are_null_and_the_column_is_named() {
        let mut rows = rows(Kind::Timestamp);
        let latest = LATEST_MICROS - MICROS_TO_2000;
        let moments = [i64::MIN, i64::MAX, latest, latest - 1, i64::MIN + 1];
        let pieces = moments.map(|moment| row(&moment.to_be_bytes())).concat();
        rows.push(&[header(), pieces, (-1_i16).to_be_bytes().to_vec()].concat()).unwrap();
        assert!(rows.has_ended());
        assert_eq!(rows.beyond(), ["a"]);
        let batch = rows.batch().unwrap();
        assert_eq!(batch.column(0).null_count(), 3);
    }
}
