//! What a statement may be made of: clauses that the parser takes and the engine would silently leave out are refused,
//! and so are statements whose common table expressions expand without bound.
//!
//! The parser reads the clauses of many databases; DataFusion plans some of them and passes over others without a
//! word. A predicate that is passed over is a wrong answer (invariant I8), so every struct is taken apart without `..`.

use std::collections::HashMap;
use std::ops::ControlFlow;

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::sqlparser::ast::{
    Cte, Fetch, GroupByExpr, Join, JoinOperator, LimitClause, ObjectName, OrderBy, Query, Select, SelectFlavor,
    SelectItem, SetExpr, SetQuantifier, Statement, TableFactor, TableWithJoins, Visit, Visitor,
    WildcardAdditionalOptions,
};

/// Most relations in one statement, common table expressions counted as often as they are used: a statement of a
/// kilobyte can double them thirty times.
const MOST_RELATIONS: u64 = 200;
/// Most common table expressions in one statement.
const MOST_CTES: usize = 100;
/// Most items of one SELECT.
const MOST_ITEMS: usize = 1_000;

/// What stands in a statement that is not answered: a clause, and what to write instead.
pub(super) type Objection = (&'static str, &'static str);

const LEAVE_OUT: &str = "leave it out";

/// Refuses a statement with clauses that would be left out, or of unbounded size.
pub(super) fn check(statement: &Statement) -> Result<(), Objection> {
    let mut walk = Walk::default();
    if let ControlFlow::Break(objection) = statement.visit(&mut walk) {
        return Err(objection);
    }
    if walk.ctes.len() > MOST_CTES {
        return Err(("more than 100 common table expressions", "split the question"));
    }
    if expanded(statement, &walk.ctes) > MOST_RELATIONS {
        return Err((
            "more than 200 tables once its common table expressions are put in",
            "refer to each of them fewer times",
        ));
    }
    Ok(())
}

/// Relations of an admitted statement once its common table expressions are put in.
pub(super) fn size(statement: &Statement) -> u64 {
    let mut walk = Walk::default();
    let _ = statement.visit(&mut walk);
    expanded(statement, &walk.ctes)
}

