//! The cells of tables: margins, filters and what lies beside them, circles.

use super::*;

fn cells(labels: &[usize], tables: &[Table]) -> (usize, usize) {
    let shape = Shape::new(labels, 0, tables).unwrap();
    let published = (0..shape.cells().len()).filter(|cell| shape.published(*cell)).count();
    (shape.cells().len(), published)
}

#[test]
fn a_table_has_all_its_margins() {
    assert_eq!(cells(&[2, 3], &[table(&[0, 1], &[])]), (12, 12));
    assert_eq!(cells(&[2, 3], &[table(&[], &[])]), (1, 1));
    // Equal cells of two tables are one.
    assert_eq!(cells(&[2, 3], &[table(&[0, 1], &[]), table(&[1], &[]), table(&[0], &[(1, 2)])]), (12, 12));
}

#[test]
fn beside_a_filter_lies_what_can_be_had_by_subtraction() {
    // All, those of label 4, and the other nine together.
    assert_eq!(cells(&[10], &[table(&[], &[]), table(&[], &[(0, 4)])]), (3, 2));
    // By the other dimension as well.
    assert_eq!(cells(&[10, 2], &[table(&[1], &[]), table(&[1], &[(0, 4)])]), (9, 6));
    // Nothing to subtract from.
    assert_eq!(cells(&[10, 2], &[table(&[1], &[(0, 4)])]), (3, 3));
    // Label by label where a table tells them apart.
    assert_eq!(cells(&[10], &[table(&[0], &[]), table(&[], &[(0, 4)])]), (11, 11));
}

#[test]
fn tables_in_a_circle_bring_the_cells_of_all_their_dimensions() {
    let (ab, bc, ca) = (table(&[0, 1], &[]), table(&[1, 2], &[]), table(&[2, 0], &[]));
    assert_eq!(cells(&[2, 2, 2], &[ab.clone(), bc.clone()]), (15, 15));
    assert_eq!(cells(&[2, 2, 2], &[ab, bc, ca]), (27, 19));
}

#[test]
fn what_can_t_be_is_refused() {
    for wrong in [table(&[1], &[]), table(&[0], &[(0, 1)]), table(&[], &[(0, 2)]), table(&[0, 0], &[])] {
        assert_eq!(Shape::new(&[2], 0, &[wrong]).unwrap_err(), SuppressionError::Table { table: 0 });
    }
    let sum = Table { sum: Some(1), ..table(&[], &[]) };
    assert_eq!(Shape::new(&[2], 1, &[sum]).unwrap_err(), SuppressionError::Table { table: 0 });
    let error = Shape::new(&[100, 100], 0, &[table(&[0, 1], &[])]).unwrap_err();
    assert!(matches!(error, SuppressionError::Cells { most: MOST_CELLS, .. }), "{error}");
    let circle = [table(&[0, 1], &[]), table(&[1, 2], &[]), table(&[2, 0], &[])];
    assert!(matches!(Shape::new(&[20, 20, 20], 0, &circle), Err(SuppressionError::Cells { .. })));
}

#[test]
fn sums_are_of_the_tables_that_declare_them() {
    let tables = [Table { sum: Some(0), ..table(&[0], &[]) }, table(&[1], &[])];
    let shape = Shape::new(&[2, 2], 1, &tables).unwrap();
    let summed: Vec<&Predicate> =
        shape.cells().iter().enumerate().filter(|(cell, _)| shape.sums(*cell, 0)).map(|(_, cell)| cell).collect();
    assert_eq!(summed, [&vec![None, None], &vec![Some(0), None], &vec![Some(1), None]]);
}

#[test]
fn figures_that_do_not_add_up_are_refused() {
    let shape = Shape::new(&[2], 0, &[table(&[0], &[])]).unwrap();
    let mut wrong = figures(&shape, &rows(30, &[0]), 0);
    wrong[0][0].sum += 1;
    assert_eq!(solve(&shape, &wrong, &rules(3)).unwrap_err(), SuppressionError::Figures);
    assert_eq!(solve(&shape, &wrong[1..], &rules(3)).unwrap_err(), SuppressionError::Figures);
}
