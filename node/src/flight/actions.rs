//! The Flight actions: prepared statements, cancelling, sessions, and descriptions.

use std::sync::Arc;
use std::time::Instant;

use arrow::datatypes::Schema;
use arrow::ipc::writer::IpcWriteOptions;
use arrow_flight::sql::{
    ActionCancelQueryRequest, ActionCancelQueryResult, ActionClosePreparedStatementRequest,
    ActionCreatePreparedStatementRequest, ActionCreatePreparedStatementResult, Command, ProstMessageExt,
};
use arrow_flight::{
    Action, ActionType, CancelFlightInfoRequest, CancelFlightInfoResult, CancelStatus, FlightInfo, IpcMessage,
    SchemaAsIpc, Ticket,
};
use bytes::Bytes;
use http::HeaderValue;
use meridian_certs::Verified;
use meridian_proto::{
    AGREEMENTS_ACTION, CATALOGUE_ACTION, CHECK_ACTION, DESCRIBE_ACTION, MEMBERSHIP_ACTION, NEEDS_ACTION, NEWS_ACTION,
    Name, Needs, PROGRESS_ACTION, PROOF_ACTION, REGISTER_ACTION, Signed, WITNESS_ACTION, wire,
};
use prost::Message;
use tonic::Status;

use super::command::{self, Ticketed};
use super::sessions::{self, InSession, Sessions};
use super::statements::Statements;
use super::{PURPOSE_HEADER, catalogue, logs, remote, status};
use crate::gate::Caller;
use crate::query::{Engine, Partial};

/// Flight SQL's ActionCancelQueryResult.CancelResult, as far as it is used.
const CANCELLED: i32 = 1;
const NOT_CANCELLABLE: i32 = 3;
/// Bodies that one DescribeRequest may name.
const MOST_KNOWN: usize = 10_000;
/// Parts that it may name.
const MOST_PARTS: usize = 64;

const ACTIONS: [(&str, &str); 18] = [
    (
        "CreatePreparedStatement",
        "Prepares a query. ActionCreatePreparedStatementRequest, ActionCreatePreparedStatementResult",
    ),
    ("ClosePreparedStatement", "Forgets a prepared query. ActionClosePreparedStatementRequest, no result"),
    (
        "CancelFlightInfo",
        "Ends the answer to a ticket, or forgets the ticket. CancelFlightInfoRequest, CancelFlightInfoResult",
    ),
    ("CancelQuery", "The same in its older form. ActionCancelQueryRequest, ActionCancelQueryResult"),
    (
        "SetSessionOptions",
        "Sets the purpose of a session, and begins one where there is none. SetSessionOptionsRequest, \
         SetSessionOptionsResult",
    ),
    ("GetSessionOptions", "The purpose of the session. GetSessionOptionsRequest, GetSessionOptionsResult"),
    ("CloseSession", "Ends the session. CloseSessionRequest, CloseSessionResult"),
    (
        PROGRESS_ACTION,
        "How far the bodies behind an answer are that one is reading. Ticket, meridian.v1.Progress where it is under way",
    ),
    (
        CHECK_ACTION,
        "Whether every body that a query needs would release its part; nothing runs. meridian.v1.RemoteQuery (an analyst \
         fills sql alone), meridian.v1.CheckAnswer",
    ),
    (
        NEEDS_ACTION,
        "What an agreement has to grant for a query to run, for analysts. meridian.v1.RemoteQuery with sql alone, \
         meridian.v1.Needs",
    ),
    (
        CATALOGUE_ACTION,
        "Searches what this node knows of all datasets, or gives it as DCAT-AP or as records of the UK Cross-Government \
         Metadata Exchange Model, for analysts. meridian.v1.CatalogueRequest, JSON",
    ),
    (
        DESCRIBE_ACTION,
        "What the federation's bodies publish, for its nodes; for those of others what this body publishes. \
         meridian.v1.DescribeRequest, a meridian.v1.Signed for each",
    ),
    (
        REGISTER_ACTION,
        "What the federation's bodies tell the public, for nodes. meridian.v1.DescribeRequest, a meridian.v1.Signed for each",
    ),
    (
        NEWS_ACTION,
        "What has changed of membership, descriptions, registers and agreements, for nodes of the federation. \
         meridian.v1.NewsRequest, meridian.v1.News",
    ),
    (
        MEMBERSHIP_ACTION,
        "Who is in the federation, for nodes. meridian.v1.MembershipRequest, a meridian.v1.Signed where there is a newer one",
    ),
    (
        AGREEMENTS_ACTION,
        "Tells of agreements that many sign, and takes what is told, for nodes whom they concern. \
         meridian.v1.AgreementExchange, meridian.v1.AgreementExchange",
    ),
    (
        WITNESS_ACTION,
        "Cosigns the newest checkpoint of the asking node's log. meridian.v1.WitnessRequest, meridian.v1.WitnessAnswer",
    ),
    (
        PROOF_ACTION,
        "Proves that a record is in a body's log, under a cosigned checkpoint. meridian.v1.ProofRequest, \
         meridian.v1.Witnessed",
    ),
];

