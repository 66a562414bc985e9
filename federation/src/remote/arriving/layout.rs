//! What a schema says of the messages behind it: the buffers of each column, and how long they must be.
//!
//! Arrow's own reading of a schema panics where a type has parameters that it does not know, so that these are read here
//! first. Types that a node neither sends nor binds (maps, unions, list views, run ends) are not taken.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use arrow::ipc::{DateUnit, Decimal, Endianness, Field, Int, IntervalUnit, Precision, Schema, Time, TimeUnit, Type};

use super::Malformed;

/// Dictionaries by their ids.
pub(super) type Dictionaries = HashMap<i64, Layout>;

/// A column in a message: its own buffers, and the columns within it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) buffers: Buffers,
    pub(super) children: Vec<Layout>,
}

/// The buffers of a column, in their order; all but the first form begin with validity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Buffers {
    /// None: every value is NULL.
    Nothing,
    /// So many bits for each value.
    Values(u64),
    /// Offsets of so many bytes, and the texts or bytes.
    Texts(u64),
    /// Views, and as many buffers as the message says.
    Views,
    /// Offsets of so many bytes into the one child.
    Lists(u64),
    /// No more than validity; the children have the values.
    Struct,
}

impl Layout {
    fn flat(buffers: Buffers) -> Self {
        Self { buffers, children: Vec::new() }
    }
}

/// The columns of a schema, and its dictionaries.
pub(super) fn columns(schema: Schema<'_>) -> Result<(Vec<Layout>, Dictionaries), Malformed> {
    if schema.endianness() != Endianness::Little {
        return Err(Malformed::BigEndian);
    }
    let mut dictionaries = Dictionaries::new();
    let fields = schema.fields().ok_or(Malformed::Unreadable)?;
    let columns = fields.iter().map(|field| column(field, &mut dictionaries)).collect::<Result<_, _>>()?;
    Ok((columns, dictionaries))
}

/// A column as it travels: where it has a dictionary, the places in that.
fn column(field: Field<'_>, dictionaries: &mut Dictionaries) -> Result<Layout, Malformed> {
    let layout = values(field, dictionaries)?;
    let Some(encoding) = field.dictionary() else { return Ok(layout) };
    match dictionaries.entry(encoding.id()) {
        Entry::Occupied(held) if *held.get() != layout => return Err(Malformed::Dictionary),
        Entry::Occupied(_) => {}
        Entry::Vacant(free) => drop(free.insert(layout)),
    }
    let bits = encoding.indexType().and_then(integer).ok_or(Malformed::Type(Type::Int))?;
    Ok(Layout::flat(Buffers::Values(bits)))
}

/// The values of a column. Flatbuffers nest 64 deep at most, and so does this.
fn values(field: Field<'_>, dictionaries: &mut Dictionaries) -> Result<Layout, Malformed> {
    let kind = field.type_type();
    let unfit = Malformed::Type(kind);
    let buffers = match kind {
        Type::Null => Buffers::Nothing,
        Type::Utf8 | Type::Binary => Buffers::Texts(4),
        Type::LargeUtf8 | Type::LargeBinary => Buffers::Texts(8),
        Type::Utf8View | Type::BinaryView => Buffers::Views,
        Type::List => Buffers::Lists(4),
        Type::LargeList => Buffers::Lists(8),
        Type::Struct_ => Buffers::Struct,
        _ => return bits(field).map(|bits| Layout::flat(Buffers::Values(bits))).ok_or(unfit),
    };
    if !matches!(buffers, Buffers::Lists(_) | Buffers::Struct) {
        return Ok(Layout::flat(buffers));
    }
    let children = field.children().into_iter().flatten().map(|child| column(child, dictionaries));
    let children = children.collect::<Result<Vec<_>, _>>()?;
    if matches!(buffers, Buffers::Lists(_)) && children.len() != 1 {
        return Err(unfit);
    }
    Ok(Layout { buffers, children })
}

/// Bits of one value of a type whose values are equally long, with parameters that Arrow knows.
fn bits(field: Field<'_>) -> Option<u64> {
    match field.type_type() {
        Type::Bool => Some(1),
        Type::Int => integer(field.type_as_int()?),
        Type::FloatingPoint => match field.type_as_floating_point()?.precision() {
            Precision::HALF => Some(16),
            Precision::SINGLE => Some(32),
            Precision::DOUBLE => Some(64),
            _ => None,
        },
        Type::Decimal => decimal(field.type_as_decimal()?),
        Type::Date => match field.type_as_date()?.unit() {
            DateUnit::DAY => Some(32),
            DateUnit::MILLISECOND => Some(64),
            _ => None,
        },
        Type::Time => time(field.type_as_time()?),
        Type::Timestamp => known(field.type_as_timestamp()?.unit()).then_some(64),
        Type::Duration => known(field.type_as_duration()?.unit()).then_some(64),
        Type::Interval => match field.type_as_interval()?.unit() {
            IntervalUnit::YEAR_MONTH => Some(32),
            IntervalUnit::DAY_TIME => Some(64),
            IntervalUnit::MONTH_DAY_NANO => Some(128),
            _ => None,
        },
        Type::FixedSizeBinary => {
            let bytes = u64::try_from(field.type_as_fixed_size_binary()?.byteWidth()).ok()?;
            (bytes > 0).then_some(bytes * 8)
        }
        _ => None,
    }
}

fn integer(int: Int<'_>) -> Option<u64> {
    u64::try_from(int.bitWidth()).ok().filter(|bits| [8, 16, 32, 64].contains(bits))
}

fn decimal(decimal: Decimal<'_>) -> Option<u64> {
    let (bits, most) = match decimal.bitWidth() {
        32 => (32, 9),
        64 => (64, 18),
        128 => (128, 38),
        256 => (256, 76),
        _ => return None,
    };
    let (precision, scale) = (decimal.precision(), decimal.scale());
    ((1..=most).contains(&precision) && (-precision..=precision).contains(&scale)).then_some(bits)
}

fn time(time: Time<'_>) -> Option<u64> {
    match (time.bitWidth(), time.unit()) {
        (32, TimeUnit::SECOND | TimeUnit::MILLISECOND) => Some(32),
        (64, TimeUnit::MICROSECOND | TimeUnit::NANOSECOND) => Some(64),
        _ => None,
    }
}

fn known(unit: TimeUnit) -> bool {
    [TimeUnit::SECOND, TimeUnit::MILLISECOND, TimeUnit::MICROSECOND, TimeUnit::NANOSECOND].contains(&unit)
}
