//! The aggregate below a release: of one cell, all that disclosure control needs to know of the figures that are asked of
//! the same rows.

mod columns;

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, StructArray, UInt64Array};
use arrow::buffer::NullBuffer;
use arrow::compute::filter;
use arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion::common::cast::{as_decimal128_array, as_int64_array, as_uint64_array};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, Volatility,
};

use serde::{Deserialize, Serialize};

use super::single::Single;
use columns::{CELL, SET, SUM};
use meridian_disclosure::cells::{Cell, Cells, Contributions, Figure, Gathered};
use meridian_disclosure::suppression;

/// What a row, which is one unit, contributes to a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(in super::super) enum Counted {
    /// Itself.
    Each,
    /// Itself, where a value is not NULL.
    Valued,
    /// Itself, where a number is neither NULL nor zero.
    Nonzero,
    /// An amount in fixed point; NULL and zero do not count.
    Summed {
        /// How many of the largest amounts are kept.
        largest: usize,
    },
}

/// The aggregate function over the unit and then, for each figure that is not of each row, the value. It gives a structure
/// with each figure as a field; rows without a unit do not count.
pub(in super::super) fn function(figures: Vec<Counted>, capacity: Option<u16>) -> Arc<AggregateUDF> {
    let arguments = 1 + figures.iter().filter(|figure| **figure != Counted::Each).count();
    let signature = Signature::any(arguments, Volatility::Immutable);
    Arc::new(AggregateUDF::new_from_impl(CellFigures { figures, capacity, signature }))
}

/// The aggregate as it goes to a worker.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ShippedFigures {
    figures: Vec<Counted>,
    capacity: Option<u16>,
}

/// The aggregate, if it is this one.
pub(in super::super) fn ship(function: &AggregateUDF) -> Option<ShippedFigures> {
    let CellFigures { figures, capacity, signature: _ } = function.inner().downcast_ref::<CellFigures>()?;
    Some(ShippedFigures { figures: figures.clone(), capacity: *capacity })
}

impl ShippedFigures {
    /// The aggregate.
    pub(in super::super) fn function(self) -> Arc<AggregateUDF> {
        function(self.figures, self.capacity)
    }
}

/// The name of a figure in the aggregate's value.
pub(in super::super) fn field(figure: usize) -> String {
    figure.to_string()
}

/// Reads one figure of the aggregate's values, one per row.
pub(super) fn read(values: &ArrayRef) -> Result<Vec<Cell>> {
    let Some(values) = values.as_any().downcast_ref::<StructArray>() else {
        return Err(DataFusionError::Internal("a release point has no figures".into()));
    };
    columns::cells(values.columns())
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
struct CellFigures {
    figures: Vec<Counted>,
    capacity: Option<u16>,
    signature: Signature,
}

impl CellFigures {
    fn fields(&self) -> Fields {
        let figure = |(at, _)| Field::new(field(at), DataType::Struct(CELL.clone()), true);
        self.figures.iter().enumerate().map(figure).collect()
    }

    fn gathering(&self) -> Gathering {
        let figure = |figure: &Counted| match figure {
            Counted::Each | Counted::Valued | Counted::Nonzero => Figure::Units,
            Counted::Summed { largest } => Figure::Sum { largest: *largest },
        };
        let gathered: Vec<Figure> = self.figures.iter().map(figure).collect();
        Gathering { figures: self.figures.clone(), fields: self.fields(), cells: Cells::new(&gathered, self.capacity) }
    }
}

impl AggregateUDFImpl for CellFigures {
    fn name(&self) -> &str {
        "cell_figures"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Struct(self.fields()))
    }

    fn accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let mut one = self.gathering();
        one.cells.grow(1);
        Ok(Box::new(Single::new(one)))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let sums = |figure: &Counted| matches!(figure, Counted::Summed { .. }).then_some(SUM.iter());
        let figures = self.figures.iter().flat_map(|figure| SET.iter().chain(sums(figure).into_iter().flatten()));
        let fields = SET.iter().chain(figures).enumerate();
        let named = |(at, field): (usize, &FieldRef)| {
            let name = format!("{}[{at} {}]", args.name, field.name());
            Arc::new(field.as_ref().clone().with_name(name))
        };
        Ok(fields.map(named).collect())
    }

    fn groups_accumulator_supported(&self, _: AccumulatorArgs) -> bool {
        true
    }

    fn create_groups_accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(self.gathering()))
    }
}

/// Cells as DataFusion gathers groups.
struct Gathering {
    figures: Vec<Counted>,
    fields: Fields,
    cells: Cells,
}

impl Gathering {
    /// Some cells, which are forgotten.
    fn take(&mut self, emit: EmitTo) -> Vec<Gathered> {
        self.cells.take(match emit {
            EmitTo::All => self.cells.len(),
            EmitTo::First(cells) => cells,
        })
    }

