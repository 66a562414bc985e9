//! An aggregate over every dataset of a standard: at each body for groups that no two bodies share, else partial at each body and final here.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{Aggregate, Expr, LogicalPlan, lit};
use meridian_proto::ColumnType;

use crate::alternative::{Alternative, Away, Here, Part, Rejection, renamed};
use crate::coverage;
use crate::error::Why;
use crate::lower::{self, Values};
use crate::placement::Search;
use crate::rel::{self, Agg, Rel, ScanColumn};
use crate::rules::combine::{call, cast, known, or_zero, quotient, uncast, when};
use crate::rules::whole::grouped;

const WITHHELD: &str = "a total over several bodies is withheld where one of them withheld its part";

/// Aggregates of aggregates of themselves.
const OF_THEMSELVES: [&str; 7] = ["min", "max", "bool_and", "bool_or", "bit_and", "bit_or", "bit_xor"];

pub(crate) fn make(search: &mut Search, node: &LogicalPlan, children: &[Vec<Alternative>]) -> Vec<Alternative> {
    let (LogicalPlan::Aggregate(aggregate), [alternatives]) = (node, children) else { return Vec::new() };
    let mut made = Vec::new();
    for alternative in alternatives {
        let Alternative::Away(away) = alternative else { continue };
        if away.parts.len() < 2 {
            continue;
        }
        match over(search, node, aggregate, away) {
            Ok(found) => made.extend(found),
            Err(why) => search.stays(&away.parts, &why, node),
        }
    }
    made
}

fn over(
    search: &mut Search,
    node: &LogicalPlan,
    aggregate: &Aggregate,
    away: &Away,
) -> Result<Option<Alternative>, Why> {
    let rel = lower::aggregate(aggregate, away.rel.clone(), &Values::default())?;
    let Rel::Aggregate { groups, sets: None, aggs, .. } = &rel else {
        return Err(Why::new("grouping sets over several bodies can't be made of one from each"));
    };
    let rows = grouped(away.rows, groups.len());
    if groups.iter().any(|group| separates(group, away)) {
        return Ok(Some(Alternative::Away(away.over(rel, rows))));
    }
    let mut split = Split::new(away, groups.clone());
    let finals = aggs.iter().map(|agg| split.add(agg)).collect::<Result<Vec<_>, _>>()?;
    match split.finish(search, aggregate, &finals, rows)? {
        Ok(here) => Ok(Some(Alternative::Here(here))),
        Err(rejection) => {
            search.reject(rejection, node);
            Ok(None)
        }
    }
}

/// Whether each part is known to have values of its own in this group key, so that no group has rows of two.
fn separates(group: &Expr, away: &Away) -> bool {
    let Some(index) = rel::position(group) else { return false };
    let spans = away.parts.iter().map(|part| Some((&part.name, coverage::span(&away.rel, index, part)?)));
    spans.collect::<Option<Vec<_>>>().is_some_and(coverage::are_apart)
}

/// How an aggregate is made of partial ones.
enum Final {
    Count(usize),
    Combined(usize),
    Average { sum: usize, count: usize },
}

struct Split<'a> {
    away: &'a Away,
    groups: Vec<Expr>,
    partials: Vec<Agg>,
    /// Bodies that release statistics: their cells may be withheld.
    protected: usize,
}

impl<'a> Split<'a> {
    fn new(away: &'a Away, groups: Vec<Expr>) -> Self {
        let protected = away.parts.iter().filter(|part| part.is_protected()).count();
        Self { away, groups, partials: Vec::new(), protected }
    }

    fn add(&mut self, agg: &Agg) -> Result<Final, Why> {
        let name = agg.func.name();
        let of_itself = OF_THEMSELVES.contains(&name);
        if agg.distinct && !matches!(name, "min" | "max") {
            return Err(Why::new(format!("{name}(DISTINCT …) over several bodies can't be made of one from each")));
        }
        match name {
            "count" => Ok(Final::Count(self.partial(agg.clone()))),
            "sum" => Ok(Final::Combined(self.partial(agg.clone()))),
            "avg" => {
                let count = Agg { func: known("count")?, ..agg.clone() };
                let args = agg.args.iter().map(|arg| self.summed(arg)).collect();
                let sum = Agg { func: known("sum")?, args, ..agg.clone() };
                let count = Agg { args: sum.args.iter().map(uncast).collect(), ..count };
                Ok(Final::Average { sum: self.partial(sum), count: self.partial(count) })
            }
            _ if of_itself && self.protected == 0 => Ok(Final::Combined(self.partial(agg.clone()))),
            _ => Err(Why::new(format!("{name} over several bodies can't be made of one from each"))),
        }
    }

    fn partial(&mut self, agg: Agg) -> usize {
        self.partials.iter().position(|known| *known == agg).unwrap_or_else(|| {
            self.partials.push(agg);
            self.partials.len() - 1
        })
    }

    /// The argument of a sum that makes an average. Integers are added as doubles, since sums of integers wrap; where sums
    /// are released as statistics, the bare measure, since nothing else is (and its bounds keep it small).
    fn summed(&self, arg: &Expr) -> Expr {
        if self.protected == 0 {
            return arg.clone();
        }
        match self.integer(&uncast(arg)) {
            Some(ColumnType::Integer) => cast(uncast(arg), &DataType::Int64),
            Some(ColumnType::Bigint) => uncast(arg),
            _ => arg.clone(),
        }
    }

