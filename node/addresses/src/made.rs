//! Made lists of addresses, and texts for them that are written as people write: every rule by which a text departs from its
//! address is named, and which are taken is drawn from a seed.
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests and benchmarks alone")]

use super::{Builder, Fields, List, TooLarge};

/// Names of streets, some of which are near to each other.
const STREETS: [&str; 48] = [
    "HIGH",
    "CHURCH",
    "MILL",
    "STATION",
    "PARK",
    "VICTORIA",
    "ALBERT",
    "ALEXANDRA",
    "ALEXANDER",
    "GREEN",
    "MANOR",
    "KINGS",
    "QUEENS",
    "NEW",
    "GRANGE",
    "ACACIA",
    "ST JAMES",
    "ST MARYS",
    "UPPER PARK",
    "OLD CHURCH",
    "WINDSOR",
    "YORK",
    "SPRINGFIELD",
    "HIGHFIELD",
    "CLARENCE",
    "CLAREMONT",
    "CAMBRIDGE",
    "CAMDEN",
    "BRUNSWICK",
    "MORTIMER",
    "WELLINGTON",
    "WELLESLEY",
    "TRAFALGAR",
    "NELSON",
    "GLOUCESTER",
    "GROSVENOR",
    "BELGRAVE",
    "BELMONT",
    "HAMILTON",
    "HAMPTON",
    "LANSDOWNE",
    "MONTAGUE",
    "PEMBROKE",
    "RICHMOND",
    "SOMERSET",
    "STANLEY",
    "WOODSIDE",
    "WOODLANDS",
];
const KINDS: [&str; 8] = ["STREET", "ROAD", "AVENUE", "LANE", "CLOSE", "GARDENS", "TERRACE", "SQUARE"];
/// How people shorten [`KINDS`].
const SHORT: [&str; 8] = ["St", "Rd", "Ave", "Ln", "Cl", "Gdns", "Ter", "Sq"];
const HOUSES: [&str; 12] = [
    "ROSE COTTAGE",
    "THE OLD RECTORY",
    "IVY HOUSE",
    "THE LODGE",
    "MILL HOUSE",
    "OAK VIEW",
    "HOLLY BANK",
    "THE COTTAGE",
    "CEDAR HOUSE",
    "THE GRANARY",
    "BEECH LAWN",
    "WILLOW END",
];
const BLOCKS: [&str; 8] = [
    "ALPHA COURT",
    "BEVAN HOUSE",
    "TOWER VIEW",
    "MERCHANT HOUSE",
    "CANAL WHARF",
    "KEIR HARDIE HOUSE",
    "NYE HOUSE",
    "ATTLEE COURT",
];
const LOCALITIES: [&str; 6] = ["KENTISH TOWN", "PECKHAM", "BALHAM", "HOLLOWAY", "STREATHAM", "BOW"];
const AREAS: [(&str, u64); 6] = [("NW", 11), ("SE", 28), ("SW", 20), ("N", 22), ("E", 18), ("W", 14)];
const TRADERS: [&str; 6] = ["SMITH AND SONS", "CITY NEWS", "GOLDEN DRAGON", "PATEL PHARMACY", "THE CROWN", "QUICKCUTS"];

/// Numbers that look random and are the same for the same seed (Steele, Lea and Flood's SplitMix64).
#[derive(Debug, Clone)]
pub struct Draw(u64);

impl Draw {
    /// From a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// One of so many.
    fn below(&mut self, many: u64) -> u64 {
        self.next() % many.max(1)
    }

    /// Whether something happens that happens so many times in a hundred.
    fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    fn of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        let at = self.below(all.len() as u64);
        usize::try_from(at).ok().and_then(|at| all.get(at)).copied().unwrap_or_default()
    }
}

/// An address of a made list, in the columns of AddressBase.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the columns of a list")]
pub struct Address {
    pub uprn: i64,
    pub organisation: String,
    pub flat: String,
    pub name: String,
    pub number: String,
    pub street: String,
    pub locality: String,
    pub postcode: String,
}

