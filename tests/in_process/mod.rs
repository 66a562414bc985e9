//! A node's engine inside the calling process, over tables in memory: for benchmarks and fuzzing, which include this file.
#![allow(dead_code, reason = "each includer uses a part")]

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{Field, Schema};
use datafusion::catalog::MemTable;
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use meridian::audit::{Keeping, Log, LogKey};
use meridian::catalogue::{Catalogue, Own};
use meridian::clock::Clock;
use meridian::gate::{Caller, Controls, Dominance, PublishedTable, Terms, UNIT_COLUMN};
use meridian::history::History;
use meridian::peers::Directory;
use meridian::query::{Engine, Footing, Parts};
use meridian_certs::{Analysts, Authority, Credentials, Identity, KeyAndRequest, Request, Validity, Verified};
use meridian_disclosure::noise::{CountTable, MagnitudeTable, Parameters};
use meridian_federation::remote::Peers;
use meridian_proto::{Column, ColumnType, Dataset, DatasetName, Description, Form, Name, Role};
use tempfile::TempDir;

/// Partitions into which queries are split.
pub(crate) const PARTITIONS: usize = 2;
/// Smallest number of units of a released cell.
pub(crate) const THRESHOLD: u32 = 10;

/// The federation `london` and the node of `lfb`.
pub(crate) struct InProcess {
    pub(crate) engine: Arc<Engine>,
    pub(crate) history: Arc<History>,
    credentials: Arc<Credentials>,
    authority: Authority,
    folder: TempDir,
}

pub(crate) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

impl InProcess {
    /// A node over datasets, made from the history that their statistics share.
    pub(crate) fn new(datasets: impl FnOnce(&Arc<History>) -> Vec<(Terms, LogicalPlan)>) -> Self {
        Self::among(&[], datasets)
    }

    /// The same in a federation with other bodies, which have told what they publish. None of them is ever there.
    pub(crate) fn among(
        others: &[(Name, Vec<Dataset>)],
        datasets: impl FnOnce(&Arc<History>) -> Vec<(Terms, LogicalPlan)>,
    ) -> Self {
        let folder = TempDir::new().unwrap();
        let history = History::open(&folder.path().join("history.redb"), &[9; 32]).unwrap();
        let (federation, body) = (name("london"), name("lfb"));
        let authority = Authority::create(&federation, folder.path()).unwrap();
        let node = Identity::Node { federation: federation.clone(), body: body.clone() };
        let credentials = issued(folder.path(), &authority, &node);
        let nowhere = others.iter().map(|(body, _)| (body.clone(), "https://127.0.0.1:1".to_owned())).collect();
        let peers = Peers::new(federation.clone(), credentials.client_connector(), nowhere);
        let directory =
            Directory::open(Some(body.clone()), credentials.home(), Arc::clone(&peers), folder.path().join("peers"));
        let datasets = datasets(&history);
        let tell = |credentials: &Credentials, body: &Name, datasets: Vec<Dataset>| {
            let (federation, body, title) = (federation.clone(), body.clone(), body.to_string());
            let description = Description { federation, body, version: 1, title, datasets, log_keys: None };
            directory.accept(credentials.sign(description.encode()).unwrap()).unwrap();
        };
        tell(&credentials, &body, datasets.iter().map(|(terms, _)| terms.dataset.as_ref().clone()).collect());
        for (other, theirs) in others {
            let who = Identity::Node { federation: federation.clone(), body: other.clone() };
            tell(&issued(folder.path(), &authority, &who), other, theirs.clone());
        }
        let own: BTreeMap<Name, Own> = datasets
            .into_iter()
            .map(|(terms, rows)| {
                let name = terms.name.dataset.clone();
                let rows = if terms.unit.is_some() { rows } else { without_units(rows) };
                (name, Own::Ready(Arc::new(PublishedTable::new(Arc::new(terms), rows).unwrap())))
            })
            .collect();
        let log = LogKey::new("london/lfb/log", &[7; 32]);
        let keeping = Keeping { key: [8; 32], days: 90, log };
        let log = Log::open(&folder.path().join("audit"), &keeping).unwrap();
        let catalogue = Catalogue::new(body, own, Arc::clone(&directory), Vec::new());
        let footing = Footing {
            credentials: Arc::clone(&credentials),
            peers,
            directory,
            members: None,
            log,
            seed: [9; 32],
            state: folder.path().to_owned(),
            clock: Clock::system(),
        };
        let engine = Engine::new(Parts {
            memory: 8 << 30,
            patience: Duration::from_secs(600),
            target_partitions: PARTITIONS,
            ..Parts::new(footing, catalogue)
        });
        Self { engine: engine.unwrap(), history, credentials, authority, folder }
    }

    /// Proof of an identity, as a handshake would give it.
    pub(crate) fn verified(&self, identity: &Identity) -> Verified {
        let signed = issued(self.folder.path(), &self.authority, identity).sign(b"it is me".to_vec()).unwrap();
        self.credentials.trust(&analysts(self.folder.path(), "lfb")).unwrap();
        self.credentials.verify(&signed, SystemTime::now()).unwrap()
    }

