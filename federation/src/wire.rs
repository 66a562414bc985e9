//! The SQL that another body gets: text that people can read and that comes back as what was meant (see `check`).

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Column, ScalarValue};
use datafusion::error::Result;
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::expr::Cast;
use datafusion::sql::sqlparser::ast;
use datafusion::sql::unparser::Unparser;
use datafusion::sql::unparser::dialect::{DefaultDialect, Dialect};

use crate::error::Why;
use crate::normal::Normal;
use crate::rel::{self, Agg, How, Key, On, Rel, ScanColumn, Source};
use crate::tidy::tidy;

/// The text of a query; its answer has the columns `c0`, `c1` and so on.
pub(crate) fn sql(query: &Normal) -> Result<String, Why> {
    select(&query.rel, &query.outputs)
}

/// What a SELECT reads from: the FROM clause, the name of each column in it, and a WHERE clause.
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
        Rel::Join { left, right, how, on } => joined(left, right, *how, on),
        Rel::Project { .. } | Rel::Aggregate { .. } | Rel::Sort { .. } | Rel::Limit { .. } => derived(rel),
    }
}

/// A join: its sides are tables whose columns are numbered through, so that no name stands at both.
fn joined(left: &Rel, right: &Rel, how: How, on: &On) -> Result<From, Why> {
    let (of_left, of_right) = (derived(left)?, from(right)?);
    let width = of_left.names.len();
    let mut names = of_left.names;
    let numbered: Vec<String> = (width..width + right.width()).map(alias).collect();
    let right = block_from(width, &of_right, &of_right.names);
    let word = match how {
        How::Inner => "JOIN",
        How::Left => "LEFT JOIN",
        How::Semi => "LEFT SEMI JOIN",
    };
    let equal = format!("{} = {}", text(&on.left, &names)?, text(&on.right, &numbered)?);
    let text = format!("{} {word} ({right}) ON {equal}", of_left.text);
    match how {
        How::Semi => {}
        How::Inner | How::Left => names.extend(numbered),
    }
    Ok(From { text, names, filter: None })
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
        Rel::Aggregate { input, groups, aggs } => {
            let from = from(input)?;
            let groups = groups.iter().map(|expr| text(expr, &from.names)).collect::<Result<Vec<_>, _>>()?;
            let aggs = aggs.iter().map(|agg| aggregate(agg, &from.names)).collect::<Result<Vec<_>, _>>()?;
            let all: Vec<String> = groups.iter().cloned().chain(aggs).collect();
            let sql = block(&from, &pick(&all, outputs)?);
            Ok(if groups.is_empty() { sql } else { format!("{sql} GROUP BY {}", groups.join(", ")) })
        }
        Rel::Sort { input, keys, fetch } => ordered(input, outputs, keys, *fetch),
        Rel::Limit { input, skip, fetch } => {
            if !plain(input, outputs) {
                return wrapped(rel, outputs);
            }
            Ok(cut(select(input, outputs)?, *skip, *fetch))
        }
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
        Rel::Scan { .. } | Rel::Filter { .. } | Rel::Aggregate { .. } | Rel::Join { .. } => true,
        Rel::Project { exprs, .. } => outputs.iter().copied().eq(0..exprs.len()),
        Rel::Sort { .. } | Rel::Limit { .. } => false,
    }
}

fn ordered(input: &Rel, outputs: &[usize], keys: &[Key], fetch: Option<usize>) -> Result<String, Why> {
    let shown: Option<Vec<usize>> =
        keys.iter().map(|key| outputs.iter().position(|output| Some(*output) == rel::position(&key.expr))).collect();
    let (mut sql, names) = match shown {
        Some(shown) if plain(input, outputs) => {
            (select(input, outputs)?, shown.into_iter().map(alias).collect::<Vec<_>>())
        }
        _ if outputs.iter().copied().eq(0..input.width()) => {
            let from = derived(input)?;
            let names = keys.iter().map(|key| text(&key.expr, &from.names)).collect::<Result<Vec<_>, _>>()?;
            (block(&from, &from.names), names)
        }
        _ => return wrapped(&Rel::Sort { input: Box::new(input.clone()), keys: keys.to_vec(), fetch }, outputs),
    };
    let order: Vec<String> = names.iter().zip(keys).map(|(name, key)| direction(name, key)).collect();
    if !order.is_empty() {
        sql.push_str(&format!(" ORDER BY {}", order.join(", ")));
    }
    Ok(cut(sql, 0, fetch))
}

