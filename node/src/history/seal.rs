//! The keys of the history's file: nothing in it can be read, moved or altered without the node's key.
//!
//! Values are sealed with AES-256-GCM under a random 96-bit nonce. A counter would start over in a file put back from a
//! copy, and two values under one nonce give both away; random nonces collide with a chance below 2^-32 in the first
//! 2^32 values. The place of a value (table and key) is authenticated with it. What is looked up (scope and number of
//! units, agreement, caller) is a truncated HMAC-SHA256.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, Salt};
use ring::hmac::{self, HMAC_SHA256};
use ring::rand::{SecureRandom, SystemRandom};

use super::error::Fault;

const SALT: &[u8] = b"meridian history 1";

/// The keys of one file.
pub(super) struct Keys {
    seal: LessSafeKey,
    index: hmac::Key,
    random: SystemRandom,
}

impl Keys {
    /// One key for each purpose, by HKDF-SHA256 from the node's key.
    pub(super) fn derive(node: &[u8; 32]) -> Result<Self, Fault> {
        let secret = Salt::new(HKDF_SHA256, SALT).extract(node);
        let seal: UnboundKey = secret.expand(&[b"seal"], &AES_256_GCM).map_err(|_| Fault::Seal)?.into();
        let index: hmac::Key = secret.expand(&[b"index"], HMAC_SHA256).map_err(|_| Fault::Seal)?.into();
        Ok(Self { seal: LessSafeKey::new(seal), index, random: SystemRandom::new() })
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

    /// Nonce, ciphertext and tag.
    pub(super) fn seal(&self, place: &[u8], value: &[u8]) -> Result<Vec<u8>, Fault> {
        let mut nonce = [0; NONCE_LEN];
        self.random.fill(&mut nonce).map_err(|_| Fault::Seal)?;
        let mut body = value.to_vec();
        let unique = Nonce::assume_unique_for_key(nonce);
        self.seal.seal_in_place_append_tag(unique, Aad::from(place), &mut body).map_err(|_| Fault::Seal)?;
        Ok([nonce.as_slice(), &body].concat())
    }

    /// What was sealed for this place; `None` if it wasn't, under this key.
    pub(super) fn open(&self, place: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, body) = sealed.split_first_chunk::<NONCE_LEN>()?;
        let mut body = body.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let length = self.seal.open_in_place(nonce, Aad::from(place), &mut body).ok()?.len();
        body.truncate(length);
        Some(body)
    }
}
