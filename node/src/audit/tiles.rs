//! The files of the log as C2SP's tlog-tiles lay them out: `tile/<level>/<n>` hashes, `tile/entries/<n>` records.
//!
//! A bundle holds up to 256 records, each behind its length (two bytes, big-endian). Files of tiles and bundles that are
//! not full end in `.p/<width>`; those of an earlier checkpoint are deleted when a later one is there.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use meridian_certs::replace_file;
use tlog_tiles::{Error, HASH_SIZE, Tile};

use super::tree::{HEIGHT, WIDTH};

/// The longest record that a bundle can hold (bytes).
pub(super) const MOST_RECORD: usize = u16::MAX as usize;
/// The file of the newest published checkpoint.
pub(super) const CHECKPOINT: &str = "checkpoint";

/// The file of a tile below the log's folder.
pub(super) fn path(tile: &Tile) -> String {
    // The crate's paths are those of Go's checksum database, which name the height as well.
    let path = tile.path();
    path.strip_prefix("tile/8/").map_or_else(|| path.clone(), |rest| format!("tile/{rest}"))
}

/// The file of the bundle with this number and so many records.
pub(super) fn bundle_path(number: u64, width: u32) -> String {
    let tile = Tile::new(HEIGHT, 0, number, width, false);
    path(&tile).replacen("tile/0/", "tile/entries/", 1)
}

/// The hashes of a tile: those of its own file or of the first part of a wider one.
pub(super) fn read(folder: &Path, tile: &Tile) -> Result<Vec<u8>, Error> {
    let length = usize::try_from(tile.width()).unwrap_or(usize::MAX).saturating_mul(HASH_SIZE);
    let full = Tile::new(HEIGHT, tile.level(), tile.level_index(), 1 << HEIGHT, false);
    let found = widest(folder, &path(&full), tile.width());
    let data = found.map_err(|error| Error::InvalidInput(format!("{}: {error}", path(tile))))?;
    data.get(..length).map(<[u8]>::to_vec).ok_or(Error::InvalidTile)
}

/// The records of a bundle, at least so many of them; those of a wider file of the same bundle are more.
pub(super) fn bundle(folder: &Path, number: u64, least: u32) -> io::Result<Vec<Vec<u8>>> {
    let file = bundle_path(number, 1 << HEIGHT);
    let data = widest(folder, &file, least)?;
    let records = records(&data).ok_or_else(|| io::Error::other(format!("{file} is no bundle of records")))?;
    if records.len() < usize::try_from(least).unwrap_or(usize::MAX) {
        return Err(io::Error::other(format!("{file} holds {} records of {least}", records.len())));
    }
    Ok(records)
}

/// The content of a full file, or else of the widest partial one that is wide enough.
fn widest(folder: &Path, full: &str, least: u32) -> io::Result<Vec<u8>> {
    let whole = fs::read(folder.join(full));
    match whole {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        other => return other,
    }
    let partial = folder.join(format!("{full}.p"));
    let widths = fs::read_dir(&partial)?.flatten();
    let widths = widths.filter_map(|entry| entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()));
    match widths.max().filter(|width| *width >= least) {
        Some(width) => fs::read(partial.join(width.to_string())),
        None => Err(io::Error::from(io::ErrorKind::NotFound)),
    }
}

/// Records as a bundle holds them.
pub(super) fn encode<'a>(records: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for record in records {
        bytes.extend_from_slice(&u16::try_from(record.len()).unwrap_or(u16::MAX).to_be_bytes());
        bytes.extend_from_slice(record);
    }
    bytes
}

/// The records of a bundle's bytes; `None` where they are no bundle's.
pub(super) fn records(mut bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut records = Vec::new();
    while !bytes.is_empty() {
        let (length, rest) = bytes.split_first_chunk()?;
        let (record, rest) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
        records.push(record.to_vec());
        bytes = rest;
    }
    Some(records)
}

/// Puts a file in its place at once and whole; durable only where `sync` says so.
pub(super) fn write(path: &Path, bytes: &[u8], sync: bool) -> io::Result<()> {
    // Of a bare name it is the folder that one is in.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    if sync {
        return replace_file(path, 0o666, bytes);
    }
    let mut made = path.as_os_str().to_owned();
    made.push(".new");
    fs::write(&made, bytes)?;
    fs::rename(&made, path)
}

/// Makes files durable that were written without, and the folders in which they lie up to `root`.
pub(super) fn sync(root: &Path, files: &[PathBuf]) -> io::Result<()> {
    let mut folders: Vec<&Path> = Vec::new();
    for file in files {
        File::open(file)?.sync_all()?;
        let above = file.ancestors().skip(1).take_while(|folder| folder.starts_with(root));
        for folder in above {
            if !folders.contains(&folder) {
                folders.push(folder);
            }
        }
    }
    folders.into_iter().try_for_each(|folder| File::open(folder)?.sync_all())
}

/// The number of a record's bundle and its place in it.
pub(super) fn place(index: u64) -> (u64, usize) {
    (index / WIDTH, usize::try_from(index % WIDTH).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn paths_are_those_of_the_specification() {
        let tile = |level, number, width| path(&Tile::new(HEIGHT, level, number, width, false));
        assert_eq!(tile(0, 0, 256), "tile/0/000");
        assert_eq!(tile(2, 1_234_067, 256), "tile/2/x001/x234/067");
        assert_eq!(tile(1, 5, 17), "tile/1/005.p/17");
        assert_eq!(bundle_path(1_000, 256), "tile/entries/x001/000");
        assert_eq!(bundle_path(3, 9), "tile/entries/003.p/9");
        assert_eq!(place(513), (2, 1));
    }

    #[test]
    fn a_bundle_comes_back_and_a_narrower_tile_is_read_from_a_wider_file() {
        let records_of = [b"a".as_slice(), b"", b"ccc"];
        let bytes = encode(records_of);
        assert_eq!(bytes, b"\0\x01a\0\0\0\x03ccc");
        assert_eq!(records(&bytes).unwrap(), records_of);
        assert!(records(b"\0\x02a").is_none() && records(b"\0").is_none());
        let folder = tempfile::tempdir().unwrap();
        write(&folder.path().join(bundle_path(0, 3)), &bytes, true).unwrap();
        assert_eq!(bundle(folder.path(), 0, 2).unwrap().len(), 3);
        assert!(bundle(folder.path(), 0, 4).is_err() && bundle(folder.path(), 1, 1).is_err());
        write(&folder.path().join("tile/0/000.p/3"), &[9; 96], false).unwrap();
        assert_eq!(read(folder.path(), &Tile::new(HEIGHT, 0, 0, 2, false)).unwrap(), [9; 64]);
        assert!(read(folder.path(), &Tile::new(HEIGHT, 0, 0, 4, false)).is_err());
    }
}
