//! Finds 100,000 written addresses in a list of a million: time and memory.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::time::Instant;

use meridian_addresses::LEAST_SCORE;
use meridian_addresses::made::{self, Draw};

const LISTED: usize = 1_000_000;
const TEXTS: usize = 100_000;

fn main() {
    let mut draw = Draw::new(1);
    let addresses = made::addresses(LISTED, &mut draw);
    let texts: Vec<String> =
        addresses.iter().step_by(LISTED / TEXTS).map(|address| made::written(address, &mut draw)).collect();
    let begun = Instant::now();
    let list = made::list(&addresses, 1 << 30).unwrap();
    println!("{} addresses listed in {:.1?}, {} MiB", list.len(), begun.elapsed(), list.bytes() >> 20);
    let begun = Instant::now();
    let found = texts.iter().filter(|text| list.find(text, None, LEAST_SCORE).uprn().is_some()).count();
    println!("{found} of {} texts found in {:.1?}", texts.len(), begun.elapsed());
}
