//! The SQL that another body gets: text that people can read and that comes back as what was meant (see `check`).

use datafusion::error::Result;
use datafusion::logical_expr::Expr;

use self::expression::{aggregate, direction, quoted, text, window};
use crate::error::Why;
use crate::normal::{self, Normal};
use crate::rel::{self, How, Key, Rel, ScanColumn, Source};

mod expression;

/// The text of a query; its answer has the columns `c0`, `c1` and so on.
pub(crate) fn sql(query: &Normal) -> Result<String, Why> {
    select(&query.rel, &query.outputs)
}

/// A condition over the columns of a query of so many, by position.
pub(crate) fn condition(predicate: &Expr, width: usize) -> Result<String, Why> {
    let names: Vec<String> = (0..width).map(alias).collect();
    text(predicate, &names)
}

/// Those rows of a table, or of a query in parentheses, of so many columns for which a condition holds.
pub(crate) fn among(rows: &str, width: usize, condition: &str) -> String {
    let names: Vec<String> = (0..width).map(alias).collect();
    block(&From { text: rows.to_owned(), names: names.clone(), filter: Some(condition.to_owned()) }, &names)
}

/// What a SELECT reads from: the FROM clause, the name of each column in it, or the subquery whose value stands there, and a
/// WHERE clause.
struct From {
    text: String,
    names: Vec<String>,
    filter: Option<String>,
}

fn from(rel: &Rel) -> Result<From, Why> {
    match rel {
        Rel::Scan { source: Source::Dataset(name), columns } => {
            let names = columns.iter().map(scanned).collect::<Result<_, _>>()?;
            let [federation, body, dataset] =
                [&name.federation, &name.body, &name.dataset].map(|part| quoted(part.as_str()));
            Ok(From { text: format!("{federation}.{body}.{dataset}"), names, filter: None })
        }
        Rel::Scan { source: Source::Every(standard), .. } => {
            Err(Why::new(format!("every.{standard} is no dataset of one body")))
        }
        Rel::Filter { input, predicate } => {
            let below = from(input)?;
            let below = if below.filter.is_some() { derived(input)? } else { below };
            let filter = Some(text(predicate, &below.names)?);
            Ok(From { filter, ..below })
        }
        Rel::Join { left, right, how: How::Value, .. } => {
            let mut from = from(left)?;
            from.names.push(format!("({})", select(right, &[0])?));
            Ok(from)
        }
        Rel::Join { left, right, how: How::NotIn, on } => not_in(left, right, on),
        Rel::Join { left, right, how, on } => joined(left, right, *how, on),
        Rel::Project { .. }
        | Rel::Aggregate { .. }
        | Rel::Window { .. }
        | Rel::Union { .. }
        | Rel::Sort { .. }
        | Rel::Limit { .. } => derived(rel),
    }
}

/// A join: its sides are tables whose columns are numbered through, so that no name stands at both.
fn joined(left: &Rel, right: &Rel, how: How, on: &[Expr]) -> Result<From, Why> {
    let width = left.width();
    let of_left = match left {
        Rel::Join { left: one, right: other, how, .. }
            if !matches!(how, How::NotIn | How::Value) && one.width() > 0 && other.width() > 0 =>
        {
            from(left)?
        }
        // What has no columns has a name of its own, which nobody reads.
        left if width == 0 => {
            let below = from(left)?;
            let text = format!("({})", block_as("y", 0, &below, &[]));
            From { text, names: Vec::new(), filter: None }
        }
        left => derived(left)?,
    };
    let of_right = from(right)?;
    let numbered: Vec<String> = (width..width + right.width()).map(alias).collect();
    let right = block_as("x", width, &of_right, &of_right.names);
    let names: Vec<String> = of_left.names.iter().cloned().chain(numbered).collect();
    let condition = normal::all(on.to_vec()).map(|on| text(&on, &names)).transpose()?;
    let (word, condition) = match (how, condition) {
        (How::Inner, None) => ("CROSS JOIN", String::new()),
        (_, condition) => (word(how)?, format!(" ON {}", condition.unwrap_or_else(|| "true".into()))),
    };
    let text = format!("{} {word} ({right}){condition}", of_left.text);
    let names = if how.shows_right() { names } else { of_left.names };
    Ok(From { text, names, filter: None })
}

fn word(how: How) -> Result<&'static str, Why> {
    Ok(match how {
        How::Inner => "JOIN",
        How::Left => "LEFT JOIN",
        How::Right => "RIGHT JOIN",
        How::Full => "FULL JOIN",
        How::Semi => "LEFT SEMI JOIN",
        How::Anti => "LEFT ANTI JOIN",
        How::NotIn | How::Value => return Err(Why::new("a subquery is no side of a join")),
    })
}