/// The actions that a node has.
pub(super) fn list() -> impl Iterator<Item = ActionType> {
    ACTIONS.into_iter().map(|(name, text)| ActionType { r#type: name.into(), description: text.into() })
}

/// Who asks for an action.
pub(super) struct By {
    pub(super) caller: Caller,
    pub(super) partial: Option<Arc<Partial>>,
    pub(super) verified: Verified,
    pub(super) session: Option<InSession>,
}

/// What an action gives.
pub(super) struct Done {
    /// The bodies of its results.
    pub(super) results: Vec<Bytes>,
    /// The cookie of a session that begins or ends with it.
    pub(super) cookie: Option<HeaderValue>,
}

impl From<Vec<Bytes>> for Done {
    fn from(results: Vec<Bytes>) -> Self {
        Self { results, cookie: None }
    }
}

/// Does an action.
pub(super) async fn run(
    action: Action,
    engine: &Engine,
    statements: &Statements,
    sessions: &Sessions,
    by: By,
) -> Result<Done, Status> {
    let now = Instant::now();
    let (results, cookie) = match action.r#type.as_str() {
        "SetSessionOptions" => sessions.set(&action.body, by.session.as_ref(), &by.verified, now)?,
        "GetSessionOptions" => (Sessions::options(by.session.as_ref())?, None),
        "CloseSession" => sessions.close(by.session.as_ref(), now),
        _ => return of_no_session(action, engine, statements, by).await.map(Done::from),
    };
    Ok(Done { results: vec![results.into()], cookie })
}

async fn of_no_session(action: Action, engine: &Engine, statements: &Statements, by: By) -> Result<Vec<Bytes>, Status> {
    let By { caller, partial, verified, session } = by;
    match action.r#type.as_str() {
        "CreatePreparedStatement" => match command::command(&action.body)? {
            Command::ActionCreatePreparedStatementRequest(request) => {
                prepare(request, statements, (caller, partial), session.as_ref()).await
            }
            other => Err(unexpected(&other)),
        },
        "ClosePreparedStatement" => match command::command(&action.body)? {
            Command::ActionClosePreparedStatementRequest(ActionClosePreparedStatementRequest {
                prepared_statement_handle,
            }) => statements.close(&caller, &prepared_statement_handle).map(|()| Vec::new()),
            other => Err(unexpected(&other)),
        },
        "CancelFlightInfo" => {
            let request = CancelFlightInfoRequest::decode(action.body).map_err(|why| unreadable(&why))?;
            let done = cancel(&request.info.unwrap_or_default(), statements, &caller);
            let status = if done { CancelStatus::Cancelled } else { CancelStatus::NotCancellable };
            Ok(vec![CancelFlightInfoResult { status: status.into() }.encode_to_vec().into()])
        }
        "CancelQuery" => match command::command(&action.body)? {
            Command::ActionCancelQueryRequest(ActionCancelQueryRequest { info }) => {
                let info = FlightInfo::decode(info).map_err(|why| unreadable(&why))?;
                let result = if cancel(&info, statements, &caller) { CANCELLED } else { NOT_CANCELLABLE };
                Ok(vec![ActionCancelQueryResult { result }.as_any().encode_to_vec().into()])
            }
            other => Err(unexpected(&other)),
        },
        "BeginTransaction" | "EndTransaction" | "BeginSavepoint" | "EndSavepoint" => Err(command::transactions()),
        "CreatePreparedSubstraitPlan" => Err(Status::unimplemented(
            "a node takes SQL text and no Substrait plans, so that its log can be read: send SQL",
        )),
        PROGRESS_ACTION => progress(&action.body, statements, &caller),
        NEEDS_ACTION => needs(&action.body, statements, caller).await,
        CATALOGUE_ACTION => catalogue::answer(&action.body, engine, &caller),
        CHECK_ACTION => check(&action.body, engine, statements, caller, &verified).await,
        DESCRIBE_ACTION => known(&action.body, &verified, |held, parts| {
            engine.descriptions(held, parts, verified.identity().federation())
        }),
        REGISTER_ACTION => known(&action.body, &verified, |held, parts| engine.registers().newer_than(held, parts)),
        NEWS_ACTION => news(&action.body, engine, &verified),
        MEMBERSHIP_ACTION => membership(&action.body, engine, &verified),
        AGREEMENTS_ACTION => logs::agreements(&action.body, engine, &verified),
        WITNESS_ACTION => logs::witness(&action.body, engine, &verified),
        PROOF_ACTION => logs::proof(&action.body, engine, &caller).await,
        other => {
            let name: String = other.chars().filter(|c| !c.is_control()).take(60).collect();
            Err(Status::unimplemented(format!("{name:?} is no action of a node: ListActions says which there are")))
        }
    }
}

