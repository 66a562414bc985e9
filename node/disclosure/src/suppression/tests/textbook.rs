//! The examples of the textbooks: a complement, a margin, linked tables, hierarchies, units that are alone.

use super::*;

fn all(parts: &[Vec<Row>]) -> Vec<Row> {
    parts.concat()
}

#[test]
fn a_cell_and_its_complement_are_withheld_together() {
    // 3 of 40 are label 1.
    let found = counts(&[2], &[table(&[0], &[])], &all(&[rows(37, &[0]), rows(3, &[1])]), 10);
    assert_eq!(count(&found, &[None]), Some(40));
    assert_eq!(count(&found, &[Some(0)]), None);
    assert_eq!(count(&found, &[Some(1)]), None);
}

#[test]
fn a_filter_and_its_complement_too() {
    // Nobody declares label 1, but the total less label 0 is it.
    let people = all(&[rows(37, &[0]), rows(3, &[1])]);
    let found = counts(&[2], &[table(&[], &[]), table(&[], &[(0, 0)])], &people, 10);
    assert_eq!(found.iter().filter(|(_, count)| count.is_some()).count(), 1, "{found:?}");
    // Of more than k on both sides nothing is withheld.
    let people = all(&[rows(37, &[0]), rows(13, &[1])]);
    let found = counts(&[2], &[table(&[], &[]), table(&[], &[(0, 0)])], &people, 10);
    assert!(found.iter().all(|(_, count)| count.is_some()), "{found:?}");
}

/// The 3 × 3 table with one small cell: three more are withheld, in its row, in its column, and where those meet.
#[test]
fn one_small_cell_of_a_table_with_margins_takes_a_rectangle() {
    let mut people = Vec::new();
    for (r, row) in [[20, 50, 10], [8, 19, 22], [17, 32, 12]].iter().enumerate() {
        for (c, n) in row.iter().enumerate() {
            people.extend(rows(*n, &[r, c]));
        }
    }
    let found = counts(&[3, 3], &[table(&[0, 1], &[])], &people, 10);
    let withheld: Vec<&Predicate> = found.iter().filter(|(_, count)| count.is_none()).map(|(cell, _)| cell).collect();
    assert_eq!(withheld.len(), 4, "{withheld:?}");
    assert!(withheld.contains(&&vec![Some(1), Some(0)]));
    assert!(withheld.iter().all(|cell| cell.iter().all(Option::is_some)), "margins stay: {withheld:?}");
}

#[test]
fn nothing_small_nothing_withheld() {
    let people = all(&[rows(12, &[0, 0]), rows(15, &[0, 1]), rows(30, &[1, 0]), rows(11, &[1, 1])]);
    let found = counts(&[2, 2], &[table(&[0, 1], &[])], &people, 10);
    assert!(found.iter().all(|(_, count)| count.is_some()));
}

#[test]
fn zero_is_withheld_like_what_is_too_small() {
    let people = all(&[rows(20, &[0, 0]), rows(15, &[0, 1]), rows(30, &[1, 0])]);
    let found = counts(&[2, 2], &[table(&[0, 1], &[])], &people, 10);
    assert_eq!(count(&found, &[Some(1), Some(1)]), None);
}

/// Two tables share a margin: what one withholds can't be had from the other.
#[test]
fn linked_tables_are_taken_together() {
    // Region × age and region × sex; region 1 has 4 of sex 1.
    let mut people = Vec::new();
    for (labels, n) in [([0, 0, 0], 30), ([0, 1, 1], 25), ([1, 0, 0], 22), ([1, 1, 0], 18), ([1, 1, 1], 4)] {
        people.extend(rows(n, &labels));
    }
    let tables = [table(&[0, 1], &[]), table(&[0, 2], &[]), table(&[], &[(0, 1), (2, 1)])];
    let found = counts(&[2, 2, 2], &tables, &people, 10);
    assert_eq!(count(&found, &[Some(1), None, Some(1)]), None);
    let (region, other) = (count(&found, &[Some(1), None, None]), count(&found, &[Some(1), None, Some(0)]));
    assert!(region.is_none() || other.is_none(), "{found:?}");
}

/// A year within all years, a district within a year: each a table with filters of its own.
#[test]
fn filters_within_filters_are_one_hierarchy() {
    let people = all(&[rows(40, &[0, 0]), rows(30, &[1, 0]), rows(26, &[1, 1]), rows(4, &[1, 2])]);
    let tables = [table(&[], &[]), table(&[], &[(0, 1)]), table(&[1], &[(0, 1)])];
    let found = counts(&[2, 3], &tables, &people, 10);
    assert_eq!(count(&found, &[None, None]), Some(100));
    assert_eq!(count(&found, &[Some(1), None]), Some(60));
    let districts: Vec<_> = (0..3).map(|district| count(&found, &[Some(1), Some(district)])).collect();
    assert_eq!(districts[2], None);
    assert_eq!(districts.iter().filter(|count| count.is_none()).count(), 2, "{districts:?}");
}

/// Two cells of one unit and of nine: the one unit would know the nine, and so a third is withheld.
#[test]
fn who_is_alone_in_a_cell_does_not_learn_its_neighbour() {
    let people = all(&[rows(1, &[0]), rows(9, &[1]), rows(50, &[2]), rows(60, &[3])]);
    let found = counts(&[4], &[table(&[0], &[])], &people, 10);
    let withheld: Vec<usize> = (0..4).filter(|label| count(&found, &[Some(*label)]).is_none()).collect();
    assert_eq!(withheld, [0, 1, 2]);
}

/// Two units share a cell's sum; a third cell stands between the one's own figure and the other's.
#[test]
fn a_dominated_sum_takes_its_count_and_a_neighbour_with_it() {
    let mut people = Vec::new();
    for (label, contributions) in
        [(0, vec![900, 50, 1, 1, 1, 1]), (1, vec![30; 20]), (2, vec![40; 20]), (3, vec![35; 20])]
    {
        people.extend(contributions.into_iter().map(|c| Row { labels: vec![label], measures: vec![c] }));
    }
    let tables = [Table { sum: Some(0), ..table(&[0], &[]) }];
    let shape = Shape::new(&[4], 1, &tables).unwrap();
    let pattern = solve(&shape, &figures(&shape, &people, 1), &rules(3)).unwrap();
    let withheld: Vec<bool> = (0..4).map(|label| pattern.withheld(shape.cell(&vec![Some(label)]).unwrap())).collect();
    assert!(withheld[0], "{withheld:?}");
    assert_eq!(withheld.iter().filter(|withheld| **withheld).count(), 2, "{withheld:?}");
    assert!(!pattern.withheld(shape.cell(&vec![None]).unwrap()));
}

#[test]
fn a_dataset_of_nobody_has_nothing_to_say() {
    let found = counts(&[2, 2], &[table(&[0, 1], &[])], &[], 10);
    assert!(found.iter().all(|(_, count)| count.is_none()));
}

#[test]
fn the_same_rows_in_any_order_give_the_same_answer() {
    let mut people = Vec::new();
    for (at, n) in [14, 3, 20, 0, 12, 11, 2, 16, 40].iter().enumerate() {
        people.extend(rows(*n, &[at / 3, at % 3]));
    }
    let tables = [table(&[0, 1], &[]), table(&[1], &[(0, 2)])];
    let one = counts(&[3, 3], &tables, &people, 10);
    people.reverse();
    let reversed: Vec<Table> = tables.iter().rev().cloned().collect();
    for _ in 0..3 {
        assert_eq!(counts(&[3, 3], &reversed, &people, 10), one);
    }
}
