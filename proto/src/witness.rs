//! What bodies tell each other of their logs: keys, checkpoints, cosignatures and proofs.

use prost::Message;

use crate::{Invalid, Name, Signed, wire};

/// Most proofs that a message may hold, and most hashes of one proof.
const MOST_HASHES: usize = 64;
/// Most witnesses whose keys are read.
const MOST_WITNESSES: usize = 100;

/// The keys of a body's log and of its witness, as text: name, id and key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogKeys {
    /// The federation.
    pub federation: Name,
    /// The body.
    pub body: Name,
    /// Verifies the checkpoints of its log.
    pub log: String,
    /// Verifies its cosignatures under the checkpoints of others.
    pub witness: String,
}

impl LogKeys {
    /// Decodes keys, from the payload of a verified [`Signed`].
    pub fn decode(bytes: &[u8]) -> Result<Self, Invalid> {
        wire::LogKeys::decode(bytes).map_err(|error| Invalid::encoding("LogKeys", &error))?.try_into()
    }

    /// Encodes them for signing.
    pub fn encode(&self) -> Vec<u8> {
        wire::LogKeys::from(self).encode_to_vec()
    }
}

impl TryFrom<wire::LogKeys> for LogKeys {
    type Error = Invalid;

    fn try_from(message: wire::LogKeys) -> Result<Self, Invalid> {
        let wire::LogKeys { federation, body, log, witness } = message;
        for (field, key) in [("log", &log), ("witness", &witness)] {
            if key.split('+').count() < 3 || key.chars().any(|c| c.is_control() || c.is_whitespace()) {
                return Err(Invalid::value("LogKeys", field, key, "a key is written as name+id+key"));
            }
        }
        Ok(Self { federation: federation.parse()?, body: body.parse()?, log, witness })
    }
}

impl From<&LogKeys> for wire::LogKeys {
    fn from(value: &LogKeys) -> Self {
        Self {
            federation: value.federation.to_string(),
            body: value.body.to_string(),
            log: value.log.clone(),
            witness: value.witness.clone(),
        }
    }
}

/// The newest checkpoint of a log, handed to a witness.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessRequest {
    /// The keys of the log.
    pub keys: Signed,
    /// The checkpoint, a signed note.
    pub checkpoint: Vec<u8>,
    /// The size from which the proof leads to it.
    pub old_size: u64,
    /// The hashes of the consistency proof.
    pub proof: Vec<[u8; 32]>,
}

impl WitnessRequest {
    /// Decodes a request.
    pub fn decode(bytes: &[u8]) -> Result<Self, Invalid> {
        let message =
            wire::WitnessRequest::decode(bytes).map_err(|error| Invalid::encoding("WitnessRequest", &error))?;
        let missing = Invalid::Missing { message: "WitnessRequest", field: "keys" };
        let hash = |hash: Vec<u8>| {
            let length = hash.len().to_string();
            hash.try_into().map_err(|_| Invalid::value("WitnessRequest", "proof", &length, "a SHA-256 has 32 bytes"))
        };
        if message.proof.len() > MOST_HASHES {
            let count = message.proof.len().to_string();
            return Err(Invalid::value("WitnessRequest", "proof", &count, "no tree is deeper than 64"));
        }
        Ok(Self {
            keys: message.keys.ok_or(missing)?.try_into()?,
            checkpoint: message.checkpoint,
            old_size: message.old_size,
            proof: message.proof.into_iter().map(hash).collect::<Result<_, _>>()?,
        })
    }

    /// Encodes it for an action.
    pub fn encode(&self) -> Vec<u8> {
        let proof = self.proof.iter().map(|hash| hash.to_vec()).collect();
        let keys = Some((&self.keys).into());
        wire::WitnessRequest { keys, checkpoint: self.checkpoint.clone(), old_size: self.old_size, proof }
            .encode_to_vec()
    }
}

/// What a witness says of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessAnswer {
    /// What.
    pub said: Said,
    /// The keys of the witness.
    pub keys: Signed,
}

/// What a witness says of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// It holds it now; this is its signature line.
    Cosigned(Vec<u8>),
    /// It holds this one, from which the proof has to lead on.
    Held(Vec<u8>),
    /// It holds this one, and was handed one that does not continue it.
    Refused(Vec<u8>),
}

