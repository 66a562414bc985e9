//! Where profiles are: `meridian/profiles/NAME.toml` in the folder that XDG names for configuration, and which of them is the
//! default.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::super::Error;
use crate::spelling;

/// The profiles of the user.
pub(crate) struct Profiles {
    /// `meridian` in the folder for configuration.
    folder: PathBuf,
}

impl Profiles {
    /// Those of the surroundings; none where neither XDG_CONFIG_HOME nor HOME is an absolute path.
    pub(crate) fn of_user() -> Option<Self> {
        let named = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let folder = named("XDG_CONFIG_HOME").or_else(|| Some(named("HOME")?.join(".config")))?;
        Some(Self { folder: folder.join("meridian") })
    }

    /// The folder in which profiles have names.
    pub(crate) fn folder(&self) -> PathBuf {
        self.folder.join("profiles")
    }

    /// The names that there are, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder()).into_iter().flatten().flatten();
        let mut names: Vec<String> =
            entries.filter_map(|entry| Some(entry.file_name().to_str()?.strip_suffix(".toml")?.to_owned())).collect();
        names.sort();
        names
    }

    /// The file of a profile that has a name or is named by its path.
    pub(crate) fn find(named: &Path) -> Result<PathBuf, Error> {
        if !is_name(named) {
            return Ok(named.to_owned());
        }
        let profiles = Self::of_user();
        let file = profiles.as_ref().map(|profiles| profiles.path(named));
        match file {
            Some(file) if file.is_file() => Ok(file),
            // A file in this folder without an ending.
            _ if named.is_file() => Ok(named.to_owned()),
            _ => Err(unknown(named, profiles.as_ref())),
        }
    }

    /// The profile that is used where none is named.
    pub(crate) fn default(&self) -> Result<Option<PathBuf>, Error> {
        match fs::read_to_string(self.default_path()) {
            Ok(text) => {
                let named = PathBuf::from(text.trim());
                Ok(Some(if is_name(&named) { self.path(&named) } else { named }))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(Error::Read { path: self.default_path(), source }),
        }
    }

    /// Makes a profile the default: by its name, or by where its file is.
    pub(crate) fn set_default(&self, named: &Path) -> Result<PathBuf, Error> {
        let file = Self::find(named)?;
        let kept = if is_name(named) && file == self.path(named) {
            named.to_owned()
        } else {
            fs::canonicalize(&file).map_err(|source| Error::Read { path: file.clone(), source })?
        };
        let path = self.default_path();
        fs::create_dir_all(&self.folder)
            .and_then(|()| fs::write(&path, format!("{}\n", kept.display())))
            .map_err(|source| Error::Write { path, source })?;
        Ok(file)
    }

    fn path(&self, name: &Path) -> PathBuf {
        self.folder().join(format!("{}.toml", name.display()))
    }

    fn default_path(&self) -> PathBuf {
        self.folder.join("default-profile")
    }
}

/// Whether it is a name and not a path.
pub(super) fn is_name(named: &Path) -> bool {
    named.components().count() == 1 && named.extension().is_none() && !named.as_os_str().is_empty()
}

fn unknown(named: &Path, profiles: Option<&Profiles>) -> Error {
    let named = named.display().to_string();
    let Some(profiles) = profiles else {
        return Error::Usage(format!("there is no profile {named}: give the path of its file"));
    };
    let names = profiles.names();
    let near = spelling::nearest(&named, names.iter().map(String::as_str));
    let near = near.map(|near| format!("did you mean {near}? ")).unwrap_or_default();
    Error::Usage(format!(
        "there is no profile {named} in {}: {near}put {named}.toml there, or give the path of a profile's file (`meridian \
         profile list` shows those that have names)",
        profiles.folder().display()
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
    use super::*;

    #[test]
    fn a_default_is_a_name_or_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let profiles = Profiles { folder: dir.path().join("meridian") };
        assert_eq!(profiles.default().unwrap(), None);
        fs::create_dir_all(profiles.folder()).unwrap();
        fs::write(profiles.folder().join("asha.toml"), "").unwrap();
        fs::write(dir.path().join("other.toml"), "").unwrap();
        assert_eq!(profiles.names(), ["asha"]);
        let other = fs::canonicalize(dir.path().join("other.toml")).unwrap();
        profiles.set_default(&other).unwrap();
        assert_eq!(profiles.default().unwrap(), Some(other));
        fs::write(profiles.default_path(), "asha\n").unwrap();
        assert_eq!(profiles.default().unwrap(), Some(profiles.folder().join("asha.toml")));
        let error = unknown(Path::new("ahsa"), Some(&profiles)).to_string();
        assert!(error.contains("did you mean asha?") && error.contains("meridian/profiles"), "{error}");
    }

    #[test]
    fn names_are_told_from_paths() {
        assert!(is_name(Path::new("asha")) && is_name(Path::new("asha_2")));
        for path in ["asha.toml", "./asha", "a/b", "/asha", ""] {
            assert!(!is_name(Path::new(path)), "{path}");
        }
    }
}
