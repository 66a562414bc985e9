//! A small federation in memory: its descriptions, its rows, one session that asks and one that holds everything.

mod holdings;
mod stand_in;

use std::collections::{HashMap, HashSet};
use std::io::Cursor;
use std::sync::Arc;

use arrow::array::{RecordBatch, StringArray};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::catalog::{CatalogProvider, MemTable, MemoryCatalogProvider, MemorySchemaProvider, TableProvider};
use datafusion::execution::SessionStateBuilder;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_planner::ExtensionPlanner;
use datafusion::prelude::{SessionConfig, SessionContext};
use meridian_proto::{Column, Coverage, Covers, Dataset, DatasetName, Form, Name, Reference, Role};

use crate::keys::OpenHere;
use crate::placement::{Placed, place};
use crate::remote::RemotePlanner;
use crate::session::{guarded_rules, optimizer_rules, session_config};
use crate::tables::{BODY_COLUMN, EveryPart, EveryTable, ForeignTable, schema_of};
use crate::tests::keyed::{Sent, keyed};
use crate::{FederationPlanner, PlacementError, physical_optimizer_rules};
use holdings::*;
use stand_in::StandIn;

pub(crate) struct Holding {
    pub(crate) name: DatasetName,
    pub(crate) dataset: Arc<Dataset>,
    rows: RecordBatch,
}

impl Holding {
    /// The same at another body.
    pub(crate) fn renamed(&self, body: &str) -> Self {
        let name = DatasetName { body: name(body), ..self.name.clone() };
        Self { name, dataset: Arc::clone(&self.dataset), rows: self.rows.clone() }
    }
}

#[derive(Default)]
pub(crate) struct World {
    pub(crate) holdings: Vec<Holding>,
    /// Cells that a body of statistics withholds: the body, and the group's first key or `*`.
    pub(crate) withheld: Vec<(&'static str, &'static str)>,
    /// Groups that it leaves out.
    pub(crate) absent: Vec<(&'static str, &'static str)>,
    pub(crate) missing: Vec<Name>,
    /// Whether every engine works in one partition, which is quicker over a few rows.
    pub(crate) single: bool,
    /// Whether bodies are asked at run time, with keys wherever they can be sent; what they are sent stands there.
    pub(crate) keyed: Option<Sent>,
    /// The body that asks, which has its rows here, and whether it is said that they are open.
    pub(crate) own: Option<(&'static str, bool)>,
}

pub(crate) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

impl World {
    /// All open, with coverage for the buildings and none for the spend; one body of the spend has no rows.
    pub(crate) fn open() -> Self {
        Self::with(|_, _| Form::Open)
    }

    pub(crate) fn with(form: impl Fn(&str, &str) -> Form) -> Self {
        let mut world = Self::default();
        let mut add =
            |body: &str, dataset: &str, columns: &str, rows: &str, standard: Option<&str>, coverage: Option<&str>| {
                let described = describe(dataset, columns, form(body, dataset), standard, coverage);
                let name = DatasetName { federation: name("london"), body: name(body), dataset: name(dataset) };
                let everything = Arc::new(Dataset { form: Form::Open, ..described.clone() });
                let rows = parse(&schema_of(&everything), rows);
                world.holdings.push(Holding { name, dataset: Arc::new(described), rows });
            };
        add("lfb", "incidents", INCIDENTS, INCIDENT_ROWS, None, None);
        add("lfb", "stations", STATIONS, STATION_ROWS, None, None);
        add("lfb", "crews", CREWS, CREW_ROWS, None, None);
        add("gla", "boroughs", BOROUGHS, BOROUGH_ROWS, None, None);
        add("camden", "buildings", BUILDINGS, CAMDEN, Some("buildings"), Some("E09000007"));
        add("hackney", "buildings", BUILDINGS, HACKNEY, Some("buildings"), Some("E09000012"));
        add("barnet", "buildings", BUILDINGS, BARNET, Some("buildings"), Some("E09000003"));
        // Nothing was inspected in Barnet, and nobody says which of Camden's came first.
        add("camden", "inspections", INSPECTIONS, INSPECTED_CAMDEN, Some("inspections"), Some("E09000007"));
        add("hackney", "inspections", INSPECTIONS, INSPECTED_HACKNEY, Some("inspections"), Some("E09000012"));
        add("camden", "spend", SPEND, SPEND_CAMDEN, Some("spend"), None);
        add("hackney", "spend", SPEND, SPEND_HACKNEY, Some("spend"), None);
        add("barnet", "spend", SPEND, "", Some("spend"), None);
        world
    }

