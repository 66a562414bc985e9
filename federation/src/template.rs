//! From a query over every dataset of a standard to the query that one body gets.

use datafusion::common::ScalarValue;
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::optimizer::simplify_expressions::ExprSimplifier;

use crate::alternative::Part;
use crate::error::Why;
use crate::normal;
use crate::rel::{self, Agg, Key, Rel, ScanColumn, Source};

/// Where a column of the template is in the part's query.
enum Slot {
    Column(usize),
    Constant(ScalarValue),
}

impl Slot {
    fn expr(&self) -> Expr {
        match self {
            Self::Column(index) => rel::column(*index),
            Self::Constant(value) => Expr::Literal(value.clone(), None),
        }
    }
}

/// The query of one body: same columns, the body's name a constant.
pub(crate) fn at_part(rel: &Rel, part: &Part) -> Result<Rel, Why> {
    let (rel, slots) = specialise(rel, part)?;
    let moved = slots.iter().enumerate().any(|(index, slot)| !matches!(slot, Slot::Column(place) if *place == index));
    Ok(if moved { Rel::Project { input: Box::new(rel), exprs: slots.iter().map(Slot::expr).collect() } } else { rel })
}

fn folded(expr: Expr) -> Expr {
    ExprSimplifier::new(SimplifyContext::default()).simplify(expr.clone()).unwrap_or(expr)
}

fn specialise(rel: &Rel, part: &Part) -> Result<(Rel, Vec<Slot>), Why> {
    match rel {
        Rel::Scan { source: source @ Source::Every(standard), columns } => match part.of(source) {
            Some(part) => Ok(scan(columns, part)),
            None => Err(Why::new(format!("{} has no dataset of {standard} here", part.owner))),
        },
        Rel::Scan { source: Source::Dataset(_), .. } => Ok(in_place(rel.clone())),
        Rel::Filter { input, predicate } => {
            let (input, slots) = specialise(input, part)?;
            let conjuncts = normal::conjuncts(moved(predicate.clone(), &slots)?)?
                .into_iter()
                .map(|conjunct| if rel::used(&conjunct).is_empty() { folded(conjunct) } else { conjunct });
            let open =
                conjuncts.filter(|conjunct| !matches!(conjunct, Expr::Literal(ScalarValue::Boolean(Some(true)), _)));
            Ok(match normal::all(open.collect()) {
                Some(predicate) => (Rel::Filter { input: Box::new(input), predicate }, slots),
                None => (input, slots),
            })
        }
        Rel::Project { input, exprs } => {
            let (input, slots) = specialise(input, part)?;
            let mut kept = Vec::new();
            let mut out = Vec::new();
            for expr in exprs {
                if let Some(Slot::Constant(value)) = rel::position(expr).and_then(|index| slots.get(index)) {
                    out.push(Slot::Constant(value.clone()));
                } else {
                    out.push(Slot::Column(kept.len()));
                    kept.push(moved(expr.clone(), &slots)?);
                }
            }
            Ok((Rel::Project { input: Box::new(input), exprs: kept }, out))
        }
        Rel::Aggregate { input, groups, sets: None, aggs } => aggregate(input, groups, aggs, part),
        Rel::Aggregate { input, groups, sets: Some(sets), aggs } => {
            let (input, groups, aggs) = (Box::new(at_part(input, part)?), groups.clone(), aggs.clone());
            Ok(in_place(Rel::Aggregate { input, groups, sets: Some(sets.clone()), aggs }))
        }
        Rel::Window { input, calls } => {
            Ok(in_place(Rel::Window { input: Box::new(at_part(input, part)?), calls: calls.clone() }))
        }
        Rel::Join { left, right, how, on } => {
            let (left, right) = (Box::new(at_part(left, part)?), Box::new(at_part(right, part)?));
            Ok(in_place(Rel::Join { left, right, how: *how, on: on.clone() }))
        }
        Rel::Union { inputs } => {
            let inputs = inputs.iter().map(|input| at_part(input, part)).collect::<Result<_, _>>()?;
            Ok(in_place(Rel::Union { inputs }))
        }
        Rel::Sort { input, keys, skip, fetch } => {
            let (input, slots) = specialise(input, part)?;
            let keys = keys
                .iter()
                .map(|Key { expr, asc, nulls_first }| {
                    Ok(Key { expr: moved(expr.clone(), &slots)?, asc: *asc, nulls_first: *nulls_first })
                })
                .collect::<Result<Vec<_>, Why>>()?;
            let keys = keys.into_iter().filter(|key| !rel::used(&key.expr).is_empty()).collect();
            Ok((Rel::Sort { input: Box::new(input), keys, skip: *skip, fetch: *fetch }, slots))
        }
        Rel::Limit { input, skip, fetch } => {
            let (input, slots) = specialise(input, part)?;
            Ok((Rel::Limit { input: Box::new(input), skip: *skip, fetch: *fetch }, slots))
        }
    }
}

