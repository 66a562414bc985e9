//! Words that say what a thing is, and how they are abbreviated.

/// How words are abbreviated.
const ABBREVIATIONS: [(&str, &str); 62] = [
    ("RD", "ROAD"),
    ("AVE", "AVENUE"),
    ("AV", "AVENUE"),
    ("LN", "LANE"),
    ("LA", "LANE"),
    ("CT", "COURT"),
    ("CRT", "COURT"),
    ("CL", "CLOSE"),
    ("CLS", "CLOSE"),
    ("CRES", "CRESCENT"),
    ("CRESC", "CRESCENT"),
    ("CR", "CRESCENT"),
    ("DR", "DRIVE"),
    ("DRV", "DRIVE"),
    ("GDNS", "GARDENS"),
    ("GDN", "GARDENS"),
    ("GRDNS", "GARDENS"),
    ("GRN", "GREEN"),
    ("GR", "GROVE"),
    ("GRV", "GROVE"),
    ("HSE", "HOUSE"),
    ("HO", "HOUSE"),
    ("BLDGS", "BUILDINGS"),
    ("BLDG", "BUILDING"),
    ("EST", "ESTATE"),
    ("MT", "MOUNT"),
    ("PK", "PARK"),
    ("PL", "PLACE"),
    ("PDE", "PARADE"),
    ("SQ", "SQUARE"),
    ("TER", "TERRACE"),
    ("TERR", "TERRACE"),
    ("TCE", "TERRACE"),
    ("WK", "WALK"),
    ("WLK", "WALK"),
    ("WY", "WAY"),
    ("YD", "YARD"),
    ("GT", "GREAT"),
    ("UPR", "UPPER"),
    ("LWR", "LOWER"),
    ("N", "NORTH"),
    ("S", "SOUTH"),
    ("E", "EAST"),
    ("W", "WEST"),
    ("BLK", "BLOCK"),
    ("COTT", "COTTAGE"),
    ("CTG", "COTTAGE"),
    ("VLS", "VILLAS"),
    ("MANS", "MANSIONS"),
    ("HTS", "HEIGHTS"),
    ("BDWY", "BROADWAY"),
    ("LDN", "LONDON"),
    ("STR", "STREET"),
    ("FIRST", "1ST"),
    ("SECOND", "2ND"),
    ("THIRD", "3RD"),
    ("FOURTH", "4TH"),
    ("FIFTH", "5TH"),
    ("SIXTH", "6TH"),
    ("SEVENTH", "7TH"),
    ("EIGHTH", "8TH"),
    ("NINTH", "9TH"),
];

/// What a street is, as the last word of its name says.
const STREET_TYPES: [&str; 44] = [
    "STREET",
    "ROAD",
    "AVENUE",
    "LANE",
    "CLOSE",
    "DRIVE",
    "COURT",
    "CRESCENT",
    "GARDENS",
    "GREEN",
    "GROVE",
    "HILL",
    "MEWS",
    "PARADE",
    "PARK",
    "PLACE",
    "RISE",
    "ROW",
    "SQUARE",
    "TERRACE",
    "WALK",
    "WAY",
    "YARD",
    "BROADWAY",
    "MOUNT",
    "VALE",
    "VIEW",
    "PASSAGE",
    "PATH",
    "QUAY",
    "WHARF",
    "ALLEY",
    "BANK",
    "COMMON",
    "END",
    "FIELDS",
    "GATE",
    "HEIGHTS",
    "APPROACH",
    "ARCADE",
    "CIRCUS",
    "VILLAS",
    "CHASE",
    "BUILDINGS",
];

/// What a building is, as the last word of its name says.
const BUILDING_TYPES: [&str; 12] = [
    "HOUSE",
    "COTTAGE",
    "LODGE",
    "TOWER",
    "POINT",
    "MANSIONS",
    "BUILDING",
    "FLATS",
    "APARTMENTS",
    "BLOCK",
    "CENTRE",
    "HALL",
];

/// Words that say nothing of where an address is.
pub(super) const NOISE: [&str; 18] = [
    "THE", "AT", "OF", "AND", "NEAR", "NR", "OFF", "UK", "ENGLAND", "GB", "UNITED", "KINGDOM", "GREATER", "ADDRESS",
    "NO", "NUMBER", "NOS", "ON",
];

/// What stands before FLAT in place of a number.
pub(super) const DESCRIBED: [&str; 12] = [
    "GARDEN",
    "BASEMENT",
    "TOP",
    "REAR",
    "FRONT",
    "UPPER",
    "LOWER",
    "STUDIO",
    "ATTIC",
    "LOFT",
    "PENTHOUSE",
    "CARETAKERS",
];

/// Letters behind a number with a blank between that may be words of their own.
pub(super) const DIRECTIONS: [&str; 3] = ["N", "S", "W"];

/// Whether a word says what a street is.
pub(crate) fn is_street_type(word: &str) -> bool {
    STREET_TYPES.contains(&word)
}

/// Whether a word says what a building is.
pub(crate) fn is_building_type(word: &str) -> bool {
    BUILDING_TYPES.contains(&word)
}

/// A word without abbreviation.
pub(super) fn spelled(word: &str) -> String {
    let known = ABBREVIATIONS.iter().find(|(short, _)| *short == word);
    known.map_or(word, |(_, long)| long).to_owned()
}
