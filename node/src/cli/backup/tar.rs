//! Files in one stream, in the form of tar (POSIX ustar; GNU's entry for long names), so that any tar lists what is in it.

use std::io::{self, Read, Write};

const BLOCK: usize = 512;
/// The longest name that stands in a heading, in bytes.
const NAME: usize = 100;
/// The longest name that is taken, in bytes.
const LONGEST: u64 = 4096;
/// The name of the entry that holds the name of the next.
const LONG_NAME: &str = "././@LongLink";

/// Appends a file: its name, relative and with slashes, its permissions and so many bytes of `content`.
pub(super) fn append(to: &mut dyn Write, name: &str, mode: u32, length: u64, content: &mut dyn Read) -> io::Result<()> {
    if name.len() > NAME {
        let bytes = [name.as_bytes(), b"\0"].concat();
        to.write_all(&heading(LONG_NAME, 0o644, bytes.len() as u64, b'L')?)?;
        to.write_all(&bytes)?;
        fill(to, bytes.len() as u64)?;
    }
    to.write_all(&heading(name, mode, length, b'0')?)?;
    let copied = io::copy(&mut content.take(length), to)?;
    if copied < length {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, format!("{name} became shorter while it was read")));
    }
    fill(to, length)
}

/// Appends a folder.
pub(super) fn append_folder(to: &mut dyn Write, name: &str, mode: u32) -> io::Result<()> {
    to.write_all(&heading(&format!("{name}/"), mode, 0, b'5')?)
}

/// Ends it.
pub(super) fn finish(to: &mut dyn Write) -> io::Result<()> {
    to.write_all(&[0; 2 * BLOCK])?;
    to.flush()
}

fn fill(to: &mut dyn Write, length: u64) -> io::Result<()> {
    let over = usize::try_from(length % BLOCK as u64).unwrap_or(0);
    if over > 0 { to.write_all(&vec![0; BLOCK - over]) } else { Ok(()) }
}

fn heading(name: &str, mode: u32, length: u64, kind: u8) -> io::Result<Vec<u8>> {
    let mut block = Vec::with_capacity(BLOCK);
    let mut field = |bytes: &[u8], width: usize| {
        block.extend(bytes.iter().take(width));
        block.resize(block.len() + width.saturating_sub(bytes.len()), 0);
    };
    field(name.as_bytes(), NAME);
    field(format!("{mode:07o}\0").as_bytes(), 8);
    // Whoever restores it owns it.
    field(b"0000000\0", 8);
    field(b"0000000\0", 8);
    if length >= 1 << 33 {
        return Err(io::Error::other(format!("{name} has 8 GiB or more, which a backup does not hold")));
    }
    field(format!("{length:011o}\0").as_bytes(), 12);
    field(b"00000000000\0", 12);
    field(b"        ", 8);
    field(&[kind], 1);
    field(b"", NAME);
    field(b"ustar\0", 6);
    field(b"00", 2);
    field(b"", BLOCK - 265);
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    for (place, byte) in block.iter_mut().skip(148).zip(format!("{sum:06o}\0 ").into_bytes()) {
        *place = byte;
    }
    Ok(block)
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// Relative, with slashes; nothing in it leads elsewhere.
    pub(super) name: String,
    /// The permissions.
    pub(super) mode: u32,
    /// Bytes of content; `None` of a folder.
    pub(super) length: Option<u64>,
}

/// Hands each entry and its content to `take`, in order.
pub(super) fn each(
    from: &mut dyn Read,
    mut take: impl FnMut(&Entry, &mut dyn Read) -> io::Result<()>,
) -> io::Result<()> {
    let mut long = None;
    loop {
        let mut block = [0; BLOCK];
        from.read_exact(&mut block)?;
        if block.iter().all(|byte| *byte == 0) {
            return Ok(());
        }
        let (name, mode, length, kind) = read(&block)?;
        if kind == b'L' {
            if length > LONGEST {
                return Err(bad("a name is too long"));
            }
            let mut bytes = Vec::new();
            Read::take(&mut *from, length).read_to_end(&mut bytes)?;
            skip(from, length)?;
            long = Some(text(&bytes)?);
            continue;
        }
        let name = long.take().unwrap_or(name);
        let name = name.trim_end_matches('/').to_owned();
        let leads_away = |part: &str| matches!(part, "" | "." | "..") || part.contains('\0');
        if name.split('/').any(leads_away) {
            return Err(bad("a name leads out of the folder"));
        }
        let length = match kind {
            b'0' | 0 => Some(length),
            b'5' => None,
            _ => return Err(bad("it holds something else than files and folders")),
        };
        let entry = Entry { name, mode: mode & 0o777, length };
        let mut content = Read::take(&mut *from, length.unwrap_or(0));
        take(&entry, &mut content)?;
        let left = content.limit();
        io::copy(&mut Read::take(&mut *from, left), &mut io::sink())?;
        skip(from, length.unwrap_or(0))?;
    }
}