impl Address {
    /// Its columns; the town is London.
    pub fn fields(&self) -> Fields<'_> {
        fn there(text: &str) -> Option<&str> {
            (!text.is_empty()).then_some(text)
        }
        Fields {
            organisation: there(&self.organisation),
            flat: there(&self.flat),
            name: there(&self.name),
            number: there(&self.number),
            street: there(&self.street),
            locality: there(&self.locality),
            town: Some("LONDON"),
            postcode: there(&self.postcode),
            text: None,
        }
    }
}

/// So many addresses at least: streets of houses, some divided into flats, named ones, ranges, letters, shops and blocks.
pub fn addresses(least: usize, draw: &mut Draw) -> Vec<Address> {
    let mut made: Vec<Address> = Vec::with_capacity(least + 64);
    let mut streets = 0;
    while made.len() < least {
        street(&mut made, draw, streets);
        streets += 1;
    }
    made
}

/// A street: sixteen houses or so share a postcode.
fn street(made: &mut Vec<Address>, draw: &mut Draw, count: u64) {
    let street = format!("{} {}", draw.of(&STREETS), draw.of(&KINDS));
    let (area, districts) = AREAS.get((count % 6) as usize).copied().unwrap_or(("E", 18));
    let sector = format!("{area}{} {}", 1 + draw.below(districts), draw.below(10));
    let locality = draw.of(&LOCALITIES).to_owned();
    let mut postcode = String::new();
    let houses = 10 + draw.below(60);
    for house in 0..houses {
        if house % 16 == 0 {
            let letters: Vec<u8> = (0..2).map(|_| b"ABDEFGHJLNPQRSTUWXYZ"[draw.below(20) as usize]).collect();
            postcode = format!("{sector}{}", String::from_utf8_lossy(&letters));
        }
        let number = 1 + 2 * (house / 2) + house % 2;
        let base = Address {
            number: number.to_string(),
            street: street.clone(),
            locality: locality.clone(),
            postcode: postcode.clone(),
            ..Address::default()
        };
        let mut put = |address: Address| {
            let uprn = 100_000_000_000 + i64::try_from(made.len()).unwrap_or_default() * 7;
            made.push(Address { uprn, ..address });
        };
        match draw.below(20) {
            0 => (1..=3 + draw.below(6)).for_each(|flat| put(Address { flat: format!("FLAT {flat}"), ..base.clone() })),
            1 => ["FLAT A", "FLAT B", "FLAT C"]
                .into_iter()
                .for_each(|flat| put(Address { flat: flat.into(), ..base.clone() })),
            2 => ["GROUND FLOOR FLAT", "FIRST FLOOR FLAT", "TOP FLOOR FLAT"]
                .into_iter()
                .for_each(|flat| put(Address { flat: flat.into(), ..base.clone() })),
            3 => {
                put(Address { number: format!("{number}A"), ..base.clone() });
                put(base);
            }
            4 => put(Address { number: format!("{number}-{}", number + 2), ..base }),
            5 => put(Address { number: String::new(), name: draw.of(&HOUSES).into(), ..base }),
            6 => put(Address { name: draw.of(&HOUSES).into(), ..base }),
            7 => put(Address { organisation: draw.of(&TRADERS).into(), ..base }),
            8 => {
                let name = draw.of(&BLOCKS).to_owned();
                (1..=6 + draw.below(20)).for_each(|flat| {
                    let (flat, name, number) = (format!("FLAT {flat}"), name.clone(), String::new());
                    put(Address { flat, name, number, ..base.clone() });
                });
            }
            _ => put(base),
        }
    }
}

/// A list of these addresses.
pub fn list(addresses: &[Address], most: usize) -> Result<List, TooLarge> {
    let mut builder = Builder::new(most);
    for address in addresses {
        builder.add(address.uprn, &address.fields())?;
    }
    Ok(builder.finish())
}