    /// An analyst of this body.
    pub(crate) fn analyst(&self, purpose: &str) -> Caller {
        self.caller(&Identity::Analyst { federation: name("london"), body: name("lfb"), name: name("li") }, purpose)
    }

    /// The node of LODA.
    pub(crate) fn peer(&self, purpose: &str) -> Caller {
        self.caller(&Identity::Node { federation: name("london"), body: name("loda") }, purpose)
    }

    fn caller(&self, identity: &Identity, purpose: &str) -> Caller {
        let own = (self.engine.federation(), self.engine.body());
        Caller::new(&self.verified(identity), own, Some(purpose.into()), None).unwrap()
    }
}

/// The credentials of an identity that the authority has signed, in files of their own.
fn issued(folder: &Path, authority: &Authority, identity: &Identity) -> Arc<Credentials> {
    let folder = TempDir::new_in(folder).unwrap();
    let path = |file: &str| folder.path().join(file);
    let made = KeyAndRequest::create(&path("key")).unwrap();
    let request = Request::from_pem(made.pem()).unwrap();
    let validity = Validity::from_now(Duration::from_secs(24 * 3600));
    let pem = match identity {
        Identity::Node { .. } => authority.sign(&request, identity, &["localhost".to_owned()], validity).unwrap(),
        Identity::Analyst { body, name, .. } => {
            let analysts = analysts(folder.path().parent().unwrap(), body.as_str());
            analysts.add(name, &request, validity, SystemTime::now()).unwrap()
        }
    };
    std::fs::write(path("pem"), pem).unwrap();
    let ca = folder.path().parent().unwrap().join("ca.pem");
    Credentials::load(&ca, &path("pem"), &path("key")).unwrap()
}

/// Whom a body vouches for.
fn analysts(folder: &Path, body: &str) -> Analysts {
    Analysts::new(name("london"), name(body), folder.join(format!("{body}-analysts")))
}

/// Columns of equal length as one batch, all nullable.
pub(crate) fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    let fields: Vec<Field> = columns.iter().map(|(n, c)| Field::new(*n, c.data_type().clone(), true)).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns.into_iter().map(|(_, c)| c).collect()).unwrap()
}

/// A scan of partitions of batches.
pub(crate) fn scan(partitions: Vec<Vec<RecordBatch>>) -> LogicalPlan {
    let schema = partitions[0][0].schema();
    let table = Arc::new(MemTable::try_new(schema, partitions).unwrap());
    LogicalPlanBuilder::scan("source", provider_as_source(table), None).unwrap().build().unwrap()
}

/// The rows without the column of units that only datasets with a unit have.
fn without_units(rows: LogicalPlan) -> LogicalPlan {
    let kept: Vec<Expr> =
        rows.schema().columns().into_iter().filter(|c| c.name != UNIT_COLUMN).map(Expr::Column).collect();
    LogicalPlanBuilder::from(rows).project(kept).unwrap().build().unwrap()
}

pub(crate) fn column(column: &str, column_type: ColumnType, role: Role, ranges: bool) -> Column {
    Column {
        name: name(column),
        column_type,
        role,
        required: false,
        ranges,
        concept: String::new(),
        unit: String::new(),
        description: String::new(),
    }
}

/// A description without coverage and standard.
pub(crate) fn described(dataset: &str, form: Form, columns: Vec<Column>) -> Dataset {
    Dataset {
        name: name(dataset),
        title: dataset.into(),
        description: String::new(),
        licence: String::new(),
        form,
        needs_agreement: false,
        columns,
        unit_kind: String::new(),
        threshold: if form == Form::Statistics { THRESHOLD } else { 0 },
        standard: None,
        coverage: vec![],
        size_class: 0,
        update_frequency: String::new(),
        references: vec![],
        about: meridian_proto::About::default(),
    }
}

/// Terms without units and grants; the body's own analysts get the dataset's form.
pub(crate) fn terms(dataset: &str, form: Form, columns: Vec<Column>) -> Terms {
    Terms {
        name: DatasetName { federation: name("london"), body: name("lfb"), dataset: name(dataset) },
        dataset: Arc::new(described(dataset, form, columns)),
        own: form,
        unit: None,
        columns: HashMap::new(),
        tables: None,
        controls: None,
        listed: true,
        grants: vec![],
        references: vec![],
    }
}

/// Noise as a node makes it by default.
pub(crate) fn controls(history: &Arc<History>) -> Arc<Controls> {
    let parameters = Parameters { largest: 5, variance: 2.0, forbidden: 0, stay: None };
    Arc::new(Controls {
        counts: CountTable::made(&parameters, [3; 32]).unwrap(),
        magnitudes: MagnitudeTable::made(5, 2.0).unwrap(),
        dominance: Dominance { percent: 10.0, largest: None },
        key: [7; 16],
        reuse: true,
        history: Arc::clone(history),
    })
}
