//! What a body will release as statistics, foreseen from its description. The owner decides; this only spares a question that is bound to be refused.

use std::collections::BTreeSet;

use datafusion::logical_expr::Expr;
use meridian_proto::{Dataset, Role};

use crate::alternative::{Part, Rejection};
use crate::rel::{self, Agg, Rel, ScanColumn};

/// Functions of which cells are released.
const RELEASED: [&str; 4] = ["count", "sum", "avg", "approx_distinct"];
/// Functions that an owner makes of released counts, where a measure declares bands.
const OF_BANDS: [&str; 4] = ["median", "approx_median", "percentile_cont", "approx_percentile_cont"];

/// Whether a query over a `statistics` dataset can be released.
pub(crate) fn foresee(rel: &Rel, part: &Part) -> Result<(), Rejection> {
    match rel {
        Rel::Aggregate { input, groups, aggs } if !aggregated(input) => below(input, part).and_then(|()| {
            groups.iter().try_for_each(|group| dimensions(input, group, part, "groups by"))?;
            aggs.iter().try_for_each(|agg| cell(input, agg, part))
        }),
        Rel::Aggregate { input, .. }
        | Rel::Filter { input, .. }
        | Rel::Project { input, .. }
        | Rel::Sort { input, .. }
        | Rel::Limit { input, .. }
            if aggregated(input) =>
        {
            foresee(input, part)
        }
        Rel::Scan { .. }
        | Rel::Aggregate { .. }
        | Rel::Filter { .. }
        | Rel::Project { .. }
        | Rel::Sort { .. }
        | Rel::Limit { .. }
        | Rel::Join { .. } => Err(rows(part)),
    }
}

/// What a question for rows of a `statistics` dataset is told.
pub(crate) fn rows(part: &Part) -> Rejection {
    Rejection::new(
        "statistics.shape",
        part,
        format!("{} leaves as statistics only", part.name),
        format!("aggregate it (COUNT, SUM, AVG){}", grouped_by(&part.dataset)),
    )
}

fn grouped_by(dataset: &Dataset) -> String {
    let names = with_role(dataset, Role::Dimension);
    if names.is_empty() {
        String::new()
    } else {
        format!(", grouped or filtered by its dimensions {}", names.join(", "))
    }
}

fn with_role(dataset: &Dataset, role: Role) -> Vec<&str> {
    dataset.columns.iter().filter(|column| column.role == role).map(|column| column.name.as_str()).collect()
}

fn aggregated(rel: &Rel) -> bool {
    match rel {
        Rel::Aggregate { .. } => true,
        Rel::Scan { .. } | Rel::Join { .. } => false,
        Rel::Filter { input, .. } | Rel::Project { input, .. } | Rel::Sort { input, .. } | Rel::Limit { input, .. } => {
            aggregated(input)
        }
    }
}

/// Under the statistic only filters, projections and joins that the owner makes.
fn below(rel: &Rel, part: &Part) -> Result<(), Rejection> {
    match rel {
        Rel::Scan { .. } => Ok(()),
        Rel::Project { input, .. } => below(input, part),
        Rel::Join { left, .. } => below(left, part),
        Rel::Filter { input, predicate } => {
            below(input, part)?;
            dimensions(input, predicate, part, "filters by")
        }
        Rel::Sort { .. } | Rel::Limit { .. } | Rel::Aggregate { .. } => Err(Rejection::new(
            "statistics.shape",
            part,
            format!("{} leaves as statistics only, and a LIMIT below the statistic picks rows of it", part.name),
            "put the LIMIT above the aggregate".into(),
        )),
    }
}

fn dimensions(input: &Rel, expr: &Expr, part: &Part, does: &str) -> Result<(), Rejection> {
    for name in sources(input, expr) {
        let Some(column) = part.dataset.column(&name).filter(|column| column.role != Role::Dimension) else {
            continue;
        };
        let remedy = match with_role(&part.dataset, Role::Dimension) {
            names if names.is_empty() => "leave it out".into(),
            names => format!("use its dimensions {} instead", names.join(", ")),
        };
        let reason = format!("the question {does} {name}, a column of {} with the role {}", part.name, column.role);
        return Err(Rejection::new("statistics.column", part, reason, remedy).at_column(name));
    }
    Ok(())
}

fn cell(input: &Rel, agg: &Agg, part: &Part) -> Result<(), Rejection> {
    let function = agg.func.name();
    let is_measure = |name: &String| part.dataset.column(name).is_none_or(|column| column.role == Role::Measure);
    let of_bands = OF_BANDS.contains(&function) && {
        let names: BTreeSet<String> = agg.args.iter().flat_map(|arg| sources(input, arg)).collect();
        !names.is_empty() && names.iter().all(is_measure)
    };
    if !RELEASED.contains(&function) && !of_bands {
        let reason = format!("{function} over {} would show a value of a single row: it is not released", part.name);
        let remedy = format!("ask for COUNT, SUM or AVG, or ask {} to publish it as a band", part.name.body);
        return Err(Rejection::new("statistics.aggregate", part, reason, remedy).at(function));
    }
    if let Some(filter) = &agg.filter {
        dimensions(input, filter, part, "filters by")?;
    }
    let summed = matches!(function, "sum" | "avg");
    for name in agg.args.iter().flat_map(|arg| sources(input, arg)) {
        if summed && !is_measure(&name) {
            let remedy = match with_role(&part.dataset, Role::Measure) {
                names if names.is_empty() => "count its rows with COUNT(*)".into(),
                names => format!("its measures are {}", names.join(", ")),
            };
            let reason = format!("{name} of {} is no measure, so that its {function} is not released", part.name);
            return Err(Rejection::new("statistics.column", part, reason, remedy).at_column(name));
        }
    }
    Ok(())
}

/// The published columns that an expression draws on.
fn sources(input: &Rel, expr: &Expr) -> BTreeSet<String> {
    rel::used(expr).into_iter().flat_map(|index| of_column(input, index)).collect()
}

fn of_column(rel: &Rel, index: usize) -> BTreeSet<String> {
    match rel {
        Rel::Scan { columns, .. } => match columns.get(index) {
            Some(ScanColumn::Named(name)) => BTreeSet::from([name.clone()]),
            Some(ScanColumn::Body) | None => BTreeSet::new(),
        },
        Rel::Project { input, exprs } => exprs.get(index).map(|expr| sources(input, expr)).unwrap_or_default(),
        Rel::Aggregate { input, groups, .. } => groups.get(index).map(|expr| sources(input, expr)).unwrap_or_default(),
        // What stands at the right side are labels that the owner has declared.
        Rel::Join { left, .. } if index < left.width() => of_column(left, index),
        Rel::Join { .. } => BTreeSet::new(),
        Rel::Filter { input, .. } | Rel::Sort { input, .. } | Rel::Limit { input, .. } => of_column(input, index),
    }
}
