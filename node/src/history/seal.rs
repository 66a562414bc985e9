//! The keys of the history's file: nothing in it can be read, moved or altered without the node's key.
//!
//! Values are sealed in their place (table and key), as [`crate::seal`] says. What is looked up (scope and number of units,
//! agreement, caller) is a truncated HMAC-SHA256.

use ring::hkdf::{HKDF_SHA256, Salt};
use ring::hmac::{self, HMAC_SHA256};

use super::error::Fault;
use crate::seal::Seal;

const SALT: &[u8] = b"meridian history 1";

/// The keys of one file.
pub(super) struct Keys {
    seal: Seal,
    index: hmac::Key,
}

impl Keys {
    /// One key for each purpose, by HKDF-SHA256 from the node's key.
    pub(super) fn derive(node: &[u8; 32]) -> Result<Self, Fault> {
        let secret = Salt::new(HKDF_SHA256, SALT).extract(node);
        let index: hmac::Key = secret.expand(&[b"index"], HMAC_SHA256).map_err(|_| Fault::Seal)?.into();
        Ok(Self { seal: Seal::derive(node, SALT).map_err(|_| Fault::Seal)?, index })
    }

    /// Where to look for what these parts name; equal parts give equal places, and nothing else is told.
    pub(super) fn index(&self, parts: &[&[u8]]) -> u128 {
        let mut context = hmac::Context::with_key(&self.index);
        for part in parts {
            context.update(&part.len().to_le_bytes());
            context.update(part);
        }
        let tag = context.sign();
        tag.as_ref().first_chunk().copied().map(u128::from_be_bytes).unwrap_or_default()
    }

    /// A value for its place.
    pub(super) fn seal(&self, place: &[u8], value: &[u8]) -> Result<Vec<u8>, Fault> {
        self.seal.seal(place, value).map_err(|_| Fault::Seal)
    }

    /// What was sealed for this place; `None` if it wasn't, under this key.
    pub(super) fn open(&self, place: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        self.seal.open(place, sealed)
    }
}