fn direction(name: &str, key: &Key) -> String {
    let way = if key.asc { "ASC" } else { "DESC" };
    let nulls = if key.nulls_first { "FIRST" } else { "LAST" };
    format!("{name} {way} NULLS {nulls}")
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
    block_from(0, from, outputs)
}

/// A SELECT whose columns are numbered from `first`.
fn block_from(first: usize, from: &From, outputs: &[String]) -> String {
    let mut list: Vec<String> = outputs
        .iter()
        .zip(first..)
        .map(|(text, index)| if *text == alias(index) { text.clone() } else { format!("{text} AS {}", alias(index)) })
        .collect();
    if list.is_empty() {
        list.push(format!("1 AS {}", alias(first)));
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

fn quoted(name: &str) -> String {
    match WireDialect.identifier_quote_style(name) {
        Some(quote) => format!("{quote}{name}{quote}"),
        None => name.to_string(),
    }
}

fn aggregate(agg: &Agg, names: &[String]) -> Result<String, Why> {
    let args = agg.args.iter().map(|arg| text(arg, names)).collect::<Result<Vec<_>, _>>()?;
    let all =
        agg.func.name() == "count" && !agg.distinct && agg.args == [Expr::Literal(ScalarValue::Int64(Some(1)), None)];
    let args = if all { "*".to_string() } else { args.join(", ") };
    let distinct = if agg.distinct { "DISTINCT " } else { "" };
    let call = format!("{}({distinct}{args})", agg.func.name());
    Ok(match &agg.filter {
        Some(filter) => format!("{call} FILTER (WHERE {})", text(filter, names)?),
        None => call,
    })
}

/// The text of an expression. Names stand for positions only while the tree is built, so that no column can capture another.
fn text(expr: &Expr, names: &[String]) -> Result<String, Why> {
    let typed = expr
        .clone()
        .transform_up(|part| {
            Ok(match part {
                Expr::Literal(value, _) => Transformed::yes(literal(value)?),
                other => Transformed::no(other),
            })
        })
        .data()?;
    let named = rel::replace(typed, |index| {
        let name = names.get(index).map_or("?", |name| name.trim_matches('"'));
        Expr::Column(Column::new_unqualified(name))
    })?;
    Ok(tidy(Unparser::new(&WireDialect).expr_to_sql(&named)?).to_string())
}

/// A literal that is read back with its type: bare where SQL gives it that type anyway, else a cast of its text.
fn literal(value: ScalarValue) -> Result<Expr> {
    let data_type = value.data_type();
    let bare = match &value {
        ScalarValue::Null => true,
        ScalarValue::Boolean(content) => content.is_some(),
        ScalarValue::Int64(content) => content.is_some(),
        ScalarValue::Utf8(content) => content.is_some(),
        ScalarValue::Float64(content) => content.is_some_and(|content| content.is_finite() && content.abs() < 1e15),
        _ => false,
    };
    if bare {
        return Ok(Expr::Literal(value, None));
    }
    let content = match &data_type {
        _ if value.is_null() => ScalarValue::Null,
        data_type if data_type.is_signed_integer() => value.cast_to(&DataType::Int64)?,
        _ => value.cast_to(&DataType::Utf8)?,
    };
    Ok(Expr::Cast(Cast::new(Box::new(Expr::Literal(content, None)), data_type)))
}

/// DataFusion's own dialect, but timestamps keep their unit.
struct WireDialect;

impl Dialect for WireDialect {
    fn identifier_quote_style(&self, identifier: &str) -> Option<char> {
        DefaultDialect {}.identifier_quote_style(identifier)
    }

    fn timestamp_cast_dtype(&self, unit: &TimeUnit, _zone: &Option<std::sync::Arc<str>>) -> ast::DataType {
        let digits = match unit {
            TimeUnit::Second => 0,
            TimeUnit::Millisecond => 3,
            TimeUnit::Microsecond => 6,
            TimeUnit::Nanosecond => 9,
        };
        ast::DataType::Timestamp(Some(digits), ast::TimezoneInfo::None)
    }
}