/// Refuses a plan of unbounded size: a statement's tables may be views, each of many tables.
pub(super) fn check_plan(plan: &LogicalPlan) -> Result<(), Objection> {
    let mut scans = 0;
    let counted = plan.apply_with_subqueries(|node| {
        scans += u64::from(matches!(node, LogicalPlan::TableScan(_)));
        Ok(if scans > MOST_RELATIONS { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    });
    if counted.is_err() || scans > MOST_RELATIONS {
        return Err(("more than 200 tables once its views are put in", "ask of fewer views at once"));
    }
    Ok(())
}

#[derive(Default)]
struct Walk {
    /// Each common table expression: its name, and the relations that it names.
    ctes: Vec<(String, Vec<String>)>,
}

impl Visitor for Walk {
    type Break = Objection;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Objection> {
        for cte in query.with.iter().flat_map(|with| &with.cte_tables) {
            let Cte { alias, query, from, materialized: _, closing_paren_token: _ } = cte;
            self.ctes.push((alias.name.value.to_ascii_lowercase(), relations(query.as_ref())));
            object(from.is_some(), "FROM behind a common table expression", LEAVE_OUT)?;
        }
        of_query(query)
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<Objection> {
        of_select(select)
    }

    fn pre_visit_table_factor(&mut self, table: &TableFactor) -> ControlFlow<Objection> {
        of_table(table)
    }
}

fn object(present: bool, what: &'static str, instead: &'static str) -> ControlFlow<Objection> {
    if present { ControlFlow::Break((what, instead)) } else { ControlFlow::Continue(()) }
}

fn of_query(query: &Query) -> ControlFlow<Objection> {
    let Query {
        with: _,
        body,
        order_by,
        limit_clause,
        fetch,
        locks,
        for_clause,
        settings,
        format_clause,
        pipe_operators,
    } = query;
    of_body(body)?;
    if let Some(OrderBy { kind: _, interpolate }) = order_by {
        object(interpolate.is_some(), "INTERPOLATE", LEAVE_OUT)?;
    }
    if let Some(LimitClause::LimitOffset { limit: _, offset: _, limit_by }) = limit_clause {
        object(!limit_by.is_empty(), "LIMIT … BY", "use ROW_NUMBER() OVER (PARTITION BY …)")?;
    }
    if let Some(Fetch { with_ties: _, percent: _, quantity: _ }) = fetch {
        object(true, "FETCH FIRST", "write LIMIT n")?;
    }
    object(!locks.is_empty(), "FOR UPDATE or FOR SHARE", LEAVE_OUT)?;
    object(for_clause.is_some(), "FOR XML, JSON or BROWSE", LEAVE_OUT)?;
    object(settings.is_some(), "SETTINGS", LEAVE_OUT)?;
    object(format_clause.is_some(), "FORMAT", "choose the format at the client")?;
    object(!pipe_operators.is_empty(), "the pipe operator |>", "write a SELECT")
}

fn of_body(body: &SetExpr) -> ControlFlow<Objection> {
    match body {
        SetExpr::Select(_) | SetExpr::Query(_) | SetExpr::Values(_) => ControlFlow::Continue(()),
        SetExpr::SetOperation { left, op, set_quantifier, right } => {
            use datafusion::sql::sqlparser::ast::SetOperator;
            let bag = matches!(set_quantifier, SetQuantifier::All | SetQuantifier::AllByName);
            let union = matches!(op, SetOperator::Union);
            // DataFusion plans these as semi and anti joins, which lose how often a row stands.
            object(bag && !union, "EXCEPT ALL and INTERSECT ALL", "number the rows first, or drop ALL")?;
            of_body(left)?;
            of_body(right)
        }
        SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_) => {
            object(true, "a statement that changes data", "write a SELECT")
        }
        SetExpr::Table(_) => object(true, "TABLE", "write SELECT * FROM …"),
    }
}

fn of_select(select: &Select) -> ControlFlow<Objection> {
    let Select {
        select_token: _,
        optimizer_hints,
        distinct: _,
        select_modifiers,
        top,
        top_before_distinct: _,
        projection,
        exclude,
        into,
        from,
        lateral_views,
        prewhere,
        selection: _,
        connect_by,
        group_by,
        cluster_by,
        distribute_by,
        sort_by,
        having: _,
        named_window: _,
        qualify: _,
        window_before_qualify: _,
        value_table_mode,
        flavor,
    } = select;
    object(!optimizer_hints.is_empty(), "an optimizer hint", LEAVE_OUT)?;
    object(select_modifiers.is_some(), "a modifier of SELECT", LEAVE_OUT)?;
    object(top.is_some(), "TOP", "write LIMIT n")?;
    object(projection.len() > MOST_ITEMS, "more than 1000 items in one SELECT", "ask for fewer columns")?;
    for item in projection {
        match item {
            SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. } => {}
            SelectItem::ExprWithAliases { .. } => object(true, "several aliases of one item", "give it one")?,
            SelectItem::QualifiedWildcard(_, options) | SelectItem::Wildcard(options) => of_wildcard(options)?,
        }
    }
    object(exclude.is_some(), "EXCLUDE behind the items", "write * EXCLUDE (…)")?;
    object(into.is_some(), "SELECT INTO", "the client keeps the answer")?;
    from.iter().try_for_each(of_joins)?;
    object(!lateral_views.is_empty(), "LATERAL VIEW", LEAVE_OUT)?;
    object(prewhere.is_some(), "PREWHERE", "write WHERE")?;
    object(!connect_by.is_empty(), "CONNECT BY", LEAVE_OUT)?;
    match group_by {
        GroupByExpr::All(modifiers) | GroupByExpr::Expressions(_, modifiers) => {
            object(!modifiers.is_empty(), "WITH ROLLUP, CUBE or TOTALS", "write GROUP BY ROLLUP (…)")?;
        }
    }
    object(!cluster_by.is_empty(), "CLUSTER BY", LEAVE_OUT)?;
    object(!distribute_by.is_empty(), "DISTRIBUTE BY", LEAVE_OUT)?;
    object(!sort_by.is_empty(), "SORT BY", "write ORDER BY")?;
    object(value_table_mode.is_some(), "SELECT AS STRUCT or VALUE", LEAVE_OUT)?;
    match flavor {
        SelectFlavor::Standard | SelectFlavor::FromFirst | SelectFlavor::FromFirstNoSelect => ControlFlow::Continue(()),
    }
}

fn of_wildcard(options: &WildcardAdditionalOptions) -> ControlFlow<Objection> {
    let WildcardAdditionalOptions {
        wildcard_token: _,
        opt_ilike,
        opt_exclude: _,
        opt_except: _,
        opt_replace: _,
        opt_rename,
        opt_alias,
    } = options;
    object(opt_ilike.is_some(), "* ILIKE", "name the columns")?;
    object(opt_rename.is_some(), "* RENAME", "name the columns")?;
    object(opt_alias.is_some(), "an alias of *", "name the columns")
}

fn of_joins(tables: &TableWithJoins) -> ControlFlow<Objection> {
    for Join { relation: _, global, join_operator } in &tables.joins {
        object(*global, "GLOBAL JOIN", "write JOIN")?;
        match join_operator {
            JoinOperator::Join(_)
            | JoinOperator::Inner(_)
            | JoinOperator::Left(_)
            | JoinOperator::LeftOuter(_)
            | JoinOperator::Right(_)
            | JoinOperator::RightOuter(_)
            | JoinOperator::FullOuter(_)
            | JoinOperator::CrossJoin(_)
            | JoinOperator::Semi(_)
            | JoinOperator::LeftSemi(_)
            | JoinOperator::RightSemi(_)
            | JoinOperator::Anti(_)
            | JoinOperator::LeftAnti(_)
            | JoinOperator::RightAnti(_) => {}
            JoinOperator::CrossApply
            | JoinOperator::OuterApply
            | JoinOperator::AsOf { .. }
            | JoinOperator::StraightJoin(_)
            | JoinOperator::ArrayJoin
            | JoinOperator::LeftArrayJoin
            | JoinOperator::InnerArrayJoin => {
                object(true, "this kind of join", "write JOIN, LEFT JOIN, FULL JOIN or CROSS JOIN")?;
            }
        }
    }
    ControlFlow::Continue(())
}

fn of_table(table: &TableFactor) -> ControlFlow<Objection> {
    match table {
        TableFactor::Table {
            name: _,
            alias: _,
            args: _,
            with_hints,
            version,
            with_ordinality,
            partitions,
            json_path,
            sample,
            index_hints,
        } => {
            object(!with_hints.is_empty() || !index_hints.is_empty(), "a table hint", LEAVE_OUT)?;
            object(version.is_some(), "a version of a table", LEAVE_OUT)?;
            object(*with_ordinality, "WITH ORDINALITY", "use ROW_NUMBER()")?;
            object(!partitions.is_empty(), "PARTITION behind a table", "write WHERE")?;
            object(json_path.is_some(), "a JSON path behind a table", LEAVE_OUT)?;
            object(sample.is_some(), "TABLESAMPLE", LEAVE_OUT)
        }
        TableFactor::Derived { lateral: _, subquery: _, alias: _, sample } => {
            object(sample.is_some(), "TABLESAMPLE", LEAVE_OUT)
        }
        TableFactor::NestedJoin { table_with_joins, alias: _ } => of_joins(table_with_joins),
        TableFactor::TableFunction { .. }
        | TableFactor::Function { .. }
        | TableFactor::UNNEST { .. }
        | TableFactor::JsonTable { .. }
        | TableFactor::OpenJsonTable { .. }
        | TableFactor::Pivot { .. }
        | TableFactor::Unpivot { .. }
        | TableFactor::MatchRecognize { .. }
        | TableFactor::XmlTable { .. }
        | TableFactor::SemanticView { .. } => {
            object(true, "a table that is made by a function or clause", "write datasets and derived tables (SELECT …)")
        }
    }
}

/// The relations that a part of a statement names, each as often as it stands there.
fn relations(part: &impl Visit) -> Vec<String> {
    struct Names(Vec<String>);
    impl Visitor for Names {
        type Break = ();

        fn pre_visit_relation(&mut self, name: &ObjectName) -> ControlFlow<()> {
            self.0.push(name.to_string().to_ascii_lowercase());
            ControlFlow::Continue(())
        }
    }
    let mut names = Names(Vec::new());
    let _ = part.visit(&mut names);
    names.0
}

/// Relations of the statement once every common table expression is put in where it is used. Sizes grow pass by pass
/// until they stand still or are too large anyway.
fn expanded(statement: &Statement, ctes: &[(String, Vec<String>)]) -> u64 {
    let mut sizes: HashMap<&str, u64> = ctes.iter().map(|(name, _)| (name.as_str(), 1)).collect();
    let size_of = |names: &[String], sizes: &HashMap<&str, u64>| {
        names.iter().fold(0u64, |sum, name| sum.saturating_add(sizes.get(name.as_str()).copied().unwrap_or(1)))
    };
    for _ in 0..=ctes.len() {
        let mut grown = false;
        for (name, names) in ctes {
            let size = size_of(names, &sizes).min(MOST_RELATIONS + 1);
            let held = sizes.entry(name).or_insert(1);
            if size > *held {
                *held = size;
                grown = true;
            }
        }
        if !grown {
            break;
        }
    }
    size_of(&relations(statement), &sizes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
    use super::*;
    use datafusion::sql::sqlparser::{dialect::GenericDialect, parser::Parser};

    fn check_sql(sql: &str) -> Result<(), Objection> {
        check(&Parser::parse_sql(&GenericDialect {}, sql).unwrap().remove(0))
    }

    #[test]
    fn clauses_that_would_be_left_out_are_refused() {
        for sql in [
            "SELECT count(*) FROM t PREWHERE year = 2019",
            "SELECT count(*) FROM t START WITH a = 1 CONNECT BY PRIOR a = b",
            "SELECT count(*) FROM t TABLESAMPLE SYSTEM (10)",
            "SELECT count(*) FROM (SELECT 1) TABLESAMPLE BERNOULLI (10)",
            "SELECT a, count(*) FROM t GROUP BY a WITH ROLLUP",
            "SELECT a, count(*) FROM t GROUP BY a WITH TOTALS",
            "SELECT * ILIKE '%gss%' FROM t",
            "SELECT a FROM t FOR UPDATE",
            "SELECT a FROM t SETTINGS max_threads = 1",
            "SELECT a FROM t FORMAT JSON",
            "SELECT a FROM t WITH (NOLOCK)",
            "SELECT a FROM t FETCH FIRST 3 ROWS ONLY",
            "SELECT TOP 3 a FROM t",
            "SELECT a INTO x FROM t",
            "SELECT 1 EXCEPT ALL SELECT 1",
            "SELECT 1 INTERSECT ALL SELECT 1",
            "SELECT 1 WHERE 1 IN (SELECT a FROM t PREWHERE a = 1)",
            "WITH x AS (SELECT a FROM t TABLESAMPLE SYSTEM (10)) SELECT * FROM x",
            "SELECT a FROM (t CROSS JOIN u TABLESAMPLE SYSTEM (1))",
        ] {
            assert!(check_sql(sql).is_err(), "{sql}");
        }
    }

    #[test]
    fn what_is_planned_in_full_is_admitted() {
        for sql in [
            "SELECT DISTINCT a, b AS c FROM t WHERE a > 1 GROUP BY a, b HAVING count(*) > 1 ORDER BY a LIMIT 3 OFFSET 1",
            "SELECT a FROM t UNION ALL SELECT a FROM u EXCEPT SELECT 1",
            "SELECT * EXCLUDE (a) FROM t JOIN u USING (b) LEFT JOIN v ON v.a = t.a",
            "WITH x AS (SELECT 1 AS a), y AS (SELECT a FROM x) SELECT x.a FROM x, y WHERE EXISTS (SELECT 1 FROM y)",
            "SELECT a, row_number() OVER (PARTITION BY b ORDER BY c) FROM t",
            "SELECT a FROM t GROUP BY ROLLUP (a)",
        ] {
            assert_eq!(check_sql(sql), Ok(()), "{sql}");
        }
    }

    #[test]
    fn table_expressions_that_double_each_other_are_refused() {
        let doubled = |times: usize| {
            let each = (1..=times).map(|n| format!(", a{n} AS (SELECT a.x FROM a{m} a, a{m} b)", m = n - 1));
            format!("WITH a0 AS (SELECT 1 AS x){} SELECT count(*) FROM a{times}", each.collect::<String>())
        };
        assert!(check_sql(&doubled(25)).is_err());
        assert_eq!(check_sql(&doubled(5)), Ok(()));
    }
}