    /// Adds an open dataset of these rows.
    pub(crate) fn hold(&mut self, body: &str, dataset: &str, standard: Option<&str>, rows: &[RecordBatch]) {
        let published = rows[0].schema();
        let columns = published.fields().iter().map(|field| {
            let column_type = match field.data_type() {
                DataType::Int32 => "integer".to_owned(),
                DataType::Int64 => "bigint".to_owned(),
                DataType::Date32 => "date".to_owned(),
                DataType::Decimal128(precision, scale) => format!("decimal({precision};{scale})"),
                _ => "varchar".to_owned(),
            };
            format!("{}:{column_type}:dimension", field.name())
        });
        let described = describe(dataset, &columns.collect::<Vec<_>>().join(","), Form::Open, standard, None);
        let schema = schema_of(&described);
        let rows = concat_batches(&published, rows).unwrap();
        let columns = rows.columns().iter().zip(schema.fields());
        let columns = columns.map(|(column, field)| cast(column, field.data_type()).unwrap()).collect();
        let rows = RecordBatch::try_new(schema, columns).unwrap();
        let name = DatasetName { federation: name("london"), body: name(body), dataset: name(dataset) };
        self.holdings.push(Holding { name, dataset: Arc::new(described), rows });
    }

    /// Some dataset of `lfb` declares a reference to one of `gla`.
    pub(crate) fn declare(&mut self, dataset: &str, to: &str, key: &str, labels: &[&str]) {
        let holding =
            self.holdings.iter_mut().find(|h| h.name.body.as_str() == "lfb" && h.name.dataset.as_str() == dataset);
        let labels = labels.iter().map(|label| name(label)).collect();
        let reference = Reference { body: name("gla"), dataset: name(to), key: name(key), labels };
        Arc::make_mut(&mut holding.unwrap().dataset).references.push(reference);
    }

    /// One more dataset.
    pub(crate) fn add(
        &mut self,
        body: &str,
        dataset: &str,
        columns: &str,
        rows: RecordBatch,
        form: Form,
        size_class: u32,
    ) {
        let described = Dataset { size_class, ..describe(dataset, columns, form, None, None) };
        let name = DatasetName { federation: name("london"), body: name(body), dataset: name(dataset) };
        self.holdings.push(Holding { name, dataset: Arc::new(described), rows });
    }

    /// The rows of a dataset.
    pub(crate) fn rows(&self, body: &str, dataset: &str) -> RecordBatch {
        let is_it = |holding: &&Holding| holding.name.body == name(body) && holding.name.dataset == name(dataset);
        self.holdings.iter().find(is_it).unwrap().rows.clone()
    }

    /// The dataset added last is one of a standard.
    pub(crate) fn conforms(&mut self, standard: &str) {
        let holding = self.holdings.last_mut().unwrap();
        Arc::make_mut(&mut holding.dataset).standard = Some(name(standard));
    }

    /// The dataset added last has this in every row.
    pub(crate) fn covers(&mut self, column: &str, covers: Covers) {
        let holding = self.holdings.last_mut().unwrap();
        Arc::make_mut(&mut holding.dataset).coverage.push(Coverage { column: name(column), covers });
    }

    /// A dataset of about as many rows as ten to this power.
    pub(crate) fn sized(mut self, dataset: &str, size_class: u32) -> Self {
        for holding in self.holdings.iter_mut().filter(|holding| holding.name.dataset.as_str() == dataset) {
            Arc::make_mut(&mut holding.dataset).size_class = size_class;
        }
        self
    }

    pub(crate) fn foreign(&self, body: &str, dataset: &str) -> ForeignTable {
        let holding = self
            .holdings
            .iter()
            .find(|holding| holding.name.body.as_str() == body && holding.name.dataset.as_str() == dataset);
        let holding = holding.unwrap();
        ForeignTable::new(holding.name.clone(), Arc::clone(&holding.dataset))
    }

    fn standards(&self) -> HashMap<Name, Vec<&Holding>> {
        let mut standards: HashMap<Name, Vec<&Holding>> = HashMap::new();
        for holding in &self.holdings {
            if let Some(standard) = &holding.dataset.standard {
                standards.entry(standard.clone()).or_default().push(holding);
            }
        }
        standards
    }

