//! A key is made where it is used; only a request (PKCS#10) for a certificate leaves that machine.

use std::path::{Path, PathBuf};

use rcgen::{
    CertificateParams, CertificateSigningRequestParams, DistinguishedName, KeyPair, PKCS_ECDSA_P256_SHA256, PublicKey,
    PublicKeyData,
};

use crate::{Error, Result, files};

/// Bytes of an uncompressed point on P-256.
const P256_POINT: usize = 65;
/// A request with a P-256 key is below 1 KiB.
const MAX_REQUEST_BYTES: usize = 64 << 10;

/// A private key in its file, and a request for a certificate that goes to the authority.
#[derive(Debug, Clone)]
pub struct KeyAndRequest {
    key_path: PathBuf,
    request: String,
}

impl KeyAndRequest {
    /// Makes an ECDSA P-256 key, writes it to a new file that only its owner can read, and requests a certificate.
    pub fn create(key_path: &Path) -> Result<Self> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(|error| unusable(&error))?;
        let made = Self::with(key_path, &key)?;
        files::create_key(key_path, &key.serialize_pem())?;
        Ok(made)
    }

    /// Makes a key that is in no file yet, and requests a certificate: for [`crate::Credentials::renew`] and
    /// [`crate::Credentials::begin`], which write both at once. Returns the key and the request, PEM.
    pub fn generate() -> Result<(String, String)> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(|error| unusable(&error))?;
        let made = Self::with(Path::new(""), &key)?;
        Ok((key.serialize_pem(), made.request))
    }

    /// Requests a certificate for a key that exists: a renewal, or a second try.
    pub fn open(key_path: &Path) -> Result<Self> {
        let key = KeyPair::from_pem(&files::key_text(key_path)?).map_err(|_| Error::File {
            what: "the private key",
            path: key_path.into(),
            problem: "holds no private key of a kind that is used here".into(),
            remedy: "put a backup of the key there, or move the file away and make a new key",
        })?;
        Self::with(key_path, &key)
    }

    /// The request, PEM.
    pub fn pem(&self) -> &str {
        &self.request
    }

    /// The file of the private key.
    pub fn key_path(&self) -> &Path {
        &self.key_path
    }

    fn with(key_path: &Path, key: &KeyPair) -> Result<Self> {
        let mut params = CertificateParams::default();
        // Who the key is for is not the requester's to say.
        params.distinguished_name = DistinguishedName::new();
        let request = params.serialize_request(key).and_then(|request| request.pem());
        Ok(Self { key_path: key_path.into(), request: request.map_err(|error| unusable(&error))? })
    }
}

/// A request whose signature holds: whoever sent it has the private key. Nothing but the public key is taken from it.
#[derive(Debug, Clone)]
pub struct Request {
    public_key: PublicKey,
}

impl Request {
    /// Reads a request and checks its signature.
    pub fn from_pem(pem: &str) -> Result<Self> {
        if pem.len() > MAX_REQUEST_BYTES {
            return Err(Error::Request { problem: format!("is longer than {MAX_REQUEST_BYTES} bytes") });
        }
        let request = CertificateSigningRequestParams::from_pem(pem).map_err(|error| unusable(&error))?;
        let public_key = request.public_key;
        // The library takes the algorithm from the signature; the length tells P-256 from other curves.
        let p256 = *public_key.algorithm() == PKCS_ECDSA_P256_SHA256 && public_key.der_bytes().len() == P256_POINT;
        if p256 { Ok(Self { public_key }) } else { Err(Error::Request { problem: "its key is not on P-256".into() }) }
    }

    /// SHA-256 of the public key, lower-case hexadecimal.
    pub(crate) fn key_sha256(&self) -> String {
        files::sha256(self.public_key.der_bytes())
    }

    pub(crate) fn public_key(&self) -> &PublicKey {
        &self.public_key
    }
}

fn unusable(error: &rcgen::Error) -> Error {
    let problem = match error {
        rcgen::Error::CouldNotParseCertificationRequest => "is not a PKCS#10 request in PEM".into(),
        rcgen::Error::InvalidCertificationRequestSignature => "its signature does not hold".into(),
        other => other.to_string().to_lowercase(),
    };
    Error::Request { problem }
}
