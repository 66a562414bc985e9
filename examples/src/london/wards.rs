//! Synthetic wards: twenty in each borough, alike in households, from every tenth of deprivation two.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::boroughs;
use super::calibration::HOUSEHOLDS;

/// Wards in each borough: about as many as there are.
pub(super) const WARDS: u32 = 20;

/// The code of a ward in the real format: E059, the borough's number, the ward's. Both places are counted from 0.
pub(super) fn code(borough: u32, ward: u32) -> String {
    format!("E059{:02}{:03}", borough + 1, ward + 1)
}

/// The codes of all wards, borough by borough.
pub(super) fn codes() -> impl Iterator<Item = String> {
    (0..).zip(boroughs()).flat_map(|(borough, _)| (0..WARDS).map(move |ward| code(borough, ward)))
}

/// The tenth of the wards that a ward is in by deprivation: 1 is the most deprived. No seed decides it, because the
/// brigade's configuration holds the table's hash.
pub(super) fn decile(borough: u32, ward: u32) -> u32 {
    (7 * borough + 3 * ward) % 10 + 1
}

/// The ward of a fire. So many fires are drawn for each household of the most deprived tenth as 19, of the least as 10:
/// an assumption, so that there is something to find.
pub(super) fn of_a_fire(borough: u32, random: &mut ChaCha8Rng) -> u32 {
    let weight = |ward: u32| 20 - decile(borough, ward);
    let mut left = random.random_range(0..(0..WARDS).map(weight).sum());
    for ward in 0..WARDS {
        match left.checked_sub(weight(ward)) {
            Some(rest) => left = rest,
            None => return ward,
        }
    }
    0
}

/// The open table of them, as CSV.
pub(super) fn table() -> String {
    let mut csv = String::from("gss,borough_gss,name,households,deprivation_decile\n");
    for ((place, borough), kinds) in (0..).zip(boroughs()).zip(&HOUSEHOLDS) {
        let all = kinds.iter().sum::<u32>();
        for ward in 0..WARDS {
            let households = all / WARDS + u32::from(ward < all % WARDS);
            let (gss, decile) = (code(place, ward), decile(place, ward));
            csv.push_str(&format!("{gss},{},{} {},{households},{decile}\n", borough.gss, borough.name, ward + 1));
        }
    }
    csv
}