    /// A node that holds nothing itself, or what is `own`.
    pub(crate) fn asker(&self) -> SessionContext {
        let bodies: HashSet<&Name> = self.holdings.iter().map(|holding| &holding.name.body).collect();
        let bodies = bodies.into_iter().map(|body| (body.clone(), self.owner(body))).collect();
        let is_own = |name: &DatasetName| self.own.is_some_and(|(body, _)| name.body.as_str() == body);
        let (mut config, planner): (_, Arc<dyn ExtensionPlanner + Send + Sync>) = match &self.keyed {
            Some(sent) => (keyed(self.london(), bodies, sent), Arc::new(RemotePlanner)),
            None => {
                let (withheld, absent) = (self.withheld.clone(), self.absent.clone());
                (self.london(), Arc::new(StandIn { bodies, withheld, absent }))
            }
        };
        if self.own.is_some_and(|(_, open)| open) {
            let names = self.holdings.iter().map(|holding| &holding.name).filter(|name| is_own(name));
            config
                .options_mut()
                .extensions
                .insert(OpenHere::new(names.map(ToString::to_string).collect(), Arc::new(|| true)));
        }
        let state = SessionStateBuilder::new_with_default_features()
            .with_config(config)
            .with_optimizer_rules(optimizer_rules())
            .with_physical_optimizer_rules(physical_optimizer_rules())
            .with_query_planner(Arc::new(FederationPlanner::new(vec![planner])))
            .build();
        let context = SessionContext::new_with_state(state);
        let mut tables: Vec<(String, String, Arc<dyn TableProvider>)> = Vec::new();
        for Holding { name, dataset, rows } in &self.holdings {
            let table: Arc<dyn TableProvider> = match is_own(name) {
                true => memory(rows.clone()),
                false => Arc::new(ForeignTable::new(name.clone(), Arc::clone(dataset))),
            };
            tables.push((name.body.to_string(), name.dataset.to_string(), table));
        }
        for (standard, holdings) in self.standards() {
            let parts = holdings
                .iter()
                .map(|holding| EveryPart { body: holding.name.body.clone(), dataset: Arc::clone(&holding.dataset) });
            let table = EveryTable::new(name("london"), standard.clone(), parts.collect(), self.missing.clone());
            tables.push(("every".into(), standard.to_string(), Arc::new(table)));
        }
        register(&context, tables);
        context
    }

    /// An engine that asks nobody.
    fn engine(&self) -> SessionContext {
        let state = SessionStateBuilder::new_with_default_features()
            .with_config(self.london())
            .with_optimizer_rules(guarded_rules())
            .with_physical_optimizer_rules(physical_optimizer_rules());
        SessionContext::new_with_state(state.build())
    }

    /// One engine over all rows.
    pub(crate) fn central(&self) -> SessionContext {
        let context = self.engine();
        let mut tables: Vec<(String, String, Arc<dyn TableProvider>)> = Vec::new();
        for Holding { name, rows, .. } in &self.holdings {
            tables.push((name.body.to_string(), name.dataset.to_string(), memory(rows.clone())));
        }
        for (standard, holdings) in self.standards() {
            let batches: Vec<RecordBatch> = holdings.iter().map(|holding| with_body(holding)).collect();
            let rows = concat_batches(&batches[0].schema(), &batches).unwrap();
            tables.push(("every".into(), standard.to_string(), memory(rows)));
        }
        register(&context, tables);
        context
    }

    /// A node with its own rows, and those that it fetches from others.
    fn owner(&self, body: &Name) -> SessionContext {
        let context = self.engine();
        let own: Vec<&Holding> = self.holdings.iter().filter(|holding| holding.name.body == *body).collect();
        let references: Vec<&Reference> = own.iter().flat_map(|holding| &holding.dataset.references).collect();
        let is_fetched = |name: &DatasetName| {
            references.iter().any(|known| known.body == name.body && known.dataset == name.dataset)
        };
        let held = self.holdings.iter().filter(|holding| holding.name.body == *body || is_fetched(&holding.name));
        register(
            &context,
            held.map(|Holding { name, rows, .. }| {
                (name.body.to_string(), name.dataset.to_string(), memory(rows.clone()))
            })
            .collect(),
        );
        context
    }

    fn london(&self) -> SessionConfig {
        let partitions = if self.single { 1 } else { 2 };
        session_config().with_default_catalog_and_schema("london", "public").with_target_partitions(partitions)
    }

    pub(crate) async fn optimised(&self, sql: &str) -> (SessionContext, LogicalPlan) {
        let context = self.asker();
        let plan = context.sql(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}")).into_optimized_plan();
        (context, plan.unwrap_or_else(|error| panic!("{sql}: {error}")))
    }