fn skip(from: &mut dyn Read, length: u64) -> io::Result<()> {
    let over = length % BLOCK as u64;
    let rest = if over > 0 { BLOCK as u64 - over } else { 0 };
    io::copy(&mut from.take(rest), &mut io::sink()).map(drop)
}

fn read(block: &[u8; BLOCK]) -> io::Result<(String, u32, u64, u8)> {
    let part = |from: usize, length: usize| block.iter().copied().skip(from).take(length).collect::<Vec<u8>>();
    let number = |from, length| {
        let text = text(&part(from, length))?;
        u64::from_str_radix(text.trim(), 8).map_err(|_| bad("a heading holds no number where one should be"))
    };
    let said = number(148, 8)?;
    let sum = block.iter().enumerate().map(|(at, byte)| if (148..156).contains(&at) { 32 } else { u64::from(*byte) });
    if sum.sum::<u64>() != said {
        return Err(bad("a heading is damaged"));
    }
    let mode = u32::try_from(number(100, 8)?).unwrap_or(0);
    let kind = part(156, 1).first().copied().unwrap_or_default();
    Ok((text(&part(0, NAME))?, mode, number(124, 12)?, kind))
}

fn text(bytes: &[u8]) -> io::Result<String> {
    let bytes: Vec<u8> = bytes.iter().copied().take_while(|byte| *byte != 0).collect();
    String::from_utf8(bytes).map_err(|_| bad("a name is no UTF-8"))
}

fn bad(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use std::process::Command;

    use super::*;

    fn packed(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut bytes = Vec::new();
        append_folder(&mut bytes, "state", 0o700).unwrap();
        for (name, content) in files {
            append(&mut bytes, name, 0o600, content.len() as u64, &mut &**content).unwrap();
        }
        finish(&mut bytes).unwrap();
        bytes
    }

    fn unpacked(bytes: &[u8]) -> io::Result<Vec<(Entry, Vec<u8>)>> {
        let mut found = Vec::new();
        each(&mut &*bytes, |entry, content| {
            let mut bytes = Vec::new();
            content.read_to_end(&mut bytes)?;
            found.push((entry.clone(), bytes));
            Ok(())
        })?;
        Ok(found)
    }

    #[test]
    fn what_was_packed_is_unpacked_here_and_by_any_tar() {
        let long = format!("state/{}/b", "a".repeat(150));
        let large = vec![7; 3 * BLOCK];
        let files: [(&str, &[u8]); 4] =
            [("node.toml", b"x = 1\n"), ("state/empty", b""), (&long, b"long"), ("z", &large)];
        let bytes = packed(&files);
        let found = unpacked(&bytes).unwrap();
        assert_eq!(found[0].0, Entry { name: "state".into(), mode: 0o700, length: None });
        for ((name, content), (entry, read)) in files.iter().zip(&found[1..]) {
            assert_eq!((entry.name.as_str(), read.as_slice(), entry.mode), (*name, *content, 0o600));
        }
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.tar"), &bytes).unwrap();
        let ran = Command::new("tar").args(["-xf", "a.tar"]).current_dir(folder.path()).output().unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        for (name, content) in files {
            assert_eq!(std::fs::read(folder.path().join(name)).unwrap(), content, "{name}");
        }
    }

    #[test]
    fn what_leads_elsewhere_or_is_damaged_is_refused() {
        for name in ["../x", "/etc/passwd", "a/../../x", "a//b", "."] {
            assert!(unpacked(&packed(&[(name, b"x")])).is_err(), "{name}");
        }
        let bytes = packed(&[("a", b"content")]);
        for at in [0, BLOCK + 3, BLOCK + 150] {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            assert!(unpacked(&damaged).is_err(), "{at}");
        }
        assert!(unpacked(&bytes[..bytes.len() - 2 * BLOCK]).is_err(), "cut short");
        let mut link = heading("a", 0o600, 0, b'2').unwrap();
        link.extend([0; 2 * BLOCK]);
        assert!(unpacked(&link).is_err(), "a link");
    }
}