/// An address as somebody writes it.
///
/// | rule | of a hundred texts |
/// | --- | --- |
/// | small letters | 40 |
/// | what the street is, shortened | 50 |
/// | no commas | 30 |
/// | no locality | 50; no town 25 |
/// | no postcode | 15; one letter or digit of it wrong 6; without its blank 20 |
/// | a slip in a word of the street: a letter left out, doubled or changed, two in each other's place | 12 |
/// | Apartment, Apt, Flt or nothing for Flat | 40 of those with flats |
/// | a letter with a blank before it, a range with "to" or a longer dash | 50 of those with such |
/// | the flat behind the street | 8 of those with flats |
/// | who lives there in front | 10 |
/// | a county behind | 15 |
pub fn written(address: &Address, draw: &mut Draw) -> String {
    let street = street_written(&address.street, draw);
    let mut parts: Vec<String> = Vec::new();
    if draw.percent(10) {
        parts.push("Mr J Okonkwo".into());
    }
    if !address.organisation.is_empty() && draw.percent(50) {
        parts.push(address.organisation.clone());
    }
    let flat = flat_written(&address.flat, draw);
    let behind = !flat.is_empty() && draw.percent(8);
    if !behind && !flat.is_empty() {
        parts.push(flat.clone());
    }
    if !address.name.is_empty() {
        parts.push(address.name.clone());
    }
    parts.push(format!("{} {street}", number_written(&address.number, draw)).trim().to_owned());
    if behind {
        parts.push(flat);
    }
    if draw.percent(50) {
        parts.push(address.locality.clone());
    }
    if draw.percent(75) {
        parts.push("London".into());
    }
    if draw.percent(15) {
        parts.push("Greater London".into());
    }
    if !draw.percent(15) {
        parts.push(postcode_written(&address.postcode, draw));
    }
    let bare = parts.iter().any(|part| part.parse::<u32>().is_ok());
    let text = parts.join(if draw.percent(30) && !bare { " " } else { ", " });
    if draw.percent(40) { text.to_lowercase() } else { text }
}

fn street_written(street: &str, draw: &mut Draw) -> String {
    let (name, kind) = street.rsplit_once(' ').unwrap_or((street, ""));
    let short = KINDS.iter().zip(SHORT).find(|(known, _)| **known == kind).map_or(kind, |(_, short)| short);
    let kind = if draw.percent(50) { short } else { kind };
    let slips = draw.percent(12);
    let name = if slips { slipped(name, draw) } else { name.to_owned() };
    format!("{name} {kind}")
}

/// A slip in the longest word.
fn slipped(name: &str, draw: &mut Draw) -> String {
    let longest = name.split(' ').max_by_key(|word| word.len()).unwrap_or_default();
    if longest.len() < 5 {
        return name.to_owned();
    }
    let mut letters: Vec<char> = longest.chars().collect();
    let at = 1 + draw.below(letters.len() as u64 - 2) as usize;
    match draw.below(4) {
        0 => drop(letters.remove(at)),
        1 => letters.insert(at, letters[at]),
        2 => letters[at] = if letters[at] == 'X' { 'Z' } else { 'X' },
        _ => letters.swap(at, at + 1),
    }
    name.replacen(longest, &letters.into_iter().collect::<String>(), 1)
}

fn flat_written(flat: &str, draw: &mut Draw) -> String {
    match flat.strip_prefix("FLAT ") {
        Some(id) if draw.percent(40) => match draw.below(4) {
            0 => format!("Apartment {id}"),
            1 => format!("Apt {id}"),
            2 => format!("Flt {id}"),
            _ if id.parse::<u32>().is_ok() => id.to_owned(),
            _ => format!("Flat {id}"),
        },
        _ => flat.to_owned(),
    }
}

fn number_written(number: &str, draw: &mut Draw) -> String {
    if !draw.percent(50) {
        return number.to_owned();
    }
    match (number.split_once('-'), number.strip_suffix('A')) {
        (Some((first, last)), _) if draw.percent(50) => format!("{first} to {last}"),
        (Some((first, last)), _) => format!("{first}–{last}"),
        (None, Some(bare)) => format!("{bare} a"),
        (None, None) => number.to_owned(),
    }
}

fn postcode_written(postcode: &str, draw: &mut Draw) -> String {
    let mut code: Vec<char> = postcode.chars().collect();
    if draw.percent(6) {
        let last = code.len() - 1 - draw.below(2) as usize;
        code[last] = if code[last] == 'B' { 'D' } else { 'B' };
    }
    let blank = !draw.percent(20);
    code.into_iter().filter(|c| blank || *c != ' ').collect()
}
