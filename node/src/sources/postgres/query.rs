//! A query of the server: what stands behind FROM, its columns and what is done to its rows; and the SELECT that is sent.

use std::sync::Arc;

use arrow::compute::SortOptions;
use arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::common::{Column as Named, DFSchemaRef};

use super::columns::Found;
use super::kind::Kind;

/// A column of a table or of a query.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) kind: Kind,
    /// SQL that gives its value in this kind.
    pub(super) sql: String,
    /// SQL that compares as its value does, which an index may know.
    pub(super) compared: String,
    /// SQL of the UUID whose text this is.
    pub(super) uuid: Option<String>,
    /// Whether it can hold what has no place in Arrow, and is NULL here.
    pub(super) beyond: bool,
}

impl Column {
    /// A column of a table.
    pub(super) fn new(name: &str, kind: Kind, sql: String) -> Self {
        let beyond = kind.has_place(&sql).is_some();
        Self { name: name.to_owned(), kind, compared: sql.clone(), sql, uuid: None, beyond }
    }

    /// A column whose value is computed there, and always has a place here.
    pub(super) fn computed(name: &str, kind: Kind, sql: &str) -> Self {
        // A numeric that was computed does not say of how many digits it is.
        let sql = match kind {
            Kind::Decimal(precision, scale) => format!("({sql})::numeric({precision}, {scale})"),
            _ => sql.to_owned(),
        };
        Self { beyond: false, ..Self::new(name, kind, sql) }
    }

    /// SQL of its value, NULL where that has no place here.
    pub(super) fn value(&self) -> String {
        match self.kind.has_place(&self.sql).filter(|_| self.beyond) {
            Some(place) => format!("CASE WHEN {place} THEN {} END", self.sql),
            None => self.sql.clone(),
        }
    }

    /// The same, with its digits told.
    fn typed(&self) -> String {
        if self.beyond { Self::computed(&self.name, self.kind, &self.value()).sql } else { self.sql.clone() }
    }

    /// SQL of its value as it is ordered here.
    pub(super) fn ordered(&self) -> String {
        let collation = if self.kind == Kind::Text { " COLLATE \"C\"" } else { "" };
        format!("{}{collation}", self.value())
    }
}

/// One key by which rows come.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    /// Which of the columns.
    pub(super) column: usize,
    pub(super) options: SortOptions,
}

/// What the columns of a query are called by whoever asks.
#[derive(Debug, Clone)]
enum Names {
    /// By their own names.
    Own,
    /// As those of a plan, in its order.
    Of(DFSchemaRef),
}

/// A query of the server.
#[derive(Debug, Clone)]
pub(super) struct Query {
    from: String,
    pub(super) columns: Vec<Column>,
    /// Whether texts order at the server as they do here.
    pub(super) utf8: bool,
    conditions: Vec<String>,
    /// The keys of GROUP BY; none at all where rows are not grouped.
    groups: Option<Vec<String>>,
    pub(super) order: Vec<Key>,
    skip: usize,
    limit: Option<usize>,
    names: Names,
}

impl Query {
    /// All of a table.
    pub(super) fn of_table(schema: &str, table: &str, found: Found) -> Self {
        Self::over(format!("{}.{}", quoted(schema), quoted(table)), found.columns, found.utf8)
    }

    /// All of what stands behind FROM.
    pub(super) fn over(from: String, columns: Vec<Column>, utf8: bool) -> Self {
        let (conditions, order) = (Vec::new(), Vec::new());
        Self { from, columns, utf8, conditions, groups: None, order, skip: 0, limit: None, names: Names::Own }
    }

    /// The columns as Arrow has them; any may be NULL.
    pub(super) fn schema(&self) -> SchemaRef {
        let field = |column: &Column| Field::new(&column.name, column.kind.arrow(), true);
        Arc::new(Schema::new(self.columns.iter().map(field).collect::<Vec<_>>()))
    }

    /// Whether it is no more than its table, so that whatever is asked of its rows can be asked of the table.
    pub(super) fn is_bare(&self) -> bool {
        self.groups.is_none() && self.order.is_empty() && !self.is_cut()
    }

    /// Whether its rows are the first of some.
    pub(super) fn is_cut(&self) -> bool {
        self.limit.is_some() || self.skip > 0
    }

    /// The same, its columns called as those of a plan.
    pub(super) fn named(self, schema: &DFSchemaRef) -> Self {
        Self { names: Names::Of(Arc::clone(schema)), ..self }
    }

