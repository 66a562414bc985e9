//! Walks a plan bottom-up, operator by operator: what is public to the caller is rebuilt over the rows that they may
//! see, and what is protected becomes public at a release or not at all.

mod references;
mod several;

use std::sync::Arc;

use arrow::datatypes::Field;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, DFSchemaRef};
use datafusion::datasource::DefaultTableSource;
use datafusion::error::{DataFusionError, Result as PlanResult};
use datafusion::logical_expr::{Distinct, Expr, LogicalPlan, Subquery, TableScan, TableSource, Union};

use meridian_proto::Form;

use super::access::{self, Access};
use super::below::Below;
use super::choice::Choice;
use super::expressions;
use super::facts::Decision;
use super::functions;
use super::leaf;
use super::table::PublishedTable;
use super::{Refused, Request};

/// Deepest nesting of operators that is walked.
const DEEPEST_PLAN: usize = 150;

/// Rewrites a plan for the terms of its datasets, which go by the agreements of `choice`.
pub(super) fn walk(
    plan: LogicalPlan,
    request: &Request<'_>,
    choice: &mut Choice,
) -> Result<(LogicalPlan, Decision), Refused> {
    let before = Arc::clone(plan.schema());
    let mut walk = Walk {
        request,
        decision: Decision::new(request, std::mem::take(choice)),
        absent: Vec::new(),
        outers: Vec::new(),
        depth: 0,
    };
    let walked = walk.whole(plan, &before);
    *choice = std::mem::take(&mut walk.decision.choice);
    Ok((walked?, walk.decision))
}

/// What is said of a figure over cells.
pub(super) fn over_cells(dataset: &str) -> String {
    format!("computed over released cells of {dataset} only; withheld groups are not in it")
}

/// A subtree after the gate has seen it.
enum Gated {
    /// The caller may see all that it yields.
    Public(LogicalPlan),
    /// Rows of a `statistics` dataset.
    Protected(Box<Below>),
}

/// A column that the scan has and the caller has not been granted.
#[derive(Debug)]
struct Absent {
    dataset: String,
    column: String,
    agreement: Option<String>,
    granted: String,
}

struct Walk<'a> {
    request: &'a Request<'a>,
    decision: Decision,
    absent: Vec<Absent>,
    /// Schemas of the plans around a subquery, outermost first.
    outers: Vec<DFSchemaRef>,
    depth: usize,
}

