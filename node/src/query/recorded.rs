//! What the log keeps of a question, and what becomes of one that gets no answer.

use meridian_proto::{DatasetUse, Refusal};

use super::{Asked, Engine, ErrorKind, QueryError, redacted};
use crate::audit::{Entry, Private, Use};
use crate::gate::{Caller, Facts};
use crate::metrics::Party;

impl Engine {
    /// Counts a question that gets no answer, and records a refusal.
    pub(super) async fn turned_away(&self, asked: &Asked, error: QueryError) -> QueryError {
        let error = self.refuse(asked, error).await;
        self.unanswered(asked, error)
    }

    /// Counts a question that gets no answer.
    pub(super) fn unanswered(&self, asked: &Asked, error: QueryError) -> QueryError {
        self.parts.metrics.unanswered(party(&asked.caller), error.kind.ended());
        error
    }

    /// Records a refusal and hands it on; where the log can't be written, that is the answer.
    pub(super) async fn refuse(&self, asked: &Asked, error: QueryError) -> QueryError {
        // A peer sends what its planner wrote: names that do not fit were tried, and the owner should see that too.
        let probed = error.kind == ErrorKind::InvalidSql && asked.caller.is_peer();
        if error.kind != ErrorKind::Refused && !probed {
            return error;
        }
        let (mut entry, private) = self.entry(asked, &Facts::default());
        if let Some(refusal) = &error.refusal {
            entry.rules = vec![refusal.rule.clone()];
            entry.datasets = self.named(refusal).into_iter().collect();
        }
        match self.parts.log.refusal(entry, &private).await {
            Ok(_) => error,
            Err(log) => log.into(),
        }
    }

    /// The dataset and column that a refusal is about, as far as they are published.
    fn named(&self, refusal: &Refusal) -> Option<Use> {
        let dataset = refusal.dataset.as_ref()?;
        let published = dataset.split('.').all(|name| self.publishes(name));
        let column = refusal.column.iter().filter(|column| self.publishes(column)).cloned();
        published.then(|| Use { dataset: dataset.clone(), columns: column.collect(), form: String::new() })
    }

    /// Whether a name may stand in the log: it was not made up by whoever asks.
    fn publishes(&self, name: &str) -> bool {
        self.session.scalar_functions().contains_key(name)
            || self.session.aggregate_functions().contains_key(name)
            || self.session.window_functions().contains_key(name)
            || self.parts.catalogue.publishes(name)
    }

    /// What the log keeps of a question, and what it keeps for a time only.
    pub(super) fn entry(&self, asked: &Asked, facts: &Facts) -> (Entry, Private) {
        let used = |used: &DatasetUse| Use {
            dataset: used.name.clone(),
            columns: used.columns.clone(),
            form: used.form.to_string(),
        };
        let redacted::Redacted { sql, literals, names } = redacted::redacted(&asked.sql, |name| self.publishes(name));
        let parameters = asked.parameters.iter().map(ToString::to_string).collect();
        let private = Private { literals, names, parameters, ..Private::default() };
        let entry = Entry {
            query_id: asked.query_id.clone(),
            caller: asked.caller.spiffe(),
            on_behalf_of: asked.caller.on_behalf_of().unwrap_or_default().to_owned(),
            groups: texts(asked.caller.groups()),
            via: texts(asked.caller.via()),
            purpose: asked.caller.purpose().unwrap_or_default().to_owned(),
            agreements: facts.agreements.clone(),
            datasets: facts.datasets.iter().map(used).collect(),
            rules: facts.rules.clone(),
            sql,
        };
        (entry, private)
    }
}

/// Whose question it is, as it is counted.
pub(super) fn party(caller: &Caller) -> Party {
    if caller.is_peer() { Party::Other } else { Party::Own }
}

/// As they are recorded.
pub(super) fn texts(of: &[impl ToString]) -> Vec<String> {
    of.iter().map(ToString::to_string).collect()
}
