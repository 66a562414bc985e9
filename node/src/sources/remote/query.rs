//! A query of another engine: what stands behind FROM, its columns and what is done to its rows; and the SELECT that is sent.

use std::sync::Arc;

use arrow::compute::SortOptions;
use arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::common::{Column as Named, DFSchemaRef};

use super::condition::Condition;
use super::dialect::Dialect;
use super::kind::Kind;
use super::literal::Constant;

/// A column of a table or of a query.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::sources) struct Column {
    pub(in crate::sources) name: String,
    pub(in crate::sources) kind: Kind,
    /// SQL that gives its value in this kind.
    pub(in crate::sources) sql: String,
    /// SQL that compares as its value does, which an index may know.
    pub(in crate::sources) compared: String,
    /// Whether its values compare with constants and other columns there as they do here.
    pub(in crate::sources) comparable: bool,
    /// SQL of the UUID whose text this is.
    pub(in crate::sources) uuid: Option<String>,
    /// Where it can hold what has no place in Arrow, and is NULL here: SQL that holds for all that has one.
    pub(in crate::sources) place: Option<String>,
}

impl Column {
    /// A column all of whose values have a place here.
    pub(in crate::sources) fn new(name: &str, kind: Kind, sql: String) -> Self {
        Self { name: name.to_owned(), kind, compared: sql.clone(), sql, comparable: true, uuid: None, place: None }
    }

    /// A column whose value is computed there.
    pub(super) fn computed(dialect: &dyn Dialect, name: &str, kind: Kind, sql: &str) -> Self {
        // A decimal that was computed does not say of how many digits it is.
        let sql = match kind {
            Kind::Decimal(..) => dialect.cast(sql, kind),
            _ => sql.to_owned(),
        };
        Self::new(name, kind, sql)
    }

    /// SQL of its value, NULL where that has no place here.
    pub(super) fn value(&self) -> String {
        match &self.place {
            Some(place) => format!("CASE WHEN {place} THEN {} END", self.sql),
            None => self.sql.clone(),
        }
    }

    /// The same, with its digits told.
    fn typed(&self, dialect: &dyn Dialect) -> String {
        match self.place {
            Some(_) => Self::computed(dialect, &self.name, self.kind, &self.value()).sql,
            None => self.sql.clone(),
        }
    }

    /// SQL of its value as it is ordered here.
    pub(super) fn ordered(&self, dialect: &dyn Dialect) -> String {
        let collation = if self.kind == Kind::Text { dialect.by_bytes() } else { "" };
        format!("{}{collation}", self.value())
    }
}

/// The text of a SELECT, and the constants that stand beside it, in order.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::sources) struct Select {
    pub(in crate::sources) sql: String,
    pub(in crate::sources) values: Vec<Constant>,
}

/// One key by which rows come.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::sources) struct Key {
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

/// A query of another engine.
#[derive(Debug, Clone)]
pub(in crate::sources) struct Query {
    pub(super) dialect: &'static dyn Dialect,
    from: String,
    pub(in crate::sources) columns: Vec<Column>,
    /// Whether texts are UTF-8 there, so that their bytes are those that they have here.
    pub(super) utf8: bool,
    conditions: Vec<Condition>,
    /// The keys of GROUP BY; none at all where rows are not grouped.
    groups: Option<Vec<String>>,
    pub(super) order: Vec<Key>,
    skip: usize,
    limit: Option<usize>,
    names: Names,
}

impl Query {
    /// All of a table, whose name is of so many parts.
    pub(in crate::sources) fn of_table(
        dialect: &'static dyn Dialect,
        table: &[&str],
        columns: Vec<Column>,
        utf8: bool,
    ) -> Self {
        let names: Vec<String> = table.iter().map(|name| dialect.name(name)).collect();
        Self::over(dialect, names.join("."), columns, utf8)
    }

    /// All of what stands behind FROM.
    pub(super) fn over(dialect: &'static dyn Dialect, from: String, columns: Vec<Column>, utf8: bool) -> Self {
        let (conditions, order) = (Vec::new(), Vec::new());
        Self { dialect, from, columns, utf8, conditions, groups: None, order, skip: 0, limit: None, names: Names::Own }
    }

    /// The columns as Arrow has them; any may be NULL.
    pub(in crate::sources) fn schema(&self) -> SchemaRef {
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
    pub(super) fn filtered(mut self, condition: Condition) -> Self {
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
            comparable: column.comparable,
            ..Column::new(&column.name, column.kind, format!("{alias}.c{index}"))
        };
        let columns = self.columns.iter().enumerate().map(outer).collect();
        Self::over(self.dialect, format!("({}) AS {alias}", self.inner()), columns, self.utf8)
    }

    fn inner(&self) -> String {
        let column = |(index, column): (usize, &Column)| format!("{} AS c{index}", column.typed(self.dialect));
        self.text(self.columns.iter().enumerate().map(column).collect(), &[], self.limit).sql
    }

    /// What stands behind FROM of a query that is bare of all but conditions: where two are joined, each is one.
    pub(super) fn from(&self) -> &str {
        &self.from
    }

    /// The SELECT of some columns, where these conditions hold too.
    pub(in crate::sources) fn select(
        &self,
        columns: &[&Column],
        conditions: &[Condition],
        limit: Option<usize>,
    ) -> Select {
        let limit = match (self.limit, limit) {
            (Some(own), Some(limit)) => Some(own.min(limit)),
            (own, limit) => own.or(limit),
        };
        self.text(self.told_apart(columns), conditions, limit)
    }

    /// What is selected: one that stands there before gets a name of its own, without which some engines refuse it.
    fn told_apart(&self, columns: &[&Column]) -> Vec<String> {
        let mut list = Vec::with_capacity(columns.len());
        for (index, column) in columns.iter().enumerate() {
            let again = columns.iter().take(index).any(|before| before.sql == column.sql);
            let name = again.then(|| format!(" AS {}", self.dialect.name(&format!("again {index}"))));
            list.push(format!("{}{}", column.sql, name.unwrap_or_default()));
        }
        list
    }

    fn text(&self, list: Vec<String>, more: &[Condition], limit: Option<usize>) -> Select {
        let list = if list.is_empty() { self.dialect.no_column().to_owned() } else { list.join(", ") };
        let space = if list.is_empty() { "" } else { " " };
        let mut sql = format!("SELECT{space}{list} FROM {}", self.from);
        let conditions = || self.conditions.iter().chain(more);
        for (index, condition) in conditions().enumerate() {
            sql.push_str(if index == 0 { " WHERE " } else { " AND " });
            sql.push_str(&condition.sql);
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
        Select { sql, values: conditions().flat_map(|condition| condition.values.clone()).collect() }
    }

    fn direction(&self, key: &Key) -> Option<String> {
        let SortOptions { descending, nulls_first } = key.options;
        let way = if descending { "DESC" } else { "ASC" };
        let nulls = if nulls_first { "FIRST" } else { "LAST" };
        Some(format!("{} {way} NULLS {nulls}", self.columns.get(key.column)?.ordered(self.dialect)))
    }
}
