//! Seals a file in chunks: without the key nothing in it can be read, altered, cut short, reordered or moved elsewhere.
//!
//! A file is a heading, a random salt, and chunks of 1 MiB with their tags, the last one shorter or as long. The key is
//! HKDF-SHA256 of the node's key and the salt, so that no two files share one and the chunk's number is nonce enough for
//! AES-256-GCM. Authenticated with each chunk are the file's place and whether it is the last.

use std::io::{self, BufRead, Read, Write};

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, Salt};
use ring::rand::{SecureRandom, SystemRandom};

/// Bytes of a chunk before it is sealed.
const CHUNK: usize = 1024 * 1024;
const HEADING: &[u8; 18] = b"meridian sealed 1\n";
const SALT: usize = 32;
const TAG: usize = 16;
const NONCE_COUNTER: usize = 8;

/// The chunks of one file, in order.
struct Chunks {
    key: LessSafeKey,
    place: Vec<u8>,
    next: u64,
}

impl Chunks {
    fn new(key: &[u8; 32], salt: &[u8; SALT], place: &[u8]) -> io::Result<Self> {
        let secret = Salt::new(HKDF_SHA256, salt).extract(key);
        let key: UnboundKey = secret.expand(&[b"meridian sealed"], &AES_256_GCM).map_err(unusable)?.into();
        Ok(Self { key: LessSafeKey::new(key), place: place.to_vec(), next: 0 })
    }

    fn seal(&mut self, chunk: &mut Vec<u8>, last: bool) -> io::Result<()> {
        let (nonce, place) = self.take(last);
        self.key.seal_in_place_append_tag(nonce, place, chunk).map_err(unusable)
    }

    fn open(&mut self, chunk: &mut Vec<u8>, last: bool) -> io::Result<()> {
        let (nonce, place) = self.take(last);
        let length = self.key.open_in_place(nonce, place, chunk).map_err(unusable)?.len();
        chunk.truncate(length);
        Ok(())
    }

    fn take(&mut self, last: bool) -> (Nonce, Aad<Vec<u8>>) {
        let mut nonce = [0; NONCE_LEN];
        if let Some(counter) = nonce.last_chunk_mut::<NONCE_COUNTER>() {
            *counter = self.next.to_be_bytes();
        }
        self.next += 1;
        let place = self.place.iter().copied().chain([u8::from(last)]).collect();
        (Nonce::assume_unique_for_key(nonce), Aad::from(place))
    }
}

/// Seals what is written; nothing counts before [`Sealer::finish`].
pub struct Sealer<W> {
    inner: W,
    chunks: Chunks,
    open: Vec<u8>,
}

impl<W: Write> Sealer<W> {
    /// Begins a file that stands for `place`.
    pub fn new(mut inner: W, key: &[u8; 32], place: &[u8]) -> io::Result<Self> {
        let mut salt = [0; SALT];
        SystemRandom::new().fill(&mut salt).map_err(unusable)?;
        inner.write_all(HEADING)?;
        inner.write_all(&salt)?;
        Ok(Self { inner, chunks: Chunks::new(key, &salt, place)?, open: Vec::with_capacity(CHUNK + TAG) })
    }

    /// Seals the last chunk.
    pub fn finish(mut self) -> io::Result<W> {
        self.put(true)?;
        self.inner.flush()?;
        Ok(self.inner)
    }

    fn put(&mut self, last: bool) -> io::Result<()> {
        self.chunks.seal(&mut self.open, last)?;
        self.inner.write_all(&self.open)?;
        self.open.clear();
        Ok(())
    }
}