async fn prepare(
    request: ActionCreatePreparedStatementRequest,
    statements: &Statements,
    (caller, partial): (Caller, Option<Arc<Partial>>),
    session: Option<&InSession>,
) -> Result<Vec<Bytes>, Status> {
    if request.transaction_id.is_some_and(|id| !id.is_empty()) {
        return Err(command::transactions());
    }
    let (handle, shape) = match sessions::setting(&request.query)? {
        Some(_) => {
            sessions::in_session(session)?;
            statements.prepare_set(&caller, request.query)?
        }
        None => statements.prepare(caller, request.query, partial).await?,
    };
    let result = ActionCreatePreparedStatementResult {
        prepared_statement_handle: handle.to_string().into(),
        dataset_schema: schema(&shape.dataset)?,
        parameter_schema: schema(&shape.parameters)?,
    };
    Ok(vec![result.as_any().encode_to_vec().into()])
}

/// Cancels whatever tickets the flight has; true if one of them was there to cancel.
fn cancel(info: &FlightInfo, statements: &Statements, caller: &Caller) -> bool {
    let tickets = info.endpoint.iter().filter_map(|endpoint| endpoint.ticket.as_ref());
    tickets.fold(false, |done, ticket| match command::ticketed(ticket) {
        Ok(Ticketed::Statement(handle)) => statements.cancel(caller, &handle) || done,
        Ok(Ticketed::Metadata(_) | Ticketed::Remote(_)) | Err(_) => done,
    })
}

/// How far the answer to a ticket is, for the one whose ticket it is.
fn progress(body: &[u8], statements: &Statements, caller: &Caller) -> Result<Vec<Bytes>, Status> {
    let ticket = Ticket::decode(body).map_err(|why| unreadable(&why))?;
    let progress = match command::ticketed(&ticket)? {
        Ticketed::Statement(handle) => statements.progress(caller, &handle),
        Ticketed::Metadata(_) | Ticketed::Remote(_) => None,
    };
    Ok(progress.iter().map(|progress| progress.encode().into()).collect())
}

