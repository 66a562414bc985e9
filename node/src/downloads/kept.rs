//! The folder of files: `<dataset>.<version>.csv` with its packed form, its receipt and its first rows beside it.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::Compression;
use flate2::write::GzEncoder;
use meridian_proto::Name;

use super::Kind;
use crate::portal::Sample;

/// How the name of a file begins that is not whole yet.
const UNDER_WAY: &str = ".new-";

/// The folder.
#[derive(Debug, Clone)]
pub(super) struct Folder(PathBuf);

/// A file that can be sent.
#[derive(Debug, Clone)]
pub struct Ready {
    /// Where it is.
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
    /// The same packed with gzip, and its length.
    pub packed: Option<(PathBuf, u64)>,
    /// What tells it from other versions and formats, without quotes.
    pub tag: String,
    /// Its first rows, where it is the one that people are shown them of.
    pub(super) sample: Option<Arc<Sample>>,
}

impl Ready {
    /// Whether it still is where it was, and whole.
    pub(super) fn is_there(&self) -> bool {
        let is = |path: &Path, bytes| fs::metadata(path).is_ok_and(|data| data.len() == bytes);
        is(&self.path, self.bytes) && self.packed.as_ref().is_none_or(|(path, bytes)| is(path, *bytes))
    }
}

impl Folder {
    /// Makes it where it is not there, and removes what was not finished.
    pub(super) fn open(path: PathBuf) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(&path)?;
        for entry in fs::read_dir(&path)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(UNDER_WAY) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(Self(path))
    }

    /// A file in it.
    pub(super) fn beside(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn place(&self, dataset: &Name, version: &str, ending: &str) -> PathBuf {
        self.0.join(format!("{dataset}.{version}.{ending}"))
    }

    /// Where a file is written before it is whole.
    pub(super) fn under_way(&self, dataset: &Name, kind: Kind) -> PathBuf {
        self.0.join(format!("{UNDER_WAY}{dataset}.{}", kind.ending()))
    }

    /// The file of a version, where it was made before.
    pub(super) fn kept(&self, dataset: &Name, version: &str, kind: Kind) -> Option<Ready> {
        let path = self.place(dataset, version, kind.ending());
        let bytes = fs::metadata(&path).ok()?.len();
        let packed = self.place(dataset, version, &format!("{}.gz", kind.ending()));
        let packed = fs::metadata(&packed).ok().map(|data| (packed, data.len()));
        let sample = fs::read(self.place(dataset, version, "sample")).ok();
        let sample = sample.filter(|_| kind == Kind::Csv).and_then(|bytes| serde_json::from_slice(&bytes).ok());
        Some(Ready { path, bytes, packed, tag: format!("{version}-{}", kind.ending()), sample: sample.map(Arc::new) })
    }

    /// Takes a file that is whole, the last of what belongs to it, so that whoever finds it finds all.
    pub(super) fn take(
        &self,
        (dataset, version, kind): (&Name, &str, Kind),
        written: &Path,
        receipt: &[u8],
        sample: Option<&Sample>,
    ) -> io::Result<Ready> {
        let ending = kind.ending();
        fs::write(self.place(dataset, version, &format!("{ending}.receipt")), receipt)?;
        if let Some(sample) = sample {
            fs::write(self.place(dataset, version, "sample"), serde_json::to_vec(sample)?)?;
        }
        if kind.is_packed() {
            let under_way = written.with_extension("gz");
            pack(written, &under_way)?;
            fs::rename(under_way, self.place(dataset, version, &format!("{ending}.gz")))?;
        }
        // After a crash it is taken for whole.
        File::open(written)?.sync_all()?;
        fs::rename(written, self.place(dataset, version, ending))?;
        self.kept(dataset, version, kind).ok_or_else(|| io::Error::other("the file that was just written is gone"))
    }

    /// Removes all files of datasets and versions that are not to stay.
    pub(super) fn sweep(&self, stays: impl Fn(&Name, &str) -> bool) -> io::Result<()> {
        for entry in fs::read_dir(&self.0)? {
            let entry = entry?;
            let file = entry.file_name();
            let file = file.to_string_lossy();
            let mut parts = file.splitn(3, '.');
            let (Some(dataset), Some(version), Some(_)) = (parts.next(), parts.next(), parts.next()) else { continue };
            let Ok(dataset) = dataset.parse::<Name>() else { continue };
            if !stays(&dataset, version) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }
}

fn pack(from: &Path, to: &Path) -> io::Result<()> {
    let mut packed = GzEncoder::new(File::create(to)?, Compression::default());
    io::copy(&mut File::open(from)?, &mut packed)?;
    packed.finish()?.sync_all()
}
