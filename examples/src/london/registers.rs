//! What a borough keeps in its registers beside its dwellings: licences, high-rise buildings, households that it houses.

use std::path::Path;

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::calibration::{EXTENTS, HOUSEHOLDS};
use super::files::{fill, write_text};
use super::incidents::coordinate;
use super::wards::{WARDS, code};
use super::{Borough, Error};

/// Flats for which there is one building of seven storeys and more.
const FLATS: u32 = 500;

/// The kinds of accommodation of [`temporary`], in equal shares.
const ACCOMMODATION: [&str; 5] = ["bed and breakfast", "hostel", "nightly let", "leased", "own stock"];

/// Writes the registers of the borough with this place.
pub(super) fn write(place: u32, borough: &Borough, dir: &Path, random: &mut ChaCha8Rng) -> Result<(), Error> {
    let tables = HOUSEHOLDS.iter().zip(&EXTENTS).nth(place as usize);
    let (kinds, extent) = tables.ok_or(Error::Tables { what: "the households of a borough" })?;
    let registers = [
        (
            "hmo_licences",
            include_str!("../../london/datasets/hmo_licences.toml"),
            hmo_licences(place, borough, kinds, random),
        ),
        (
            "high_rises",
            include_str!("../../london/datasets/high_rises.toml"),
            high_rises(place, borough, kinds, extent, random),
        ),
        (
            "homelessness",
            include_str!("../../london/datasets/homelessness.toml"),
            homelessness(place, borough, kinds, random),
        ),
    ];
    for (name, template, csv) in registers {
        let dataset = fill(template, &[("gss", borough.gss), ("name", borough.name)]);
        write_text(&dir.join("datasets").join(name).with_extension("toml"), &dataset)?;
        write_text(&dir.join("data").join(name).with_extension("csv"), &csv)?;
    }
    Ok(())
}

/// Licences by kind: a mandatory one for each household of a large HMO, an additional one for every tenth of a small HMO.
pub(super) fn licences(kinds: &[u32; 15]) -> [(&'static str, u32); 2] {
    let [.., small_a, small_b, small_c, small_d, small_e, large_a, large_b, large_c, large_d, large_e] = kinds;
    let large = large_a + large_b + large_c + large_d + large_e;
    [("mandatory", large), ("additional", (small_a + small_b + small_c + small_d + small_e) / 10)]
}

fn hmo_licences(place: u32, borough: &Borough, kinds: &[u32; 15], random: &mut ChaCha8Rng) -> String {
    let mut csv = String::from("licence,borough_gss,ward_gss,kind,most_persons,expires\n");
    for (kind, count) in licences(kinds) {
        for number in 1..=count {
            let ward = code(place, random.random_range(0..WARDS));
            let persons = if kind == "mandatory" { random.random_range(5..=12) } else { random.random_range(3..=4) };
            let (year, month) = (random.random_range(2026..=2030), random.random_range(1..=12));
            csv.push_str(&format!("{kind}-{number},{},{ward},{kind},{persons},{year}-{month:02}-28\n", borough.gss));
        }
    }
    csv
}

/// How many high-rise buildings there are.
pub(super) fn buildings(kinds: &[u32; 15]) -> u32 {
    kinds.iter().skip(3).step_by(5).sum::<u32>() / FLATS
}

fn high_rises(
    place: u32,
    borough: &Borough,
    kinds: &[u32; 15],
    &[easting, northing, width, height]: &[i32; 4],
    random: &mut ChaCha8Rng,
) -> String {
    let mut csv = String::from("building,borough_gss,ward_gss,storeys,households,easting,northing\n");
    for number in 1..=buildings(kinds) {
        let ward = code(place, random.random_range(0..WARDS));
        // Most are not much higher than seven storeys, one in five may be a tower.
        let above =
            random.random_range(0..=5) + if random.random_ratio(1, 5) { random.random_range(0..=25) } else { 0 };
        let storeys = 7 + above;
        let households = storeys * random.random_range(3..=6);
        let (easting, northing) = (coordinate(easting, width, random), coordinate(northing, height, random));
        let row = format!("{number},{},{ward},{storeys},{households},{easting},{northing}\n", borough.gss);
        csv.push_str(&row);
    }
    csv
}

/// Households in temporary accommodation: from one to thirty in a thousand of the borough's households, of the City's
/// fewer than may be told.
pub(super) fn temporary(place: u32, kinds: &[u32; 15]) -> u32 {
    kinds.iter().sum::<u32>() * (1 + place * 7 % 30) / 1000
}

fn homelessness(place: u32, borough: &Borough, kinds: &[u32; 15], random: &mut ChaCha8Rng) -> String {
    let mut csv = String::from("household_id,borough_gss,accommodation,with_children\n");
    for (number, accommodation) in (1..=temporary(place, kinds)).zip(ACCOMMODATION.iter().cycle()) {
        let children = random.random_ratio(2, 3);
        csv.push_str(&format!("TA{number:06},{},{accommodation},{children}\n", borough.gss));
    }
    csv
}
