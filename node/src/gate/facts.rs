//! What the gate found out on the way: the part of a decision that is recorded and told.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use meridian_proto::{DatasetUse, Form};

use super::access::Access;
use super::choice::Choice;
use super::permit::Grounds;
use super::release::Tally;
use super::{Intent, Request, Terms};

/// What an admitted query uses, and why it may.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// This body's datasets, each with the published columns that the query names and the form in which it leaves.
    pub datasets: Vec<DatasetUse>,
    /// The agreements relied on.
    pub agreements: Vec<String>,
    /// The rules applied.
    pub rules: Vec<String>,
    /// What a reader of the answer must know.
    pub notices: Vec<String>,
    /// Whether something is in it that is not open, so that errors of its run carry no details.
    pub protected: bool,
    /// Whether one of the open datasets in it exists for analysts of this body alone.
    pub unlisted: bool,
    /// Datasets of other bodies that it reads.
    pub foreign: Vec<String>,
}

impl Facts {
    /// The names of this body's datasets in it, if anybody may read all of them.
    pub fn open_to_all(&self) -> Option<Vec<String>> {
        let open = !self.protected && !self.unlisted && self.datasets.iter().all(|used| used.form == Form::Open);
        open.then(|| self.datasets.iter().map(|used| used.name.clone()).collect())
    }
}

/// What a table of other bodies stands for, as whoever knows such tables tells the gate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignUse {
    /// The full names of the datasets.
    pub names: Vec<String>,
    /// Those of them of which only statistics leave.
    pub statistics: Vec<String>,
}

/// A decision while it is made.
pub(super) struct Decision {
    pub(super) now: DateTime<Utc>,
    pub(super) intent: Intent,
    /// Who asks, as it is recorded.
    pub(super) caller: String,
    pub(super) facts: Facts,
    pub(super) tally: Arc<Tally>,
    /// Of each dataset in use, the names of its published columns.
    pub(super) published: HashMap<String, HashSet<String>>,
    /// Which of several agreements datasets go by.
    pub(super) choice: Choice,
    /// What the answer must still be given by while it streams.
    pub(super) grounds: Vec<Grounds>,
    numbers: u32,
}

impl Decision {
    pub(super) fn new(request: &Request<'_>, choice: Choice) -> Self {
        let (caller, now, intent) = (request.caller, request.now, request.intent);
        let caller = match caller.on_behalf_of() {
            Some(analyst) => format!("{} for {analyst}", caller.spiffe()),
            None => caller.spiffe(),
        };
        let (facts, published, grounds) = (Facts::default(), HashMap::new(), Vec::new());
        let tally = Arc::default();
        Self { now, intent, caller, facts, tally, published, choice, grounds, numbers: 0 }
    }

    /// A number that was not given out before, for names that SQL can't write.
    pub(super) fn number(&mut self) -> u32 {
        self.numbers += 1;
        self.numbers
    }

    pub(super) fn publish(&mut self, terms: &Terms) {
        let names = terms.dataset.columns.iter().map(|column| column.name.to_string());
        self.published.insert(terms.name.to_string(), names.collect());
    }

    pub(super) fn rests_on(&mut self, terms: &Terms, access: &Access) {
        if self.grounds.iter().any(|grounds| grounds.dataset == terms.name && grounds.access == *access) {
            return;
        }
        let columns = terms.dataset.columns.iter().map(|column| &column.name);
        let columns = columns.filter(|column| access.opens(terms, column.as_str())).cloned().collect();
        self.grounds.push(Grounds { dataset: terms.name.clone(), access: access.clone(), columns });
    }

    pub(super) fn rule(&mut self, rule: &str) {
        push_once(&mut self.facts.rules, rule);
    }

    pub(super) fn notice(&mut self, notice: &str) {
        push_once(&mut self.facts.notices, notice);
    }

    pub(super) fn agreement(&mut self, agreement: &str) {
        push_once(&mut self.facts.agreements, agreement);
        self.rule("agreement.active");
    }

    pub(super) fn foreign(&mut self, name: &str) {
        push_once(&mut self.facts.foreign, name);
        self.rule("foreign.owner-decides");
    }

    /// Protected rows are joined with the whole of another body's dataset.
    pub(super) fn reference(&mut self, name: &str) {
        self.rule("reference.whole");
        self.notice(&format!("joined with {name} as a whole, after its content was found to be the declared one"));
    }

    pub(super) fn dataset(&mut self, name: &str, form: Form) {
        let known = self.facts.datasets.iter().any(|used| used.name == name && used.form == form);
        if !known {
            self.facts.datasets.push(DatasetUse { name: name.to_owned(), columns: Vec::new(), form });
        }
    }

    pub(super) fn column(&mut self, dataset: &str, column: &str) {
        for used in self.facts.datasets.iter_mut().filter(|used| used.name == dataset) {
            push_once(&mut used.columns, column);
        }
    }
}

fn push_once(list: &mut Vec<String>, item: &str) {
    if !list.iter().any(|held| held == item) {
        list.push(item.to_owned());
    }
}