impl Walk<'_> {
    /// Gates a whole query, whose columns stay what they are.
    fn whole(&mut self, plan: LogicalPlan, before: &DFSchema) -> Result<LogicalPlan, Refused> {
        let plan = self.public(plan)?;
        self.same_columns(before, plan.schema())?;
        self.use_columns(plan.schema().fields().iter().map(|field| field.name().as_str()).collect());
        Ok(plan)
    }

    /// Gates a subtree whose rows go where the caller sees them.
    fn public(&mut self, plan: LogicalPlan) -> Result<LogicalPlan, Refused> {
        match self.gated(plan)? {
            Gated::Public(plan) => Ok(plan),
            Gated::Protected(below) => Err(below.rows_refused()),
        }
    }

    fn gated(&mut self, plan: LogicalPlan) -> Result<Gated, Refused> {
        if self.depth >= DEEPEST_PLAN {
            return Err(Refused::new(
                "plan.depth",
                format!("the query nests more than {DEEPEST_PLAN} operators"),
                "split it into several queries",
            ));
        }
        self.depth += 1;
        let gated = self.operator(plan);
        self.depth -= 1;
        gated
    }

    fn operator(&mut self, plan: LogicalPlan) -> Result<Gated, Refused> {
        match plan {
            LogicalPlan::TableScan(scan) => self.scan(&scan),
            LogicalPlan::Projection(_)
            | LogicalPlan::Filter(_)
            | LogicalPlan::SubqueryAlias(_)
            | LogicalPlan::Sort(_)
            | LogicalPlan::Aggregate(_)
            | LogicalPlan::Distinct(_) => self.unary(plan),
            LogicalPlan::Window(_) => {
                let window = self.public_only(plan, "a window function");
                self.over_cells();
                window
            }
            LogicalPlan::Join(_) => self.join(plan),
            LogicalPlan::Union(_) => self.union(plan),
            LogicalPlan::Limit(_) => self.public_only(plan, "LIMIT below the aggregate"),
            LogicalPlan::Subquery(_) => self.lateral(plan),
            LogicalPlan::Unnest(_) => self.public_only(plan, "UNNEST"),
            LogicalPlan::Values(_) | LogicalPlan::EmptyRelation(_) => self.public_only(plan, "VALUES"),
            LogicalPlan::Repartition(_) => Err(not_a_query("REPARTITION")),
            LogicalPlan::RecursiveQuery(_) => Err(not_a_query("WITH RECURSIVE")),
            LogicalPlan::Extension(_) => Err(not_a_query("an operator that is no SQL")),
            LogicalPlan::Statement(_) => Err(not_a_query("SET, transactions and prepared statements")),
            LogicalPlan::Explain(_) | LogicalPlan::Analyze(_) => Err(not_a_query("EXPLAIN inside of a query")),
            LogicalPlan::Dml(_) => Err(not_a_query("INSERT, UPDATE and DELETE")),
            LogicalPlan::Ddl(_) => Err(not_a_query("CREATE and DROP")),
            LogicalPlan::Copy(_) => Err(not_a_query("COPY")),
            LogicalPlan::DescribeTable(_) => Err(not_a_query("DESCRIBE")),
        }
    }

    /// An operator over one input that is also known below an aggregate.
    fn unary(&mut self, plan: LogicalPlan) -> Result<Gated, Refused> {
        let Some(input) = plan.inputs().first().map(|input| (*input).clone()) else {
            return Err(not_a_query("an operator without input"));
        };
        let below = match self.gated(input)? {
            Gated::Public(input) => {
                if matches!(plan, LogicalPlan::Aggregate(_) | LogicalPlan::Distinct(_)) {
                    self.over_cells();
                }
                return self.rebuilt(plan, vec![input]).map(Gated::Public);
            }
            Gated::Protected(below) => below,
        };
        let decision = &mut self.decision;
        match plan {
            LogicalPlan::Projection(projection) => below.project(&projection, decision).map(Gated::protected),
            LogicalPlan::Filter(filter) => self.filter(*below, &filter.predicate).map(Gated::protected),
            LogicalPlan::SubqueryAlias(alias) => below.alias(alias.alias).map(Gated::protected),
            LogicalPlan::Sort(sort) => below.sort(&sort, decision).map(Gated::protected),
            LogicalPlan::Aggregate(aggregate) => below.aggregate(&aggregate, decision).map(Gated::Public),
            LogicalPlan::Distinct(Distinct::All(_)) => below.distinct(decision).map(Gated::Public),
            LogicalPlan::Distinct(Distinct::On(_)) => Err(below.operator_refused("DISTINCT ON")),
            other => Err(below.operator_refused(other.display().to_string().split(':').next().unwrap_or("this"))),
        }
    }

    /// What is computed over released cells, unlike them, does not show that some were withheld (invariant I9).
    fn over_cells(&mut self) {
        let datasets = &self.decision.facts.datasets;
        let released = datasets.iter().filter(|used| used.form == Form::Statistics).map(|used| &used.name);
        for notice in released.map(|name| over_cells(name)).collect::<Vec<_>>() {
            self.decision.notice(&notice);
        }
    }

    /// An operator that has no place below an aggregate over protected rows.
    fn public_only(&mut self, plan: LogicalPlan, what: &str) -> Result<Gated, Refused> {
        let mut inputs = Vec::new();
        for input in plan.inputs() {
            inputs.push(self.public_input(input.clone(), what)?);
        }
        self.rebuilt(plan, inputs).map(Gated::Public)
    }

    fn public_input(&mut self, input: LogicalPlan, what: &str) -> Result<LogicalPlan, Refused> {
        match self.gated(input)? {
            Gated::Public(input) => Ok(input),
            Gated::Protected(below) => Err(below.operator_refused(what)),
        }
    }

    fn lateral(&mut self, plan: LogicalPlan) -> Result<Gated, Refused> {
        let LogicalPlan::Subquery(subquery) = plan else { return Err(not_a_query("this")) };
        self.subquery(subquery).map(LogicalPlan::Subquery).map(Gated::Public)
    }

    fn subquery(&mut self, subquery: Subquery) -> Result<Subquery, Refused> {
        let plan = self.public(Arc::unwrap_or_clone(subquery.subquery))?;
        let mut outer_ref_columns = Vec::new();
        for outer in subquery.outer_ref_columns {
            outer_ref_columns.push(self.outer(outer)?);
        }
        Ok(Subquery { subquery: Arc::new(plan), outer_ref_columns, spans: subquery.spans })
    }

    /// An outer reference with the field that it refers to now.
    fn outer(&self, expr: Expr) -> Result<Expr, Refused> {
        let renewed = expr.transform_up(|expr| {
            expressions::renewed_outer(expr, &self.outers, |column| self.missing(column).into())
        })?;
        Ok(renewed.data)
    }

    /// The operator over inputs that the gate has rewritten, its own expressions admitted.
    fn rebuilt(&mut self, plan: LogicalPlan, inputs: Vec<LogicalPlan>) -> Result<LogicalPlan, Refused> {
        for (before, after) in plan.inputs().into_iter().zip(&inputs) {
            if matches!(plan, LogicalPlan::Union(_)) {
                self.same_columns(before.schema(), after.schema())?;
            }
        }
        let mut scope = DFSchema::empty();
        for input in &inputs {
            scope.merge(input.schema());
        }
        let scope = Arc::new(scope);
        self.admit_expressions(&plan, &inputs, &scope)?;
        let mut inputs = inputs.into_iter();
        let plan = plan.map_children(|child| Ok(Transformed::yes(inputs.next().unwrap_or(child))))?.data;
        self.outers.push(scope);
        let plan = plan.map_subqueries(|subquery| match subquery {
            LogicalPlan::Subquery(subquery) => {
                Ok(Transformed::yes(LogicalPlan::Subquery(self.subquery(subquery).map_err(DataFusionError::from)?)))
            }
            other => Ok(Transformed::no(other)),
        });
        self.outers.pop();
        let plan = plan?.data.map_expressions(|expr| {
            expr.transform_up(|expr| {
                expressions::renewed_outer(expr, &self.outers, |column| self.missing(column).into())
            })
        })?;
        renewed_schema(plan.data).map_err(Refused::from)
    }

    fn admit_expressions(
        &mut self,
        plan: &LogicalPlan,
        inputs: &[LogicalPlan],
        scope: &DFSchema,
    ) -> Result<(), Refused> {
        let mut names = Vec::new();
        for expr in plan.expressions() {
            expressions::admit(&expr)?;
            // In an order that is the same whenever it is asked, since it shows in records and explanations.
            let mut columns: Vec<&Column> = expr.column_refs().into_iter().collect();
            columns.sort_unstable();
            for column in columns {
                let held = inputs.is_empty()
                    || scope.maybe_index_of_column(column).is_some()
                    || inputs.iter().any(|input| input.schema().maybe_index_of_column(column).is_some());
                if !held {
                    return Err(self.missing(column));
                }
                names.push(column.name.clone());
            }
        }
        self.use_columns(names.iter().map(String::as_str).collect());
        Ok(())
    }

    /// Notes published columns by name: what bears the name of a column of a dataset in use counts as its use.
    fn use_columns(&mut self, names: Vec<&str>) {
        let mut found = Vec::new();
        for used in &self.decision.facts.datasets {
            if used.form == Form::Statistics {
                continue;
            }
            let published = self.decision.published.get(&used.name);
            for name in names.iter().filter(|name| published.is_some_and(|columns| columns.contains(**name))) {
                found.push((used.name.clone(), (*name).to_owned()));
            }
        }
        for (dataset, column) in found {
            self.decision.column(&dataset, &column);
        }
    }

    fn missing(&self, column: &Column) -> Refused {
        let of_relation = |absent: &&Absent| {
            absent.column == column.name
                && column.relation.as_ref().is_some_and(|r| absent.dataset.ends_with(r.table()))
        };
        let absent =
            self.absent.iter().find(of_relation).or_else(|| self.absent.iter().find(|a| a.column == column.name));
        match absent {
            Some(absent) => {
                let agreement = absent.agreement.as_deref().unwrap_or("its terms");
                Refused::new(
                    "rows.columns",
                    format!("{} of {} is not granted by {agreement}", absent.column, absent.dataset),
                    format!(
                        "name granted columns ({}), or ask the owner to add {} to {agreement}",
                        absent.granted, absent.column
                    ),
                )
                .about(&absent.dataset)
                .at_column(&absent.column)
            }
            None => Refused::new("plan", format!("the column {} can't be found", column.name), "name its table")
                .at(&column.name),
        }
    }

    /// The columns are positional here, so that none may be missing.
    fn same_columns(&self, before: &DFSchema, after: &DFSchema) -> Result<(), Refused> {
        let held = |name: &str| after.fields().iter().any(|field| field.name() == name);
        if let Some(field) = before.fields().iter().find(|field| !held(field.name())) {
            return Err(self.missing(&Column::new_unqualified(field.name())));
        }
        let same = before.fields().len() == after.fields().len()
            && before
                .fields()
                .iter()
                .zip(after.fields())
                .all(|(b, a)| b.name() == a.name() && b.data_type() == a.data_type());
        if same { Ok(()) } else { Err(Refused::from(DataFusionError::Internal("columns changed on the way".into()))) }
    }

    fn scan(&mut self, scan: &TableScan) -> Result<Gated, Refused> {
        let source: &dyn TableSource = scan.source.as_ref();
        let Some(source) = source.downcast_ref::<DefaultTableSource>() else {
            return Err(not_a_dataset(scan));
        };
        let provider = source.table_provider.as_ref();
        if let Some(table) = provider.downcast_ref::<PublishedTable>() {
            return self.published(table, scan);
        }
        let Some(foreign) = (self.request.foreign)(provider) else { return Err(not_a_dataset(scan)) };
        if self.request.caller.is_peer() {
            let refused = Refused::new(
                "foreign.delegation",
                "a node asks for its own body's analysts, and this question needs data of a third body",
                "ask each body from your own node",
            );
            let dataset = foreign.names.first();
            return Err(dataset.map_or(refused.clone(), |name| refused.about(name)).at(scan.table_name.table()));
        }
        for name in &foreign.names {
            self.decision.foreign(name);
        }
        for filter in &scan.filters {
            expressions::admit(filter)?;
        }
        Ok(Gated::Public(LogicalPlan::TableScan(scan.clone())))
    }

    fn published(&mut self, table: &PublishedTable, scan: &TableScan) -> Result<Gated, Refused> {
        let name = table.terms.name.to_string();
        let access = access::decide(&table.terms, self.request, &mut self.decision)?;
        self.decision.publish(&table.terms);
        match access {
            Access::Whole(_) => {
                for filter in &scan.filters {
                    expressions::admit(filter)?;
                }
                Ok(Gated::Public(leaf::whole(table, scan)?))
            }
            Access::Rows { granted, filter } => {
                let plan = leaf::granted(table, scan, &granted, filter.as_ref());
                let held = |column: &&str| granted.holds(&table.terms, column);
                let names: Vec<&str> = leaf::scanned(scan).filter(held).collect();
                let listed = names.join(", ");
                for column in leaf::scanned(scan).filter(|column| !held(column)) {
                    let agreement = granted.agreement.clone();
                    let (dataset, column, granted) = (name.clone(), column.to_owned(), listed.clone());
                    self.absent.push(Absent { dataset, column, agreement, granted });
                }
                for filter in &scan.filters {
                    expressions::admit(filter)?;
                }
                Ok(Gated::Public(plan?))
            }
            Access::Statistics { granted, threshold, allowance } => {
                let limits = (threshold, allowance);
                let below = Below::scan(table, scan, &granted, limits, &mut self.decision)?;
                Ok(Gated::protected(below))
            }
        }
    }
}

