//! The aggregate below a release: of one cell, all that disclosure control needs to know.

use std::sync::{Arc, LazyLock};

use arrow::array::{
    Array, ArrayRef, BinaryArray, BinaryBuilder, BooleanArray, Decimal128Array, StructArray, UInt64Array,
};
use arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion::common::cast::{as_binary_array, as_decimal128_array, as_int64_array, as_uint64_array};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, Volatility,
};

use super::single::Single;
use meridian_disclosure::sketch::{Element, Sketch};
use meridian_disclosure::suppression;

/// Type of sums: fixed point, the scale is whoever's who asked.
const SUM: DataType = DataType::Decimal128(38, 0);

/// What is gathered of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in super::super) struct Gathered {
    /// Whether contributions are summed; otherwise units are counted.
    pub(in super::super) sums: bool,
    /// How many of the largest absolute contributions are kept.
    pub(in super::super) largest: usize,
    /// Elements that the fingerprint tells apart; 0 for none.
    pub(in super::super) capacity: usize,
}

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

/// What is known of one cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Figure {
    /// Units that contribute.
    pub(super) units: u64,
    /// The sum of their hashes modulo 2^64; its low byte is the cell key.
    pub(super) keys: u64,
    /// The sum of contributions, in fixed point.
    pub(super) sum: i128,
    /// The sum of absolute contributions.
    pub(super) absolute: i128,
    /// The largest absolute contributions, in descending order.
    pub(super) largest: Vec<i128>,
    /// The fingerprint.
    pub(super) sketch: Option<Sketch>,
}

/// Reads the aggregate's values, one per row.
pub(super) fn read(values: &ArrayRef) -> Result<Vec<Figure>> {
    let Some(values) = values.as_any().downcast_ref::<StructArray>() else {
        return Err(DataFusionError::Internal("a release point has no figures".into()));
    };
    let columns = Columns::of(values.columns())?;
    (0..values.len())
        .map(|row| {
            let sketch = columns.sketch.value(row);
            let sketch = if sketch.is_empty() { None } else { Some(sketch_of(sketch)?) };
            Ok(Figure {
                units: columns.units.value(row),
                keys: columns.keys.value(row),
                sum: columns.sum.value(row),
                absolute: columns.absolute.value(row),
                largest: words(columns.largest.value(row)).collect(),
                sketch,
            })
        })
        .collect()
}

/// The same for declared tables, which need neither keys nor fingerprints; of counts the sum is the count.
pub(in super::super) fn plain(values: &ArrayRef) -> Result<Vec<suppression::Figure>> {
    let plain = |figure: Figure| {
        let counted = figure.largest.is_empty();
        let units = i128::from(figure.units);
        let (sum, absolute) = if counted { (units, units) } else { (figure.sum, figure.absolute) };
        suppression::Figure { units: figure.units, sum, absolute, largest: figure.largest }
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
        let mut one = Gathering::new(self.gathered);
        one.grow(1);
        Ok(Box::new(Single::new(one)))
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
        Ok(Box::new(Gathering::new(self.gathered)))
    }
}

/// The figures of many cells, column by column.
struct Gathering {
    gathered: Gathered,
    units: Vec<u64>,
    keys: Vec<u64>,
    sums: Vec<i128>,
    absolutes: Vec<i128>,
    /// `gathered.largest` of each cell, in descending order.
    largest: Vec<i128>,
    sketches: Vec<Sketch>,
}

impl Gathering {
    fn new(gathered: Gathered) -> Self {
        let (units, keys) = (Vec::new(), Vec::new());
        let (sums, absolutes, largest) = (Vec::new(), Vec::new(), Vec::new());
        Self { gathered, units, keys, sums, absolutes, largest, sketches: Vec::new() }
    }

    fn grow(&mut self, groups: usize) {
        self.units.resize(groups, 0);
        self.keys.resize(groups, 0);
        if self.gathered.sums {
            self.sums.resize(groups, 0);
            self.absolutes.resize(groups, 0);
            self.largest.resize(groups * self.gathered.largest, 0);
        }
        if self.gathered.capacity > 0 {
            self.sketches.resize_with(groups, || Sketch::new(self.gathered.capacity));
        }
    }

    /// One unit with its whole contribution.
    fn add(&mut self, group: usize, unit: u64, contribution: i128) {
        if let (Some(units), Some(keys)) = (self.units.get_mut(group), self.keys.get_mut(group)) {
            *units += 1;
            *keys = keys.wrapping_add(unit);
        }
        if self.gathered.sums {
            if let (Some(sum), Some(absolute)) = (self.sums.get_mut(group), self.absolutes.get_mut(group)) {
                *sum = sum.saturating_add(contribution);
                *absolute = absolute.saturating_add(contribution.saturating_abs());
            }
            self.keep(group, contribution.saturating_abs());
        }
        if let Some(sketch) = self.sketches.get_mut(group) {
            let alike = !self.gathered.sums;
            sketch.toggle(if alike { Element::alike(unit) } else { Element::new(unit, contribution) });
        }
    }