/// `x NOT IN (SELECT …)` over the left side.
fn not_in(left: &Rel, right: &Rel, on: &[Expr]) -> Result<From, Why> {
    let below = derived(left)?;
    let equal = match on {
        [conjunct] => rel::equality(conjunct),
        _ => None,
    };
    let key = |other| rel::position(other).and_then(|index| index.checked_sub(left.width()));
    let sides = equal.and_then(|(own, other)| Some((own, key(other)?)));
    let (own, key) = sides.ok_or_else(|| Why::new("NOT IN compares with one column"))?;
    let own = match rel::position(own) {
        Some(_) => text(own, &below.names)?,
        None => format!("({})", text(own, &below.names)?),
    };
    // Its column has a name that no column of the left side has, or the owner's optimizer takes the one for the other.
    let of_right = from(right)?;
    let right = block_as("x", left.width(), &of_right, &pick(&of_right.names, &[key])?);
    let filter = Some(format!("{own} NOT IN ({right})"));
    Ok(From { filter, ..below })
}

fn derived(rel: &Rel) -> Result<From, Why> {
    let all: Vec<usize> = (0..rel.width()).collect();
    Ok(From {
        text: format!("({})", select(rel, &all)?),
        names: all.iter().map(|index| alias(*index)).collect(),
        filter: None,
    })
}

fn select(rel: &Rel, outputs: &[usize]) -> Result<String, Why> {
    match rel {
        Rel::Scan { .. } | Rel::Filter { .. } | Rel::Join { .. } => {
            let from = from(rel)?;
            Ok(block(&from, &pick(&from.names, outputs)?))
        }
        Rel::Project { input, exprs } => {
            let from = from(input)?;
            let exprs = exprs.iter().map(|expr| text(expr, &from.names)).collect::<Result<Vec<_>, _>>()?;
            Ok(block(&from, &pick(&exprs, outputs)?))
        }
        Rel::Aggregate { input, groups, sets, aggs } => {
            let from = from(input)?;
            let groups = groups.iter().map(|expr| text(expr, &from.names)).collect::<Result<Vec<_>, _>>()?;
            let aggs = aggs.iter().map(|agg| aggregate(agg, &from.names)).collect::<Result<Vec<_>, _>>()?;
            let all: Vec<String> = groups.iter().cloned().chain(aggs).collect();
            let sql = block(&from, &pick(&all, outputs)?);
            Ok(match sets {
                Some(sets) => format!("{sql} GROUP BY GROUPING SETS ({})", sets_of(&groups, sets)?),
                None if groups.is_empty() => sql,
                None => format!("{sql} GROUP BY {}", groups.join(", ")),
            })
        }
        Rel::Window { input, calls } => {
            let from = from(input)?;
            let calls = calls.iter().map(|call| window(call, &from.names)).collect::<Result<Vec<_>, _>>()?;
            let all: Vec<String> = from.names.iter().cloned().chain(calls).collect();
            Ok(block(&from, &pick(&all, outputs)?))
        }
        Rel::Union { inputs } => {
            let inputs = inputs.iter().map(|input| branch(input, outputs)).collect::<Result<Vec<_>, _>>()?;
            Ok(inputs.join(" UNION ALL "))
        }
        Rel::Sort { input, keys, skip, fetch } => ordered(rel, (input, keys), outputs, (*skip, *fetch)),
        Rel::Limit { input, skip, fetch } => {
            if !plain(input, outputs) {
                return wrapped(rel, outputs);
            }
            Ok(cut(select(input, outputs)?, *skip, *fetch))
        }
    }
}

fn sets_of(groups: &[String], sets: &[Vec<usize>]) -> Result<String, Why> {
    let sets = sets.iter().map(|set| Ok(format!("({})", pick(groups, set)?.join(", "))));
    Ok(sets.collect::<Result<Vec<_>, Why>>()?.join(", "))
}

/// A SELECT of a union: what has an end of its own becomes a table of its own.
fn branch(input: &Rel, outputs: &[usize]) -> Result<String, Why> {
    match input {
        Rel::Sort { .. } | Rel::Limit { .. } | Rel::Union { .. } => {
            let from = derived(input)?;
            Ok(block(&from, &pick(&from.names, outputs)?))
        }
        _ => select(input, outputs),
    }
}

fn cut(mut sql: String, skip: usize, fetch: Option<usize>) -> String {
    if let Some(fetch) = fetch {
        sql.push_str(&format!(" LIMIT {fetch}"));
    }
    if skip > 0 {
        sql.push_str(&format!(" OFFSET {skip}"));
    }
    sql
}