async fn check(
    body: &[u8],
    engine: &Engine,
    statements: &Statements,
    caller: Caller,
    verified: &Verified,
) -> Result<Vec<Bytes>, Status> {
    let asked = if caller.is_peer() {
        remote::asked(body, verified, (engine.federation(), engine.body()))?.0
    } else {
        let wire::RemoteQuery { query_id, sql, on_behalf_of, purpose, via, groups, endpoints } =
            wire::RemoteQuery::decode(body).map_err(|why| unreadable(&why))?;
        if !via.is_empty()
            || !groups.is_empty()
            || endpoints > 0
            || [query_id, on_behalf_of, purpose].iter().any(|text| !text.is_empty())
        {
            return Err(Status::invalid_argument(format!(
                "an analyst's check holds sql alone; the purpose goes into the header {PURPOSE_HEADER}"
            )));
        }
        statements.asked(caller, sql, Vec::new())?
    };
    Ok(vec![statements.check(asked).await?.encode().into()])
}

async fn needs(body: &[u8], statements: &Statements, caller: Caller) -> Result<Vec<Bytes>, Status> {
    if caller.is_peer() {
        return Err(Status::permission_denied("an analyst of this body asks what a query needs, and no other node"));
    }
    let wire::RemoteQuery { sql, .. } = wire::RemoteQuery::decode(body).map_err(|why| unreadable(&why))?;
    let needs = statements.needs(statements.asked(caller, sql, Vec::new())?).await?;
    Ok(vec![Needs(needs).encode().into()])
}

/// What bodies signed of themselves and is newer than what the asker holds.
fn known(
    body: &[u8],
    verified: &Verified,
    newer: impl Fn(&[(Name, u64)], &[u32]) -> Vec<Signed>,
) -> Result<Vec<Bytes>, Status> {
    remote::node(verified, "ask for descriptions and registers")?;
    let request = wire::DescribeRequest::decode(body).map_err(|why| unreadable(&why))?;
    if request.known.len() > MOST_KNOWN || request.parts.len() > MOST_PARTS {
        return Err(Status::invalid_argument(format!(
            "a DescribeRequest names {MOST_KNOWN} bodies and {MOST_PARTS} parts at most"
        )));
    }
    let known = |known: wire::Known| Ok((known.body.parse::<Name>()?, known.version));
    let known: Result<Vec<_>, meridian_proto::Invalid> = request.known.into_iter().map(known).collect();
    let known = known.map_err(|why| Status::invalid_argument(why.to_string()))?;
    Ok(newer(&known, &request.parts).iter().map(|signed| signed.encode().into()).collect())
}

/// What has changed, for a node of this federation: of another one it asks for what is for others alone.
fn news(body: &[u8], engine: &Engine, verified: &Verified) -> Result<Vec<Bytes>, Status> {
    remote::node(verified, "ask for news")?;
    if verified.identity().federation() != engine.federation() {
        return Err(Status::permission_denied("news is told within a federation alone"));
    }
    // Agreements are read from files.
    let told = tokio::task::block_in_place(|| engine.news().answer(verified.identity().body(), body));
    told.map(|told| vec![told.into()]).map_err(Status::invalid_argument)
}

fn membership(body: &[u8], engine: &Engine, verified: &Verified) -> Result<Vec<Bytes>, Status> {
    remote::node(verified, "ask for the membership")?;
    let wire::MembershipRequest { version, signed_at } =
        wire::MembershipRequest::decode(body).map_err(|why| unreadable(&why))?;
    let newer = engine.members().and_then(|members| members.newer_than(version, signed_at));
    Ok(newer.iter().map(|signed| signed.encode().into()).collect())
}

/// A schema in the form in which Flight SQL embeds one.
pub(super) fn schema(schema: &Schema) -> Result<Bytes, Status> {
    let options = IpcWriteOptions::default();
    let IpcMessage(bytes) =
        SchemaAsIpc::new(schema, &options).try_into().map_err(|why| status::fault("encode a schema", &why))?;
    Ok(bytes)
}

fn unexpected(command: &Command) -> Status {
    Status::invalid_argument(format!(
        "the action's body holds another message than its type says: {}",
        command.type_url()
    ))
}

pub(super) fn unreadable(why: &prost::DecodeError) -> Status {
    Status::invalid_argument(format!("the action's body can't be read: {why}"))
}
