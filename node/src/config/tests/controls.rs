//! Snapshots, noise, dominance and history: what they default to, and what is said about wrong ones.

use super::*;
use crate::sources::AsOf;

const NOISE: &str = "noise = { largest = 3, variance = 1.5, forbidden = 2, stay = 0.25 }";
const DOMINANCE: &str = "dominance = { percent = 12.5, largest = 2, share = 85 }";

#[test]
fn controls_are_read() {
    let config = visits("", "");
    assert_eq!((config.as_of, config.history), (AsOf::Weekly, HistoryMode::Record));
    assert_eq!(config.noise, NoiseConfig::Made { largest: 3, variance: 1.5, forbidden: 2, stay: Some(0.25) });
    assert_eq!(config.dominance, DominanceConfig { percent: 12.5, largest: Some((2, 85.0)) });
    for (word, as_of) in [("live", AsOf::Live), ("daily", AsOf::Daily), ("monthly", AsOf::Monthly)] {
        assert_eq!(visits("weekly", word).as_of, as_of);
    }
    assert_eq!(visits("\"record\"", "\"reuse\"").history, HistoryMode::Reuse);
}

#[test]
fn controls_have_defaults() {
    let folder = baseline();
    let config = load(folder.path()).unwrap();
    for (dataset, as_of) in [("incidents", AsOf::Monthly), ("stations", AsOf::Live)] {
        let config = config.dataset(dataset).unwrap();
        assert_eq!((config.as_of, config.history), (as_of, HistoryMode::Reuse), "{dataset}");
        assert_eq!(config.noise, NoiseConfig::Made { largest: 5, variance: 2.0, forbidden: 0, stay: None });
        assert_eq!(config.dominance, DominanceConfig { percent: 10.0, largest: None });
        assert!(config.bands.is_empty() && config.domains.is_empty());
    }
    let noise = visits(NOISE, "noise = { stay = 0 }").noise;
    assert_eq!(noise, NoiseConfig::Made { largest: 5, variance: 2.0, forbidden: 0, stay: Some(0.0) });
    assert_eq!(visits(DOMINANCE, "dominance = { largest = 3, share = 90 }").dominance.percent, 10.0);
}

#[test]
fn noise_is_made_or_a_table() {
    let folder = baseline();
    write(folder.path(), "datasets/visits.toml", &VISITS.replace(NOISE, "noise = { table = \"data/ptable.csv\" }"));
    let config = load(folder.path()).unwrap();
    let table = NoiseConfig::Table(folder.path().join("data/ptable.csv"));
    assert_eq!(config.dataset("visits").unwrap().noise, table);
}

#[test]
fn snapshots_and_history() {
    refused("weekly", "weakly", "6: unknown value `weakly`: did you mean `weekly`?");
    refused("\"record\"", "\"refuse\"", "9: unknown value `refuse`: did you mean `reuse`?");
    refused_in_rows("as_of", "as_of = \"live\"");
    refused_in_rows("history", "history = \"reuse\"");
}

#[test]
fn noise() {
    refused("largest = 3", "largest = 0", "7: noise.largest is 0: write 1 to 25");
    refused("largest = 3", "largest = 26", "7: noise.largest is 26: write 1 to 25");
    refused("variance = 1.5", "variance = 0", "7: noise.variance is 0: write a number above 0");
    refused("variance = 1.5", "variance = nan", "7: noise.variance is NaN: write a number above 0");
    // Three quarters of the cells move by 1 to 3.
    refused("variance = 1.5", "variance = 6.8", "7: noise.variance is 6.8, which noise of at most 3 can't have: write");
    refused("variance = 1.5", "variance = 0.7", "7: noise.variance is 0.7, which noise of at most 3 can't have: write");
    refused("forbidden = 2", "forbidden = 4", "7: noise.forbidden is 4, above noise.largest, which is 3: write");
    refused("stay = 0.25", "stay = 1", "7: noise.stay is 1: write a probability from 0 to below 1");
    refused("stay = 0.25", "stay = -0.1", "7: noise.stay is -0.1: write a probability from 0 to below 1");
    refused("largest = 3", "biggest = 3", "7: unknown key `biggest`: known here: table, largest, variance");
    refused("largest = 3", "largest = -3", "7: invalid value: integer `-3`, expected u32: correct");
    refused(NOISE, "noise = \"some\"", "7: unknown value `some`: did you mean `none`?");
    refused(NOISE, "noise = 5", "7: invalid type: integer `5`, expected \"none\" or a table such as");
    // The parameter that is wrong has a line of its own.
    let noise = "[noise]\nlargest = 3\nvariance = 0\n\n[unit]";
    let text = VISITS.replace(&format!("{NOISE}\n"), "").replace("[unit]", noise);
    let folder = baseline();
    write(folder.path(), "datasets/visits.toml", &text);
    assert_eq!(load(folder.path()).unwrap_err()[0].split(": ").next(), Some("datasets/visits.toml:12"));
    refused_in_rows("noise", "noise = { largest = 5 }");
}

#[test]
fn noise_of_a_table() {
    refused(NOISE, "noise = { table = \"data/p.csv\" }", "7: noise.table is data/p.csv, which can't be read:");
    refused(
        NOISE,
        "noise = { table = \"data/ptable.csv\", stay = 0.5 }",
        "7: noise names both a table and its parameters: write table alone",
    );
}

#[test]
fn dominance() {
    refused("percent = 12.5", "percent = 0", "8: dominance.percent is 0: write a number above 0, 100 at most; 10 is");
    refused("percent = 12.5", "percent = 101", "8: dominance.percent is 101: write");
    refused("percent = 12.5", "percent = nan", "8: dominance.percent is NaN: write");
    refused("largest = 2, share", "largest = 0, share", "8: dominance.largest is 0: write 1 to 10");
    refused("largest = 2, share", "largest = 11, share", "8: dominance.largest is 11: write 1 to 10");
    refused("share = 85", "share = 0", "8: dominance.share is 0: write per cent: above 0 and below 100");
    refused("share = 85", "share = 100", "8: dominance.share is 100: write per cent");
    refused(", share = 85", "", "8: dominance.largest stands without share: add share, in per cent, or leave");
    refused("largest = 2, share", "share", "8: dominance.share stands without largest: add largest");
    refused("percent = 12.5", "per_cent = 12.5", "8: unknown key `per_cent`: did you mean `percent`?");
    refused_in_rows("dominance", "dominance = { percent = 10 }");
}