impl Gated {
    fn protected(below: Below) -> Self {
        Self::Protected(Box::new(below))
    }
}

fn not_a_query(what: &str) -> Refused {
    Refused::new("statement", format!("{what} is not answered here"), "send one SELECT")
}

fn not_a_dataset(scan: &TableScan) -> Refused {
    if let Some(refused) = functions::table(scan.table_name.table()) {
        return refused;
    }
    Refused::new(
        "table.unknown",
        format!("{} is no dataset of this federation", scan.table_name),
        "name a dataset as body.dataset",
    )
    .at(scan.table_name.table())
}

/// The operator's schema over its new inputs: what was withheld may be NULL in places where SQL has no NULL.
pub(super) fn renewed_schema(plan: LogicalPlan) -> PlanResult<LogicalPlan> {
    match plan.recompute_schema()? {
        LogicalPlan::Union(union) => {
            Ok(LogicalPlan::Union(Union { schema: union_schema(&union)?, inputs: union.inputs }))
        }
        other => Ok(other),
    }
}

fn union_schema(union: &Union) -> PlanResult<DFSchemaRef> {
    let fields = union.schema.iter().enumerate().map(|(index, (qualifier, field))| {
        let nullable = |input: &Arc<LogicalPlan>| input.schema().fields().get(index).is_none_or(|f| f.is_nullable());
        let nullable = field.is_nullable() || union.inputs.iter().any(nullable);
        let field: Field = field.as_ref().clone().with_nullable(nullable);
        (qualifier.cloned(), Arc::new(field))
    });
    DFSchema::new_with_metadata(fields.collect(), union.schema.metadata().clone()).map(Arc::new)
}