/// A query whose columns stay where they are.
fn in_place(rel: Rel) -> (Rel, Vec<Slot>) {
    let slots = (0..rel.width()).map(Slot::Column).collect();
    (rel, slots)
}

fn scan(columns: &[ScanColumn], part: &Part) -> (Rel, Vec<Slot>) {
    let mut named = Vec::new();
    let slots = columns
        .iter()
        .map(|column| match column {
            ScanColumn::Body => Slot::Constant(ScalarValue::from(part.name.body.as_str())),
            ScanColumn::Named(_) => {
                named.push(column.clone());
                Slot::Column(named.len() - 1)
            }
        })
        .collect();
    (Rel::Scan { source: Source::Dataset(part.name.clone()), columns: named }, slots)
}

/// Group keys that are the body's name leave the GROUP BY and come back above it. Where nothing would be left of it, the name
/// stays as a key, or a body without rows would answer with one; as statistics such an answer is withheld anyway.
fn aggregate(input: &Rel, groups: &[Expr], aggs: &[Agg], part: &Part) -> Result<(Rel, Vec<Slot>), Why> {
    let (mut input, slots) = specialise(input, part)?;
    let constant = |group: &Expr| match rel::position(group).and_then(|index| slots.get(index)) {
        Some(Slot::Constant(value)) => Some(value.clone()),
        _ => None,
    };
    let values: Vec<Option<ScalarValue>> = groups.iter().map(constant).collect();
    let vanishes = !groups.is_empty() && values.iter().all(Option::is_some);
    let stays = vanishes && !part.is_protected();
    let mut keys = Vec::new();
    let mut out = Vec::new();
    for (group, value) in groups.iter().zip(values) {
        match value {
            Some(value) if stays && keys.is_empty() => {
                let width = input.width();
                let all = (0..width).map(rel::column).chain([Expr::Literal(value, None)]).collect();
                input = Rel::Project { input: Box::new(input), exprs: all };
                out.push(Slot::Column(0));
                keys.push(rel::column(width));
            }
            Some(value) => out.push(Slot::Constant(value)),
            None => {
                out.push(Slot::Column(keys.len()));
                keys.push(moved(group.clone(), &slots)?);
            }
        }
    }
    if keys.is_empty() && aggs.is_empty() {
        return Err(Why::new("the names of the bodies alone are no statistics"));
    }
    out.extend((0..aggs.len()).map(|index| Slot::Column(keys.len() + index)));
    let aggs = aggs
        .iter()
        .map(|Agg { func, args, distinct, filter }| {
            Ok(Agg {
                func: func.clone(),
                args: args.iter().map(|arg| moved(arg.clone(), &slots)).collect::<Result<_, Why>>()?,
                distinct: *distinct,
                filter: filter.clone().map(|expr| moved(expr, &slots)).transpose()?,
            })
        })
        .collect::<Result<_, Why>>()?;
    Ok((Rel::Aggregate { input: Box::new(input), groups: keys, sets: None, aggs }, out))
}

fn moved(expr: Expr, slots: &[Slot]) -> Result<Expr, Why> {
    Ok(rel::replace(expr, |index| match slots.get(index) {
        Some(slot) => slot.expr(),
        None => rel::column(usize::MAX),
    })?)
}