    fn integer(&self, expr: &Expr) -> Option<ColumnType> {
        let (source, ScanColumn::Named(name)) = self.away.rel.origin(rel::position(expr)?)? else { return None };
        let (_, column) = self.away.described(source, name)?;
        let column_type = column.column_type;
        matches!(column_type, ColumnType::Integer | ColumnType::Bigint).then_some(column_type)
    }

    fn finish(
        self,
        search: &mut Search,
        node: &Aggregate,
        finals: &[Final],
        rows: f64,
    ) -> Result<Result<Here, Rejection>, Why> {
        let keys = self.groups.len();
        let width = keys + self.partials.len();
        let mixed = self.protected > 0 && self.protected < self.away.parts.len();
        let input = Box::new(self.away.rel.clone());
        let rel = Rel::Aggregate { input, groups: self.groups.clone(), sets: None, aggs: self.partials.clone() };
        let parts = self.away.parts.clone();
        let rows = (rows * parts.len() as f64).min(self.away.rows.max(1.0));
        let mut here = match search.fetch(&Away::new(parts, rel, rows), width, mixed) {
            Ok(fetched) => fetched.positional()?,
            Err(rejection) => return Ok(Err(rejection)),
        };
        let flag = mixed.then(|| rel::column(width));
        let mut combined = Vec::new();
        for (index, partial) in self.partials.iter().enumerate() {
            let cell = rel::column(keys + index);
            let function = if partial.func.name() == "count" { known("sum")? } else { Arc::clone(&partial.func) };
            combined.push(call(function, cell.clone(), None).alias(format!("s{index}")));
            if self.protected > 0 {
                combined.push(call(known("count")?, cell, flag.clone()).alias(format!("n{index}")));
            }
        }
        let groups: Vec<Expr> = (0..keys).map(rel::column).collect();
        let total = LogicalPlan::Aggregate(Aggregate::try_new(Arc::new(here.plan), groups.clone(), combined)?);
        let values = finals.iter().zip(node.schema.fields().iter().skip(keys));
        let values = values.map(|(how, field)| self.value(how, field.data_type())).collect::<Result<Vec<_>, _>>()?;
        here.plan = renamed(total, groups.into_iter().chain(values).collect(), &node.schema)?;
        if self.protected > 0 {
            here.notices.insert(WITHHELD.into());
        }
        Ok(Ok(here))
    }

    /// An aggregate from the combined partial ones, of its own type; NULL where a part of it is not known.
    fn value(&self, how: &Final, data_type: &DataType) -> Result<Expr, Why> {
        let (value, of) = match how {
            Final::Count(index) if self.protected == 0 => (or_zero(sum(*index)), vec![*index]),
            Final::Count(index) | Final::Combined(index) => (sum(*index), vec![*index]),
            Final::Average { sum: total, count } => {
                (quotient(sum(*total), sum(*count), data_type)?, vec![*total, *count])
            }
        };
        let value = match how {
            Final::Count(_) => value,
            Final::Combined(_) | Final::Average { .. } => cast(value, data_type),
        };
        if self.protected == 0 {
            return Ok(value);
        }
        let given = of.into_iter().map(|index| self.expected().map(|expected| given(index).gt_eq(expected)));
        let given = given.collect::<Result<Vec<_>, Why>>()?;
        let all = crate::normal::all(given).ok_or_else(|| Why::new("an aggregate has no parts"))?;
        Ok(when(vec![(all, value)], None))
    }

    /// How many cells of a group must be there: one of each protected part, unless its coverage rules the group out.
    fn expected(&self) -> Result<Expr, Why> {
        let mut anywhere = 0_i64;
        let mut somewhere: BTreeMap<Vec<usize>, Vec<(Vec<ScalarValue>, i64)>> = BTreeMap::new();
        for part in self.away.parts.iter().filter(|part| part.is_protected()) {
            let (columns, values) = self.bound(part);
            if columns.is_empty() {
                anywhere += 1;
                continue;
            }
            let cases = somewhere.entry(columns).or_default();
            match cases.iter_mut().find(|(known, _)| *known == values) {
                Some((_, number)) => *number += 1,
                None => cases.push((values, 1)),
            }
        }
        let mut expected = lit(anywhere);
        for (columns, cases) in somewhere {
            let cases = cases.into_iter().filter_map(|(values, number)| {
                let equal = columns.iter().zip(values).map(|(index, value)| rel::column(*index).eq(lit(value)));
                crate::normal::all(equal.collect()).map(|condition| (condition, lit(number)))
            });
            expected = expected + when(cases.collect(), Some(lit(0_i64)));
        }
        Ok(expected)
    }

    /// The group keys whose value in every row of a part is known.
    fn bound(&self, part: &Part) -> (Vec<usize>, Vec<ScalarValue>) {
        let keys = self.groups.iter().enumerate();
        keys.filter_map(|(key, group)| Some((key, coverage::known(&self.away.rel, rel::position(group)?, part)?)))
            .unzip()
    }
}

fn sum(index: usize) -> Expr {
    named("s", index)
}

fn given(index: usize) -> Expr {
    named("n", index)
}

fn named(kind: &str, index: usize) -> Expr {
    Expr::Column(datafusion::common::Column::new_unqualified(format!("{kind}{index}")))
}
