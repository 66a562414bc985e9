//! Whether a release is in the log of its body, and who else has confirmed that log.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use meridian_proto::{LogKeys, Receipt, ReleaseRecord, Signed, Witnessed};

use super::{Signer, some};
use crate::audit::{self, Hash, Proof, WitnessVerifier, origin};
use crate::cli::format::printable;
use crate::witness::ENOUGH;

/// A release that is in its body's log.
#[derive(Debug, Clone, Default)]
pub(super) struct Logged {
    /// The other bodies that have cosigned a checkpoint of the log that covers it.
    pub(super) witnesses: BTreeSet<String>,
}

impl Logged {
    /// Whether enough others have confirmed the log.
    pub(super) fn is_witnessed(&self) -> bool {
        self.witnesses.len() >= ENOUGH
    }
}

/// Checks that a release is in the log of its body, and by whom that log was witnessed.
pub(super) fn check(
    record: &ReleaseRecord,
    receipt: &Receipt,
    verify: &impl Fn(&Signed, SystemTime) -> Result<Signer, String>,
) -> Result<Logged, String> {
    let hash: [u8; 32] = record.log_hash.as_slice().try_into().map_err(|_| "its log hash is no SHA-256".to_owned())?;
    let name = origin(&record.federation, &record.body);
    if record.log_key.split('+').next() != Some(name.as_str()) {
        return Err(format!("{} names the key of another log", record.body));
    }
    proven(record, &record.log_proof, Hash(hash))?;
    let mut logged = Logged::default();
    for later in receipt.witnessed.iter().filter(|later| later.body.as_str() == record.body) {
        if later.index == record.log_index {
            let checkpoint = match proven(record, &later.proof, Hash(hash)) {
                Ok(checkpoint) => checkpoint,
                // It may be about the body of the same name in another federation.
                Err(_) if has_namesake(record, receipt) => continue,
                Err(why) => return Err(why),
            };
            logged.witnesses.extend(witnesses(record, later, &checkpoint, verify));
        }
    }
    Ok(logged)
}

/// Whether a body of that name in another federation has released, too.
fn has_namesake(record: &ReleaseRecord, receipt: &Receipt) -> bool {
    let others = receipt.releases.iter().filter_map(|signed| ReleaseRecord::decode(&signed.payload).ok());
    others.into_iter().any(|other| other.body == record.body && other.federation != record.federation)
}

fn proven(record: &ReleaseRecord, proof: &[u8], hash: Hash) -> Result<audit::Signed, String> {
    let proof = Proof::decode(proof)
        .map_err(|error| format!("{} does not prove that it is in its log: {error}", record.body))?;
    if proof.index != record.log_index {
        return Err(format!("{} proves another record of its log", record.body));
    }
    let checked = proof.check(&record.log_key, hash);
    checked.map_err(|error| format!("{} does not prove that it is in its log: {error}", record.body))
}

/// The bodies, other than its own, that have cosigned the checkpoint. Whoever can't be made out does not count.
fn witnesses(
    record: &ReleaseRecord,
    later: &Witnessed,
    checkpoint: &audit::Signed,
    verify: &impl Fn(&Signed, SystemTime) -> Result<Signer, String>,
) -> Vec<String> {
    let witness = |signed: &Signed| {
        let keys = LogKeys::decode(&signed.payload).ok()?;
        let cosigned = checkpoint.cosigned_at(&WitnessVerifier::new(&keys.witness).ok()?)?;
        let signer = verify(signed, UNIX_EPOCH.checked_add(Duration::from_secs(cosigned))?).ok()?;
        let is_own = signer.node && signer.body == keys.body.as_str() && signer.federation == keys.federation.as_str();
        (is_own && signer.federation == record.federation && signer.body != record.body).then_some(signer.body)
    };
    later.witnesses.iter().filter_map(witness).collect()
}

/// What is known of the logs behind a receipt, in one sentence.
pub(super) fn sentence(logged: &[Logged]) -> String {
    let open = logged.iter().filter(|logged| !logged.is_witnessed()).count();
    let known = "Each of these releases is in the log of its body";
    match open {
        0 if !logged.is_empty() => {
            let mut all: BTreeSet<&str> = BTreeSet::new();
            logged.iter().for_each(|logged| all.extend(logged.witnesses.iter().map(String::as_str)));
            let all: Vec<&str> = all.into_iter().collect();
            format!("{known}, witnessed by {}", printable(&some(&all)))
        }
        open if open < logged.len() => {
            format!(
                "{known}; {open} of {} unwitnessed: fewer than two other bodies have confirmed these logs",
                logged.len()
            )
        }
        _ => format!("{known}; unwitnessed: fewer than two other bodies have confirmed these logs"),
    }
}
