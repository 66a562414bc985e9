//! Why a question got no answer, in words for whoever asked.

use datafusion::error::DataFusionError;
use meridian_federation::PlacementError;
use meridian_federation::reference::ReferenceError;
use meridian_federation::remote::{RemoteError, RemoteErrorKind};
use meridian_proto::{Place, Refusal};

use super::dialect::Objection;
use super::place::{find, pointed};
use crate::audit::LogError;
use crate::gate::Refused;
use crate::metrics::Ended;
use crate::sources::{Cause, EngineFault, Fault, StoreFault, Unanswered};

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

impl ErrorKind {
    /// As it is counted.
    pub(super) fn ended(self) -> Ended {
        match self {
            Self::InvalidSql => Ended::Invalid,
            Self::Refused => Ended::Refused,
            Self::PeerUnavailable | Self::PeerFailed => Ended::OtherFailed,
            Self::TooLarge | Self::Deadline => Ended::Limited,
            Self::Cancelled => Ended::Interrupted,
            Self::Log => Ended::Unlogged,
            Self::Internal => Ended::Fault,
        }
    }
}

/// Why a question got no answer.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct QueryError {
    /// Which kind.
    pub kind: ErrorKind,
    /// What, where and what to do; with line, column and caret where it is about the statement.
    pub message: String,
    /// The same in its parts, where a rule says no.
    pub refusal: Option<Box<Refusal>>,
}

impl QueryError {
    /// An error of one kind, in words.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), refusal: None }
    }

    pub(super) fn sql(sql: &str, at: Option<(u64, u64)>, what: String) -> Self {
        let place = at.map(|(line, column)| Place { line, column });
        let message = pointed(sql, place, &what);
        let refusal = Refusal { rule: "sql".into(), reason: what, place, ..Refusal::default() };
        Self { refusal: Some(Box::new(refusal)), ..Self::new(ErrorKind::InvalidSql, message) }
    }

    /// What stands in a statement that is not answered, and what to write instead.
    pub(super) fn objection(sql: &str, (what, instead): Objection) -> Self {
        Self::sql(sql, None, format!("{what} can't be answered here: {instead}"))
    }

    /// A statement that is none that is answered.
    pub(super) fn refused(reason: String) -> Self {
        let message = reason.clone();
        let refusal = Refusal { rule: "statement".into(), reason, ..Refusal::default() };
        Self { refusal: Some(Box::new(refusal)), ..Self::new(ErrorKind::Refused, message) }
    }

    pub(super) fn limit(message: String) -> Self {
        Self::new(ErrorKind::TooLarge, message)
    }

    /// A refusal, with a caret to what it is about in `sql`.
    fn from_refusal(sql: &str, refusal: Refusal) -> Self {
        let refusal = placed(sql, refusal);
        let message = pointed(sql, refusal.place, &refusal.to_string());
        Self { refusal: Some(Box::new(refusal)), ..Self::new(ErrorKind::Refused, message) }
    }

    /// A refusal of this node's gate.
    pub(super) fn from_refused(sql: &str, refused: &Refused) -> Self {
        Self::from_refusal(sql, refused.into())
    }

    /// A refusal of this node's placement.
    pub(super) fn from_placement(sql: &str, error: PlacementError) -> Self {
        let PlacementError { rule, dataset, column, reason, remedy, needle } = error;
        Self::from_refusal(sql, Refusal { rule: rule.into(), dataset, column, needle, reason, remedy, place: None })
    }

    /// What another body answered. Its refusal speaks of SQL that this node wrote: it is pointed out in the analyst's.
    pub(super) fn from_remote(sql: &str, error: RemoteError) -> Self {
        let kind = match error.kind {
            RemoteErrorKind::Unavailable => ErrorKind::PeerUnavailable,
            RemoteErrorKind::Refused => ErrorKind::Refused,
            RemoteErrorKind::Failed => ErrorKind::PeerFailed,
            RemoteErrorKind::Limit => ErrorKind::TooLarge,
        };
        let hint = if error.dispensable { format!("; {}", super::partial::HINT) } else { String::new() };
        let message = format!("{error}{hint}");
        let refusal = error.refusal.filter(|_| kind == ErrorKind::Refused);
        let Some(refusal) = refusal else { return Self::new(kind, message) };
        let refusal = placed(sql, Refusal { place: None, ..*refusal });
        let message = pointed(sql, refusal.place, &message);
        Self { refusal: Some(Box::new(refusal)), ..Self::new(kind, message) }
    }

    /// An error of planning.
    pub(super) fn from_planning(sql: &str, error: DataFusionError) -> Self {
        match classify(error) {
            Found::Placement(error) => Self::from_placement(sql, error),
            Found::Remote(error) => Self::from_remote(sql, error),
            Found::Reference(error) => error.into(),
            Found::Refused(refused) => Self::from_refused(sql, &refused),
            Found::Unanswered(unanswered) => unanswered.into(),
            Found::Exhausted => Self::limit(NO_MEMORY.into()),
            Found::Other(error) => {
                let at = error.diagnostic().and_then(|d| d.span).map(|span| (span.start.line, span.start.column));
                let what = planning_text(&error);
                let at = at.or_else(|| {
                    named(&what).and_then(|name| find(sql, name, None)).map(|place| (place.line, place.column))
                });
                Self::sql(sql, at, what)
            }
        }
    }

    /// An error while the answer was under way.
    pub(super) fn from_running(sql: &str, error: DataFusionError) -> Self {
        match classify(error) {
            Found::Remote(error) => Self::from_remote(sql, error),
            Found::Reference(error) => error.into(),
            Found::Placement(error) => Self::from_placement(sql, error),
            Found::Refused(refused) => Self::from_refused(sql, &refused),
            Found::Unanswered(unanswered) => unanswered.into(),
            Found::Exhausted => Self::limit(NO_MEMORY.into()),
            Found::Other(error) => Self::new(ErrorKind::InvalidSql, planning_text(&error)),
        }
    }
}

