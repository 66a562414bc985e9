//! Arrow messages from other processes, checked before Arrow decodes them: it believes what their headers say.
//!
//! A header that does not fit its schema or its body makes Arrow panic, read the wrong bytes, or take as much memory as a
//! sender likes: a compressed buffer says itself what it unpacks to, and one that believes a terabyte ends the process.
//! What the values are (offsets within a buffer, UTF-8, places in a dictionary) Arrow checks by itself, with errors.

mod aligned;
mod layout;
mod parts;
#[cfg(test)]
mod tests;

use arrow::ipc::{MessageHeader, MetadataVersion, Type};
use arrow_flight::FlightData;
use arrow_flight::error::FlightError;
use futures::{Stream, TryStreamExt, future};
use tonic::Status;

pub use aligned::{Aligned, messages, shared};
use layout::{Dictionaries, Layout};

/// Why a message is not decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum Malformed {
    /// The header is no message of Arrow IPC, or one of a kind that is not taken.
    #[error("a message is no schema, dictionary or record batch of Arrow IPC, version 4 or 5")]
    Unreadable,
    /// Compressed buffers.
    #[error("its buffers are compressed: send them as they are")]
    Compressed,
    /// Of another byte order.
    #[error("its numbers are big-endian: send them little-endian")]
    BigEndian,
    /// A column's type, or the type's parameters.
    #[error("a column of the type {0:?} is not taken, or not with its parameters")]
    Type(Type),
    /// Dictionaries that contradict each other, that change, or that no column has.
    #[error("a dictionary belongs to no column, to several of different types, or is sent in parts")]
    Dictionary,
    /// Data before its schema.
    #[error("a record batch stands before its schema")]
    NoSchema,
    /// More rows than a message may have, or fewer than none.
    #[error("a message with {0} rows is not taken: send fewer in each")]
    Rows(i64),
    /// Nodes and buffers that are not those of the schema.
    #[error("a record batch does not have the parts that its schema says")]
    Parts,
    /// Bytes that did not come.
    #[error("a record batch lies outside the bytes that came with it")]
    Outside,
    /// Bytes that are two buffers at once.
    #[error("the buffers of a record batch overlap")]
    Overlap,
    /// A buffer without room for its values, or for a part of one more.
    #[error("a buffer of a record batch is shorter than its values, or ends within one")]
    Short,
}

/// The messages of somebody else, each if it is well-formed.
pub fn well_formed(
    messages: impl Stream<Item = Result<FlightData, Status>> + Send + 'static,
) -> impl Stream<Item = Result<FlightData, FlightError>> + Send + 'static {
    let mut expected = Expected::default();
    let messages = messages.map_err(|status| FlightError::Tonic(Box::new(status)));
    messages.and_then(move |message| {
        let checked = expected.check(&message).map(|()| message);
        future::ready(checked.map_err(|malformed| FlightError::DecodeError(malformed.to_string())))
    })
}

/// What the messages so far say of the next.
#[derive(Debug, Default)]
struct Expected {
    schema: Option<(Vec<Layout>, Dictionaries)>,
}

impl Expected {
    fn check(&mut self, message: &FlightData) -> Result<(), Malformed> {
        let header = arrow::ipc::root_as_message(&message.data_header).map_err(|_| Malformed::Unreadable)?;
        if !matches!(header.version(), MetadataVersion::V4 | MetadataVersion::V5) {
            return Err(Malformed::Unreadable);
        }
        let body = message.data_body.len();
        if usize::try_from(header.bodyLength()).map_or(true, |length| length > body) {
            return Err(Malformed::Outside);
        }
        match header.header_type() {
            MessageHeader::NONE => Ok(()),
            MessageHeader::Schema => {
                let schema = header.header_as_schema().ok_or(Malformed::Unreadable)?;
                self.schema = Some(layout::columns(schema)?);
                Ok(())
            }
            MessageHeader::DictionaryBatch => {
                let (_, dictionaries) = self.schema.as_ref().ok_or(Malformed::NoSchema)?;
                let dictionary = header.header_as_dictionary_batch().ok_or(Malformed::Unreadable)?;
                // One that is sent in parts grows without end.
                let values = dictionaries.get(&dictionary.id()).filter(|_| !dictionary.isDelta());
                let values = std::slice::from_ref(values.ok_or(Malformed::Dictionary)?);
                parts::check(values, dictionary.data().ok_or(Malformed::Unreadable)?, body)
            }
            MessageHeader::RecordBatch => {
                let (columns, _) = self.schema.as_ref().ok_or(Malformed::NoSchema)?;
                parts::check(columns, header.header_as_record_batch().ok_or(Malformed::Unreadable)?, body)
            }
            _ => Err(Malformed::Unreadable),
        }
    }
}
