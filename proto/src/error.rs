//! What is wrong with a message or a name that came from outside.

/// A value that breaks the rules of the type it should become.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// A field that must be there is missing or empty.
    #[error("{message} has no {field}: the sender must fill it in")]
    Missing {
        /// The message type.
        message: &'static str,
        /// The field.
        field: &'static str,
    },
    /// A field's value is outside of what it may hold.
    #[error("{message}.{field} is {value:?}: {rule}")]
    Value {
        /// The message type.
        message: &'static str,
        /// The field.
        field: &'static str,
        /// What was found, cut to a printable length.
        value: String,
        /// What it should be.
        rule: &'static str,
    },
    /// Bytes that are no protocol buffer message of the expected type.
    #[error("{message} can't be decoded: {why}")]
    Encoding {
        /// The message type.
        message: &'static str,
        /// The decoder's reason.
        why: String,
    },
}

impl Invalid {
    pub(crate) fn value(message: &'static str, field: &'static str, value: &str, rule: &'static str) -> Self {
        let value = value.chars().take(80).collect();
        Self::Value { message, field, value, rule }
    }

    pub(crate) fn encoding(message: &'static str, error: &prost::DecodeError) -> Self {
        Self::Encoding { message, why: error.to_string() }
    }
}