    /// Which column is meant.
    pub(super) fn position(&self, column: &Named) -> Option<usize> {
        match &self.names {
            Names::Own => self.columns.iter().position(|own| own.name == column.name),
            Names::Of(schema) => schema.maybe_index_of_column(column),
        }
    }

    /// The column that is meant.
    pub(super) fn column(&self, column: &Named) -> Option<&Column> {
        self.position(column).and_then(|position| self.columns.get(position))
    }

    /// The same rows with other columns of theirs, in no order that is told.
    pub(super) fn of(self, columns: Vec<Column>) -> Self {
        Self { columns, order: Vec::new(), names: Names::Own, ..self }
    }

    /// How many rows it gives at most.
    pub(super) fn limit(&self) -> Option<usize> {
        self.limit
    }

    /// Whether it gives the first rows in this order, no more than so many.
    pub(super) fn gives(&self, order: &[Key], limit: Option<usize>) -> bool {
        let enough = limit.is_none_or(|limit| self.limit.is_some_and(|own| own <= limit));
        self.order == order && self.skip == 0 && enough
    }

    /// Those rows for which a condition over its columns holds.
    pub(super) fn filtered(mut self, condition: String) -> Self {
        self.conditions.push(condition);
        self
    }

    /// One row for each of these keys, or one at all.
    pub(super) fn grouped(self, keys: Vec<String>, columns: Vec<Column>) -> Self {
        Self { groups: Some(keys), columns, ..self }
    }

    /// In an order.
    pub(super) fn sorted(self, order: Vec<Key>) -> Self {
        Self { order, ..self }
    }

    /// Without the first rows, and no more than so many behind them.
    pub(super) fn cut(self, skip: usize, limit: Option<usize>) -> Self {
        Self { skip, limit, ..self }
    }

    /// The same as a table behind FROM, its columns called c0, c1 and so on there.
    pub(super) fn wrapped(&self, alias: &str) -> Self {
        let outer = |(index, column): (usize, &Column)| Column {
            beyond: false,
            ..Column::new(&column.name, column.kind, format!("{alias}.c{index}"))
        };
        let columns = self.columns.iter().enumerate().map(outer).collect();
        Self::over(format!("({}) AS {alias}", self.inner()), columns, self.utf8)
    }

    fn inner(&self) -> String {
        let column = |(index, column): (usize, &Column)| format!("{} AS c{index}", column.typed());
        self.text(self.columns.iter().enumerate().map(column).collect(), &[], self.limit)
    }

    /// What stands behind FROM of a query that is bare of all but conditions: where two are joined, each is one.
    pub(super) fn from(&self) -> &str {
        &self.from
    }

    /// The SELECT of some columns, where these conditions hold too.
    pub(super) fn select(&self, columns: &[&Column], conditions: &[String], limit: Option<usize>) -> String {
        let limit = match (self.limit, limit) {
            (Some(own), Some(limit)) => Some(own.min(limit)),
            (own, limit) => own.or(limit),
        };
        self.text(columns.iter().map(|column| column.sql.clone()).collect(), conditions, limit)
    }

    fn text(&self, list: Vec<String>, more: &[String], limit: Option<usize>) -> String {
        let space = if list.is_empty() { "" } else { " " };
        let mut sql = format!("SELECT{space}{} FROM {}", list.join(", "), self.from);
        let conditions: Vec<&str> = self.conditions.iter().chain(more).map(String::as_str).collect();
        if !conditions.is_empty() {
            sql.push_str(&format!(" WHERE {}", conditions.join(" AND ")));
        }
        if let Some(keys) = self.groups.as_ref().filter(|keys| !keys.is_empty()) {
            sql.push_str(&format!(" GROUP BY {}", keys.join(", ")));
        }
        let order: Vec<String> = self.order.iter().filter_map(|key| self.direction(key)).collect();
        if !order.is_empty() {
            sql.push_str(&format!(" ORDER BY {}", order.join(", ")));
        }
        if let Some(limit) = limit {
            sql.push_str(&format!(" LIMIT {limit}"));
        }
        if self.skip > 0 {
            sql.push_str(&format!(" OFFSET {}", self.skip));
        }
        sql
    }

    fn direction(&self, key: &Key) -> Option<String> {
        let SortOptions { descending, nulls_first } = key.options;
        let way = if descending { "DESC" } else { "ASC" };
        let nulls = if nulls_first { "FIRST" } else { "LAST" };
        Some(format!("{} {way} NULLS {nulls}", self.columns.get(key.column)?.ordered()))
    }
}

/// An identifier.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