    fn summed(&self) -> Vec<bool> {
        self.figures.iter().map(|figure| matches!(figure, Counted::Summed { .. })).collect()
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
        let Rows { groups, values } = Rows::of(values, groups, filter)?;
        let Some((units, values)) = values.split_first() else { return Err(malformed()) };
        let mut values = values.iter();
        let valued = self.figures.iter().map(|figure| match figure {
            Counted::Each => Ok(None),
            Counted::Valued | Counted::Nonzero | Counted::Summed { .. } => {
                values.next().map(Some).ok_or_else(malformed)
            }
        });
        let valued = valued.collect::<Result<Vec<Option<&ArrayRef>>>>()?;
        let figures = || self.figures.iter().zip(&valued);
        let none = figures().map(|(figure, value)| none(*figure, *value)).collect::<Result<Vec<_>>>()?;
        let contributions = figures().zip(&none).map(|((figure, value), none)| contributions(*figure, *value, none));
        let contributions = contributions.collect::<Result<Vec<_>>>()?;
        self.cells.add(&groups, as_uint64_array(units)?.values(), &contributions);
        Ok(())
    }

    fn evaluate(&mut self, emit: EmitTo) -> Result<ArrayRef> {
        let mut figures = vec![Vec::new(); self.figures.len()];
        let taken = self.take(emit);
        let rows = taken.len();
        for gathered in taken {
            let cells = self.cells.finished(gathered).ok_or_else(malformed)?;
            figures.iter_mut().zip(cells).for_each(|(figure, cell)| figure.push(cell));
        }
        let figures = figures.iter().map(|cells| columns::of_cells(cells)).collect::<Result<Vec<_>>>()?;
        Ok(Arc::new(StructArray::try_new_with_length(self.fields.clone(), figures, None, rows)?))
    }

    fn state(&mut self, emit: EmitTo) -> Result<Vec<ArrayRef>> {
        let gathered = self.take(emit);
        Ok(columns::of_gathered(&gathered, &self.summed()))
    }

    fn merge_batch(&mut self, values: &[ArrayRef], groups: &[usize], total: usize) -> Result<()> {
        self.cells.grow(total);
        let states = columns::States::of(values, &self.summed())?;
        let each = groups.iter().enumerate();
        each.map(|(row, group)| self.cells.merge(*group, &states.gathered(row)).ok_or_else(malformed)).collect()
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let rows = values.first().map_or(0, |values| values.len());
        let mut each = Self { figures: self.figures.clone(), fields: self.fields.clone(), cells: self.cells.empty() };
        each.update_batch(values, &(0..rows).collect::<Vec<_>>(), filter, rows)?;
        each.state(EmitTo::All)
    }

    fn size(&self) -> usize {
        self.cells.size()
    }
}

/// The places where nothing is contributed by what a value is; zero amounts are found where they are added.
fn none(figure: Counted, value: Option<&ArrayRef>) -> Result<Vec<usize>> {
    let Some(value) = value else { return Ok(Vec::new()) };
    let nulls = value.logical_nulls().filter(|nulls| nulls.null_count() > 0);
    if figure == Counted::Nonzero {
        let numbers = as_int64_array(value)?;
        let places = numbers.iter().enumerate();
        return Ok(places.filter(|(_, number)| number.unwrap_or_default() == 0).map(|(place, _)| place).collect());
    }
    Ok(nulls.map(|nulls| (!nulls.inner()).set_indices().collect()).unwrap_or_default())
}

fn contributions<'a>(figure: Counted, value: Option<&'a ArrayRef>, none: &'a [usize]) -> Result<Contributions<'a>> {
    match (figure, value) {
        (Counted::Summed { .. }, Some(value)) if matches!(value.data_type(), DataType::Decimal128(_, _)) => {
            Ok(Contributions::Wide(as_decimal128_array(value)?.values(), none))
        }
        (Counted::Summed { .. }, Some(value)) => Ok(Contributions::Amounts(as_int64_array(value)?.values(), none)),
        (Counted::Each | Counted::Valued | Counted::Nonzero, _) if none.is_empty() => Ok(Contributions::Each),
        (Counted::Each | Counted::Valued | Counted::Nonzero, _) => Ok(Contributions::AllBut(none)),
        (Counted::Summed { .. }, None) => Err(malformed()),
    }
}

/// The rows of a batch that have a unit and that a filter admits.
struct Rows<'a> {
    groups: Cow<'a, [usize]>,
    values: Cow<'a, [ArrayRef]>,
}

impl<'a> Rows<'a> {
    fn of(values: &'a [ArrayRef], groups: &'a [usize], admitted: Option<&BooleanArray>) -> Result<Self> {
        let admitted = admitted.map(|filter| match filter.nulls() {
            Some(known) => NullBuffer::new(filter.values() & known.inner()),
            None => NullBuffer::new(filter.values().clone()),
        });
        let units: Option<&UInt64Array> = values.first().map(|units| as_uint64_array(units)).transpose()?;
        let units = units.and_then(|units| units.nulls());
        let rows = NullBuffer::union(units, admitted.as_ref()).filter(|rows| rows.null_count() > 0);
        let Some(rows) = rows else {
            return Ok(Self { groups: Cow::Borrowed(groups), values: Cow::Borrowed(values) });
        };
        let kept = BooleanArray::new(rows.inner().clone(), None);
        let values = values.iter().map(|values| filter(values, &kept)).collect::<Result<Vec<_>, _>>()?;
        let groups = rows.valid_indices().filter_map(|row| groups.get(row).copied()).collect();
        Ok(Self { groups: Cow::Owned(groups), values: Cow::Owned(values) })
    }
}

fn malformed() -> DataFusionError {
    DataFusionError::Internal("the figures of a cell are malformed".into())
}
