//! The folder of a mesh on this machine: a temporary one that is removed, or a named one that is kept.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::super::{Error, say};

/// A folder that only its owner may enter: there are private keys in it.
pub(crate) struct Folder {
    path: PathBuf,
    temporary: bool,
}

impl Folder {
    /// The named folder, which must be new or empty, or a new temporary one.
    pub(crate) fn new(named: Option<&Path>) -> Result<Self, Error> {
        match named {
            Some(path) => Self::named(path),
            None => {
                let path = std::env::temp_dir().join(format!("meridian-demo-{:016x}", rand::random::<u64>()));
                private(&path, false).map_err(|source| Error::Write { path: path.clone(), source })?;
                Ok(Self { path, temporary: true })
            }
        }
    }

    fn named(path: &Path) -> Result<Self, Error> {
        let write = |source| Error::Write { path: path.to_owned(), source };
        private(path, true).map_err(write)?;
        if fs::read_dir(path).map_err(write)?.next().is_some() {
            let path = path.display();
            return Err(Error::Usage(format!(
                "the folder {path} is not empty: name a new one with --dir, or remove it"
            )));
        }
        Ok(Self { path: path.to_owned(), temporary: false })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Removes it if it is temporary, and says where it is if it is kept.
    pub(crate) fn close(self) -> Option<PathBuf> {
        (!self.temporary).then(|| self.path.clone())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.temporary
            && let Err(error) = fs::remove_dir_all(&self.path)
        {
            say(format_args!("removing {}: {error}; remove it by hand, there are keys in it", self.path.display()));
        }
    }
}

/// Makes a folder, with those above it, unless it is there.
pub(crate) fn create_dir(path: &Path) -> Result<(), Error> {
    fs::create_dir_all(path).map_err(|source| Error::Write { path: path.to_owned(), source })
}

fn private(path: &Path, recursive: bool) -> io::Result<()> {
    DirBuilder::new().mode(0o700).recursive(recursive).create(path)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
    use super::*;

    #[test]
    fn a_temporary_folder_goes_with_all_that_is_in_it() {
        let folder = Folder::new(None).unwrap();
        let path = folder.path().to_owned();
        fs::write(path.join("key"), "x").unwrap();
        assert_eq!(folder.close(), None);
        assert!(!path.exists());
    }

    #[test]
    fn a_named_folder_stays_and_what_is_in_it_is_not_written_over() {
        let outer = tempfile::tempdir().unwrap();
        let path = outer.path().join("a/b");
        assert_eq!(Folder::new(Some(&path)).unwrap().close(), Some(path.clone()));
        fs::write(path.join("key"), "x").unwrap();
        assert!(matches!(Folder::new(Some(&path)), Err(Error::Usage(_))));
        assert!(path.join("key").exists());
    }
}
