//! What left a body: the release record, the receipt that carries it, and the signature around it.

use prost::Message;

use crate::{Form, Invalid, Witnessed, wire};

/// Bytes signed by a node; verified by `meridian_certs`, decoded only after that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// What was signed.
    pub payload: Vec<u8>,
    /// The signer's certificate chain, DER, end-entity first.
    pub chain: Vec<Vec<u8>>,
    /// The signature over the payload.
    pub signature: Vec<u8>,
    /// TLS SignatureScheme code point (RFC 8446, section 4.2.3).
    pub scheme: u16,
}

impl Signed {
    /// Decodes the envelope; the payload stays bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, Invalid> {
        wire::Signed::decode(bytes).map_err(|error| Invalid::encoding("Signed", &error))?.try_into()
    }

    /// Encodes the envelope.
    pub fn encode(&self) -> Vec<u8> {
        wire::Signed::from(self).encode_to_vec()
    }
}

impl TryFrom<wire::Signed> for Signed {
    type Error = Invalid;

    fn try_from(message: wire::Signed) -> Result<Self, Invalid> {
        if message.chain.is_empty() {
            return Err(Invalid::Missing { message: "Signed", field: "chain" });
        }
        let scheme = u16::try_from(message.scheme).map_err(|_| {
            Invalid::value("Signed", "scheme", &message.scheme.to_string(), "a code point has two bytes")
        })?;
        Ok(Self { payload: message.payload, chain: message.chain, signature: message.signature, scheme })
    }
}

impl From<&Signed> for wire::Signed {
    fn from(value: &Signed) -> Self {
        Self {
            payload: value.payload.clone(),
            chain: value.chain.clone(),
            signature: value.signature.clone(),
            scheme: value.scheme.into(),
        }
    }
}

/// A dataset that a release drew on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatasetUse {
    /// `federation.body.dataset`
    pub name: String,
    /// The published columns that the query used.
    pub columns: Vec<String>,
    /// The form in which it left.
    pub form: Form,
}

/// What left a body, to whom, and why it might.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseRecord {
    /// One per question of an analyst, the same at every body that it reaches.
    pub query_id: String,
    /// The federation.
    pub federation: String,
    /// The body that released.
    pub body: String,
    /// Whom it was released to: a SPIFFE ID.
    pub caller: String,
    /// The analyst as the asking node names them; empty where the caller is the analyst.
    pub on_behalf_of: String,
    /// The groups that the analyst is in, as their own body's node says.
    pub groups: Vec<String>,
    /// The purpose that was stated; empty if none.
    pub purpose: String,
    /// The agreements relied on.
    pub agreements: Vec<String>,
    /// The datasets.
    pub datasets: Vec<DatasetUse>,
    /// The SQL that was answered.
    pub sql: String,
    /// The rules of the gate that admitted it.
    pub rules: Vec<String>,
    /// Visible rows that left.
    pub rows: u64,
    /// Bytes of Arrow IPC bodies that left.
    pub bytes: u64,
    /// Milliseconds since the Unix epoch.
    pub time_ms: u64,
    /// The log record that was durable before the first byte: its index …
    pub log_index: u64,
    /// … and its hash in the log's tree (RFC 6962).
    pub log_hash: Vec<u8>,
    /// What a reader of the answer must know.
    pub notices: Vec<String>,
    /// What commits to the private part of that log record, a SHA-256 …
    pub commitment: Vec<u8>,
    /// … and to that of the record which says how the release ended.
    pub closing_commitment: Vec<u8>,
    /// The key that verifies the checkpoints of the body's log: name, id and key …
    pub log_key: String,
    /// … and the proof that the log record is in it, a tlog-proof.
    pub log_proof: Vec<u8>,
}

impl ReleaseRecord {
    /// Decodes and checks a record, from the payload of a verified [`Signed`].
    pub fn decode(bytes: &[u8]) -> Result<Self, Invalid> {
        wire::ReleaseRecord::decode(bytes).map_err(|error| Invalid::encoding("ReleaseRecord", &error))?.try_into()
    }

    /// Encodes it for signing.
    pub fn encode(&self) -> Vec<u8> {
        wire::ReleaseRecord::from(self).encode_to_vec()
    }
}

impl TryFrom<wire::ReleaseRecord> for ReleaseRecord {
    type Error = Invalid;

    fn try_from(message: wire::ReleaseRecord) -> Result<Self, Invalid> {
        if message.body.is_empty() {
            return Err(Invalid::Missing { message: "ReleaseRecord", field: "body" });
        }
        hashed("log_hash", &message.log_hash)?;
        hashed("commitment", &message.commitment)?;
        hashed("closing_commitment", &message.closing_commitment)?;
        let datasets = uses(message.datasets)?;
        Ok(Self {
            query_id: message.query_id,
            federation: message.federation,
            body: message.body,
            caller: message.caller,
            on_behalf_of: message.on_behalf_of,
            groups: message.groups,
            purpose: message.purpose,
            agreements: message.agreements,
            datasets,
            sql: message.sql,
            rules: message.rules,
            rows: message.rows,
            bytes: message.bytes,
            time_ms: message.time_ms,
            log_index: message.log_index,
            log_hash: message.log_hash,
            notices: message.notices,
            commitment: message.commitment,
            closing_commitment: message.closing_commitment,
            log_key: message.log_key,
            log_proof: message.log_proof,
        })
    }
}