impl WitnessAnswer {
    /// Decodes an answer.
    pub fn decode(bytes: &[u8]) -> Result<Self, Invalid> {
        let message = wire::WitnessAnswer::decode(bytes).map_err(|error| Invalid::encoding("WitnessAnswer", &error))?;
        let missing = |field| Invalid::Missing { message: "WitnessAnswer", field };
        let said = match message.said.ok_or_else(|| missing("said"))? {
            wire::witness_answer::Said::Cosignature(line) => Said::Cosigned(line),
            wire::witness_answer::Said::Held(note) => Said::Held(note),
            wire::witness_answer::Said::Refused(note) => Said::Refused(note),
        };
        Ok(Self { said, keys: message.keys.ok_or_else(|| missing("keys"))?.try_into()? })
    }

    /// Encodes it for the result of an action.
    pub fn encode(&self) -> Vec<u8> {
        let said = match self.said.clone() {
            Said::Cosigned(line) => wire::witness_answer::Said::Cosignature(line),
            Said::Held(note) => wire::witness_answer::Said::Held(note),
            Said::Refused(note) => wire::witness_answer::Said::Refused(note),
        };
        wire::WitnessAnswer { said: Some(said), keys: Some((&self.keys).into()) }.encode_to_vec()
    }
}

/// A log record under a checkpoint that witnesses cosigned; nothing of it is verified yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witnessed {
    /// The body whose log it is.
    pub body: Name,
    /// The record's index.
    pub index: u64,
    /// The tlog-proof.
    pub proof: Vec<u8>,
    /// The [`LogKeys`] of the witnesses, signed by their nodes.
    pub witnesses: Vec<Signed>,
}

impl Witnessed {
    /// Decodes a result.
    pub fn decode(bytes: &[u8]) -> Result<Self, Invalid> {
        wire::Witnessed::decode(bytes).map_err(|error| Invalid::encoding("Witnessed", &error))?.try_into()
    }

    /// Encodes it for the result of an action.
    pub fn encode(&self) -> Vec<u8> {
        wire::Witnessed::from(self).encode_to_vec()
    }
}

impl TryFrom<wire::Witnessed> for Witnessed {
    type Error = Invalid;

    fn try_from(message: wire::Witnessed) -> Result<Self, Invalid> {
        let witnesses = message.witnesses.into_iter().take(MOST_WITNESSES).map(Signed::try_from);
        let witnesses = witnesses.collect::<Result<_, _>>()?;
        Ok(Self { body: message.body.parse()?, index: message.index, proof: message.proof, witnesses })
    }
}

impl From<&Witnessed> for wire::Witnessed {
    fn from(value: &Witnessed) -> Self {
        let witnesses = value.witnesses.iter().map(Into::into).collect();
        Self { body: value.body.to_string(), index: value.index, proof: value.proof.clone(), witnesses }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed() -> Signed {
        Signed { payload: vec![1], chain: vec![vec![2]], signature: vec![3], scheme: 4 }
    }

    #[test]
    fn messages_come_back_and_bad_ones_do_not() {
        let keys = LogKeys {
            federation: "london".parse().unwrap(),
            body: "lfb".parse().unwrap(),
            log: "london/lfb/log+00000000+AQ==".into(),
            witness: "london/lfb/witness+00000000+BA==".into(),
        };
        assert_eq!(LogKeys::decode(&keys.encode()).unwrap(), keys);
        assert!(LogKeys::decode(&LogKeys { log: "a+b".into(), ..keys }.encode()).is_err());
        let request =
            WitnessRequest { keys: signed(), checkpoint: vec![1], old_size: 7, proof: vec![[8; 32], [9; 32]] };
        assert_eq!(WitnessRequest::decode(&request.encode()).unwrap(), request);
        let long = WitnessRequest { proof: vec![[0; 32]; MOST_HASHES + 1], ..request };
        assert!(WitnessRequest::decode(&long.encode()).is_err());
        for said in [Said::Cosigned(vec![1]), Said::Held(vec![2]), Said::Refused(vec![3])] {
            let answer = WitnessAnswer { said, keys: signed() };
            assert_eq!(WitnessAnswer::decode(&answer.encode()).unwrap(), answer);
        }
        let witnessed = Witnessed { body: "lfb".parse().unwrap(), index: 3, proof: vec![1], witnesses: vec![signed()] };
        assert_eq!(Witnessed::decode(&witnessed.encode()).unwrap(), witnessed);
    }
}
