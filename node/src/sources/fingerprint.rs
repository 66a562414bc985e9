//! Finds the files behind a source, and tells whether they have changed since they were read.

use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Which files of a folder belong to a source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FilesOf {
    /// How their names end.
    pub suffixes: &'static [&'static str],
    /// How the names of files and folders begin that are none of them, whatever their ends.
    pub hidden: &'static [char],
    /// The end of the name of a file beside each, which may be there and belongs to it.
    pub beside: Option<&'static str>,
}

impl FilesOf {
    /// Whether a file below a source's folder, named from there with `/`, belongs to it.
    pub(super) fn takes(&self, below: &str) -> bool {
        let mut names = below.split('/').filter(|name| !name.is_empty()).rev();
        let name = names.next().unwrap_or_default().to_ascii_lowercase();
        let fits = self.suffixes.iter().any(|suffix| name.ends_with(suffix));
        fits && !name.starts_with(self.hidden) && !names.any(|folder| folder.starts_with(self.hidden))
    }
}

/// Deepest nesting of a source's folders, in folders: links may make a circle of them.
const DEEPEST: usize = 16;

/// Length and time of last change of the files behind a source.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fingerprint {
    path: PathBuf,
    of: FilesOf,
    files: Vec<(PathBuf, u64, SystemTime)>,
}

impl Fingerprint {
    /// The files at `path` as they are now.
    pub fn of(path: &Path, of: FilesOf) -> io::Result<Self> {
        let mut files: Vec<_> = files_at(path, of)?.into_iter().map(state_of).collect::<io::Result<_>>()?;
        if let Some(end) = of.beside {
            let beside = files.iter().map(|(file, ..)| {
                let mut name = file.as_os_str().to_owned();
                name.push(end);
                PathBuf::from(name)
            });
            let beside: Vec<_> = beside.filter(|file| file.exists()).map(state_of).collect::<io::Result<_>>()?;
            files.extend(beside);
        }
        Ok(Self { path: path.to_path_buf(), of, files })
    }

    /// When the newest of the files last changed; `None` where there are none.
    pub fn newest(&self) -> Option<SystemTime> {
        self.files.iter().map(|(_, _, changed)| *changed).max()
    }

    /// Their lengths together.
    pub(super) fn bytes(&self) -> u64 {
        self.files.iter().map(|(_, length, _)| length).sum()
    }

    /// Whether the files are still as they were.
    pub fn holds(&self) -> bool {
        Self::of(&self.path, self.of).is_ok_and(|now| now == *self)
    }
}

/// The file itself, or those files of a folder that belong to a source, sorted by name.
pub(super) fn files_at(path: &Path, of: FilesOf) -> io::Result<Vec<PathBuf>> {
    if !path.metadata()?.is_dir() {
        return Ok(vec![path.to_path_buf()]);
    }
    let mut files = Vec::new();
    gather(path, of, DEEPEST, &mut files)?;
    files.sort();
    Ok(files)
}

fn gather(folder: &Path, of: FilesOf, depth: usize, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in folder.read_dir()? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        if name.starts_with(of.hidden) {
            continue;
        }
        if of.suffixes.iter().any(|suffix| name.ends_with(suffix)) && path.is_file() {
            files.push(path);
        } else if path.is_dir() {
            let depth = depth.checked_sub(1).ok_or_else(|| io::Error::other("its folders are nested too deeply"))?;
            gather(&path, of, depth, files)?;
        }
    }
    Ok(())
}

fn state_of(file: PathBuf) -> io::Result<(PathBuf, u64, SystemTime)> {
    let metadata = file.metadata()?;
    let changed = metadata.modified()?;
    Ok((file, metadata.len(), changed))
}
