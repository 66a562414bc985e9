//! `meridian check`: asks every body that a question needs whether it would release its part, and runs nothing.
//!
//! The road is that of an answer up to the guard: parse, bind, analyse, gate, optimise, place. Each body whose part is
//! placed is sent, as a Flight action, the very SQL that an answer would send it, and goes the same road. What is said
//! rests on SQL, schema and terms, and on nothing that rows have to do with: neither what is left of an allowance nor an
//! estimate of rows is looked at. Every node records that it was asked.

use std::sync::Arc;

use futures::{StreamExt, stream};
use meridian_federation::remote::{RemoteError, RemoteErrorKind};
use meridian_federation::{RemotePart, RemoteSummary, askable, place};
use meridian_proto::{Admission, BodyName, CHECK_ACTION, CheckAnswer, Decision, Refusal, Verdict, wire};
use prost::Message;

use super::recorded::texts;
use super::{Asked, Engine, ErrorKind, Planned, QueryError, error};
use crate::gate::{self, Intent, Onward};

/// Bodies that are asked at the same time.
const AT_ONCE: usize = 64;

/// What one body would be sent, and the columns that would come back.
struct Part {
    remote: RemotePart,
    columns: Vec<String>,
}

impl Engine {
    /// Whether every body that a question needs would release its part, this body first.
    pub async fn check(self: &Arc<Self>, asked: Asked) -> Result<CheckAnswer, QueryError> {
        let (own, parts) = match self.plan(&asked, Intent::Check).await {
            Ok(planned) => self.own_part(&asked, &planned).await?,
            Err(error) => (Decision::Refused(self.said_no(&asked, error).await?), Vec::new()),
        };
        let own = Verdict { body: self.body().clone().into(), sql: asked.sql.clone(), decision: own };
        let asking = stream::iter(parts).map(|part| self.ask_whether(&asked, part)).buffer_unordered(AT_ONCE);
        let mut others: Vec<Verdict> = asking.collect().await;
        others.sort_by(|a, b| (&a.body, &a.sql).cmp(&(&b.body, &b.sql)));
        Ok(CheckAnswer { query_id: asked.query_id, verdicts: std::iter::once(own).chain(others).collect() })
    }

    /// This body's own decision, and what others would be asked.
    async fn own_part(&self, asked: &Asked, planned: &Planned) -> Result<(Decision, Vec<Part>), QueryError> {
        let placed = place(planned.optimised.clone(), &planned.state);
        let (remotes, refused) = match placed {
            Ok(placed) => (placed.remotes, self.guarded(asked, planned).await.err()),
            Err(error) => {
                let rest = askable(planned.optimised.clone()).unwrap_or_default();
                (rest, Some(QueryError::from_placement(&asked.sql, error)))
            }
        };
        let decision = match refused {
            Some(error) => Decision::Refused(self.said_no(asked, error).await?),
            None => {
                let (entry, private) = self.entry(asked, planned.admitted.facts());
                self.parts.log.check(entry, &private).await?;
                Decision::Admitted(admission(planned))
            }
        };
        Ok((decision, remotes.into_iter().flat_map(parts).collect()))
    }

    /// The last step before something would run.
    async fn guarded(&self, asked: &Asked, planned: &Planned) -> Result<(), QueryError> {
        let physical = self.physical(asked, planned).await?;
        let guarded = gate::guard(physical, &planned.admitted);
        guarded.map(drop).map_err(|refused| QueryError::from_refused(&asked.sql, &refused))
    }

    /// The refusal in an error, recorded; what is no refusal stays an error.
    async fn said_no(&self, asked: &Asked, error: QueryError) -> Result<Refusal, QueryError> {
        let error = self.refuse(asked, error).await;
        match (error.kind, &error.refusal) {
            (ErrorKind::Refused, Some(refusal)) => Ok(refusal.as_ref().clone()),
            _ => Err(error),
        }
    }

    /// Asks one body, which may be out of reach.
    async fn ask_whether(&self, asked: &Asked, part: Part) -> Verdict {
        let Part { remote: RemotePart { body, sql, .. }, columns } = part;
        let Onward { asker, groups, via } = asked.caller.onward();
        let request = wire::RemoteQuery {
            query_id: asked.query_id.clone(),
            sql: sql.clone(),
            on_behalf_of: asker,
            groups: texts(&groups),
            via: texts(&via),
            purpose: asked.caller.purpose().unwrap_or_default().to_owned(),
            // Nothing is read.
            endpoints: 1,
        };
        let asking = self.parts.routes.action(&body, CHECK_ACTION, request.encode_to_vec());
        let decision = match tokio::time::timeout(self.parts.patience, asking).await {
            Ok(Ok(results)) => answered(&body, &results).unwrap_or_else(Decision::Undecided),
            Ok(Err(error)) => failed(error),
            Err(_) => Decision::Unreachable(format!("it has not answered within {} s", self.parts.patience.as_secs())),
        };
        let decision = match decision {
            // What it says of places is about SQL that this node wrote.
            Decision::Refused(refusal) => {
                Decision::Refused(error::placed(&asked.sql, Refusal { place: None, ..refusal }))
            }
            Decision::Admitted(admission) => Decision::Admitted(Admission { columns, ..admission }),
            silent => silent,
        };
        Verdict { body, sql, decision }
    }
}

fn parts(summary: RemoteSummary) -> impl Iterator<Item = Part> {
    let columns = summary.columns;
    summary.parts.into_iter().map(move |remote| Part { remote, columns: columns.clone() })
}

fn admission(planned: &Planned) -> Admission {
    let facts = planned.admitted.facts();
    Admission {
        datasets: facts.datasets.clone(),
        agreements: facts.agreements.clone(),
        rules: facts.rules.clone(),
        notices: facts.notices.clone(),
        columns: planned.admitted.schema().fields().iter().map(|field| field.name().clone()).collect(),
    }
}

/// The decision of a body that answered, which must be about itself.
fn answered(body: &BodyName, results: &[Vec<u8>]) -> Result<Decision, String> {
    let [result] = results else { return Err("it did not answer with one decision".into()) };
    let answer = CheckAnswer::decode(result).map_err(|error| format!("its answer can't be read: {error}"))?;
    // It names itself by its slug, whatever it is called here.
    let mut own = answer.verdicts.into_iter().filter(|verdict| verdict.body == *body.slug());
    match (own.next(), own.next()) {
        (Some(verdict), None) => Ok(verdict.decision),
        _ => Err("its answer does not hold its own decision".into()),
    }
}

/// What an error of a body tells about its decision.
fn failed(error: RemoteError) -> Decision {
    let RemoteError { kind, message, refusal, .. } = error;
    match (refusal, kind) {
        (Some(refusal), _) => Decision::Refused(*refusal),
        (None, RemoteErrorKind::Refused) => {
            Decision::Refused(Refusal { rule: "refused".into(), reason: message, ..Refusal::default() })
        }
        (None, RemoteErrorKind::Unavailable) => Decision::Unreachable(message),
        (None, RemoteErrorKind::Failed | RemoteErrorKind::Limit) => Decision::Undecided(message),
    }
}
