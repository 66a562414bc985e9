//! Fingerprints tell the distances that they promise, and nothing else.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::BTreeSet;

use rand::{Rng, SeedableRng, rngs::StdRng, seq::SliceRandom};

use super::field::{BITS, product, square};
use super::{Distance, Parts, Shape, Sketch, locator, paired, unpacked};

const CAPACITY: u16 = 10;
const COUNT: Shape = Shape { capacity: CAPACITY, contributions: false };
const SUM: Shape = Shape { capacity: CAPACITY, contributions: true };

/// Units whose elements are their own, so that distances are exact.
fn units(random: &mut StdRng, count: usize) -> Vec<u64> {
    let mut seen = BTreeSet::new();
    std::iter::repeat_with(|| random.random()).filter(|unit| seen.insert(element(*unit))).take(count).collect()
}

fn element(hash: u64) -> u16 {
    u16::try_from(hash >> (u64::BITS - BITS)).unwrap().max(1)
}

fn count(units: &[u64]) -> Sketch {
    Sketch::of(COUNT, units.iter().map(|unit| (*unit, 1)))
}

fn sum(set: &[(u64, i128)]) -> Sketch {
    Sketch::of(SUM, set.iter().copied())
}

#[test]
fn syndromes_are_the_odd_power_sums_of_the_definition() {
    let mut random = StdRng::seed_from_u64(0);
    let set: Vec<(u64, i128)> = units(&mut random, 50).into_iter().map(|unit| (unit, random.random())).collect();
    let sketch = sum(&set);
    let sums = |elements: &[u16], syndromes: &[u64]| {
        let mut powers = elements.to_vec();
        for (degree, syndrome) in unpacked(syndromes).into_iter().enumerate() {
            assert_eq!(powers.iter().fold(0, |sum, power| sum ^ power), syndrome, "degree {}", 2 * degree + 1);
            powers.iter_mut().zip(elements).for_each(|(power, element)| *power = product(*power, square(*element)));
        }
    };
    sums(&set.iter().map(|(unit, _)| element(*unit)).collect::<Vec<_>>(), sketch.parts().0);
    sums(&set.iter().map(|(unit, amount)| element(paired(*unit, *amount))).collect::<Vec<_>>(), sketch.parts().1);
}

#[test]
fn every_distance_up_to_the_capacity_is_told() {
    let mut random = StdRng::seed_from_u64(1);
    for apart in 0..=3 * usize::from(CAPACITY) {
        for round in 0..20 {
            let all = units(&mut random, 60 + apart);
            let (common, differing) = all.split_at(60);
            let (ours, theirs) = differing.split_at(random.random_range(0..=apart));
            let distance = count(&[common, ours].concat()).distance(&count(&[common, theirs].concat()));
            let expected = if apart <= usize::from(CAPACITY) { Distance::Near(apart) } else { Distance::Far };
            assert_eq!(distance, expected, "{apart} apart, round {round}");
        }
    }
}

#[test]
fn a_changed_contribution_is_one_unit() {
    let mut random = StdRng::seed_from_u64(2);
    let capacity = usize::from(CAPACITY);
    for round in 0..400 {
        let (changed, alone) = (random.random_range(0..=capacity + 2), random.random_range(0..=capacity + 2));
        let all = units(&mut random, 40 + alone);
        let before: Vec<(u64, i128)> = all[..40].iter().map(|unit| (*unit, random.random_range(-500..500))).collect();
        let mut after = before.clone();
        after[..changed].iter_mut().for_each(|(_, contribution)| *contribution += random.random_range(1..1_000_000));
        after.extend(all[40..].iter().map(|unit| (*unit, 7)));
        match sum(&before).distance(&sum(&after)) {
            Distance::Near(units) if changed + alone <= capacity => {
                // Pairs may share an element by chance.
                assert!(units <= changed + alone && units + 1 >= changed + alone, "{changed} + {alone} seem {units}");
            }
            Distance::Far => assert!(changed + alone > capacity, "round {round}: {changed} + {alone} seem far"),
            Distance::Near(units) => assert!(units + 1 >= changed + alone, "{changed} + {alone} seem {units}"),
        }
    }
}

#[test]
fn units_that_share_an_element_look_nearer_and_never_farther() {
    let mut random = StdRng::seed_from_u64(3);
    for _ in 0..2_000 {
        let apart = random.random_range(0..=usize::from(CAPACITY));
        // Few elements, so that many are shared.
        let units: Vec<u64> = (0..apart).map(|_| random.random_range(0..40_u64) << (u64::BITS - BITS)).collect();
        match count(&[]).distance(&count(&units)) {
            Distance::Near(near) => assert!(near <= apart),
            Distance::Far => panic!("{apart} units are far"),
        }
    }
}

