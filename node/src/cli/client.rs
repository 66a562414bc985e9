//! Asking a node over Flight SQL: the connection, an answer with its receipt, and what failed in words.

use std::error::Error as StdError;
use std::sync::Arc;
use std::time::SystemTime;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow_flight::decode::{DecodedPayload, FlightDataDecoder};
use arrow_flight::error::FlightError;
use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::sql::CommandGetTables;
use arrow_flight::sql::client::FlightSqlServiceClient;
use arrow_flight::{Action, FlightInfo, Ticket};
use bytes::Bytes;
use futures::TryStreamExt;
use meridian_certs::{Credentials, Identity};
use meridian_proto::{
    CATALOGUE_ACTION, CHECK_ACTION, CheckAnswer, NEEDS_ACTION, Needs, PROGRESS_ACTION, PROOF_ACTION, Progress, Receipt,
    Signed, Witnessed, wire,
};
use prost::Message;
use serde_json::Value;
use tonic::transport::Channel;

use super::Error;
use super::format::printable_lines;
use super::profile::{Connection, Profile};
use super::receipt::Signer;
use super::statement::{Source, Statement};

/// The most that one message of an answer may weigh (bytes).
const MESSAGE_BYTES: usize = 64 << 20;
/// The request header that states what an answer is for.
const PURPOSE_HEADER: &str = "meridian-purpose";

/// Request header that says that an answer may do without some bodies.
const PARTIAL_HEADER: &str = "meridian-partial";

/// A connection to one's own node.
pub(crate) struct Client {
    node: String,
    credentials: Arc<Credentials>,
    channel: Channel,
    flight: FlightSqlServiceClient<Channel>,
    partial: bool,
}

impl Client {
    /// Loads the certificates; the connection is made with the first question.
    pub(crate) fn new(profile: &Profile) -> Result<Self, Error> {
        let credentials = profile.credentials()?;
        let channel = credentials.client_connector().channel(&profile.node, None)?;
        let flight = flight(channel.clone());
        let mut client = Self { node: profile.node.clone(), credentials, channel, flight, partial: false };
        if let Some(purpose) = &profile.purpose {
            client.set_purpose(purpose)?;
        }
        Ok(client)
    }

    /// A connection for one statement, with the purpose that is set in front of it.
    pub(crate) fn with(connection: Connection, source: Source) -> Result<(Self, Statement), Error> {
        let profile = connection.resolve()?;
        let statement = source.read()?;
        let mut client = Self::new(&profile)?;
        if let Some(purpose) = &statement.purpose {
            client.set_purpose(purpose)?;
        }
        Ok((client, statement))
    }