impl From<&ReleaseRecord> for wire::ReleaseRecord {
    fn from(value: &ReleaseRecord) -> Self {
        let value = value.clone();
        let datasets = wire_uses(value.datasets);
        Self {
            query_id: value.query_id,
            federation: value.federation,
            body: value.body,
            caller: value.caller,
            on_behalf_of: value.on_behalf_of,
            groups: value.groups,
            purpose: value.purpose,
            agreements: value.agreements,
            datasets,
            sql: value.sql,
            rules: value.rules,
            rows: value.rows,
            bytes: value.bytes,
            time_ms: value.time_ms,
            log_index: value.log_index,
            log_hash: value.log_hash,
            notices: value.notices,
            commitment: value.commitment,
            closing_commitment: value.closing_commitment,
            log_key: value.log_key,
            log_proof: value.log_proof,
        }
    }
}

fn hashed(field: &'static str, hash: &[u8]) -> Result<(), Invalid> {
    if hash.len() == 32 {
        return Ok(());
    }
    Err(Invalid::value("ReleaseRecord", field, &hash.len().to_string(), "a SHA-256 has 32 bytes"))
}

/// Datasets as they arrive.
pub(crate) fn uses(messages: Vec<wire::DatasetUse>) -> Result<Vec<DatasetUse>, Invalid> {
    let used = |used: wire::DatasetUse| {
        Ok(DatasetUse { form: used.form().try_into()?, name: used.name, columns: used.columns })
    };
    messages.into_iter().map(used).collect()
}

/// Datasets as they travel.
pub(crate) fn wire_uses(uses: Vec<DatasetUse>) -> Vec<wire::DatasetUse> {
    let used = |used: DatasetUse| {
        let form = wire::Form::from(used.form).into();
        wire::DatasetUse { name: used.name, columns: used.columns, form }
    };
    uses.into_iter().map(used).collect()
}

/// The proof that travels with an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The query.
    pub query_id: String,
    /// Signed release records: the answering body's own first, then those of the bodies that it asked.
    pub releases: Vec<Signed>,
    /// Proofs of the same log records under later checkpoints, which others have cosigned.
    pub witnessed: Vec<Witnessed>,
}

impl Receipt {
    /// Decodes a receipt; its releases are still to be verified.
    pub fn decode(bytes: &[u8]) -> Result<Self, Invalid> {
        let message = wire::Receipt::decode(bytes).map_err(|error| Invalid::encoding("Receipt", &error))?;
        if message.releases.is_empty() {
            return Err(Invalid::Missing { message: "Receipt", field: "releases" });
        }
        let releases = message.releases.into_iter().map(Signed::try_from).collect::<Result<_, _>>()?;
        let witnessed = message.witnessed.into_iter().map(Witnessed::try_from).collect::<Result<_, _>>()?;
        Ok(Self { query_id: message.query_id, releases, witnessed })
    }

    /// Encodes it for the last message of an answer.
    pub fn encode(&self) -> Vec<u8> {
        let releases = self.releases.iter().map(Into::into).collect();
        let witnessed = self.witnessed.iter().map(Into::into).collect();
        wire::Receipt { query_id: self.query_id.clone(), releases, witnessed }.encode_to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> ReleaseRecord {
        ReleaseRecord {
            query_id: "q".into(),
            federation: "london".into(),
            body: "lfb".into(),
            caller: "spiffe://london/body/loda/node".into(),
            on_behalf_of: String::new(),
            groups: vec!["fire".into()],
            purpose: "fire-risk".into(),
            agreements: vec!["fire-risk-2026".into()],
            datasets: vec![DatasetUse {
                name: "london.lfb.incidents".into(),
                columns: vec!["borough_gss".into()],
                form: Form::Statistics,
            }],
            sql: "SELECT 1".into(),
            rules: vec!["threshold".into()],
            rows: 33,
            bytes: 1024,
            time_ms: 1,
            log_index: 0,
            log_hash: vec![7; 32],
            notices: vec![],
            commitment: vec![8; 32],
            closing_commitment: vec![9; 32],
            log_key: "london/lfb/log+00000000+AQ==".into(),
            log_proof: vec![1],
        }
    }

    #[test]
    fn a_record_comes_back_as_it_was_sent() {
        assert_eq!(ReleaseRecord::decode(&record().encode()).unwrap(), record());
    }

    #[test]
    fn a_record_without_a_log_entry_is_none() {
        let mut message = wire::ReleaseRecord::from(&record());
        message.log_hash.clear();
        assert!(ReleaseRecord::try_from(message).is_err());
        let mut message = wire::ReleaseRecord::from(&record());
        message.closing_commitment.push(0);
        assert!(ReleaseRecord::try_from(message).is_err());
    }

    #[test]
    fn a_receipt_without_releases_is_none() {
        assert!(
            Receipt::decode(&Receipt { query_id: "q".into(), releases: vec![], witnessed: vec![] }.encode()).is_err()
        );
    }
}
