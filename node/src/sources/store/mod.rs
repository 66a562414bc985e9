//! Files in an S3-compatible object store as sources: listed, and read only as they were when they were listed.
//!
//! | file | what |
//! | --- | --- |
//! | `server` | how a bucket is reached, and what its server is like |
//! | `key` | who asks: keys from a file, from the environment, or nobody |
//! | `fault` | what goes wrong, for the operator, and never with a key in it |
//! | `listing` | the objects behind a dataset, and whether they are others now |
//! | `pinned` | an object is read as it was listed, or not at all |
//! | `memory` | objects that a format needs as whole files, fetched to memory |

mod fault;
mod key;
mod listing;
mod memory;
mod pinned;
mod server;

use std::path::PathBuf;
use std::sync::Arc;

pub use fault::StoreFault;
pub use key::Key;
pub use server::{Store, StoreConfig};

pub(super) use listing::{Listing, Watch};
pub(super) use memory::{InMemory, fetched};
pub use pinned::ObjectFault;
pub(super) use pinned::{Pinned, chain};

/// What paths of objects begin with.
pub const SCHEME: &str = "s3://";

/// An object, or all objects below a prefix, of a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InStore {
    /// The bucket.
    pub store: Arc<Store>,
    /// The object's key, or the prefix.
    pub key: String,
}

impl InStore {
    /// What stands for a path in messages.
    pub fn place(&self) -> PathBuf {
        self.store.place(&self.key)
    }
}
