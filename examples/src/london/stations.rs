//! Where the brigade keeps its engines: as many stations as there are on land, at places drawn at random.

use std::path::Path;

use rand_chacha::ChaCha8Rng;

use super::calibration::EXTENTS;
use super::files::write_text;
use super::incidents::coordinate;
use super::{Error, boroughs};

/// Boroughs with a fourth station: Barnet, Bromley, Croydon, Havering and Hillingdon, the widest.
const WIDE: [usize; 5] = [2, 5, 7, 15, 16];

/// How many stations the borough with this place has: 102 in all.
pub(super) fn stations(place: usize) -> u32 {
    match place {
        0 => 1,
        wide if WIDE.contains(&wide) => 4,
        _ => 3,
    }
}

/// Writes the open table of them.
pub(super) fn write(dir: &Path, random: &mut ChaCha8Rng) -> Result<(), Error> {
    let mut csv = String::from("name,borough_gss,easting,northing\n");
    for ((place, borough), &[easting, northing, width, height]) in boroughs().iter().enumerate().zip(&EXTENTS) {
        for number in 1..=stations(place) {
            let (easting, northing) = (coordinate(easting, width, random), coordinate(northing, height, random));
            csv.push_str(&format!("{} {number},{},{easting},{northing}\n", borough.name, borough.gss));
        }
    }
    write_text(&dir.join("data/stations.csv"), &csv)?;
    write_text(&dir.join("datasets/stations.toml"), include_str!("../../london/datasets/stations.toml"))
}