#[test]
fn unrelated_sets_are_far_by_their_syndromes_alone() {
    let mut random = StdRng::seed_from_u64(4);
    for round in 0..30_000 {
        // Small capacities decode wrongly most easily, were it not for the checks.
        let capacity = if round % 20 == 0 { CAPACITY } else { random.random_range(0..6) };
        let size = random.random_range(usize::from(capacity) + 1..=4 * usize::from(capacity) + 40);
        let shape = Shape { capacity, contributions: false };
        let sketch = Sketch::of(shape, units(&mut random, size).into_iter().map(|unit| (unit, 1)));
        let told = locator::size(&unpacked(sketch.parts().0), usize::from(capacity));
        assert_eq!(told, None, "round {round}, {size} > {capacity}");
    }
}

#[test]
fn syndromes_of_no_set_are_far() {
    let mut random = StdRng::seed_from_u64(5);
    for round in 0..2_000 {
        let mut broken = count(&units(&mut random, 5));
        let at = random.random_range(2..broken.words.len());
        broken.words[at] ^= 1 << (16 * random.random_range(0..4) + random.random_range(0..BITS));
        assert_eq!(broken.distance(&count(&[])), Distance::Far, "round {round}, word {at}");
    }
}

#[test]
fn parts_merge_to_the_whole_in_any_order_and_are_taken_in_order() {
    let mut random = StdRng::seed_from_u64(6);
    let mut all: Vec<(u64, i128)> = (0..500).map(|_| (random.random(), random.random())).collect();
    let whole = sum(&all);
    all.shuffle(&mut random);
    let (mut units, mut pairs) = (Parts::of_units(CAPACITY), Parts::of_contributions(CAPACITY));
    units.grow(3);
    pairs.grow(3);
    for part in all.chunks(37) {
        let mut apart = (Parts::of_units(CAPACITY), Parts::of_contributions(CAPACITY));
        apart.0.grow(1);
        apart.1.grow(1);
        let (of, contributions): (Vec<u64>, Vec<i128>) = part.iter().copied().unzip();
        apart.0.toggle_units(&vec![0; of.len()], &of);
        apart.1.toggle_contributions(&vec![0; of.len()], &of, &contributions);
        units.merge(1, &apart.0.take(1)[0]).unwrap();
        pairs.merge(1, &apart.1.take(1)[0]).unwrap();
    }
    assert_eq!(units.merge(1, &[0]), None);
    let sketches = |units: &mut Parts, pairs: &mut Parts, sets| {
        let parts = units.take(sets).into_iter().zip(pairs.take(sets));
        parts.map(|(units, pairs)| Sketch::of_parts(CAPACITY, &units, Some(&pairs)).unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(sketches(&mut units, &mut pairs, 1), [sum(&[])]);
    assert_eq!(sketches(&mut units, &mut pairs, 9), [whole, sum(&[])]);
}

#[test]
fn parts_of_another_capacity_are_no_fingerprint() {
    let mut parts = Parts::of_units(CAPACITY);
    parts.grow(1);
    let [units] = parts.take(1).try_into().unwrap();
    assert_eq!(Sketch::of_parts(CAPACITY, &units, None), Some(count(&[])));
    assert_eq!(Sketch::of_parts(4 * CAPACITY, &units, None), None);
    assert_eq!(Sketch::of_parts(CAPACITY, &units, Some(&[])), None);
}

#[test]
fn toggling_twice_changes_nothing() {
    let mut random = StdRng::seed_from_u64(7);
    let all: Vec<(u64, i128)> = (0..50).map(|_| (random.random(), random.random())).collect();
    let (held, extra) = all.split_at(25);
    assert_eq!(sum(&[held, extra, extra].concat()), sum(held));
}

#[test]
fn bytes_come_back_and_others_do_not() {
    let mut random = StdRng::seed_from_u64(8);
    for original in [count(&units(&mut random, 33)), sum(&[(random.random(), 5)])] {
        let bytes = original.to_bytes();
        assert_eq!(Sketch::from_bytes(&bytes), Some(original));
        for wrong in [0, 2, 3, 11, bytes.len() - 1] {
            assert_eq!(Sketch::from_bytes(&bytes[..wrong]), None, "{wrong} bytes");
        }
        let other_sort = [&bytes[..2], &[2], &bytes[3..]].concat();
        assert_eq!(Sketch::from_bytes(&other_sort), None);
    }
}

#[test]
fn the_outline_never_says_more_than_the_distance() {
    let mut random = StdRng::seed_from_u64(9);
    for apart in 0..200 {
        let all = units(&mut random, 20 + apart);
        assert!(count(&all[..20]).outline().apart(count(&all).outline()) <= apart);
    }
}

#[test]
fn fingerprints_of_two_capacities_compare_at_the_smaller_and_of_two_sorts_not_at_all() {
    let mut random = StdRng::seed_from_u64(10);
    let of = |capacity, units: &[u64]| {
        Sketch::of(Shape { capacity, contributions: false }, units.iter().map(|unit| (*unit, 1)))
    };
    let all = units(&mut random, 9);
    assert_eq!(of(4, &all[..4]).distance(&of(10, &[])), Distance::Near(4));
    assert_eq!(of(4, &all[..4]).distance(&of(10, &all)), Distance::Far);
    assert_eq!(of(10, &[]).distance(&of(10, &all)), Distance::Near(9));
    assert_eq!(count(&[]).distance(&sum(&[])), Distance::Far);
}