    /// Keeps a contribution if it is one of the largest.
    fn keep(&mut self, group: usize, mut contribution: i128) {
        let kept = self.gathered.largest;
        let Some(largest) = self.largest.get_mut(group * kept..(group + 1) * kept) else { return };
        for held in largest {
            if contribution > *held {
                std::mem::swap(held, &mut contribution);
            }
        }
    }

    /// The columns of some cells, which are forgotten.
    fn emit(&mut self, emit: EmitTo) -> Result<Vec<ArrayRef>> {
        let units = emit.take_needed(&mut self.units);
        let cells = units.len();
        let keys = emit.take_needed(&mut self.keys);
        let zeros = || vec![0_i128; cells];
        let (sums, absolutes) = if self.gathered.sums {
            (emit.take_needed(&mut self.sums), emit.take_needed(&mut self.absolutes))
        } else {
            (zeros(), zeros())
        };
        let kept = self.gathered.largest;
        let rest = self.largest.split_off((cells * kept).min(self.largest.len()));
        let largest = std::mem::replace(&mut self.largest, rest);
        let mut largest_bytes = BinaryBuilder::with_capacity(cells, largest.len() * 16);
        let mut chunks = largest.chunks(kept.max(1));
        for _ in 0..cells {
            let chunk = chunks.next().unwrap_or_default();
            largest_bytes.append_value(chunk.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>());
        }
        let rest = self.sketches.split_off(cells.min(self.sketches.len()));
        let mut sketches = std::mem::replace(&mut self.sketches, rest).into_iter();
        let mut sketch_bytes = BinaryBuilder::new();
        for _ in 0..cells {
            sketch_bytes.append_value(sketches.next().map(|sketch| sketch.to_bytes()).unwrap_or_default());
        }
        let decimals = |values: Vec<i128>| Decimal128Array::from(values).with_data_type(SUM);
        Ok(vec![
            Arc::new(UInt64Array::from(units)),
            Arc::new(UInt64Array::from(keys)),
            Arc::new(decimals(sums)),
            Arc::new(decimals(absolutes)),
            Arc::new(largest_bytes.finish()),
            Arc::new(sketch_bytes.finish()),
        ])
    }

    fn merge(&mut self, group: usize, columns: &Columns<'_>, row: usize) -> Result<()> {
        if let (Some(units), Some(keys)) = (self.units.get_mut(group), self.keys.get_mut(group)) {
            *units += columns.units.value(row);
            *keys = keys.wrapping_add(columns.keys.value(row));
        }
        if let (Some(sum), Some(absolute)) = (self.sums.get_mut(group), self.absolutes.get_mut(group)) {
            *sum = sum.saturating_add(columns.sum.value(row));
            *absolute = absolute.saturating_add(columns.absolute.value(row));
        }
        for contribution in words(columns.largest.value(row)) {
            self.keep(group, contribution);
        }
        let sketch = columns.sketch.value(row);
        if let Some(held) = self.sketches.get_mut(group)
            && !sketch.is_empty()
        {
            held.merge(&sketch_of(sketch)?);
        }
        Ok(())
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
        self.grow(total);
        let [units, contributions] = values else { return Err(malformed()) };
        let units = as_uint64_array(units)?;
        let admitted =
            |row: usize| !units.is_null(row) && filter.is_none_or(|filter| !filter.is_null(row) && filter.value(row));
        match contributions.data_type() {
            DataType::Decimal128(_, _) => {
                let contributions = as_decimal128_array(contributions)?;
                for (row, group) in groups.iter().enumerate().filter(|(row, _)| admitted(*row)) {
                    if !contributions.is_null(row) && contributions.value(row) != 0 {
                        self.add(*group, units.value(row), contributions.value(row));
                    }
                }
            }
            _ => {
                let contributions = as_int64_array(contributions)?;
                for (row, group) in groups.iter().enumerate().filter(|(row, _)| admitted(*row)) {
                    if !contributions.is_null(row) && contributions.value(row) != 0 {
                        self.add(*group, units.value(row), i128::from(contributions.value(row)));
                    }
                }
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
        self.grow(total);
        let columns = Columns::of(values)?;
        groups.iter().enumerate().try_for_each(|(row, group)| self.merge(*group, &columns, row))
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let rows = values.first().map_or(0, |values| values.len());
        let mut each = Self::new(self.gathered);
        each.update_batch(values, &(0..rows).collect::<Vec<_>>(), filter, rows)?;
        each.emit(EmitTo::All)
    }

    fn size(&self) -> usize {
        let sketch = (self.gathered.capacity + 2) * size_of::<u64>() + size_of::<Sketch>();
        (self.units.capacity() + self.keys.capacity()) * size_of::<u64>()
            + (self.sums.capacity() + self.absolutes.capacity() + self.largest.capacity()) * size_of::<i128>()
            + self.sketches.capacity() * sketch
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
}

fn words(bytes: &[u8]) -> impl Iterator<Item = i128> + '_ {
    bytes.chunks_exact(16).map(|word| i128::from_le_bytes(word.try_into().unwrap_or_default()))
}

fn sketch_of(bytes: &[u8]) -> Result<Sketch> {
    Sketch::from_bytes(bytes).ok_or_else(malformed)
}

fn malformed() -> DataFusionError {
    DataFusionError::Internal("the figures of a cell are malformed".into())
}
