//! Checks signatures of a federation without an identity of one's own: for whoever reads a receipt offline.

use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use meridian_proto::Signed;
use rustls::pki_types::UnixTime;

use crate::anchors::Anchors;
use crate::trust::Trust;
use crate::{Error, Result, Verified};

/// The anchors of one federation or of several.
pub struct Verifier(Arc<Trust>);

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Verifier({})", self.0.own().federation())
    }
}

impl Verifier {
    /// Loads the certificate of a federation's authority, and those of other federations.
    pub fn load(ca: &Path, others: &[&Path]) -> Result<Self> {
        let others: Vec<_> = others.iter().map(|path| (None, *path)).collect();
        Ok(Self(Trust::load(Arc::new(Anchors::load(ca)?), &others)?))
    }

    /// Checks that the payload was signed by somebody whose certificate was valid `at` that time, and says who.
    pub fn verify(&self, signed: &Signed, at: SystemTime) -> Result<Verified> {
        let at = UnixTime::since_unix_epoch(at.duration_since(UNIX_EPOCH).unwrap_or_default());
        Verified::by_trusted(signed, &self.0, at).map_err(|reason| Error::Signature { reason })
    }
}
