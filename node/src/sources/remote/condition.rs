//! Conditions as another engine reads them: only what is true there exactly where it is true here. Whatever else there is
//! stays above the scan.
//!
//! A condition keeps rows for which it is true. Whether it is false or NULL for the others makes no difference as long as
//! nothing negates it, and so NOT is written into what it negates. What has no place in Arrow, such as an infinite date of
//! PostgreSQL, is NULL here: no comparison is true of it.

use datafusion::common::ScalarValue;
use datafusion::logical_expr::expr::{InList, Like};
use datafusion::logical_expr::{Between, BinaryExpr, Cast, Expr, Operator};

use super::dialect::Dialect;
use super::kind::{Class, Kind};
use super::literal::{Constant, constant};
use super::query::{Column, Query};

/// A condition in SQL, and the constants that stand beside it, in order.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::sources) struct Condition {
    pub(in crate::sources) sql: String,
    pub(in crate::sources) values: Vec<Constant>,
}

/// SQL that is true for the same rows of a relation; `None` where there is none, or it may not be.
pub(in crate::sources) fn condition(expr: &Expr, over: &Query) -> Option<Condition> {
    let mut writer = Writer { over, dialect: over.dialect, parts: 0, values: Vec::new() };
    let sql = writer.written(expr, false)?;
    Some(Condition { sql, values: writer.values })
}

struct Writer<'a> {
    over: &'a Query,
    dialect: &'static dyn Dialect,
    parts: usize,
    values: Vec<Constant>,
}

/// One side of a comparison.
enum Side<'a> {
    Column(&'a Column),
    Constant(Constant),
}

