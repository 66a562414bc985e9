//! The 33 boroughs, and the GLA's open table of them.

use std::path::Path;

use super::Error;
use super::files::write_text;

/// The names and codes that are in use for them, as CSV: the GSS code and the name, the code of the Office for National
/// Statistics until 2010, that of the Department for Communities and Local Government, the letters of ISO 3166-2:GB, and
/// other names with semicolons between. The codes are those that stand side by side in the department's table of empty
/// homes, 2004 to 2015.
pub const BOROUGH_NAMES: &str = include_str!("../../london/boroughs.csv");

/// One of the 32 London boroughs, or the City.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Borough {
    /// Its name as a body, such as `tower_hamlets`.
    pub slug: &'static str,
    /// Its GSS code, such as `E09000030`.
    pub gss: &'static str,
    /// Its name as the Office for National Statistics spells it, such as "Tower Hamlets".
    pub name: &'static str,
    /// Its name as an authority, such as "London Borough of Tower Hamlets".
    pub title: &'static str,
    /// Whether it is in Inner London: the boroughs that the London Government Act 1963 calls so, and the City.
    pub inner: bool,
}

/// Where each of them stands on a map of tiles, all of one size: an arrangement of our own, seven by seven, north at the top.
/// CSV: the GSS code, the column from the west, the row from the north, and a name that fits on a small tile.
const TILES: &str = include_str!("../../london/tiles.csv");

/// Columns and rows of the map of tiles.
pub const TILES_ACROSS: usize = 7;

/// A borough on the map of tiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tile {
    /// The borough.
    pub borough: &'static Borough,
    /// From the west, below [`TILES_ACROSS`].
    pub column: usize,
    /// From the north, below [`TILES_ACROSS`].
    pub row: usize,
    /// A name of at most four letters.
    pub short: &'static str,
}

/// The map of tiles, in the order of GSS codes.
pub fn tiles() -> impl Iterator<Item = Tile> {
    boroughs().iter().zip(TILES.lines().skip(1)).filter_map(|(borough, line)| {
        let mut fields = line.strip_prefix(borough.gss)?.split(',').skip(1);
        let mut number = || fields.next()?.parse().ok();
        let (column, row) = (number()?, number()?);
        Some(Tile { borough, column, row, short: fields.next()? })
    })
}

/// All of them, in the order of their GSS codes.
pub fn boroughs() -> &'static [Borough] {
    &BOROUGHS
}

/// Writes what the GLA publishes: names and codes of the boroughs, open.
pub(super) fn write(dir: &Path) -> Result<(), Error> {
    let mut csv = String::from("gss,name,inner\n");
    for Borough { gss, name, inner, .. } in &BOROUGHS {
        csv.push_str(&format!("{gss},{name},{inner}\n"));
    }
    write_text(&dir.join("data/boroughs.csv"), &csv)?;
    write_text(&dir.join("datasets/boroughs.toml"), include_str!("../../london/datasets/boroughs.toml"))
}

#[rustfmt::skip]
const BOROUGHS: [Borough; 33] = [
    borough("E09000001", "city", "City of London", "City of London Corporation", true),
    borough("E09000002", "barking_dagenham", "Barking and Dagenham", "London Borough of Barking and Dagenham", false),
    borough("E09000003", "barnet", "Barnet", "London Borough of Barnet", false),
    borough("E09000004", "bexley", "Bexley", "London Borough of Bexley", false),
    borough("E09000005", "brent", "Brent", "London Borough of Brent", false),
    borough("E09000006", "bromley", "Bromley", "London Borough of Bromley", false),
    borough("E09000007", "camden", "Camden", "London Borough of Camden", true),
    borough("E09000008", "croydon", "Croydon", "London Borough of Croydon", false),
    borough("E09000009", "ealing", "Ealing", "London Borough of Ealing", false),
    borough("E09000010", "enfield", "Enfield", "London Borough of Enfield", false),
    borough("E09000011", "greenwich", "Greenwich", "Royal Borough of Greenwich", true),
    borough("E09000012", "hackney", "Hackney", "London Borough of Hackney", true),
    borough("E09000013", "hammersmith_fulham", "Hammersmith and Fulham", "London Borough of Hammersmith and Fulham", true),
    borough("E09000014", "haringey", "Haringey", "London Borough of Haringey", false),
    borough("E09000015", "harrow", "Harrow", "London Borough of Harrow", false),
    borough("E09000016", "havering", "Havering", "London Borough of Havering", false),
    borough("E09000017", "hillingdon", "Hillingdon", "London Borough of Hillingdon", false),
    borough("E09000018", "hounslow", "Hounslow", "London Borough of Hounslow", false),
    borough("E09000019", "islington", "Islington", "London Borough of Islington", true),
    borough("E09000020", "kensington_chelsea", "Kensington and Chelsea", "Royal Borough of Kensington and Chelsea", true),
    borough("E09000021", "kingston", "Kingston upon Thames", "Royal Borough of Kingston upon Thames", false),
    borough("E09000022", "lambeth", "Lambeth", "London Borough of Lambeth", true),
    borough("E09000023", "lewisham", "Lewisham", "London Borough of Lewisham", true),
    borough("E09000024", "merton", "Merton", "London Borough of Merton", false),
    borough("E09000025", "newham", "Newham", "London Borough of Newham", false),
    borough("E09000026", "redbridge", "Redbridge", "London Borough of Redbridge", false),
    borough("E09000027", "richmond", "Richmond upon Thames", "London Borough of Richmond upon Thames", false),
    borough("E09000028", "southwark", "Southwark", "London Borough of Southwark", true),
    borough("E09000029", "sutton", "Sutton", "London Borough of Sutton", false),
    borough("E09000030", "tower_hamlets", "Tower Hamlets", "London Borough of Tower Hamlets", true),
    borough("E09000031", "waltham_forest", "Waltham Forest", "London Borough of Waltham Forest", false),
    borough("E09000032", "wandsworth", "Wandsworth", "London Borough of Wandsworth", true),
    borough("E09000033", "westminster", "Westminster", "City of Westminster", true),
];

const fn borough(
    gss: &'static str,
    slug: &'static str,
    name: &'static str,
    title: &'static str,
    inner: bool,
) -> Borough {
    Borough { slug, gss, name, title, inner }
}