impl<W: Write> Write for Sealer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A full chunk waits for more, since it may be the last.
        if self.open.len() == CHUNK && !bytes.is_empty() {
            self.put(false)?;
        }
        let (now, _) = bytes.split_at(bytes.len().min(CHUNK - self.open.len()));
        self.open.extend_from_slice(now);
        Ok(now.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Opens what was sealed for a place. Not a byte is given that isn't authentic, and the end only where the last chunk ends.
pub struct Opener<R> {
    inner: R,
    /// `None` after a chunk that isn't authentic: none behind it is given either.
    chunks: Option<Chunks>,
    open: Vec<u8>,
    given: usize,
    ended: bool,
}

impl<R: BufRead> Opener<R> {
    /// Begins to read a file that stands for `place`.
    pub fn new(mut inner: R, key: &[u8; 32], place: &[u8]) -> io::Result<Self> {
        let (mut heading, mut salt) = ([0; HEADING.len()], [0; SALT]);
        inner.read_exact(&mut heading)?;
        inner.read_exact(&mut salt)?;
        if &heading != HEADING {
            return Err(unusable(ring::error::Unspecified));
        }
        let chunks = Some(Chunks::new(key, &salt, place)?);
        Ok(Self { inner, chunks, open: Vec::new(), given: 0, ended: false })
    }

    fn advance(&mut self) -> io::Result<()> {
        let mut chunks = self.chunks.take().ok_or_else(|| unusable(ring::error::Unspecified))?;
        self.given = 0;
        self.open.clear();
        self.inner.by_ref().take((CHUNK + TAG) as u64).read_to_end(&mut self.open)?;
        let last = self.inner.fill_buf()?.is_empty();
        chunks.open(&mut self.open, last).inspect_err(|_| self.open.clear())?;
        self.ended = last;
        self.chunks = Some(chunks);
        Ok(())
    }
}

impl<R: BufRead> Read for Opener<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.given == self.open.len() && !self.ended {
            self.advance()?;
        }
        let read = self.open.get(self.given..).unwrap_or_default().read(into)?;
        self.given += read;
        Ok(read)
    }
}

fn unusable(_: ring::error::Unspecified) -> io::Error {
    io::Error::other("it can't be sealed or opened")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    const KEY: [u8; 32] = [7; 32];

    fn sealed(text: &[u8]) -> Vec<u8> {
        let mut sealer = Sealer::new(Vec::new(), &KEY, b"here").unwrap();
        sealer.write_all(text).unwrap();
        sealer.finish().unwrap()
    }

    fn opened(sealed: &[u8], key: &[u8; 32], place: &[u8]) -> io::Result<Vec<u8>> {
        let mut text = Vec::new();
        Opener::new(sealed, key, place)?.read_to_end(&mut text)?;
        Ok(text)
    }

    fn text(length: usize) -> Vec<u8> {
        (0..length).map(|at| (at % 251) as u8).collect()
    }

    #[test]
    fn what_was_sealed_is_opened_whatever_its_length() {
        for length in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 5] {
            let file = sealed(&text(length));
            assert_eq!(opened(&file, &KEY, b"here").unwrap(), text(length), "{length}");
            assert_eq!(file.len(), HEADING.len() + SALT + length + TAG * length.div_ceil(CHUNK).max(1));
        }
        assert_ne!(sealed(b"text"), sealed(b"text"), "each file has a key of its own");
    }

    #[test]
    fn a_file_opens_whole_and_in_its_own_place_or_not_at_all() {
        let file = sealed(&text(2 * CHUNK + 5));
        assert!(opened(&file, &[8; 32], b"here").is_err());
        assert!(opened(&file, &KEY, b"there").is_err());
        let first = HEADING.len() + SALT;
        let second = first + CHUNK + TAG;
        let third = second + CHUNK + TAG;
        for end in [0, 5, HEADING.len(), first, first + 1, second - 1, second, third - 1, third, file.len() - 1] {
            assert!(opened(&file[..end], &KEY, b"here").is_err(), "cut at {end}");
        }
        for at in [0, HEADING.len(), first, second - 1, second, third, file.len() - 1] {
            let mut flipped = file.clone();
            flipped[at] ^= 1;
            assert!(opened(&flipped, &KEY, b"here").is_err(), "flipped at {at}");
        }
        let parts = |order: [std::ops::Range<usize>; 3]| {
            order.into_iter().fold(file[..first].to_vec(), |made, part| [made.as_slice(), &file[part]].concat())
        };
        assert!(opened(&parts([first..second, second..third, third..file.len()]), &KEY, b"here").is_ok());
        assert!(opened(&parts([second..third, first..second, third..file.len()]), &KEY, b"here").is_err());
        assert!(opened(&parts([first..second, third..file.len(), third..third]), &KEY, b"here").is_err());
        assert!(opened(&[file.as_slice(), b"x"].concat(), &KEY, b"here").is_err());
    }

    #[test]
    fn nothing_behind_a_broken_chunk_is_given() {
        let mut file = sealed(&text(2 * CHUNK + 5));
        file[HEADING.len() + SALT] ^= 1;
        let mut opener = Opener::new(file.as_slice(), &KEY, b"here").unwrap();
        for _ in 0..4 {
            assert!(opener.read(&mut [0; 8]).is_err());
        }
    }
}