impl<'a> Writer<'a> {
    /// An expression, or what it is not.
    fn written(&mut self, expr: &Expr, negated: bool) -> Option<String> {
        self.parts += 1;
        if self.parts > self.dialect.most_parts() {
            return None;
        }
        match expr {
            Expr::Not(inner) => self.written(inner, !negated),
            Expr::BinaryExpr(BinaryExpr { op: op @ (Operator::And | Operator::Or), .. }) => {
                self.chain(expr, *op, negated)
            }
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
                let op = if negated { op.negate()? } else { *op };
                self.comparison(left, op, right)
            }
            Expr::Between(Between { expr, negated: not, low, high }) => {
                let (below, above, word) = if negated == *not {
                    (Operator::GtEq, Operator::LtEq, "AND")
                } else {
                    (Operator::Lt, Operator::Gt, "OR")
                };
                let (low, high) = (self.comparison(expr, below, low)?, self.comparison(expr, above, high)?);
                Some(format!("({low} {word} {high})"))
            }
            Expr::InList(list) => self.in_list(list, negated),
            Expr::IsNull(inner) => self.is_null(inner, !negated),
            Expr::IsNotNull(inner) => self.is_null(inner, negated),
            Expr::Like(like) => self.like(like, negated),
            Expr::Column(_) => match self.column(expr)? {
                column if column.kind == Kind::Boolean && column.comparable => {
                    Some(if negated { format!("(NOT {})", column.sql) } else { column.sql.clone() })
                }
                _ => None,
            },
            Expr::Literal(ScalarValue::Boolean(Some(value)), _) => Some((*value != negated).to_string()),
            _ => None,
        }
    }

    /// A chain of AND or OR, in one pair of parentheses: its length is no depth.
    fn chain(&mut self, expr: &Expr, op: Operator, negated: bool) -> Option<String> {
        let (mut links, mut todo) = (Vec::new(), vec![expr]);
        while let Some(next) = todo.pop() {
            match next {
                Expr::BinaryExpr(BinaryExpr { left, op: found, right }) if *found == op => {
                    todo.extend([right.as_ref(), left.as_ref()]);
                }
                link => links.push(self.written(link, negated)?),
            }
        }
        let word = if (op == Operator::And) != negated { " AND " } else { " OR " };
        Some(format!("({})", links.join(word)))
    }

    fn is_null(&self, inner: &Expr, is: bool) -> Option<String> {
        let column = self.column(inner)?;
        let Some(place) = &column.place else {
            return Some(format!("{} IS {}NULL", column.compared, if is { "" } else { "NOT " }));
        };
        Some(if is { format!("(({place}) IS NOT TRUE)") } else { place.clone() })
    }

    fn in_list(&mut self, list: &InList, negated: bool) -> Option<String> {
        let InList { expr, list, negated: not } = list;
        let Side::Column(column) = self.side(expr)? else { return None };
        self.parts += list.len();
        if self.parts > self.dialect.most_parts() {
            return None;
        }
        let mut constants = Vec::with_capacity(list.len());
        for item in list {
            let Side::Constant(constant) = self.side(item)? else { return None };
            constants.push(self.fitted(column, &constant)?);
        }
        let is_not = negated != *not;
        if is_not {
            self.order(column.kind, Operator::NotEq)?;
        }
        let not = if is_not { "NOT " } else { "" };
        let found = format!("{} {not}IN ({})", column.compared, constants.join(", "));
        Some(if is_not { and_has_place(column, found) } else { found })
    }

    fn like(&mut self, like: &Like, negated: bool) -> Option<String> {
        let Like { negated: not, expr, pattern, escape_char: None, case_insensitive: false } = like else {
            return None;
        };
        let (Side::Column(column), Side::Constant(pattern)) = (self.side(expr)?, self.side(pattern)?) else {
            return None;
        };
        // An escape at the end is an error there.
        let is_plain = matches!(&pattern, Constant::Text(text) if !text.contains('\\'));
        if column.kind != Kind::Text || !is_plain || !self.dialect.likes() {
            return None;
        }
        let pattern = self.fitted(column, &pattern)?;
        Some(format!("{} {}LIKE {pattern}", column.sql, if negated != *not { "NOT " } else { "" }))
    }

    fn comparison(&mut self, left: &Expr, op: Operator, right: &Expr) -> Option<String> {
        match (self.side(left)?, self.side(right)?) {
            (Side::Column(column), Side::Constant(constant)) => self.against(column, op, &constant),
            (Side::Constant(constant), Side::Column(column)) => self.against(column, op.swap()?, &constant),
            (Side::Column(one), Side::Column(other)) => {
                let word = word(op)?;
                let comparable = one.comparable && other.comparable && one.kind.compares_with(other.kind);
                let digits = one.kind.has_digits_of(other.kind) || self.dialect.compares_decimals();
                // The columns may have collations that do not go together.
                let order = if one.kind == Kind::Text {
                    self.order(one.kind, op).map(|_| self.dialect.by_bytes())?
                } else {
                    ""
                };
                let found = format!("{}{order} {word} {}{order}", one.compared, other.compared);
                (comparable && digits).then(|| and_has_place(one, and_has_place(other, found)))
            }
            (Side::Constant(_), Side::Constant(_)) => None,
        }
    }

    /// A column against a constant.
    fn against(&mut self, column: &Column, op: Operator, constant: &Constant) -> Option<String> {
        if op == Operator::Eq
            && let Some(equal) = self.dialect.equal(column, constant)
        {
            return Some(equal);
        }
        let (word, order) = (word(op)?, self.order(column.kind, op)?);
        let fitted = self.fitted(column, constant)?;
        let found = format!("{}{order} {word} {fitted}", column.compared);
        // Nothing that has no place equals a constant.
        Some(if op == Operator::Eq { found } else { and_has_place(column, found) })
    }

    /// What makes texts order by their bytes; `None` where another engine's bytes are not ours.
    fn order(&self, kind: Kind, op: Operator) -> Option<&'static str> {
        match kind {
            Kind::Text if !matches!(op, Operator::Eq | Operator::NotEq) => {
                (self.over.utf8 && self.dialect.orders_texts()).then(|| self.dialect.by_bytes())
            }
            // It may be less particular, and hold them for the same.
            Kind::Text if op == Operator::NotEq && !self.dialect.orders_texts() => None,
            _ => Some(""),
        }
    }

    /// A constant that compares with a column as it does here.
    fn fitted(&mut self, column: &Column, constant: &Constant) -> Option<String> {
        if column.kind.class() != constant.class() || !column.comparable {
            return None;
        }
        // A text that its encoding has, whatever that is.
        if matches!(constant, Constant::Text(text) if !self.over.utf8 && !text.is_ascii()) {
            return None;
        }
        let sql = self.dialect.constant(column, constant)?;
        if self.dialect.binds() {
            self.values.push(constant.clone());
        }
        Some(sql)
    }

    fn side(&self, expr: &Expr) -> Option<Side<'a>> {
        if let Expr::Literal(value, _) = expr {
            return constant(value).map(Side::Constant);
        }
        match expr {
            Expr::Cast(Cast { expr, field }) => {
                let column = self.column(expr)?;
                column.kind.is_kept_as(field.data_type()).then_some(Side::Column(column))
            }
            _ => self.column(expr).map(Side::Column),
        }
    }

    fn column(&self, expr: &Expr) -> Option<&'a Column> {
        let Expr::Column(column) = expr else { return None };
        self.over.column(column)
    }
}

fn word(op: Operator) -> Option<&'static str> {
    Some(match op {
        Operator::Eq => "=",
        Operator::NotEq => "<>",
        Operator::Lt => "<",
        Operator::LtEq => "<=",
        Operator::Gt => ">",
        Operator::GtEq => ">=",
        _ => return None,
    })
}

/// A condition on a column, and that its value is one that has a place here.
fn and_has_place(column: &Column, found: String) -> String {
    match &column.place {
        Some(place) => format!("({found} AND {place})"),
        None => found,
    }
}

/// Whether a number has no more digits than a column, so that it compares exactly wherever both get one type.
pub(in crate::sources) fn fits(kind: Kind, constant: &Constant) -> bool {
    let most = match kind {
        Kind::Integer | Kind::Bigint => Some((18, 0)),
        Kind::Decimal(precision, scale) => {
            let scale = usize::try_from(scale).unwrap_or_default();
            Some((usize::from(precision).saturating_sub(scale), scale))
        }
        _ => None,
    };
    match (kind.class(), most, constant.digits()) {
        (Class::Exact, Some((whole, part)), Some((has, behind))) => has <= whole && behind <= part,
        _ => false,
    }
}
