//! Why a question got no answer, in words for whoever asked.

use datafusion::error::DataFusionError;
use meridian_federation::PlacementError;
use meridian_federation::remote::{RemoteError, RemoteErrorKind};

use super::text;
use crate::audit::LogError;
use crate::gate::Refused;

/// The kinds of failure that a client may tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The statement can't be read or does not fit the catalogue.
    InvalidSql,
    /// The gate of this body or another, or the terms, do not allow it.
    Refused,
    /// Another body can't be reached or went away.
    PeerUnavailable,
    /// Another body answered with an error.
    PeerFailed,
    /// A limit on size.
    TooLarge,
    /// A limit on time.
    Deadline,
    /// The caller cancelled.
    Cancelled,
    /// The log can't be written, so nothing is answered.
    Log,
    /// A fault of this node.
    Internal,
}

/// Why a question got no answer.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct QueryError {
    /// Which kind.
    pub kind: ErrorKind,
    /// What, where and what to do; with line, column and caret where it is about the statement.
    pub message: String,
}

impl QueryError {
    pub(super) fn sql(sql: &str, at: Option<(u64, u64)>, what: String) -> Self {
        Self { kind: ErrorKind::InvalidSql, message: pointed(sql, at, &what) }
    }

    pub(super) fn refused(message: String) -> Self {
        Self { kind: ErrorKind::Refused, message }
    }

    pub(super) fn limit(message: String) -> Self {
        Self { kind: ErrorKind::TooLarge, message }
    }

    /// A refusal of this node's gate, with a caret to what it is about.
    pub(super) fn from_refused(sql: &str, refused: &Refused) -> Self {
        let at = refused.needle.as_deref().and_then(|needle| text::find(sql, needle));
        Self::refused(pointed(sql, at, &refused.to_string()))
    }

    /// An error of planning.
    pub(super) fn from_planning(sql: &str, error: DataFusionError) -> Self {
        match classify(error) {
            Found::Placement(error) => {
                let at = error.needle.as_deref().and_then(|needle| text::find(sql, needle));
                Self::refused(pointed(sql, at, &error.to_string()))
            }
            Found::Remote(error) => error.into(),
            Found::Refused(refused) => Self::from_refused(sql, &refused),
            Found::Exhausted => Self::limit(NO_MEMORY.into()),
            Found::Other(error) => {
                let at = error.diagnostic().and_then(|d| d.span).map(|span| (span.start.line, span.start.column));
                let what = planning_text(&error);
                let at = at.or_else(|| named(&what).and_then(|name| text::find(sql, name)));
                Self::sql(sql, at, what)
            }
        }
    }

    /// An error while the answer was under way.
    pub(super) fn from_running(error: DataFusionError) -> Self {
        match classify(error) {
            Found::Remote(error) => error.into(),
            Found::Placement(error) => Self::refused(error.to_string()),
            Found::Refused(refused) => Self::refused(refused.to_string()),
            Found::Exhausted => Self::limit(NO_MEMORY.into()),
            Found::Other(error) => Self { kind: ErrorKind::InvalidSql, message: planning_text(&error) },
        }
    }
}

impl From<LogError> for QueryError {
    fn from(error: LogError) -> Self {
        Self { kind: ErrorKind::Log, message: error.to_string() }
    }
}

impl From<RemoteError> for QueryError {
    fn from(error: RemoteError) -> Self {
        let kind = match error.kind {
            RemoteErrorKind::Unavailable => ErrorKind::PeerUnavailable,
            RemoteErrorKind::Refused => ErrorKind::Refused,
            RemoteErrorKind::Failed => ErrorKind::PeerFailed,
            RemoteErrorKind::Limit => ErrorKind::TooLarge,
        };
        Self { kind, message: error.to_string() }
    }
}

const NO_MEMORY: &str =
    "the query needs more memory than this node gives to queries: ask for fewer rows or columns, or aggregate more";