/// Whether ORDER BY or LIMIT can stand at the end of the input's own SELECT and still be read as above it.
fn plain(input: &Rel, outputs: &[usize]) -> bool {
    match input {
        Rel::Scan { .. } | Rel::Filter { .. } | Rel::Aggregate { .. } | Rel::Window { .. } | Rel::Join { .. } => true,
        Rel::Project { exprs, .. } => outputs.iter().copied().eq(0..exprs.len()),
        Rel::Union { .. } | Rel::Sort { .. } | Rel::Limit { .. } => false,
    }
}

fn ordered(
    rel: &Rel,
    (input, keys): (&Rel, &[Key]),
    outputs: &[usize],
    (skip, fetch): (usize, Option<usize>),
) -> Result<String, Why> {
    let shown: Option<Vec<usize>> =
        keys.iter().map(|key| outputs.iter().position(|output| Some(*output) == rel::position(&key.expr))).collect();
    let shown: Option<Vec<String>> = shown.map(|shown| shown.into_iter().map(alias).collect());
    let (mut sql, names) = match shown {
        Some(shown) if plain(input, outputs) && !means_another(input, &shown)? => (select(input, outputs)?, shown),
        _ if outputs.iter().copied().eq(0..input.width()) => {
            let from = derived(input)?;
            let names = keys.iter().map(|key| text(&key.expr, &from.names)).collect::<Result<Vec<_>, _>>()?;
            (block(&from, &from.names), names)
        }
        _ => return wrapped(rel, outputs),
    };
    let order: Vec<String> = names.iter().zip(keys).map(|(name, key)| direction(name, key)).collect();
    if !order.is_empty() {
        sql.push_str(&format!(" ORDER BY {}", order.join(", ")));
    }
    Ok(cut(sql, skip, fetch))
}

/// Whether a SELECT has columns below of these names, too, one of which ORDER BY could be about.
fn means_another(selected: &Rel, names: &[String]) -> Result<bool, Why> {
    let (below, shown) = match selected {
        Rel::Project { input, exprs } => (from(input)?, Some(exprs)),
        Rel::Aggregate { input, groups, .. } => (from(input)?, Some(groups)),
        Rel::Window { input, .. } => (from(input)?, None),
        rel => (from(rel)?, None),
    };
    let meant: Vec<&String> = match shown {
        Some(exprs) => exprs.iter().filter_map(rel::position).filter_map(|index| below.names.get(index)).collect(),
        None => below.names.iter().collect(),
    };
    Ok(names.iter().any(|name| meant.contains(&name)))
}

fn wrapped(rel: &Rel, outputs: &[usize]) -> Result<String, Why> {
    let all: Vec<usize> = (0..rel.width()).collect();
    if let Rel::Limit { input, skip, fetch } = rel
        && !plain(input, &all)
    {
        // The input has an end of its own: it becomes a table of its own.
        let from = derived(input)?;
        return Ok(cut(block(&from, &pick(&from.names, outputs)?), *skip, *fetch));
    }
    let from = derived(rel)?;
    Ok(block(&from, &pick(&from.names, outputs)?))
}

fn block(from: &From, outputs: &[String]) -> String {
    block_as("c", 0, from, outputs)
}

/// A SELECT whose columns are numbered from `first`, or which has one that nobody reads.
fn block_as(unread: &str, first: usize, from: &From, outputs: &[String]) -> String {
    let mut list: Vec<String> = outputs
        .iter()
        .zip(first..)
        .map(|(text, index)| if *text == alias(index) { text.clone() } else { format!("{text} AS {}", alias(index)) })
        .collect();
    if list.is_empty() {
        list.push(format!("1 AS {unread}{first}"));
    }
    let sql = format!("SELECT {} FROM {}", list.join(", "), from.text);
    match &from.filter {
        Some(filter) => format!("{sql} WHERE {filter}"),
        None => sql,
    }
}

fn pick(all: &[String], outputs: &[usize]) -> Result<Vec<String>, Why> {
    outputs
        .iter()
        .map(|index| all.get(*index).cloned().ok_or_else(|| Why::new("a column was asked for that the query has not")))
        .collect()
}

fn alias(index: usize) -> String {
    format!("c{index}")
}

fn scanned(column: &ScanColumn) -> Result<String, Why> {
    match column {
        ScanColumn::Named(name) => Ok(quoted(name)),
        ScanColumn::Body => Err(Why::new("the body's name is no column of its dataset")),
    }
}
