//! The aggregate below a release: of one cell, all that disclosure control needs to know.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, BinaryArray, BooleanArray, Decimal128Array, PrimitiveArray, StructArray,
    UInt64Array,
};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{ArrowNativeType, DataType, Field, FieldRef, Fields};
use datafusion::common::cast::{as_binary_array, as_decimal128_array, as_int64_array, as_uint64_array};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, Volatility,
};

use super::single::Single;
use meridian_disclosure::cells::{Cell, Cells, Gathered};
use meridian_disclosure::sketch::Sketch;
use meridian_disclosure::suppression;

/// Type of sums: fixed point, the scale is whoever's who asked.
const SUM: DataType = DataType::Decimal128(38, 0);

/// The columns of the aggregate's value, and of its state, in this order.
static FIELDS: LazyLock<Fields> = LazyLock::new(|| {
    Fields::from(vec![
        Field::new("units", DataType::UInt64, true),
        Field::new("keys", DataType::UInt64, true),
        Field::new("sum", SUM, true),
        Field::new("absolute", SUM, true),
        Field::new("largest", DataType::Binary, true),
        Field::new("sketch", DataType::Binary, true),
    ])
});

/// The aggregate function over (unit, contribution), one row for each unit: no unit and no contribution do not count,
/// nor does a contribution of zero.
pub(in super::super) fn function(gathered: Gathered) -> Arc<AggregateUDF> {
    Arc::new(AggregateUDF::new_from_impl(Figures { gathered, signature: Signature::any(2, Volatility::Immutable) }))
}

/// Reads the aggregate's values, one per row.
pub(super) fn read(values: &ArrayRef) -> Result<Vec<Cell>> {
    let Some(values) = values.as_any().downcast_ref::<StructArray>() else {
        return Err(DataFusionError::Internal("a release point has no figures".into()));
    };
    let columns = Columns::of(values.columns())?;
    (0..values.len()).map(|row| columns.cell(row)).collect()
}

/// The same for declared tables, which need neither keys nor fingerprints; of counts the sum is the count.
pub(in super::super) fn plain(values: &ArrayRef) -> Result<Vec<suppression::Figure>> {
    let plain = |cell: Cell| {
        let counted = cell.largest.is_empty();
        let units = i128::from(cell.units);
        let (sum, absolute) = if counted { (units, units) } else { (cell.sum, cell.absolute) };
        suppression::Figure { units: cell.units, sum, absolute, largest: cell.largest }
    };
    Ok(read(values)?.into_iter().map(plain).collect())
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Figures {
    gathered: Gathered,
    signature: Signature,
}

impl AggregateUDFImpl for Figures {
    fn name(&self) -> &str {
        "cell_figures"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Struct(FIELDS.clone()))
    }

    fn accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let mut one = Cells::new(self.gathered);
        one.grow(1);
        Ok(Box::new(Single::new(Gathering { gathered: self.gathered, cells: one })))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let named = |field: &FieldRef| {
            let name = format!("{}[{}]", args.name, field.name());
            Arc::new(field.as_ref().clone().with_name(name))
        };
        Ok(FIELDS.iter().map(named).collect())
    }

    fn groups_accumulator_supported(&self, _: AccumulatorArgs) -> bool {
        true
    }

    fn create_groups_accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(Gathering { gathered: self.gathered, cells: Cells::new(self.gathered) }))
    }
}

/// Cells as DataFusion gathers groups.
struct Gathering {
    gathered: Gathered,
    cells: Cells,
}

impl Gathering {
    /// The columns of some cells, which are forgotten.
    fn emit(&mut self, emit: EmitTo) -> Result<Vec<ArrayRef>> {
        let cells = self.cells.take(match emit {
            EmitTo::All => self.cells.len(),
            EmitTo::First(cells) => cells,
        });
        let decimals =
            |value: fn(&Cell) -> i128| Decimal128Array::from_iter_values(cells.iter().map(value)).with_data_type(SUM);
        let largest = |cell: &Cell| cell.largest.iter().flat_map(|one| one.to_le_bytes()).collect::<Vec<u8>>();
        let sketch = |cell: &Cell| cell.sketch.as_ref().map(Sketch::to_bytes).unwrap_or_default();
        Ok(vec![
            Arc::new(UInt64Array::from_iter_values(cells.iter().map(|cell| cell.units))),
            Arc::new(UInt64Array::from_iter_values(cells.iter().map(|cell| cell.keys))),
            Arc::new(decimals(|cell| cell.sum)),
            Arc::new(decimals(|cell| cell.absolute)),
            Arc::new(BinaryArray::from_iter_values(cells.iter().map(largest))),
            Arc::new(BinaryArray::from_iter_values(cells.iter().map(sketch))),
        ])
    }
}

