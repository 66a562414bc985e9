//! Which cells are fresh, reused, repeated or near, and what is spent.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::thread;

use super::super::{Account, History, HistoryError, NearToday, Observation, Release, Scope, Settled, Who};
use super::{Place, account, cell, count, release, settle, sum, summed};

#[test]
fn a_magnitude_near_an_anchor_gets_its_answer_and_makes_none() {
    let place = Place::new();
    let history = place.open();
    assert_eq!(settle(&history, vec![sum(0..50, 500)]), [Settled::Fresh]);
    // 9 units more, 9 fewer, and 4 fewer and 5 more.
    for near in [sum(0..59, 590), sum(0..41, 410), sum(4..55, 510)] {
        assert_eq!(settle(&history, vec![near]), [Settled::Reused(500)]);
    }
    // 18 from the anchor, and 9 from a cell that was reused.
    assert_eq!(settle(&history, vec![sum(0..68, 680)]), [Settled::Fresh]);
}

#[test]
fn k_units_apart_is_far() {
    let place = Place::new();
    let history = place.open();
    let cells = vec![sum(0..50, 500), sum(0..60, 600), sum(0..40, 400), sum(5..55, 501)];
    assert_eq!(settle(&history, cells), [Settled::Fresh; 4]);
}

#[test]
fn the_same_set_is_repeated_or_answered_as_before() {
    let place = Place::new();
    let history = place.open();
    let cells = vec![sum(0..50, 500), sum(0..50, 500), sum(0..50, 501)];
    assert_eq!(settle(&history, cells), [Settled::Fresh, Settled::Repeated, Settled::Reused(500)]);
}

#[test]
fn the_earliest_near_anchor_answers() {
    let place = Place::new();
    let history = place.open();
    assert_eq!(settle(&history, vec![sum(0..62, 620), sum(0..50, 500)]), [Settled::Fresh; 2]);
    // 6 units from both; then 2 from the later one and 10 from the earlier.
    assert_eq!(settle(&history, vec![sum(0..56, 560), sum(0..52, 520)]), [Settled::Reused(620), Settled::Reused(500)]);
}

#[test]
fn a_changed_contribution_is_one_unit() {
    let place = Place::new();
    let history = place.open();
    let changed = |units: u64| cell("sum", (0..50).map(move |unit| (unit, 1 + i128::from(unit < units))), 999);
    assert_eq!(settle(&history, vec![sum(0..50, 500)]), [Settled::Fresh]);
    assert_eq!(settle(&history, vec![changed(9), changed(10)]), [Settled::Reused(500), Settled::Fresh]);
}

#[test]
fn other_scopes_are_not_compared() {
    let place = Place::new();
    let history = place.open();
    let of =
        |dataset, function, measure| Observation { scope: Scope::new(dataset, function, measure), ..sum(0..50, 1) };
    let cells = vec![of("a", "sum", "cost"), of("b", "sum", "cost"), of("a", "avg", "cost"), of("a", "sum", "age")];
    assert_eq!(settle(&history, cells), [Settled::Fresh; 4]);
    assert!(Scope::new("a", "b1:", "c") != Scope::new("a1:b", "", "c"));
}

#[test]
fn near_counts_are_released_recorded_and_anchors_themselves() {
    let place = Place::new();
    let history = place.open();
    assert_eq!(settle(&history, vec![count(0..50, 51), count(0..50, 51)]), [Settled::Fresh, Settled::Repeated]);
    // 5 from the first; then 8 from the second; then 9 from the second and the third.
    let cells = vec![count(0..55, 54), count(4..59, 55), count(0..64, 66)];
    let made = history.settle(release(cells)).unwrap();
    assert_eq!(made.settled, [Settled::Near; 3]);
    assert_eq!(made.pairs, 4);
    let today = release(Vec::new()).day;
    let near = |who, before, now| NearToday { who, day: today, before, now };
    let (ann, agreement) = (Who::Caller("ann@camden".into()), Who::Agreement("fire-risk-2026".into()));
    assert_eq!(made.near, [near(ann, 0, 4), near(agreement.clone(), 0, 4)]);
    let bob = || Release { caller: "bob".to_owned(), ..release(vec![count(0..49, 48), count(0..64, 66)]) };
    let made = history.settle(bob()).unwrap();
    assert_eq!(made.settled, [Settled::Near, Settled::Repeated]);
    assert_eq!(made.near, [near(Who::Caller("bob".into()), 0, 2), near(agreement, 4, 6)]);
    // What is repeated makes no pairs, and the next day begins with none.
    let made = history.settle(bob()).unwrap();
    assert_eq!((made.pairs, made.near), (0, vec![]));
    let tomorrow = Release { day: today.succ_opt().unwrap(), ..release(vec![count(0..48, 47)]) };
    let made = history.settle(tomorrow).unwrap();
    assert!(made.pairs > 0 && made.near.iter().all(|near| (near.before, near.now) == (0, made.pairs)), "{made:?}");
}