    pub(crate) async fn placed(&self, sql: &str) -> Result<Placed, PlacementError> {
        let (context, plan) = self.optimised(sql).await;
        place(plan, &context.state())
    }
}

fn memory(rows: RecordBatch) -> Arc<dyn TableProvider> {
    Arc::new(MemTable::try_new(rows.schema(), vec![vec![rows]]).unwrap())
}

fn register(context: &SessionContext, tables: Vec<(String, String, Arc<dyn TableProvider>)>) {
    let catalogue = Arc::new(MemoryCatalogProvider::new());
    for (schema, table, provider) in tables {
        if catalogue.schema(&schema).is_none() {
            catalogue.register_schema(&schema, Arc::new(MemorySchemaProvider::new())).unwrap();
        }
        catalogue.schema(&schema).unwrap().register_table(table, provider).unwrap();
    }
    context.register_catalog("london", catalogue);
}

fn describe(dataset: &str, columns: &str, form: Form, standard: Option<&str>, coverage: Option<&str>) -> Dataset {
    let mut described = Vec::new();
    // A decimal's comma stands between its brackets.
    let columns = columns.replace("(10,2)", "(10;2)").replace("(12,2)", "(12;2)");
    for column in columns.split(',') {
        let fields: Vec<&str> = column.split(':').collect();
        described.push(Column {
            name: name(fields[0]),
            column_type: fields[1].replace(';', ",").parse().unwrap(),
            role: match fields[2] {
                "dimension" => Role::Dimension,
                "measure" => Role::Measure,
                "identifier" => Role::Identifier,
                _ => Role::Hidden,
            },
            required: false,
            ranges: false,
            concept: String::new(),
            unit: String::new(),
            description: String::new(),
        });
    }
    Dataset {
        name: name(dataset),
        title: String::new(),
        description: String::new(),
        licence: String::new(),
        form,
        needs_agreement: false,
        columns: described,
        unit_kind: String::new(),
        threshold: 0,
        standard: standard.map(name),
        coverage: coverage
            .map(|value| Coverage { column: name("borough_gss"), covers: Covers::Value(value.into()) })
            .into_iter()
            .collect(),
        size_class: 5,
        update_frequency: String::new(),
        references: Vec::new(),
        about: meridian_proto::About::default(),
    }
}

fn parse(schema: &SchemaRef, rows: &str) -> RecordBatch {
    let reader =
        arrow::csv::ReaderBuilder::new(Arc::clone(schema)).build(Cursor::new(rows.as_bytes().to_vec())).unwrap();
    let batches: Vec<RecordBatch> = reader.map(|batch| batch.unwrap()).collect();
    concat_batches(schema, &batches).unwrap()
}

fn with_body(holding: &Holding) -> RecordBatch {
    let mut fields: Vec<Arc<Field>> = holding.rows.schema().fields().iter().cloned().collect();
    fields.push(Arc::new(Field::new(BODY_COLUMN, DataType::Utf8, false)));
    let mut columns = holding.rows.columns().to_vec();
    columns.push(Arc::new(StringArray::from(vec![holding.name.body.as_str(); holding.rows.num_rows()])));
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
}

/// What other bodies are asked, a line for each query: the bodies and the SQL.
pub(crate) async fn asked(world: &World, sql: &str) -> Vec<String> {
    let placed = world.placed(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let line = |remote: &crate::RemoteSummary| {
        let bodies: Vec<String> = remote.bodies.iter().map(ToString::to_string).collect();
        format!("{}: {}", bodies.join("+"), remote.sql())
    };
    placed.remotes.iter().map(line).collect()
}

/// Each question, and what other bodies are asked for it.
pub(crate) async fn texts_are(world: &World, cases: &[(&str, &[&str])]) {
    let mut wrong = Vec::new();
    for (sql, expected) in cases {
        let found = asked(world, sql).await;
        if found != *expected {
            wrong.push(format!("{sql}\n  {}", found.join("\n  ")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The rows of the federation, and those of one engine over all bodies' rows, each in the order of their text.
pub(crate) async fn both(world: &World, sql: &str) -> (Vec<String>, Vec<String>) {
    (sorted(&world.asker(), sql).await, sorted(&world.central(), sql).await)
}

/// The rows as text in the order of their text.
pub(crate) async fn sorted(context: &SessionContext, sql: &str) -> Vec<String> {
    let mut found = rows(context, sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    found.sort();
    found
}

/// The rows as text, a line each.
pub(crate) async fn rows(context: &SessionContext, sql: &str) -> Result<Vec<String>, String> {
    let frame = context.sql(sql).await.map_err(|error| error.to_string())?;
    let batches = frame.collect().await.map_err(|error| error.to_string())?;
    let options = FormatOptions::default().with_null("NULL");
    let mut lines = Vec::new();
    for batch in batches {
        let columns: Vec<ArrayFormatter<'_>> =
            batch.columns().iter().map(|column| ArrayFormatter::try_new(column, &options).unwrap()).collect();
        for row in 0..batch.num_rows() {
            let cells: Vec<String> = columns.iter().map(|column| column.value(row).to_string()).collect();
            lines.push(cells.join(" | "));
        }
    }
    Ok(lines)
}
