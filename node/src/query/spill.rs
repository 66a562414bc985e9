//! Where rows go that have no room in memory: those of its own analysts' questions over nothing but open data of this body's own. What
//! came from another body is never on a disk (invariant I5), nor is anything protected.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::common::Result;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};

/// The folder in a node's state. It is emptied when a node starts, and belongs in no backup.
pub const SPILL: &str = "spill";

/// A folder for sorts and groups that are larger than memory, and how much of it may be used.
#[derive(Debug, Clone)]
pub struct Spill {
    folder: PathBuf,
    bytes: u64,
}

impl Spill {
    /// At most so many bytes in the state folder; 0 is never anything.
    pub fn new(state: &Path, bytes: u64) -> Self {
        Self { folder: state.join(SPILL), bytes }
    }

    /// The same memory, with the folder beside it; what an earlier process left there is removed.
    pub(super) fn runtime(&self, runtime: &RuntimeEnv) -> Result<Option<Arc<RuntimeEnv>>> {
        match fs::remove_dir_all(&self.folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        if self.bytes == 0 {
            return Ok(None);
        }
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        let disk = DiskManagerBuilder::default()
            .with_mode(DiskManagerMode::Directories(vec![self.folder.clone()]))
            .with_max_temp_directory_size(self.bytes);
        RuntimeEnvBuilder::from_runtime_env(runtime).with_disk_manager_builder(disk).build_arc().map(Some)
    }
}