/// This question over these cells, all of them visible, on an account of so many.
fn limited(question: &str, allowance: u64, mut cells: Vec<Observation>) -> Release {
    cells.iter_mut().zip(1..).for_each(|(cell, at)| cell.seen_in = at);
    let accounts = vec![account("lfb.incidents", Some(allowance))];
    Release { accounts, question: question.to_owned(), ..release(cells) }
}

fn spent(history: &History, dataset: &str) -> u64 {
    history.spent(Some("fire-risk-2026"), dataset).unwrap()
}

/// How many cells of a release are shown.
fn shown(history: &History, release: Release) -> u64 {
    let cells = release.cells.len();
    let outcome = history.settle(release).unwrap();
    let unseen = outcome.settled.iter().rev().take_while(|settled| **settled == Settled::Unseen).count();
    let all_unseen = outcome.settled.iter().filter(|settled| **settled == Settled::Unseen).count();
    assert_eq!((unseen, all_unseen as u64), (all_unseen, cells as u64 - outcome.shown), "the last ones, and no others");
    outcome.shown
}

#[test]
fn the_allowance_ends_an_answer_and_what_is_behind_it_leaves_no_trace() {
    let place = Place::new();
    let history = place.open();
    assert_eq!(shown(&history, limited("a", 4, vec![sum(0..20, 1), sum(100..120, 2)])), 2);
    assert_eq!(spent(&history, "lfb.incidents"), 2);

    let more = || vec![sum(200..220, 3), sum(300..320, 4), sum(400..420, 5)];
    assert_eq!(shown(&history, limited("b", 4, more())), 2);
    assert_eq!(spent(&history, "lfb.incidents"), 4);
    assert_eq!(shown(&history, limited("c", 4, vec![sum(500..520, 6)])), 0);
    assert_eq!(spent(&history, "lfb.incidents"), 4);
    // A cell near one that was not shown is answered by itself, and one near a shown one is not.
    let near = vec![sum(400..421, 7), sum(200..221, 7), sum(500..521, 7)];
    assert_eq!(settle(&history, near), [Settled::Fresh, Settled::Reused(3), Settled::Fresh]);
    // Another agreement, none, and another dataset have counters of their own.
    assert_eq!(history.spent(Some("other"), "lfb.incidents").unwrap(), 0);
    assert_eq!(history.spent(None, "lfb.incidents").unwrap(), 0);
    assert_eq!(spent(&history, "lfb.stations"), 0);
}

#[test]
fn what_no_visible_cell_is_made_of_settles_and_is_not_charged() {
    let place = Place::new();
    let history = place.open();
    let mut release = limited("a", 1, vec![sum(0..20, 1), sum(100..120, 2), sum(200..220, 3)]);
    release.cells[1].seen_in = 0;
    release.visible = 2;
    let outcome = history.settle(release).unwrap();
    assert_eq!((outcome.shown, outcome.settled), (1, vec![Settled::Fresh, Settled::Fresh, Settled::Unseen]));
}

