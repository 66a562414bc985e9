//! What a descriptor or a ticket asks for.

use arrow_flight::flight_descriptor::DescriptorType;
use arrow_flight::sql::{Any, Command, CommandStatementQuery};
use arrow_flight::{FlightDescriptor, Ticket};
use bytes::Bytes;
use prost::Message;
use tonic::Status;

use super::remote::REMOTE_QUERY_URL;

/// What a descriptor stands for.
pub(super) enum Wanted {
    /// The answer to a statement.
    Statement(String),
    /// The answer to a prepared statement.
    Prepared(Bytes),
    /// Something about the server or its catalogue.
    Metadata(Command),
}

/// What a ticket stands for.
pub(super) enum Ticketed {
    /// The answer to a statement that was planned before.
    Statement(Bytes),
    /// Something about the server or its catalogue.
    Metadata(Command),
    /// A question of another node.
    Remote(Bytes),
}

/// Reads a descriptor: a Flight SQL command, or the path of a table.
pub(super) fn wanted(descriptor: &FlightDescriptor) -> Result<Wanted, Status> {
    match descriptor.r#type() {
        DescriptorType::Cmd => {}
        DescriptorType::Path => return table(&descriptor.path),
        DescriptorType::Unknown => {
            return Err(Status::invalid_argument("the descriptor has neither a command nor a path: send Flight SQL"));
        }
    }
    match command(&descriptor.cmd)? {
        Command::CommandStatementQuery(CommandStatementQuery { query, transaction_id }) => match transaction_id {
            Some(id) if !id.is_empty() => Err(transactions()),
            Some(_) | None => Ok(Wanted::Statement(query)),
        },
        Command::CommandPreparedStatementQuery(query) => Ok(Wanted::Prepared(query.prepared_statement_handle)),
        command if is_metadata(&command) => Ok(Wanted::Metadata(command)),
        command => Err(refused(&command)),
    }
}

/// Reads a ticket.
pub(super) fn ticketed(ticket: &Ticket) -> Result<Ticketed, Status> {
    match command(&ticket.ticket)? {
        Command::TicketStatementQuery(ticket) => Ok(Ticketed::Statement(ticket.statement_handle)),
        Command::Unknown(any) if any.type_url == REMOTE_QUERY_URL => Ok(Ticketed::Remote(any.value)),
        Command::CommandStatementQuery(_) | Command::CommandPreparedStatementQuery(_) => Err(Status::invalid_argument(
            "a statement's answer is read by the ticket that GetFlightInfo gives: ask GetFlightInfo first",
        )),
        command if is_metadata(&command) => Ok(Ticketed::Metadata(command)),
        command => Err(refused(&command)),
    }
}

/// Unpacks a Flight SQL message.
pub(super) fn command(bytes: &[u8]) -> Result<Command, Status> {
    let unreadable =
        |why: String| Status::invalid_argument(format!("this is no Flight SQL message that can be read: {why}"));
    let any = Any::decode(bytes).map_err(|why| unreadable(why.to_string()))?;
    Command::try_from(any).map_err(|why| unreadable(why.to_string()))
}

/// Why a command is not answered.
pub(super) fn refused(command: &Command) -> Status {
    match command {
        Command::CommandStatementUpdate(_)
        | Command::CommandPreparedStatementUpdate(_)
        | Command::CommandStatementIngest(_) => {
            Status::permission_denied("a node answers queries and changes nothing: send a SELECT as a query")
        }
        Command::CommandStatementSubstraitPlan(_) | Command::ActionCreatePreparedSubstraitPlanRequest(_) => {
            Status::unimplemented("a node takes SQL text and no Substrait plans, so that its log can be read: send SQL")
        }
        Command::ActionBeginTransactionRequest(_)
        | Command::ActionEndTransactionRequest(_)
        | Command::ActionBeginSavepointRequest(_)
        | Command::ActionEndSavepointRequest(_) => transactions(),
        other => {
            let name: String = other.type_url().chars().filter(|c| !c.is_control()).take(120).collect();
            Status::unimplemented(format!("{name:?} is no command that a node answers here"))
        }
    }
}

/// What is told to whoever asks for a transaction.
pub(super) fn transactions() -> Status {
    Status::unimplemented("a node has no transactions, since it changes nothing: turn autocommit on")
}

fn is_metadata(command: &Command) -> bool {
    matches!(
        command,
        Command::CommandGetCatalogs(_)
            | Command::CommandGetDbSchemas(_)
            | Command::CommandGetTables(_)
            | Command::CommandGetTableTypes(_)
            | Command::CommandGetSqlInfo(_)
            | Command::CommandGetXdbcTypeInfo(_)
            | Command::CommandGetPrimaryKeys(_)
            | Command::CommandGetExportedKeys(_)
            | Command::CommandGetImportedKeys(_)
            | Command::CommandGetCrossReference(_)
    )
}

/// A path names a table, as ListFlights gives it: all of its rows.
fn table(path: &[String]) -> Result<Wanted, Status> {
    if path.is_empty() || path.len() > 3 {
        return Err(Status::invalid_argument("a path has up to three parts: federation, body, dataset"));
    }
    let quoted: Vec<String> = path.iter().map(|part| format!("\"{}\"", part.replace('"', "\"\""))).collect();
    Ok(Wanted::Statement(format!("SELECT * FROM {}", quoted.join("."))))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic)]
    use arrow_flight::sql::{
        ActionBeginTransactionRequest, CommandStatementIngest, CommandStatementSubstraitPlan, CommandStatementUpdate,
        ProstMessageExt,
    };
    use tonic::Code;

    use super::*;

    fn of(any: Any) -> FlightDescriptor {
        FlightDescriptor::new_cmd(any.encode_to_vec())
    }

    #[test]
    fn what_changes_or_is_unknown_is_refused_with_a_reason() {
        let unknown = Any { type_url: "type.googleapis.com/evil\n".into(), value: Bytes::new() };
        let in_transaction = CommandStatementQuery { query: "SELECT 1".into(), transaction_id: Some("t".into()) };
        for (any, code, word) in [
            (CommandStatementUpdate::default().as_any(), Code::PermissionDenied, "changes nothing"),
            (CommandStatementIngest::default().as_any(), Code::PermissionDenied, "changes nothing"),
            (CommandStatementSubstraitPlan::default().as_any(), Code::Unimplemented, "Substrait"),
            (ActionBeginTransactionRequest::default().as_any(), Code::Unimplemented, "transactions"),
            (in_transaction.as_any(), Code::Unimplemented, "transactions"),
            (unknown, Code::Unimplemented, "evil"),
        ] {
            let Err(status) = wanted(&of(any.clone())) else { panic!("{any:?}") };
            assert_eq!(status.code(), code);
            assert!(status.message().contains(word) && !status.message().contains('\n'), "{}", status.message());
            let ticket = Ticket { ticket: any.encode_to_vec().into() };
            assert!(ticketed(&ticket).is_err(), "{any:?}");
        }
        assert!(wanted(&FlightDescriptor::new_cmd(vec![0xff, 0xff])).is_err());
        assert!(wanted(&FlightDescriptor::default()).is_err());
    }

    #[test]
    fn a_path_is_quoted() {
        let path = vec!["london".into(), "gla\"; DROP".into()];
        let Ok(Wanted::Statement(sql)) = wanted(&FlightDescriptor::new_path(path)) else { panic!("no statement") };
        assert_eq!(sql, r#"SELECT * FROM "london"."gla""; DROP""#);
        assert!(wanted(&FlightDescriptor::new_path(vec![])).is_err());
    }
}
