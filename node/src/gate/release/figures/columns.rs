//! Cells as Arrow columns: as they are gathered, between one part of an aggregation and the next, and as they are finished.

use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, BinaryArray, Decimal128Array, StructArray, UInt64Array};
use arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion::common::cast::{as_binary_array, as_decimal128_array, as_uint64_array};
use datafusion::error::Result;
use meridian_disclosure::cells::{Cell, Gathered, Set, Sum};
use meridian_disclosure::sketch::Sketch;

use super::malformed;

/// Type of sums: fixed point, the scale is whoever's who asked.
const FIXED: DataType = DataType::Decimal128(38, 0);

/// The columns of a set of units.
pub(super) static SET: LazyLock<Fields> =
    LazyLock::new(|| fields([("units", DataType::UInt64), ("keys", DataType::UInt64), ("sketch", DataType::Binary)]));

/// The columns of a sum.
pub(super) static SUM: LazyLock<Fields> = LazyLock::new(|| {
    fields([("sum", FIXED), ("absolute", FIXED), ("largest", DataType::Binary), ("pairs", DataType::Binary)])
});

/// The columns of a finished figure.
pub(super) static CELL: LazyLock<Fields> = LazyLock::new(|| {
    fields([
        ("units", DataType::UInt64),
        ("keys", DataType::UInt64),
        ("sum", FIXED),
        ("absolute", FIXED),
        ("largest", DataType::Binary),
        ("sketch", DataType::Binary),
    ])
});

fn fields<const N: usize>(of: [(&str, DataType); N]) -> Fields {
    of.into_iter().map(|(name, data_type)| FieldRef::new(Field::new(name, data_type, true))).collect()
}

/// One figure of some cells.
pub(super) fn of_cells(cells: &[Cell]) -> Result<ArrayRef> {
    let sketch = |cell: &Cell| cell.sketch.as_ref().map(Sketch::to_bytes).unwrap_or_default();
    let columns = vec![
        numbers(cells, |cell| cell.units),
        numbers(cells, |cell| cell.keys),
        decimals(cells, |cell| cell.sum),
        decimals(cells, |cell| cell.absolute),
        bytes(cells, |cell| large_to_bytes(&cell.largest)),
        bytes(cells, sketch),
    ];
    Ok(Arc::new(StructArray::try_new_with_length(CELL.clone(), columns, None, cells.len())?))
}

/// Reads what [`of_cells`] wrote.
pub(super) fn cells(columns: &[ArrayRef]) -> Result<Vec<Cell>> {
    let [units, keys, sum, absolute, largest, sketches] = columns else { return Err(malformed()) };
    let (units, keys) = (as_uint64_array(units)?, as_uint64_array(keys)?);
    let (sum, absolute) = (as_decimal128_array(sum)?, as_decimal128_array(absolute)?);
    let (largest, sketches) = (as_binary_array(largest)?, as_binary_array(sketches)?);
    let cell = |row| {
        let sketch = match sketches.value(row) {
            [] => None,
            bytes => Some(Sketch::from_bytes(bytes).ok_or_else(malformed)?),
        };
        Ok(Cell {
            units: units.value(row),
            keys: keys.value(row),
            sum: sum.value(row),
            absolute: absolute.value(row),
            largest: large_from_bytes(largest.value(row)),
            sketch,
        })
    };
    (0..units.len()).map(cell).collect()
}

/// Cells as they are gathered: the shared units, then of each figure those that it lacks, and its sum.
pub(super) fn of_gathered(cells: &[Gathered], summed: &[bool]) -> Vec<ArrayRef> {
    let mut columns = of_sets(&cells.iter().map(|cell| &cell.shared).collect::<Vec<_>>());
    for (figure, summed) in summed.iter().enumerate() {
        let of = || cells.iter().filter_map(|cell| cell.figures.get(figure));
        columns.extend(of_sets(&of().map(|(lacking, _)| lacking).collect::<Vec<_>>()));
        if *summed {
            columns.extend(of_sums(&of().filter_map(|(_, sum)| sum.as_ref()).collect::<Vec<_>>()));
        }
    }
    columns
}

fn of_sets(sets: &[&Set]) -> Vec<ArrayRef> {
    vec![numbers(sets, |set| set.units), numbers(sets, |set| set.keys), bytes(sets, |set| words_to_bytes(&set.sketch))]
}