    /// States what the next answers are for.
    pub(crate) fn set_purpose(&mut self, purpose: &str) -> Result<(), Error> {
        if purpose.is_empty() || !purpose.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            return Err(Error::Usage("a purpose is one line of ASCII, as the agreement spells it: fire-risk".into()));
        }
        self.flight.set_header(PURPOSE_HEADER, purpose);
        Ok(())
    }

    /// States no purpose any more, over the same connection.
    pub(crate) fn clear_purpose(&mut self) {
        self.flight = flight(self.channel.clone());
        if self.partial {
            self.take_partial();
        }
    }

    /// Takes answers without bodies of `every.*` that do not answer.
    pub(crate) fn take_partial(&mut self) {
        self.partial = true;
        self.flight.set_header(PARTIAL_HEADER, "true");
    }

    /// The node's address.
    pub(crate) fn node(&self) -> &str {
        &self.node
    }

    /// Who asks, as the certificate says.
    pub(crate) fn identity(&self) -> &Identity {
        self.credentials.identity()
    }

    /// Asks a query.
    pub(crate) async fn query(&mut self, sql: &str) -> Result<Answer, Error> {
        let info = self.flight.execute(sql.to_owned(), None).await;
        self.answer(info).await
    }

    /// Asks whether every body that a query needs would release its part.
    pub(crate) async fn check(&mut self, sql: &str) -> Result<CheckAnswer, Error> {
        let request = wire::RemoteQuery { sql: sql.to_owned(), ..wire::RemoteQuery::default() };
        let result = self.action(CHECK_ACTION, request.encode_to_vec(), "is no one decision").await?;
        CheckAnswer::decode(&result).map_err(|error| unusable(&self.node, format!("can't be read: {error}")))
    }

    /// Asks what an agreement has to grant for a query to run.
    pub(crate) async fn needs(&mut self, sql: &str) -> Result<Needs, Error> {
        let request = wire::RemoteQuery { sql: sql.to_owned(), ..wire::RemoteQuery::default() };
        let result = self.action(NEEDS_ACTION, request.encode_to_vec(), "is no one list of needs").await?;
        Needs::decode(&result).map_err(|error| unusable(&self.node, format!("can't be read: {error}")))
    }

    /// An action that has one result.
    async fn action(&mut self, kind: &str, body: Vec<u8>, otherwise: &str) -> Result<Bytes, Error> {
        let action = Action { r#type: kind.into(), body: body.into() };
        let results = self.flight.do_action(action).await.map_err(|error| self.failure(&error))?;
        let results: Vec<_> =
            results.try_collect().await.map_err(|status| self.failure(&FlightError::Tonic(Box::new(status))))?;
        match results.as_slice() {
            [result] => Ok(result.body.clone()),
            _ => Err(unusable(&self.node, format!("{otherwise}: is it a Meridian node?"))),
        }
    }

    /// Asks for the proof of a record of a body's log, under a checkpoint that others have cosigned.
    pub(crate) async fn proof(&mut self, body: &str, index: u64) -> Result<Witnessed, Error> {
        let request = wire::ProofRequest { body: body.to_owned(), index };
        let result = self.action(PROOF_ACTION, request.encode_to_vec(), "is no one proof").await?;
        Witnessed::decode(&result).map_err(|error| unusable(&self.node, format!("can't be read: {error}")))
    }

    /// Asks for what the node knows of all datasets, in a form.
    pub(crate) async fn catalogue(&mut self, request: &wire::CatalogueRequest) -> Result<Value, Error> {
        let result = self.action(CATALOGUE_ACTION, request.encode_to_vec(), "is no one document").await?;
        serde_json::from_slice(&result).map_err(|error| unusable(&self.node, format!("can't be read: {error}")))
    }

    /// Asks for the tables that the caller may see, with their schemas.
    pub(crate) async fn tables(&mut self, body: Option<String>) -> Result<Answer, Error> {
        let request = CommandGetTables {
            catalog: None,
            db_schema_filter_pattern: body,
            table_name_filter_pattern: None,
            table_types: Vec::new(),
            include_schema: true,
        };
        let info = self.flight.get_tables(request).await;
        self.answer(info).await
    }

    /// Whose signature this is.
    pub(crate) fn verify(&self, signed: &Signed) -> Result<Signer, String> {
        let verified = self.credentials.verify_of_any(signed, SystemTime::now()).map_err(|error| error.to_string())?;
        let identity = verified.identity();
        Ok(Signer {
            federation: identity.federation().to_string(),
            body: identity.body().to_string(),
            node: matches!(identity, Identity::Node { .. }),
        })
    }

    async fn answer(&mut self, info: Result<FlightInfo, FlightError>) -> Result<Answer, Error> {
        let node = self.node.clone();
        let info = info.map_err(|error| self.failure(&error))?;
        let schema = info.clone().try_decode_schema();
        let schema = Arc::new(schema.map_err(|error| unusable(&node, format!("has no schema: {error}")))?);
        let mut endpoints = info.endpoint.into_iter();
        let ticket = match (endpoints.next().and_then(|endpoint| endpoint.ticket), endpoints.next()) {
            (Some(ticket), None) => ticket,
            _ => return Err(unusable(&node, "does not come in one part: is it a Meridian node?".into())),
        };
        let stream = self.flight.do_get(ticket.clone()).await.map_err(|error| failure(&node, &error))?.into_inner();
        Ok(Answer { node, schema, stream, receipt: None, ticket })
    }

    /// What failed; where the node does not take the certificate, who does.
    fn failure(&self, error: &FlightError) -> Error {
        match (failure(&self.node, error), self.identity()) {
            (Error::Connection { node, reason }, Identity::Analyst { body, name, .. })
                if reason.contains("refused our certificate") =>
            {
                let hint = format!(
                    "you are {name} of {body}: ask the node of {body}, whose operator says who may ask (meridian analyst list)"
                );
                Error::Connection { node, reason: format!("{reason}; {hint}") }
            }
            (other, _) => other,
        }
    }

    /// What tells how far an answer is.
    pub(crate) fn follow(&self, answer: &Answer) -> Follow {
        Follow { flight: FlightServiceClient::new(self.channel.clone()), ticket: answer.ticket.clone() }
    }
}