#[test]
fn the_same_question_over_the_same_cells_is_charged_once() {
    let place = Place::new();
    let cells = || vec![sum(0..20, 1), sum(100..120, 2)];
    place.open().settle(limited("a", 3, cells())).unwrap();
    let history = place.open();
    for caller in ["ann@camden", "bob@camden"] {
        let again = Release { caller: caller.to_owned(), ..limited("a", 3, cells()) };
        assert_eq!(history.settle(again).unwrap().settled, [Settled::Repeated; 2]);
    }
    assert_eq!(spent(&history, "lfb.incidents"), 2);
    // The same cells in other words, and the same words over other cells, are charged: what is free tells nothing.
    assert_eq!(shown(&history, limited("b", 3, cells())), 1);
    assert_eq!(spent(&history, "lfb.incidents"), 3);
    assert_eq!(shown(&history, limited("a", 3, vec![sum(0..21, 1), sum(100..120, 2)])), 0);
    // What was cut off is charged when there is more to give, and what was shown is not charged again.
    assert_eq!(shown(&history, limited("b", 3, cells())), 1);
    assert_eq!(shown(&history, limited("b", 4, cells())), 2);
    assert_eq!(spent(&history, "lfb.incidents"), 4);
    // Under another agreement it was never given.
    let other = Account { agreement: None, ..account("lfb.incidents", None) };
    history.settle(Release { accounts: vec![other], ..limited("a", 3, cells()) }).unwrap();
    assert_eq!(history.spent(None, "lfb.incidents").unwrap(), 2);
}

#[test]
fn each_dataset_of_an_answer_is_charged() {
    let place = Place::new();
    let history = place.open();
    let accounts = || vec![account("lfb.incidents", Some(3)), account("lfb.stations", None)];
    let joined = |question: &str, cells| Release { accounts: accounts(), ..limited(question, 3, cells) };
    assert_eq!(shown(&history, joined("a", vec![sum(0..20, 1), sum(100..120, 2)])), 2);
    assert_eq!((spent(&history, "lfb.incidents"), spent(&history, "lfb.stations")), (2, 2));
    // The one with the fewest left ends the answer, and the other is charged for what is shown.
    assert_eq!(shown(&history, joined("b", vec![sum(200..220, 1), sum(300..320, 2)])), 1);
    assert_eq!((spent(&history, "lfb.incidents"), spent(&history, "lfb.stations")), (3, 3));
}

#[test]
fn a_sketch_too_small_for_k_is_refused() {
    let place = Place::new();
    let history = place.open();
    let small = Observation { sketch: summed(8, &[]), ..sum(0..50, 1) };
    let refused = history.settle(release(vec![small])).unwrap_err();
    assert!(matches!(refused, HistoryError::Capacity { capacity: 8, nearness: 10 }), "{refused}");
    let enough = Observation { sketch: summed(9, &[]), ..sum(0..50, 1) };
    history.settle(release(vec![enough])).unwrap();
}

#[test]
fn what_settles_does_not_depend_on_what_is_held_in_memory() {
    let cells = || (0..60).map(|at| sum(at * 4..at * 4 + 30, i128::from(at))).collect::<Vec<_>>();
    let (warm, cold) = (Place::new(), Place::new());
    let together = settle(&warm.open(), cells());
    let apart: Vec<Settled> = cells().into_iter().flat_map(|cell| settle(&cold.open(), vec![cell])).collect();
    assert_eq!(together, apart);
    assert!(together.contains(&Settled::Fresh) && together.contains(&Settled::Reused(0)));
}

#[test]
fn of_many_at_once_one_is_the_earliest_for_all() {
    let place = Place::new();
    let history = place.open();
    let ask = |thread: u64| {
        // Every thread's sets are 1 to 7 units from every other's, and far from those of other rounds.
        (0..12)
            .map(|round| settle(&history, vec![sum(round * 100..round * 100 + 30 + thread, thread.into())])[0])
            .collect()
    };
    let ask = &ask;
    let settled: Vec<Vec<Settled>> = thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|thread| scope.spawn(move || ask(thread))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for round in 0..12 {
        let of_round: Vec<Settled> = settled.iter().map(|of_thread| of_thread[round]).collect();
        let first = of_round.iter().position(|settled| *settled == Settled::Fresh).unwrap();
        let reused = Settled::Reused(first.try_into().unwrap());
        assert_eq!(of_round.iter().filter(|settled| **settled == reused).count(), 7, "round {round}");
    }
    assert_eq!(history.spent(Some("fire-risk-2026"), "lfb.incidents").unwrap(), 96);
}
