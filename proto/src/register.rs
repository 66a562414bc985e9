//! What a body tells the public, on its way from node to node.

use prost::Message;

use crate::{Invalid, Name, wire};

/// The most bytes of a register (JSON).
pub const MOST_REGISTER_BYTES: usize = 1 << 20;

/// A register, as its body told it; whether the JSON is one is for the reader to see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToldRegister {
    /// The federation.
    pub federation: Name,
    /// The body that tells it of itself.
    pub body: Name,
    /// Milliseconds since the Unix epoch at which it was told.
    pub version: u64,
    /// The register, as published.
    pub json: Vec<u8>,
}

impl ToldRegister {
    /// Decodes a register, from the payload of a verified [`Signed`](crate::Signed).
    pub fn decode(bytes: &[u8]) -> Result<Self, Invalid> {
        wire::ToldRegister::decode(bytes).map_err(|error| Invalid::encoding("ToldRegister", &error))?.try_into()
    }

    /// Encodes it for signing.
    pub fn encode(self) -> Vec<u8> {
        let Self { federation, body, version, json } = self;
        let (federation, body) = (federation.to_string(), body.to_string());
        wire::ToldRegister { federation, body, version, json }.encode_to_vec()
    }
}

impl TryFrom<wire::ToldRegister> for ToldRegister {
    type Error = Invalid;

    fn try_from(message: wire::ToldRegister) -> Result<Self, Invalid> {
        let wire::ToldRegister { federation, body, version, json } = message;
        if json.len() > MOST_REGISTER_BYTES {
            let size = json.len().to_string();
            return Err(Invalid::value("ToldRegister", "json", &size, "a register has a mebibyte at most"));
        }
        Ok(Self { federation: federation.parse()?, body: body.parse()?, version, json })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{Description, LogKeys, ReleaseRecord};

    fn told(bytes: usize) -> ToldRegister {
        let (federation, body) = ("london".parse().unwrap(), "lfb".parse().unwrap());
        ToldRegister { federation, body, version: 7, json: vec![b' '; bytes] }
    }

    #[test]
    fn a_register_comes_back_and_one_that_is_too_big_does_not() {
        assert_eq!(ToldRegister::decode(&told(9).encode()).unwrap(), told(9));
        assert!(ToldRegister::decode(&told(MOST_REGISTER_BYTES + 1).encode()).is_err());
    }

    #[test]
    fn what_is_signed_as_a_register_is_nothing_else_that_is_signed() {
        let bytes = told(9).encode();
        assert!(Description::decode(&bytes).is_err() && LogKeys::decode(&bytes).is_err());
        assert!(ReleaseRecord::decode(&bytes).is_err());
    }
}
