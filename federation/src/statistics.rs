//! What a body will release as statistics, foreseen from its description. The owner decides; this only spares a question that is bound to be refused.

use datafusion::logical_expr::Expr;
use meridian_proto::{Column, Dataset, Form, Role};

use crate::alternative::{Part, Rejection};
use crate::rel::{self, Agg, How, Rel};

/// Functions of which cells are released.
const RELEASED: [&str; 4] = ["count", "sum", "avg", "approx_distinct"];
/// Functions that an owner makes of released counts, where a measure declares bands.
const OF_BANDS: [&str; 4] = ["median", "approx_median", "percentile_cont", "approx_percentile_cont"];

/// The datasets of a query, at least one of which leaves as statistics.
pub(crate) struct Site<'a> {
    part: &'a Part,
    /// One that leaves as statistics.
    protected: &'a Part,
}

impl<'a> Site<'a> {
    /// The datasets, if one of them leaves as statistics.
    pub(crate) fn of(part: &'a Part) -> Option<Self> {
        let protected = part.datasets().find(|part| is_protected(part))?;
        Some(Self { part, protected })
    }

    /// The columns of protected datasets on which an expression draws, and whose they are.
    fn drawn(&self, input: &Rel, expr: &Expr) -> Vec<(&'a Part, &'a Column)> {
        let sources = input.drawn(expr).into_iter();
        let known = sources.filter_map(|(source, name)| self.part.described(source, name));
        known.filter(|(part, _)| is_protected(part)).collect()
    }
}

fn is_protected(part: &Part) -> bool {
    part.dataset.form == Form::Statistics
}