/// Tells how far the bodies behind an answer are.
pub(crate) struct Follow {
    flight: FlightServiceClient<Channel>,
    ticket: Ticket,
}

impl Follow {
    /// How far they are; none where the node does not tell.
    pub(crate) async fn progress(&mut self) -> Option<Progress> {
        let action = Action { r#type: PROGRESS_ACTION.into(), body: self.ticket.encode_to_vec().into() };
        let mut results = self.flight.do_action(action).await.ok()?.into_inner();
        Progress::decode(&results.message().await.ok()??.body).ok()
    }
}

/// Flight SQL over a connection, without headers.
fn flight(channel: Channel) -> FlightSqlServiceClient<Channel> {
    let inner = FlightServiceClient::new(channel).max_decoding_message_size(MESSAGE_BYTES);
    FlightSqlServiceClient::new_from_inner(inner)
}

/// An answer as it arrives.
pub(crate) struct Answer {
    node: String,
    schema: SchemaRef,
    stream: FlightDataDecoder,
    receipt: Option<Receipt>,
    ticket: Ticket,
}

impl Answer {
    /// The columns.
    pub(crate) fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    /// The next rows; None at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<RecordBatch>, Error> {
        while let Some(message) = self.stream.try_next().await.map_err(|error| failure(&self.node, &error))? {
            if self.receipt.is_some() {
                return Err(unusable(&self.node, "goes on behind its receipt".into()));
            }
            let metadata = message.app_metadata();
            if !metadata.is_empty() {
                let receipt = Receipt::decode(&metadata);
                let receipt =
                    receipt.map_err(|error| unusable(&self.node, format!("has an unreadable receipt: {error}")))?;
                self.receipt = Some(receipt);
            }
            match message.payload {
                DecodedPayload::RecordBatch(batch) if batch.num_rows() > 0 => return Ok(Some(batch)),
                DecodedPayload::Schema(schema) if schema.fields() != self.schema.fields() => {
                    return Err(unusable(&self.node, "has other columns than were announced".into()));
                }
                _ => {}
            }
        }
        Ok(None)
    }

    /// The receipt, once the rows have ended; an answer without one may be incomplete.
    pub(crate) fn receipt(self) -> Result<Receipt, Error> {
        let node = self.node;
        self.receipt.ok_or_else(|| unusable(&node, "ended without its receipt: it may be incomplete, ask again".into()))
    }
}

fn unusable(node: &str, problem: String) -> Error {
    Error::Answer { node: node.to_owned(), problem }
}

/// What failed: the node's own words, or why it can't be reached.
fn failure(node: &str, error: &FlightError) -> Error {
    let FlightError::Tonic(status) = error else {
        return unusable(node, format!("can't be read: {error}"));
    };
    // What the node itself says has no cause on this side.
    match status.source() {
        Some(cause) => Error::Connection { node: node.to_owned(), reason: reason(cause) },
        None if status.message().is_empty() => Error::Node(format!("{node} answers: {}", status.code().description())),
        None => Error::Node(printable_lines(status.message())),
    }
}

/// The deepest cause that has something to say, the connection's own before all others.
fn reason(error: &(dyn StdError + 'static)) -> String {
    let mut cause = error;
    loop {
        if let Some(meridian_certs::Error::Connection { reason, .. }) = cause.downcast_ref() {
            return reason.clone();
        }
        match cause.source() {
            Some(deeper) => cause = deeper,
            None => return format!("the connection broke: {cause}; is the node still running?"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
    use tonic::Status;

    use super::*;

    #[test]
    fn a_nodes_words_are_told_from_a_broken_connection() {
        let said = FlightError::from(Status::permission_denied("column \u{1b}[1m is hidden\nask for less"));
        assert_eq!(failure("n", &said).to_string(), "column \\u{1b}[1m is hidden\nask for less");

        let refused = meridian_certs::Error::Connection { peer: "n".into(), reason: "no certificate".into() };
        let broken = FlightError::from(Status::from_error(Box::new(refused)));
        assert_eq!(failure("https://n:1", &broken).to_string(), "asking https://n:1: no certificate");
    }
}
