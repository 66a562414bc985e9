//! The text of expressions: DataFusion's unparser for scalar ones, with literals typed.

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Column, ScalarValue};
use datafusion::error::Result;
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::expr::Cast;
use datafusion::sql::sqlparser::ast;
use datafusion::sql::sqlparser::keywords::ALL_KEYWORDS;
use datafusion::sql::unparser::Unparser;
use datafusion::sql::unparser::dialect::Dialect;

use crate::error::Why;
use crate::rel::{self, Agg, Bound, Call, Frame, Key};
use crate::tidy::tidy;

pub(super) fn quoted(name: &str) -> String {
    match WireDialect.identifier_quote_style(name) {
        Some(quote) => format!("{quote}{name}{quote}"),
        None => name.to_string(),
    }
}

pub(super) fn aggregate(agg: &Agg, names: &[String]) -> Result<String, Why> {
    let Agg { func, args, distinct, filter } = agg;
    called(func.name(), args, *distinct, filter.as_ref(), names)
}

fn called(
    function: &str,
    args: &[Expr],
    distinct: bool,
    filter: Option<&Expr>,
    names: &[String],
) -> Result<String, Why> {
    let all = function == "count" && !distinct && args == [Expr::Literal(ScalarValue::Int64(Some(1)), None)];
    let args = args.iter().map(|arg| text(arg, names)).collect::<Result<Vec<_>, _>>()?;
    let args = if all { "*".to_string() } else { args.join(", ") };
    let distinct = if distinct { "DISTINCT " } else { "" };
    let call = format!("{function}({distinct}{args})");
    Ok(match filter {
        Some(filter) => format!("{call} FILTER (WHERE {})", text(filter, names)?),
        None => call,
    })
}

/// A window function, with its frame written out.
pub(super) fn window(call: &Call, names: &[String]) -> Result<String, Why> {
    let Call { func, args, distinct, filter, ignores_nulls, partition, order, frame } = call;
    let function = called(func.name(), args, *distinct, filter.as_ref(), names)?;
    let nulls = match ignores_nulls {
        Some(true) => " IGNORE NULLS",
        Some(false) => " RESPECT NULLS",
        None => "",
    };
    let mut over = Vec::new();
    if !partition.is_empty() {
        let keys = partition.iter().map(|expr| text(expr, names)).collect::<Result<Vec<_>, _>>()?;
        over.push(format!("PARTITION BY {}", keys.join(", ")));
    }
    if !order.is_empty() {
        let keys = order.iter().map(|key| Ok(direction(&text(&key.expr, names)?, key)));
        over.push(format!("ORDER BY {}", keys.collect::<Result<Vec<_>, Why>>()?.join(", ")));
    }
    let Frame { units, start, end } = frame;
    over.push(format!("{units} BETWEEN {} AND {}", bound(start), bound(end)));
    Ok(format!("{function}{nulls} OVER ({})", over.join(" ")))
}

fn bound(bound: &Bound) -> String {
    match bound {
        Bound::Preceding(None) => "UNBOUNDED PRECEDING".into(),
        Bound::Preceding(Some(rows)) => format!("{rows} PRECEDING"),
        Bound::Current => "CURRENT ROW".into(),
        Bound::Following(None) => "UNBOUNDED FOLLOWING".into(),
        Bound::Following(Some(rows)) => format!("{rows} FOLLOWING"),
    }
}

/// One key of an ORDER BY.
pub(super) fn direction(name: &str, key: &Key) -> String {
    let way = if key.asc { "ASC" } else { "DESC" };
    let nulls = if key.nulls_first { "FIRST" } else { "LAST" };
    format!("{name} {way} NULLS {nulls}")
}

/// The text of an expression. Names stand for positions only while the tree is built, so that no column can capture another.
pub(super) fn text(expr: &Expr, names: &[String]) -> Result<String, Why> {
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
        // As X'…'.
        ScalarValue::Binary(content) => content.is_some(),
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

/// Whether it is read as it is written.
fn is_plain(identifier: &str) -> bool {
    let mut letters = identifier.chars();
    letters.next().is_some_and(|first| first.is_ascii_lowercase() || first == '_')
        && letters.all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_')
}

/// Whether it means something in SQL; `id` does nowhere that matters. The list is in order.
fn is_keyword(identifier: &str) -> bool {
    identifier != "id" && ALL_KEYWORDS.binary_search(&identifier.to_uppercase().as_str()).is_ok()
}

/// DataFusion's own dialect, but timestamps keep their unit, and no pattern is compiled for every name.
struct WireDialect;

impl Dialect for WireDialect {
    fn identifier_quote_style(&self, identifier: &str) -> Option<char> {
        // A subquery stands for its value.
        let bare = identifier.starts_with('(') || is_plain(identifier) && !is_keyword(identifier);
        (!bare).then_some('"')
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
