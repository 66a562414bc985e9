//! Who asks an object store: a key from a file that nobody else can read, from the environment, or nobody.

use std::env;
use std::path::PathBuf;

use object_store::aws::AmazonS3Builder;

use super::StoreFault;
use crate::secrets::private_text;

/// Where a bucket's key comes from. Read for every load, so that a new one takes effect without a restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    /// Nobody: a bucket that anybody may read.
    Public,
    /// The key's name, and the file of its secret.
    File {
        /// The access key's identifier, which is no secret.
        access_key: String,
        /// The file that holds the secret key and nothing else.
        secret_key_file: PathBuf,
    },
    /// `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and, where there is one, `AWS_SESSION_TOKEN`.
    Environment,
}

impl Key {
    /// A builder that asks with it.
    pub(super) fn with(&self, builder: AmazonS3Builder) -> Result<AmazonS3Builder, StoreFault> {
        match self {
            Self::Public => Ok(builder.with_skip_signature(true)),
            Self::File { access_key, secret_key_file } => {
                let secret = private_text(secret_key_file, "the secret key").map_err(|why| StoreFault::File {
                    path: secret_key_file.clone(),
                    why: format!("{why}; `secret_key_file` in [[stores]] holds the secret key and nothing else"),
                })?;
                Ok(builder.with_access_key_id(access_key).with_secret_access_key(secret))
            }
            Self::Environment => {
                let variable = |name| env::var(name).map_err(|_| StoreFault::Environment(name));
                let builder = builder
                    .with_access_key_id(variable("AWS_ACCESS_KEY_ID")?)
                    .with_secret_access_key(variable("AWS_SECRET_ACCESS_KEY")?);
                Ok(match env::var("AWS_SESSION_TOKEN") {
                    Ok(token) => builder.with_token(token),
                    Err(_) => builder,
                })
            }
        }
    }
}