fn of_sums(sums: &[&Sum]) -> Vec<ArrayRef> {
    vec![
        decimals(sums, |sum| sum.sum),
        decimals(sums, |sum| sum.absolute),
        bytes(sums, |sum| large_to_bytes(&sum.largest)),
        bytes(sums, |sum| words_to_bytes(&sum.sketch)),
    ]
}

/// Reads what [`of_gathered`] wrote.
pub(super) struct States<'a> {
    shared: Sets<'a>,
    figures: Vec<(Sets<'a>, Option<Sums<'a>>)>,
}

struct Sets<'a> {
    units: &'a UInt64Array,
    keys: &'a UInt64Array,
    sketch: &'a BinaryArray,
}

struct Sums<'a> {
    sum: &'a Decimal128Array,
    absolute: &'a Decimal128Array,
    largest: &'a BinaryArray,
    sketch: &'a BinaryArray,
}

impl<'a> States<'a> {
    pub(super) fn of(columns: &'a [ArrayRef], summed: &[bool]) -> Result<Self> {
        let (shared, mut columns) = Sets::first_of(columns)?;
        let mut figures = Vec::with_capacity(summed.len());
        for summed in summed {
            let (lacking, rest) = Sets::first_of(columns)?;
            let (sums, rest) =
                if *summed { Sums::first_of(rest).map(|(sums, rest)| (Some(sums), rest))? } else { (None, rest) };
            figures.push((lacking, sums));
            columns = rest;
        }
        if columns.is_empty() { Ok(Self { shared, figures }) } else { Err(malformed()) }
    }

    pub(super) fn gathered(&self, row: usize) -> Gathered {
        let figure = |(lacking, sums): &(Sets<'_>, Option<Sums<'_>>)| {
            (lacking.set(row), sums.as_ref().map(|sums| sums.sum(row)))
        };
        Gathered { shared: self.shared.set(row), figures: self.figures.iter().map(figure).collect() }
    }
}

impl<'a> Sets<'a> {
    fn first_of(columns: &'a [ArrayRef]) -> Result<(Self, &'a [ArrayRef])> {
        let [units, keys, sketch, rest @ ..] = columns else { return Err(malformed()) };
        let (units, keys, sketch) = (as_uint64_array(units)?, as_uint64_array(keys)?, as_binary_array(sketch)?);
        Ok((Self { units, keys, sketch }, rest))
    }

    fn set(&self, row: usize) -> Set {
        let sketch = words_from_bytes(self.sketch.value(row));
        Set { units: self.units.value(row), keys: self.keys.value(row), sketch }
    }
}

impl<'a> Sums<'a> {
    fn first_of(columns: &'a [ArrayRef]) -> Result<(Self, &'a [ArrayRef])> {
        let [sum, absolute, largest, sketch, rest @ ..] = columns else { return Err(malformed()) };
        let (sum, absolute) = (as_decimal128_array(sum)?, as_decimal128_array(absolute)?);
        let (largest, sketch) = (as_binary_array(largest)?, as_binary_array(sketch)?);
        Ok((Self { sum, absolute, largest, sketch }, rest))
    }

    fn sum(&self, row: usize) -> Sum {
        Sum {
            sum: self.sum.value(row),
            absolute: self.absolute.value(row),
            largest: large_from_bytes(self.largest.value(row)),
            sketch: words_from_bytes(self.sketch.value(row)),
        }
    }
}

fn numbers<T>(of: &[T], value: impl Fn(&T) -> u64) -> ArrayRef {
    Arc::new(UInt64Array::from_iter_values(of.iter().map(value)))
}

fn decimals<T>(of: &[T], value: impl Fn(&T) -> i128) -> ArrayRef {
    Arc::new(Decimal128Array::from_iter_values(of.iter().map(value)).with_data_type(FIXED))
}

fn bytes<T>(of: &[T], value: impl Fn(&T) -> Vec<u8>) -> ArrayRef {
    Arc::new(BinaryArray::from_iter_values(of.iter().map(value)))
}

fn large_to_bytes(numbers: &[i128]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

fn large_from_bytes(bytes: &[u8]) -> Vec<i128> {
    bytes.as_chunks().0.iter().map(|word| i128::from_le_bytes(*word)).collect()
}

fn words_to_bytes(words: &[u64]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn words_from_bytes(bytes: &[u8]) -> Vec<u64> {
    bytes.as_chunks().0.iter().map(|word| u64::from_le_bytes(*word)).collect()
}