/// A refusal with its place in `sql`: the word that it is about, or else its column, or else its dataset.
pub(super) fn placed(sql: &str, refusal: Refusal) -> Refusal {
    let dataset = refusal.dataset.as_deref();
    let words =
        [refusal.needle.as_deref(), refusal.column.as_deref(), dataset.and_then(|name| name.rsplit('.').next())];
    let place = words.into_iter().flatten().find_map(|word| find(sql, word, dataset));
    Refusal { place, ..refusal }
}

impl From<&Refused> for Refusal {
    fn from(refused: &Refused) -> Self {
        let Refused { rule, dataset, column, reason, remedy, needle } = refused.clone();
        Self { rule: rule.into(), dataset, column, needle, reason, remedy, place: None }
    }
}

impl From<LogError> for QueryError {
    fn from(error: LogError) -> Self {
        Self::new(ErrorKind::Log, error.to_string())
    }
}

impl From<ReferenceError> for QueryError {
    fn from(error: ReferenceError) -> Self {
        // Not unavailable: this node is there, and asking it again at once would change nothing.
        let kind = match &error {
            ReferenceError::Fetch { why, .. } if why.kind == RemoteErrorKind::Refused => ErrorKind::Refused,
            ReferenceError::Fetch { .. } | ReferenceError::Changed { .. } | ReferenceError::Repeats { .. } => {
                ErrorKind::PeerFailed
            }
            ReferenceError::Memory { .. } => ErrorKind::TooLarge,
            ReferenceError::Unread { .. } => ErrorKind::PeerFailed,
        };
        Self::new(kind, error.to_string())
    }
}

/// A server of this body gave no answer.
impl From<Unanswered> for QueryError {
    fn from(error: Unanswered) -> Self {
        let kind = match &error.cause {
            Cause::Database(Fault::Slow(_) | Fault::Engine(EngineFault::Slow(_))) => ErrorKind::Deadline,
            Cause::Database(Fault::TooLarge) => ErrorKind::InvalidSql,
            Cause::Store(found) if matches!(found.fault, StoreFault::Slow(_)) => ErrorKind::Deadline,
            Cause::Database(_) | Cause::Store(_) => ErrorKind::Internal,
        };
        Self::new(kind, error.to_string())
    }
}

const NO_MEMORY: &str =
    "the query needs more memory than this node gives to queries: ask for fewer rows or columns, or aggregate more";

enum Found {
    Placement(PlacementError),
    Remote(RemoteError),
    Reference(ReferenceError),
    Refused(Refused),
    Unanswered(Unanswered),
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
        if let Some(found) = inner.downcast_ref::<ReferenceError>() {
            return Found::Reference(found.clone());
        }
        if let Some(found) = inner.downcast_ref::<PlacementError>() {
            return Found::Placement(found.clone());
        }
        if let Some(found) = inner.downcast_ref::<Unanswered>() {
            return Found::Unanswered(found.clone());
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
    let dataset = text.strip_prefix("no dataset ").filter(|rest| !rest.starts_with("conforms "));
    let name = match text.strip_prefix("No field named ").or(dataset) {
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