/// Whether a query over `statistics` datasets can be released.
pub(crate) fn foresee(rel: &Rel, site: &Site) -> Result<(), Rejection> {
    match rel {
        Rel::Aggregate { input, groups, sets: _, aggs } if !is_aggregated(input) => below(input, site).and_then(|()| {
            groups.iter().try_for_each(|group| dimensions(input, group, site, "groups by"))?;
            aggs.iter().try_for_each(|agg| cell(input, agg, site))
        }),
        Rel::Aggregate { input, .. }
        | Rel::Filter { input, .. }
        | Rel::Project { input, .. }
        | Rel::Sort { input, .. }
        | Rel::Limit { input, .. }
            if is_aggregated(input) =>
        {
            foresee(input, site)
        }
        Rel::Join { .. } | Rel::Union { .. } | Rel::Window { .. } if is_aggregated(rel) => {
            let part = site.protected;
            let reason = format!("what {} releases is put together where it was asked for", part.name);
            Err(Rejection::new("statistics.shape", part, reason, "ask for each release by itself".into()))
        }
        Rel::Scan { .. }
        | Rel::Aggregate { .. }
        | Rel::Filter { .. }
        | Rel::Project { .. }
        | Rel::Sort { .. }
        | Rel::Limit { .. }
        | Rel::Window { .. }
        | Rel::Union { .. }
        | Rel::Join { .. } => Err(rows(site.protected)),
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

/// Whether there is an aggregate in it, so that its rows are cells.
pub(crate) fn is_aggregated(rel: &Rel) -> bool {
    matches!(rel, Rel::Aggregate { .. }) || rel.inputs().into_iter().any(is_aggregated)
}

/// Under the statistic only filters, projections, unions and joins that the owner makes.
fn below(rel: &Rel, site: &Site) -> Result<(), Rejection> {
    match rel {
        Rel::Scan { .. } => Ok(()),
        Rel::Project { input, .. } => below(input, site),
        Rel::Union { inputs } => inputs.iter().try_for_each(|input| below(input, site)),
        Rel::Join { left, right, .. } => {
            below(left, site)?;
            below(right, site)?;
            site.joins(rel)
        }
        Rel::Filter { input, predicate } => {
            below(input, site)?;
            dimensions(input, predicate, site, "filters by")
        }
        Rel::Sort { .. } | Rel::Limit { .. } => {
            Err(shape(site, "a LIMIT below the statistic picks rows of it", "put the LIMIT above the aggregate"))
        }
        Rel::Window { .. } => Err(shape(
            site,
            "a window function below the statistic shows a row to its neighbours",
            "put the window above the aggregate",
        )),
        Rel::Aggregate { .. } => {
            Err(shape(site, "what it is joined with below the statistic is computed first", "join the dataset itself"))
        }
    }
}

fn shape(site: &Site, why: &str, remedy: &str) -> Rejection {
    let part = site.protected;
    let reason = format!("{} leaves as statistics only, and {why}", part.name);
    Rejection::new("statistics.shape", part, reason, remedy.into())
}

impl Site<'_> {
    /// Whether an owner joins its rows in this way: pairs by an equality of columns, protected ones by what they are told apart by;
    /// what else a condition says is about dimensions.
    pub(crate) fn joins(&self, join: &Rel) -> Result<(), Rejection> {
        let Rel::Join { left, right, how, on } = join else { return Ok(()) };
        match how {
            How::Inner | How::Left | How::Right | How::Semi => {}
            How::Full | How::Anti | How::NotIn | How::Value => {
                let why = "below the statistic rows are joined with partners that they have";
                return Err(shape(self, why, "write JOIN or LEFT JOIN, or ask for the statistics of each"));
            }
        }
        // The columns of a semi join are those of the left side; its condition is over both.
        let both = Rel::Join { left: left.clone(), right: right.clone(), how: How::Inner, on: on.clone() };
        let width = left.width();
        let of = |expr: &Expr| rel::bare_or_cast(expr).map(|index| index < width);
        let keyed = |conjunct: &&Expr| {
            rel::equality(conjunct).is_some_and(|(one, other)| {
                matches!((of(one), of(other)), (Some(true), Some(false)) | (Some(false), Some(true)))
            })
        };
        let identified = |conjunct: &Expr| {
            rel::equality(conjunct).is_some_and(|(one, other)| {
                [one, other].into_iter().all(|side| {
                    let drawn = self.drawn(&both, side);
                    !drawn.is_empty() && drawn.iter().all(|(_, column)| column.role == Role::Identifier)
                })
            })
        };
        let (keys, rest): (Vec<&Expr>, Vec<&Expr>) = on.iter().partition(keyed);
        if self.protects(left) && self.protects(right) && !keys.iter().any(|key| identified(key)) {
            let part = self.protected;
            let reason = format!("protected rows of {} are joined by what they have in common only", part.owner);
            let remedy = "join them ON equality of the columns that identify their units, or ask each by itself";
            return Err(Rejection::new("statistics.join", part, reason, remedy.into()));
        }
        if keys.is_empty() {
            let why = "its rows are joined by no equality of two columns";
            return Err(shape(self, why, "join ON column = column, or ask for the statistics of each"));
        }
        rest.into_iter().try_for_each(|conjunct| dimensions(&both, conjunct, self, "joins by"))
    }

    /// Whether rows of a protected dataset are in it.
    fn protects(&self, rel: &Rel) -> bool {
        match rel {
            Rel::Scan { source, .. } => self.part.of(source).is_some_and(is_protected),
            _ => rel.inputs().into_iter().any(|input| self.protects(input)),
        }
    }
}

fn dimensions(input: &Rel, expr: &Expr, site: &Site, does: &str) -> Result<(), Rejection> {
    for (part, column) in site.drawn(input, expr) {
        if column.role == Role::Dimension {
            continue;
        }
        let remedy = match with_role(&part.dataset, Role::Dimension) {
            names if names.is_empty() => "leave it out".into(),
            names => format!("use its dimensions {} instead", names.join(", ")),
        };
        let name = column.name.to_string();
        let reason = format!("the question {does} {name}, a column of {} with the role {}", part.name, column.role);
        return Err(Rejection::new("statistics.column", part, reason, remedy).at_column(name));
    }
    Ok(())
}

fn cell(input: &Rel, agg: &Agg, site: &Site) -> Result<(), Rejection> {
    let function = agg.func.name();
    let drawn: Vec<(&Part, &Column)> = agg.args.iter().flat_map(|arg| site.drawn(input, arg)).collect();
    let of_bands = OF_BANDS.contains(&function)
        && !drawn.is_empty()
        && drawn.iter().all(|(_, column)| column.role == Role::Measure);
    if !RELEASED.contains(&function) && !of_bands {
        let part = drawn.first().map_or(site.protected, |(part, _)| part);
        let reason = format!("{function} over {} would show a value of a single row: it is not released", part.name);
        let remedy = format!("ask for COUNT, SUM or AVG, or ask {} to publish it as a band", part.owner);
        return Err(Rejection::new("statistics.aggregate", part, reason, remedy).at(function));
    }
    if let Some(filter) = &agg.filter {
        dimensions(input, filter, site, "filters by")?;
    }
    let summed = matches!(function, "sum" | "avg");
    if let Some((part, column)) = drawn.iter().find(|(_, column)| summed && column.role != Role::Measure) {
        let remedy = match with_role(&part.dataset, Role::Measure) {
            names if names.is_empty() => "count its rows with COUNT(*)".into(),
            names => format!("its measures are {}", names.join(", ")),
        };
        let name = column.name.to_string();
        let reason = format!("{name} of {} is no measure, so that its {function} is not released", part.name);
        return Err(Rejection::new("statistics.column", part, reason, remedy).at_column(name));
    }
    Ok(())
}
