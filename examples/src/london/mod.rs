//! The London mesh: LODA, the GLA, the fire brigade and the 33 boroughs, with all that their nodes publish.
//!
//! Configuration, agreements and queries are the files of `examples/london`, embedded. The rows are synthetic: a seed
//! decides them, and public figures (see `calibration` and `facts`) decide how many there are of each kind.

mod boroughs;
mod calibration;
mod dwellings;
mod error;
mod facts;
mod files;
mod gla;
mod incidents;
mod queries;
mod registers;
mod shapes;
mod spend;
mod stations;
mod wards;

use std::fs;
use std::path::Path;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

pub use boroughs::{BOROUGH_NAMES, Borough, TILES_ACROSS, Tile, boroughs, tiles};
pub use error::Error;
pub use queries::{FIRE_RISK, Query, queries};
use spend::Payer;

/// A body of the mesh.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// Its name in SQL and in certificates, such as `tower_hamlets`.
    pub slug: &'static str,
    /// Its name for people, such as "London Borough of Tower Hamlets".
    pub title: &'static str,
}

/// Where the rows come from.
#[derive(Debug, Clone, Copy)]
pub enum Data<'a> {
    /// Synthetic rows, protected: the same seed gives the same bytes.
    Generated {
        /// What the rows are drawn from.
        seed: u64,
    },
    /// The published files, read where they lie and open.
    Published {
        /// The folder that holds `fire/…`, `housing/…`, `profiles/…`, `environment/…` and `spend/…`.
        folder: &'a Path,
    },
}

/// All 36 bodies: LODA, the GLA, the brigade, then the boroughs in the order of their GSS codes.
pub fn bodies() -> Vec<Body> {
    let pan_london = [
        Body { slug: "loda", title: "London Office for Data Analytics" },
        Body { slug: "gla", title: "Greater London Authority" },
        Body { slug: "lfb", title: "London Fire Brigade" },
    ];
    let boroughs = boroughs().iter().map(|b| Body { slug: b.slug, title: b.title });
    pan_london.into_iter().chain(boroughs).collect()
}

/// The standards of this mesh: the name of each and its file (TOML).
pub fn standards() -> &'static [(&'static str, &'static str)] {
    &[
        ("air_quality", include_str!("../../london/standards/air_quality.toml")),
        ("boroughs", include_str!("../../london/standards/boroughs.toml")),
        ("buildings", include_str!("../../london/standards/buildings.toml")),
        ("dwellings", include_str!("../../london/standards/dwellings.toml")),
        ("high_rises", include_str!("../../london/standards/high_rises.toml")),
        ("hmo_licences", include_str!("../../london/standards/hmo_licences.toml")),
        ("homelessness", include_str!("../../london/standards/homelessness.toml")),
        ("spaces", include_str!("../../london/standards/spaces.toml")),
        ("spend", include_str!("../../london/standards/spend.toml")),
        ("street_assets", include_str!("../../london/standards/street_assets.toml")),
    ]
}

/// Writes what one body publishes below `dir`, the folder of its node: `datasets/*.toml`, `agreements/*.toml` and the
/// data files that they name. Files of the same names are replaced; `node.toml` is not written.
///
/// # Errors
///
/// When the mesh has no such body, a file can't be written, or a published file is missing.
pub fn write_body(slug: &str, dir: &Path, data: &Data<'_>) -> Result<(), Error> {
    for folder in ["datasets", "agreements", "data"] {
        let path = dir.join(folder);
        fs::create_dir_all(&path).map_err(|source| Error::Write { path, source })?;
    }
    match slug {
        "loda" => write_algorithms(dir),
        "gla" => gla::write(dir, data),
        "lfb" => incidents::write(dir, data),
        _ => match (0..).zip(boroughs()).find(|(_, borough)| borough.slug == slug) {
            Some((place, borough)) => write_borough(place, borough, dir, data),
            None => Err(Error::UnknownBody { slug: slug.to_owned() }),
        },
    }
}

/// LODA publishes no datasets, and the record of the query that it asks.
fn write_algorithms(dir: &Path) -> Result<(), Error> {
    let folder = dir.join("algorithms");
    fs::create_dir_all(&folder).map_err(|source| Error::Write { path: folder.clone(), source })?;
    files::write_text(&folder.join("fire-risk.toml"), include_str!("../../london/algorithms/loda.toml"))?;
    files::write_text(&folder.join("fire_risk.sql"), queries::FIRE_RISK)
}

fn write_borough(place: u32, borough: &Borough, dir: &Path, data: &Data<'_>) -> Result<(), Error> {
    dwellings::write(place as usize, dir, data)?;
    if let Data::Generated { seed } = data {
        registers::write(place, borough, dir, &mut stream(*seed, 300 + u64::from(place)))?;
    }
    spend::write(Payer { place, slug: borough.slug, name: borough.name }, dir, data)
}

/// What the rows of one file are drawn from: no file's rows depend on another's.
fn stream(seed: u64, number: u64) -> ChaCha8Rng {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(number);
    random
}

#[cfg(test)]
mod tests;
