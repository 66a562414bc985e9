//! The aggregate below a release: of one cell, all that disclosure control needs to know.

use std::sync::{Arc, LazyLock};

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, BinaryArray, BinaryBuilder, BooleanArray, Decimal128Array, PrimitiveArray,
    StructArray, UInt64Array,
};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion::common::cast::{as_binary_array, as_decimal128_array, as_int64_array, as_uint64_array};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, Volatility,
};

use super::single::Single;
use meridian_disclosure::sketch::{Shape, Sketch, Sketches};
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
    /// The most units by which sets differ and the fingerprint tells how many; `None` for no fingerprint.
    pub(in super::super) capacity: Option<u16>,
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

/// The figures of many cells.
struct Gathering {
    gathered: Gathered,
    counts: Vec<Counted>,
    /// As many as cells, if contributions are summed.
    sums: Vec<Summed>,
    /// `gathered.largest` of each cell, in descending order.
    largest: Vec<i128>,
    sketches: Option<Sketches>,
}

/// Units and the sum of their hashes.
#[derive(Clone, Copy, Default)]
struct Counted {
    units: u64,
    keys: u64,
}

/// Contributions and their absolute values.
#[derive(Clone, Copy, Default)]
struct Summed {
    sum: i128,
    absolute: i128,
}

impl Gathering {
    fn new(gathered: Gathered) -> Self {
        let shape = |capacity| Shape { capacity, contributions: gathered.sums };
        let sketches = gathered.capacity.map(|capacity| Sketches::new(shape(capacity)));
        Self { gathered, counts: Vec::new(), sums: Vec::new(), largest: Vec::new(), sketches }
    }

    fn grow(&mut self, groups: usize) {
        self.counts.resize(groups, Counted::default());
        if self.gathered.sums {
            self.sums.resize(groups, Summed::default());
            self.largest.resize(groups * self.gathered.largest, 0);
        }
        if let Some(sketches) = &mut self.sketches {
            sketches.grow(groups);
        }
    }

    /// The rows that have a unit, a contribution, and what the filter admits.
    fn gather<T: ArrowPrimitiveType>(
        &mut self,
        groups: &[usize],
        units: &UInt64Array,
        contributions: &PrimitiveArray<T>,
        filter: Option<&BooleanArray>,
        fixed: impl Fn(T::Native) -> i128,
    ) {
        let admitted = filter.map(|filter| match filter.nulls() {
            Some(known) => NullBuffer::new(filter.values() & known.inner()),
            None => NullBuffer::new(filter.values().clone()),
        });
        let known = NullBuffer::union(units.nulls(), contributions.nulls());
        let counts = NullBuffer::union(known.as_ref(), admitted.as_ref());
        let rows = groups.iter().zip(units.values()).zip(contributions.values());
        match counts {
            None => rows.for_each(|((group, unit), contribution)| self.add(*group, *unit, fixed(*contribution))),
            Some(counts) => {
                for (((group, unit), contribution), counts) in rows.zip(&counts) {
                    if counts {
                        self.add(*group, *unit, fixed(*contribution));
                    }
                }
            }
        }
    }

    /// One unit with its whole contribution.
    fn add(&mut self, group: usize, unit: u64, contribution: i128) {
        if contribution == 0 {
            return;
        }
        if let Some(count) = self.counts.get_mut(group) {
            count.units += 1;
            count.keys = count.keys.wrapping_add(unit);
        }
        if let Some(sum) = self.sums.get_mut(group) {
            sum.sum = sum.sum.saturating_add(contribution);
            let contribution = contribution.saturating_abs();
            sum.absolute = sum.absolute.saturating_add(contribution);
            self.keep(group, contribution);
        }
        if let Some(sketches) = &mut self.sketches {
            sketches.toggle(group, unit, contribution);
        }
    }

    /// Keeps a contribution if it is one of the largest.
    fn keep(&mut self, group: usize, mut contribution: i128) {
        let kept = self.gathered.largest;
        let Some(largest) = self.largest.get_mut(group * kept..(group + 1) * kept) else { return };
        if largest.last().is_some_and(|least| contribution <= *least) {
            return;
        }
        for held in largest {
            if contribution > *held {
                std::mem::swap(held, &mut contribution);
            }
        }
    }

    /// The columns of some cells, which are forgotten.
    fn emit(&mut self, emit: EmitTo) -> Result<Vec<ArrayRef>> {
        let counts = emit.take_needed(&mut self.counts);
        let cells = counts.len();
        let sums = if self.gathered.sums { emit.take_needed(&mut self.sums) } else { vec![Summed::default(); cells] };
        let kept = self.gathered.largest;
        let rest = self.largest.split_off((cells * kept).min(self.largest.len()));
        let largest = std::mem::replace(&mut self.largest, rest);
        let mut largest_bytes = BinaryBuilder::with_capacity(cells, largest.len() * 16);
        let mut chunks = largest.chunks(kept.max(1));
        for _ in 0..cells {
            let chunk = chunks.next().unwrap_or_default();
            largest_bytes.append_value(chunk.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>());
        }
        let mut sketches = self.sketches.as_mut().map(|sketches| sketches.take(cells)).unwrap_or_default().into_iter();
        let mut sketch_bytes = BinaryBuilder::new();
        for _ in 0..cells {
            sketch_bytes.append_value(sketches.next().map(|sketch| sketch.to_bytes()).unwrap_or_default());
        }
        let decimals =
            |value: fn(&Summed) -> i128| Decimal128Array::from_iter_values(sums.iter().map(value)).with_data_type(SUM);
        Ok(vec![
            Arc::new(UInt64Array::from_iter_values(counts.iter().map(|count| count.units))),
            Arc::new(UInt64Array::from_iter_values(counts.iter().map(|count| count.keys))),
            Arc::new(decimals(|sum| sum.sum)),
            Arc::new(decimals(|sum| sum.absolute)),
            Arc::new(largest_bytes.finish()),
            Arc::new(sketch_bytes.finish()),
        ])
    }

    fn merge(&mut self, group: usize, columns: &Columns<'_>, row: usize) -> Result<()> {
        if let Some(count) = self.counts.get_mut(group) {
            count.units += columns.units.value(row);
            count.keys = count.keys.wrapping_add(columns.keys.value(row));
        }
        if let Some(sum) = self.sums.get_mut(group) {
            sum.sum = sum.sum.saturating_add(columns.sum.value(row));
            sum.absolute = sum.absolute.saturating_add(columns.absolute.value(row));
        }
        for contribution in words(columns.largest.value(row)) {
            self.keep(group, contribution);
        }
        match &mut self.sketches {
            Some(sketches) => sketches.merge(group, columns.sketch.value(row)).ok_or_else(malformed),
            None => Ok(()),
        }
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
        match contributions.data_type() {
            DataType::Decimal128(_, _) => {
                self.gather(groups, units, as_decimal128_array(contributions)?, filter, |fixed| fixed);
            }
            _ => self.gather(groups, units, as_int64_array(contributions)?, filter, i128::from),
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
        self.counts.capacity() * size_of::<Counted>()
            + self.sums.capacity() * size_of::<Summed>()
            + self.largest.capacity() * size_of::<i128>()
            + self.sketches.as_ref().map_or(0, Sketches::size)
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