enum Found {
    Placement(PlacementError),
    Remote(RemoteError),
    Refused(Refused),
    Exhausted,
    Other(DataFusionError),
}

/// Looks for an error of ours below the layers that DataFusion wraps around it.
fn classify(error: DataFusionError) -> Found {
    let mut at: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(cause) = at {
        let inner = match cause.downcast_ref::<DataFusionError>() {
            Some(DataFusionError::External(inner)) => inner.as_ref() as &(dyn std::error::Error + 'static),
            Some(DataFusionError::Shared(shared)) => shared.as_ref(),
            Some(DataFusionError::ResourcesExhausted(_)) => return Found::Exhausted,
            Some(_) | None => cause,
        };
        if let Some(found) = inner.downcast_ref::<RemoteError>() {
            return Found::Remote(found.clone());
        }
        if let Some(found) = inner.downcast_ref::<PlacementError>() {
            return Found::Placement(found.clone());
        }
        if let Some(found) = inner.downcast_ref::<Refused>() {
            return Found::Refused(found.clone());
        }
        at = if std::ptr::addr_eq(inner, cause) { cause.source() } else { Some(inner) };
    }
    Found::Other(error)
}

/// What DataFusion and Arrow write before what they have to say.
const PREFIXES: [&str; 12] = [
    "Error during planning: ",
    "Schema error: ",
    "SQL error: ",
    "Execution error: ",
    "External error: ",
    "Internal error: ",
    "Optimizer rule 'simplify_expressions' failed\ncaused by\n",
    "type_coercion\ncaused by\n",
    "Arrow error: ",
    "Cast error: ",
    "Parser error: ",
    "This feature is not implemented: ",
];

/// DataFusion's text without its own prefixes.
fn planning_text(error: &DataFusionError) -> String {
    let text = error.strip_backtrace();
    let mut text = text.as_str();
    loop {
        let before = text;
        for prefix in PREFIXES {
            text = text.strip_prefix(prefix).unwrap_or(text);
        }
        if text == before {
            break;
        }
    }
    if text.contains("logical expression InSubquery") || text.contains("logical expression Exists") {
        return "a subquery with IN or EXISTS stands where it can't be answered: write it in WHERE, or as a LEFT JOIN whose \
                key IS NOT NULL"
            .into();
    }
    if text.contains("Span(Location(") {
        // A piece of the parser's tree is of no use to anybody.
        let end = text.find(" {").or_else(|| text.find('(')).unwrap_or(text.len());
        let words = text.get(..end).unwrap_or(text);
        return words.rsplit_once(' ').map_or(words, |(words, _)| words).to_owned();
    }
    // The engine's notes to its own developers end a message.
    let end =
        text.find("\nThis issue was likely caused by").or_else(|| text.find("\n\nbacktrace:")).unwrap_or(text.len());
    text.get(..end).unwrap_or(text).trim_end_matches('.').to_owned()
}

/// The name that an error is about: an unknown field's, or the first thing in quotes.
fn named(text: &str) -> Option<&str> {
    let name = match text.strip_prefix("No field named ") {
        Some(rest) => {
            let name = rest.split_whitespace().next().unwrap_or_default().trim_end_matches(['.', ',']);
            name.rsplit('.').next().map(|part| part.trim_matches('"'))
        }
        None => {
            let quote = text.find(['\'', '`'])?;
            let rest = text.get(quote + 1..)?;
            rest.get(..rest.find(['\'', '`'])?)?.rsplit('.').next()
        }
    };
    name.filter(|name| !name.is_empty())
}

fn pointed(sql: &str, at: Option<(u64, u64)>, what: &str) -> String {
    let place = at.and_then(|at| text::caret(sql, at).map(|caret| (at, caret)));
    match place {
        Some(((line, column), caret)) => format!("line {line}, column {column}: {what}\n{caret}"),
        None => what.to_owned(),
    }
}