impl GroupsAccumulator for Gathering {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> Result<()> {
        self.cells.grow(total);
        let [units, contributions] = values else { return Err(malformed()) };
        let units = as_uint64_array(units)?;
        match contributions.data_type() {
            DataType::Decimal128(_, _) => {
                let rows = Rows::of(groups, units, as_decimal128_array(contributions)?, filter);
                self.cells.add_wide(&rows.groups, &rows.units, &rows.contributions);
            }
            _ => {
                let rows = Rows::of(groups, units, as_int64_array(contributions)?, filter);
                self.cells.add(&rows.groups, &rows.units, &rows.contributions);
            }
        }
        Ok(())
    }

    fn evaluate(&mut self, emit: EmitTo) -> Result<ArrayRef> {
        Ok(Arc::new(StructArray::try_new(FIELDS.clone(), self.emit(emit)?, None)?))
    }

    fn state(&mut self, emit: EmitTo) -> Result<Vec<ArrayRef>> {
        self.emit(emit)
    }

    fn merge_batch(&mut self, values: &[ArrayRef], groups: &[usize], total: usize) -> Result<()> {
        self.cells.grow(total);
        let columns = Columns::of(values)?;
        groups
            .iter()
            .enumerate()
            .try_for_each(|(row, group)| self.cells.merge(*group, &columns.cell(row)?).ok_or_else(malformed))
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let rows = values.first().map_or(0, |values| values.len());
        let mut each = Self { gathered: self.gathered, cells: Cells::new(self.gathered) };
        each.update_batch(values, &(0..rows).collect::<Vec<_>>(), filter, rows)?;
        each.emit(EmitTo::All)
    }

    fn size(&self) -> usize {
        self.cells.size()
    }
}

/// The rows of a batch that have a unit and a contribution, and that a filter admits.
struct Rows<'a, N: Clone> {
    groups: Cow<'a, [usize]>,
    units: Cow<'a, [u64]>,
    contributions: Cow<'a, [N]>,
}

impl<'a, N: ArrowNativeType> Rows<'a, N> {
    fn of<T: ArrowPrimitiveType<Native = N>>(
        groups: &'a [usize],
        units: &'a UInt64Array,
        contributions: &'a PrimitiveArray<T>,
        filter: Option<&BooleanArray>,
    ) -> Self {
        let admitted = filter.map(|filter| match filter.nulls() {
            Some(known) => NullBuffer::new(filter.values() & known.inner()),
            None => NullBuffer::new(filter.values().clone()),
        });
        let known = NullBuffer::union(units.nulls(), contributions.nulls());
        match NullBuffer::union(known.as_ref(), admitted.as_ref()).filter(|rows| rows.null_count() > 0) {
            None => Self {
                groups: Cow::Borrowed(groups),
                units: Cow::Borrowed(units.values()),
                contributions: Cow::Borrowed(contributions.values()),
            },
            Some(rows) => Self {
                groups: rows.valid_indices().filter_map(|row| groups.get(row).copied()).collect(),
                units: rows.valid_indices().map(|row| units.value(row)).collect(),
                contributions: rows.valid_indices().map(|row| contributions.value(row)).collect(),
            },
        }
    }
}

/// The columns of a state or of values.
struct Columns<'a> {
    units: &'a UInt64Array,
    keys: &'a UInt64Array,
    sum: &'a Decimal128Array,
    absolute: &'a Decimal128Array,
    largest: &'a BinaryArray,
    sketch: &'a BinaryArray,
}

impl<'a> Columns<'a> {
    fn of(columns: &'a [ArrayRef]) -> Result<Self> {
        let [units, keys, sum, absolute, largest, sketch] = columns else { return Err(malformed()) };
        Ok(Self {
            units: as_uint64_array(units)?,
            keys: as_uint64_array(keys)?,
            sum: as_decimal128_array(sum)?,
            absolute: as_decimal128_array(absolute)?,
            largest: as_binary_array(largest)?,
            sketch: as_binary_array(sketch)?,
        })
    }

    fn cell(&self, row: usize) -> Result<Cell> {
        let sketch = self.sketch.value(row);
        let sketch = if sketch.is_empty() { None } else { Some(Sketch::from_bytes(sketch).ok_or_else(malformed)?) };
        let (largest, _) = self.largest.value(row).as_chunks();
        Ok(Cell {
            units: self.units.value(row),
            keys: self.keys.value(row),
            sum: self.sum.value(row),
            absolute: self.absolute.value(row),
            largest: largest.iter().map(|word| i128::from_le_bytes(*word)).collect(),
            sketch,
        })
    }
}

fn malformed() -> DataFusionError {
    DataFusionError::Internal("the figures of a cell are malformed".into())
}
