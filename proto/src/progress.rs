//! How far the bodies behind an answer are, for whoever reads it.

use prost::Message;

use crate::{BodyName, Invalid, wire};

/// Most parts of an answer that are taken.
const MOST_PARTS: usize = 100_000;

/// The parts of an answer that other bodies were asked for, in that order: nothing of what they hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress(pub Vec<(BodyName, State)>);

/// How far a body's part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// It was asked, and no row has come.
    Asked,
    /// Rows come.
    Arriving,
    /// All of it is here, with its receipt.
    Whole,
}

impl Progress {
    /// Decodes it.
    pub fn decode(bytes: &[u8]) -> Result<Self, Invalid> {
        let message = wire::Progress::decode(bytes).map_err(|error| Invalid::encoding("Progress", &error))?;
        if message.parts.len() > MOST_PARTS {
            let parts = message.parts.len().to_string();
            return Err(Invalid::value("Progress", "parts", &parts, "a list of 100,000 items at most"));
        }
        let part = |part: wire::Part| {
            let state = match part.state() {
                wire::State::Asked => State::Asked,
                wire::State::Arriving => State::Arriving,
                wire::State::Whole => State::Whole,
                wire::State::Unspecified => {
                    return Err(Invalid::value("Part", "state", &part.state.to_string(), "a state that is known"));
                }
            };
            Ok((part.body.parse()?, state))
        };
        message.parts.into_iter().map(part).collect::<Result<_, _>>().map(Self)
    }

    /// Encodes it.
    pub fn encode(&self) -> Vec<u8> {
        let part = |(body, state): &(BodyName, State)| {
            let state = match state {
                State::Asked => wire::State::Asked,
                State::Arriving => wire::State::Arriving,
                State::Whole => wire::State::Whole,
            };
            wire::Part { body: body.to_string(), state: state.into() }
        };
        wire::Progress { parts: self.0.iter().map(part).collect() }.encode_to_vec()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn progress_is_read_back_and_nothing_else_is() {
        let progress = Progress(vec![("lfb".parse().unwrap(), State::Asked), ("gla".parse().unwrap(), State::Whole)]);
        assert_eq!(Progress::decode(&progress.encode()).unwrap(), progress);
        for (body, state) in [("lfb", 0), ("lfb", 9), ("L F B", 1)] {
            let bytes = wire::Progress { parts: vec![wire::Part { body: body.into(), state }] }.encode_to_vec();
            assert!(Progress::decode(&bytes).is_err(), "{body} {state}");
        }
        assert!(Progress::decode(b"\xff").is_err());
    }
}
