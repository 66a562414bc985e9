//! Seals single values at rest: without the key nothing in them can be read, altered or put in another's place.
//!
//! AES-256-GCM under a random 96-bit nonce. A counter would start over in a file put back from a copy, and two values
//! under one nonce give both away; random nonces collide with a chance below 2^-32 in the first 2^32 values. The place of
//! a value is authenticated with it.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::error::Unspecified;
use ring::hkdf::{HKDF_SHA256, Salt};
use ring::rand::{SecureRandom, SystemRandom};

/// Seals and opens values.
pub(crate) struct Seal {
    key: LessSafeKey,
    random: SystemRandom,
}

impl Seal {
    /// The seal of one purpose: a key by HKDF-SHA256 from `key`, under the purpose's own salt.
    pub(crate) fn derive(key: &[u8; 32], salt: &[u8]) -> Result<Self, Unspecified> {
        let key: UnboundKey = Salt::new(HKDF_SHA256, salt).extract(key).expand(&[b"seal"], &AES_256_GCM)?.into();
        Ok(Self { key: LessSafeKey::new(key), random: SystemRandom::new() })
    }

    /// Nonce, ciphertext and tag.
    pub(crate) fn seal(&self, place: &[u8], value: &[u8]) -> Result<Vec<u8>, Unspecified> {
        let mut nonce = [0; NONCE_LEN];
        self.random.fill(&mut nonce)?;
        let mut body = value.to_vec();
        self.key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(place), &mut body)?;
        Ok([nonce.as_slice(), &body].concat())
    }

    /// What was sealed for this place; `None` if it wasn't, under this key.
    pub(crate) fn open(&self, place: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, body) = sealed.split_first_chunk::<NONCE_LEN>()?;
        let mut body = body.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let length = self.key.open_in_place(nonce, Aad::from(place), &mut body).ok()?.len();
        body.truncate(length);
        Some(body)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn a_value_opens_in_its_place_under_its_key_or_not_at_all() {
        let seal = Seal::derive(&[7; 32], b"here").unwrap();
        let sealed = seal.seal(b"place", b"value").unwrap();
        assert_eq!(seal.open(b"place", &sealed).unwrap(), b"value");
        assert_ne!(seal.seal(b"place", b"value").unwrap(), sealed, "each has a nonce of its own");
        assert_eq!(seal.open(b"other", &sealed), None);
        assert_eq!(Seal::derive(&[8; 32], b"here").unwrap().open(b"place", &sealed), None);
        assert_eq!(Seal::derive(&[7; 32], b"there").unwrap().open(b"place", &sealed), None);
        for at in 0..sealed.len() {
            let mut flipped = sealed.clone();
            flipped[at] ^= 1;
            assert_eq!(seal.open(b"place", &flipped), None, "flipped at {at}");
            assert_eq!(seal.open(b"place", &sealed[..at]), None, "cut at {at}");
        }
    }
}
