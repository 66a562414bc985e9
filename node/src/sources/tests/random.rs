//! Whatever bytes a file holds, it is read or refused: no reader panics, hangs or runs out of memory.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::*;

/// Pieces of which files of each kind are made.
const PIECES: [&[u8]; 24] = [
    b"a,b,c\n",
    b"\r",
    b"\r\n",
    b"\"",
    b",",
    b"\xEF\xBB\xBF",
    b"\xFF\xFE",
    b"\x1F\x8B\x08\x00",
    b"{\"a\":1}\n",
    b"[{",
    b"}]",
    b"{",
    b":",
    b"null",
    b"\\u0000",
    b"\\",
    b"PK\x03\x04",
    b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1",
    b"\x00\x00\x00\x00",
    b"\x80",
    b"1e9",
    b"\n\n",
    b" ",
    b"\xC2\xA0",
];

pub(super) fn bytes(random: &mut StdRng) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..random.random_range(0..40) {
        if random.random_ratio(1, 4) {
            bytes.push(random.random());
        } else {
            bytes.extend(PIECES[random.random_range(0..PIECES.len())]);
        }
    }
    bytes
}

pub(super) fn kind(random: &mut StdRng) -> SourceKind {
    let tidy = Tidy { trim: random.random(), blank_rows: random.random(), repeated_headings: random.random() };
    let (header, skip) = (random.random(), random.random_range(0..3));
    let encodings =
        [None, Some(encoding_rs::WINDOWS_1252), Some(encoding_rs::UTF_16LE), Some(encoding_rs::ISO_2022_JP)];
    let encoding = encodings[random.random_range(0..encodings.len())];
    match random.random_range(0..4) {
        0 => SourceKind::JsonLines,
        1 => SourceKind::Excel(ExcelFormat { sheet: None, header, skip, tidy }),
        _ => SourceKind::Csv(CsvFormat { delimiter: b',', header, encoding, skip, pad: random.random(), tidy }),
    }
}

/// Reads all rows, or is told why it can't.
fn read(spec: &SourceSpec) -> Result<usize, files::FileFault> {
    Arc::new(files::Files::open(&spec.path, &spec.kind)?)
        .parts()
        .map(|part| part.map(|part| part.batch.num_rows()))
        .sum()
}

#[test]
fn any_bytes_are_read_or_refused() {
    let seed = rand::rng().random();
    eprintln!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let mut source = file("people", "", SourceKind::JsonLines, &["a varchar"], None);
    let mut good = 0;
    for _ in 0..3_000 {
        fs::write(&source.spec.path, bytes(&mut random)).unwrap();
        source.spec.kind = kind(&mut random);
        good += usize::from(read(&source.spec).is_ok());
    }
    assert!(good > 20, "only {good} of 3000 could be read: the cases are too wild to test anything");
}

#[test]
fn damaged_workbooks_are_read_or_refused() {
    let seed = rand::rng().random();
    eprintln!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let kind = SourceKind::Excel(ExcelFormat { sheet: Some("Payments".into()), ..ExcelFormat::default() });
    let source = file("people", "", kind, &["a varchar"], None);
    for whole in [excel::workbook(), excel::OLD.to_vec()] {
        for _ in 0..500 {
            let mut damaged = whole.clone();
            for _ in 0..random.random_range(1..8) {
                let at = random.random_range(0..damaged.len());
                damaged[at] = random.random();
            }
            if random.random_ratio(1, 4) {
                damaged.truncate(random.random_range(0..damaged.len()));
            }
            fs::write(&source.spec.path, damaged).unwrap();
            let _ = read(&source.spec);
        }
    }
}
