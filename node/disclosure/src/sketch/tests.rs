//! Sketches decode what they promise, and nothing else.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::BTreeSet;

use rand::{Rng, SeedableRng, rngs::StdRng, seq::SliceRandom};

use super::{CHECKS, Distance, Element, Sketch, locator, roots};

const CAPACITY: usize = 20;

fn sketch<'a>(elements: impl IntoIterator<Item = &'a Element>) -> Sketch {
    let mut sketch = Sketch::new(CAPACITY);
    elements.into_iter().for_each(|element| sketch.toggle(*element));
    sketch
}

fn elements(random: &mut StdRng, count: usize) -> Vec<Element> {
    (0..count).map(|_| Element::new(random.random(), random.random())).collect()
}

#[test]
fn units_that_contribute_alike_are_told_apart_by_their_hashes_alone() {
    let sketch = |units: std::ops::Range<u64>| {
        let mut sketch = Sketch::new(9);
        units.map(|number| number.wrapping_mul(0x9e37_79b9_7f4a_7c15)).for_each(|u| sketch.toggle(Element::alike(u)));
        sketch
    };
    for apart in 0..=9 {
        assert_eq!(sketch(0..100).distance(&sketch(0..100 + apart)), Distance::Near(usize::try_from(apart).unwrap()));
    }
    assert_eq!(sketch(0..100).distance(&sketch(0..150)), Distance::Far);
}

#[test]
fn every_difference_up_to_the_capacity_decodes_to_its_units() {
    let mut random = StdRng::seed_from_u64(1);
    for size in 0..=CAPACITY {
        for round in 0..8 {
            let common = elements(&mut random, 30);
            let (mut ours, mut theirs) = (sketch(&common), sketch(&common));
            let difference = elements(&mut random, size);
            for element in &difference {
                if random.random() { ours.toggle(*element) } else { theirs.toggle(*element) }
            }
            assert_eq!(ours.distance(&theirs), Distance::Near(size), "round {round}");
            ours.merge(&theirs);
            let decoded: BTreeSet<Element> = ours.decode().unwrap().into_iter().collect();
            assert_eq!(decoded, difference.into_iter().collect(), "round {round}");
        }
    }
}

#[test]
fn a_changed_contribution_is_one_unit_of_two_elements() {
    let mut random = StdRng::seed_from_u64(2);
    for changed in 1..=CAPACITY / 2 {
        let units: Vec<u64> = (0..40).map(|_| random.random()).collect();
        let before = sketch(&units.iter().map(|unit| Element::new(*unit, 7)).collect::<Vec<_>>());
        let value = |at| if at < changed { 8 } else { 7 };
        let after: Vec<_> = units.iter().enumerate().map(|(at, unit)| Element::new(*unit, value(at))).collect();
        assert_eq!(before.distance(&sketch(&after)), Distance::Near(changed));
    }
}

#[test]
fn differences_beyond_the_capacity_are_far() {
    let mut random = StdRng::seed_from_u64(3);
    for round in 0..12_000 {
        // Small capacities decode wrongly most easily, were it not for the checks.
        let capacity = if round % 20 == 0 { CAPACITY } else { random.random_range(0..6) };
        let size = random.random_range(capacity + 1..=2 * capacity + 8);
        let mut difference = Sketch::new(capacity);
        elements(&mut random, size).iter().for_each(|element| difference.toggle(*element));
        assert_eq!(difference.distance(&Sketch::new(capacity)), Distance::Far, "round {round}, {size} > {capacity}");
        // The outline alone would have told most of them: the decoder must, too.
        let decoded = locator::locator(&difference.syndromes, capacity).and_then(roots::roots);
        assert_eq!(decoded, None, "round {round}, {size} > {capacity}");
    }
}

#[test]
fn syndromes_of_no_set_are_far() {
    let mut random = StdRng::seed_from_u64(4);
    for round in 0..2_000 {
        let mut noise = sketch(&elements(&mut random, 5));
        let at = random.random_range(0..CAPACITY + CHECKS);
        noise.syndromes[at] ^= 1 << random.random_range(0..64);
        assert_eq!(noise.distance(&Sketch::new(CAPACITY)), Distance::Far, "round {round}, syndrome {at}");
    }
}

#[test]
fn parts_merge_to_the_whole_in_any_order() {
    let mut random = StdRng::seed_from_u64(5);
    let mut all = elements(&mut random, 500);
    let whole = sketch(&all);
    all.shuffle(&mut random);
    let mut merged = Sketch::new(CAPACITY);
    all.chunks(37).for_each(|part| merged.merge(&sketch(part)));
    assert_eq!(merged, whole);
}

#[test]
fn toggling_twice_changes_nothing() {
    let mut random = StdRng::seed_from_u64(6);
    let all = elements(&mut random, 50);
    let mut twice = sketch(&all);
    let extra = elements(&mut random, 50);
    extra.iter().chain(extra.iter().rev()).for_each(|element| twice.toggle(*element));
    assert_eq!(twice, sketch(&all));
}

#[test]
fn bytes_come_back_and_other_lengths_do_not() {
    let mut random = StdRng::seed_from_u64(7);
    let original = sketch(&elements(&mut random, 33));
    let bytes = original.to_bytes();
    assert_eq!(bytes.len(), 16 + 8 * (CAPACITY + CHECKS));
    assert_eq!(Sketch::from_bytes(&bytes), Some(original));
    for wrong in [0, 7, 16, 24, bytes.len() - 1] {
        assert_eq!(Sketch::from_bytes(&bytes[..wrong]), None, "{wrong} bytes");
    }
}

#[test]
fn the_outline_never_says_more_than_the_distance() {
    let mut random = StdRng::seed_from_u64(8);
    for size in 0..200 {
        let common = elements(&mut random, 20);
        let (ours, mut theirs) = (sketch(&common), sketch(&common));
        elements(&mut random, size).iter().for_each(|element| theirs.toggle(*element));
        assert!(ours.outline().apart(theirs.outline()) <= size);
    }
}

#[test]
fn sketches_of_two_capacities_compare_at_the_smaller() {
    let mut random = StdRng::seed_from_u64(9);
    let (small, large) = (elements(&mut random, 4), elements(&mut random, 5));
    let (mut four, mut ten) = (Sketch::new(4), Sketch::new(10));
    small.iter().for_each(|element| four.toggle(*element));
    assert_eq!(four.distance(&ten), Distance::Near(4));
    large.iter().for_each(|element| ten.toggle(*element));
    assert_eq!(four.distance(&ten), Distance::Far);
    assert_eq!(Sketch::new(10).distance(&ten), Distance::Near(5));
}

#[test]
fn an_element_is_never_zero_and_keeps_the_high_half_of_its_unit() {
    let element = Element::new(0x1234_5678_9abc_def0, -5);
    assert_eq!(element.unit(), 0x1234_5678);
    assert_eq!(element, Element::new(0x1234_5678_9abc_def0, -5));
    assert_ne!(element, Element::new(0x1234_5678_9abc_def0, 5));
    assert_ne!(element, Element::new(0x1234_5678_9abc_def1, -5));
    assert_eq!(Element::from_root(0), None);
}
