//! What must be the same in the transcripts of twins, property by property.

use serde_json::Value as Json;

use super::transcript::{Told, Transcript};
use crate::proofs::case::{Above, Case, Grouping, Question};
use crate::proofs::model::{Answer, Contributions, Expected, Model, Place, Settled};
use crate::proofs::oracle::same_rows;
use crate::proofs::value::Value;

/// What is counted: how often each property was tried, and how many of the answers had something to tell.
pub(super) const COUNTED: [&str; 10] = ["a", "b", "c", "d", "e", "f", ANSWERED, WITHHELD, APART, ENDED];
/// Both were answered with at least one cell that can be seen.
pub(super) const ANSWERED: &str = "answered with cells";
/// In one of them, somebody's cell was withheld.
pub(super) const WITHHELD: &str = "answered with cells withheld";
/// Both were answered, and not with the same.
pub(super) const APART: &str = "answered otherwise";
/// In one of them, an allowance ended within the answer.
pub(super) const ENDED: &str = "ended by an allowance";

/// How often each of these was met.
#[derive(Debug, Clone, Copy)]
pub(in crate::proofs) struct Tally([u64; COUNTED.len()]);

impl Tally {
    pub(super) const NONE: Self = Self([0; COUNTED.len()]);

    pub(super) fn add(&mut self, other: Self) {
        self.0.iter_mut().zip(other.0).for_each(|(all, some)| *all += some);
    }

    pub(super) fn of(&self, counted: &str) -> u64 {
        self.0[COUNTED.iter().position(|of| *of == counted).unwrap()]
    }

    fn count(&mut self, counted: &str) {
        self.0[COUNTED.iter().position(|of| *of == counted).unwrap()] += 1;
    }
}

/// Two databases while they are asked.
pub(super) struct Pair<'a> {
    models: (Model<'a>, Model<'a>),
    /// All that was read so far is equal.
    same_read: bool,
    /// All that left so far is equal.
    same_past: bool,
    /// What is left of allowances differs, which is a function of the cells that were visible.
    spent: bool,
    pub(super) tally: Tally,
}

type Transcripts = (Transcript, Transcript);

impl<'a> Pair<'a> {
    pub(super) fn new(one: &'a Case, other: &'a Case) -> Self {
        let models = (Model::new(one), Model::new(other));
        Self { models, same_read: true, same_past: true, spent: false, tally: Tally::NONE }
    }

    /// Compares what left of the next question; says what must not differ and does.
    pub(super) fn compare(&mut self, question: &Question, both: Transcripts) -> Option<String> {
        let (one, other) = &both;
        self.same_read &= self.models.0.read(question) == self.models.1.read(question);
        self.spent |= self.models.0.spent != self.models.1.spent;
        let same_history = !self.spent && self.models.0.history == self.models.1.history;
        let empty = self.models.0.history.answers().is_empty() && self.models.1.history.answers().is_empty();
        let expected = (self.models.0.ask(question), self.models.1.ask(question));
        let wrong = [(one, &expected.0), (other, &expected.1)].into_iter().find_map(|(found, of)| differs(found, of));
        if let Some(wrong) = wrong {
            return Some(wrong);
        }
        let told =
            |property: &str, what: &str| Some(format!("({property}) {what}\n{one:#?}\n{other:#?}\n{expected:#?}"));
        if let Some(what) = self.everything_but_cells(question, one, other) {
            return told("a", &what);
        }
        if self.same_read {
            self.tally.count("b");
            if one != other {
                return told("b", "all that is read is the same, and what leaves is not");
            }
        }
        if let (Expected::Answered(model), Expected::Answered(twin)) = &expected {
            self.count_answers(question, &both, (model, twin));
            let affected = affected(model, twin);
            if [model, twin].iter().any(|answer| answer.cells.iter().any(|cell| cell.settled == Settled::Unseen)) {
                self.tally.count(ENDED);
            }
            if empty && self.cells_without_the_unit(question, (one, other), (model, twin)) == Some(false) {
                return told("c", "a cell without the changed unit is another");
            }
            let below = |place: &Place| below(model, place) && below(twin, place);
            let reused = |place: &Place| match (settled(model, place), settled(twin, place)) {
                (Some(Settled::Reused(one)), Some(Settled::Reused(other))) => one == other,
                _ => false,
            };
            if same_history && !affected.is_empty() && affected.iter().all(|place| below(place)) {
                self.tally.count("d");
                if one != other {
                    return told("d", "all affected cells are below the threshold, and what leaves is not the same");
                }
            }
            if same_history
                && affected.iter().all(|place| below(place) || reused(place))
                && affected.iter().any(|place| reused(place))
            {
                self.tally.count("e");
                if one != other {
                    return told("e", "all affected cells take one anchor's answer, and what leaves is not the same");
                }
            }
            if self.counts_are_near(model, twin) == Some(false) {
                return told("f", "two counts of sets one unit apart differ by more than noise");
            }
        }
        self.same_past &= one == other;
        None
    }

    /// Counts what the two answers tell, so that a test of refusals alone would not pass for one of answers.
    fn count_answers(&mut self, question: &Question, (one, other): &Transcripts, (model, twin): (&Answer, &Answer)) {
        let keys = question.ask.keys.len();
        let seen = |of: &Transcript| {
            of.rows().is_some_and(|rows| rows.iter().any(|row| row.iter().skip(keys).any(|cell| !cell.is_null())))
        };
        let withheld =
            |answer: &Answer| answer.cells.iter().any(|cell| cell.answer.is_none() && !cell.contributions.is_empty());
        if seen(one) && seen(other) {
            self.tally.count(ANSWERED);
        }
        if withheld(model) || withheld(twin) {
            self.tally.count(WITHHELD);
        }
        if one.rows().is_some() && one.answer != other.answer {
            self.tally.count(APART);
        }
    }

    /// (a) Everything but cells is the same, and what the cells' number and shape decide is decided by nothing else.
    fn everything_but_cells(&mut self, question: &Question, one: &Transcript, other: &Transcript) -> Option<String> {
        self.tally.count("a");
        // What is left of an allowance is said, and where nothing is, that is: a function of what was visible before.
        if !self.spent && one.refusal() != other.refusal() {
            return Some("errors differ".into());
        }
        // The plan is asked for last, and says what is left then.
        let same_left = self.models.0.spent == self.models.1.spent;
        let same_said = one.info == other.info && one.answer.record() == other.answer.record();
        if (same_left && one.plan != other.plan) || (!self.spent && !same_said) {
            return Some("plans, descriptions or records differ".into());
        }
        let (Some(rows), Some(others)) = (one.rows(), other.rows()) else { return None };
        let labels = |rows: &[Vec<Value>]| -> Vec<Vec<Value>> {
            let keys = question.ask.keys.len();
            rows.iter().map(|row| row[..keys].to_vec()).collect()
        };
        if labels(&rows) != labels(&others) {
            return None;
        }
        if one.answer.size() != other.answer.size() {
            return Some("numbers of rows or bytes differ under the same labels".into());
        }
        let withheld = |rows: &[Vec<Value>]| -> Vec<Vec<bool>> {
            rows.iter().map(|row| row.iter().map(Value::is_null).collect()).collect()
        };
        if withheld(&rows) == withheld(&others) {
            let shape = |of: &Transcript| -> Vec<(Vec<u8>, usize)> {
                of.answer.frames.iter().map(|frame| (frame.header.clone(), frame.body.len())).collect()
            };
            if shape(one) != shape(other) {
                return Some("frames differ in shape under the same labels and withheld cells".into());
            }
        }
        if format!("{rows:?}") == format!("{others:?}") && one.answer.frames != other.answer.frames {
            return Some("frames of the same rows differ".into());
        }
        None
    }

    /// (c) Cells without the changed unit are the same; none where there are no such cells beside affected ones.
    fn cells_without_the_unit(
        &mut self,
        question: &Question,
        (one, other): (&Transcript, &Transcript),
        (model, twin): (&Answer, &Answer),
    ) -> Option<bool> {
        if question.above != Above::Nothing || question.ask.grouping != Grouping::Plain {
            return None;
        }
        let (rows, others) = (one.rows()?, other.rows()?);
        let keys = question.ask.keys.len();
        let mut places: Vec<(&[Value], usize)> = Vec::new();
        for place in model.cells.iter().chain(&twin.cells).map(|cell| &cell.place) {
            let Some((cell, _)) = place.cell else { continue };
            if !places.contains(&(&place.label, cell)) {
                places.push((&place.label, cell));
            }
        }
        let all = affected(model, twin);
        let mut same = None;
        for (label, cell) in places {
            let of = |place: &Place| place.label == label && place.cell.is_some_and(|of| of.0 == cell);
            // Within one answer a cell may take the answer of another, which the unit may be in, and where an allowance
            // ends, cells before it may be visible for the unit.
            let bound = |answer: &Answer| {
                let bound = |settled: &Settled| matches!(settled, Settled::Reused(_) | Settled::Unseen);
                answer.cells.iter().any(|cell| of(&cell.place) && bound(&cell.settled))
            };
            if all.iter().any(of) || bound(model) || bound(twin) {
                continue;
            }
            let value = |rows: &[Vec<Value>]| {
                let row = rows.iter().find(|row| row[..keys] == *label);
                row.map_or(Value::Null, |row| row[keys + cell].clone())
            };
            let equal = format!("{:?}", value(&rows)) == format!("{:?}", value(&others));
            same = Some(same.unwrap_or(true) && equal);
        }
        if same.is_some() && !all.is_empty() {
            self.tally.count("c");
        }
        same
    }

    /// (f) Counts of sets that are one unit apart differ by at most one and twice the largest noise.
    fn counts_are_near(&mut self, model: &Answer, twin: &Answer) -> Option<bool> {
        let mut near = None;
        for cell in model.cells.iter().filter(|cell| cell.counts) {
            let Some(other) = twin.cells.iter().find(|other| other.place == cell.place) else { continue };
            let (Some(answer), Some(of_other)) = (cell.answer, other.answer) else { continue };
            if distance(&cell.contributions, &other.contributions) == 1 {
                let most = 1 + 2 * i128::from(model.largest);
                near = Some(near.unwrap_or(true) && (answer - of_other).abs() <= most);
            }
        }
        if near.is_some() {
            self.tally.count("f");
        }
        near
    }

    /// (a) What is told of the datasets before anything is asked is the same.
    pub(super) fn compare_catalogues(&mut self, one: &Told, other: &Told) -> Option<String> {
        (one != other).then(|| format!("(a) what is told of the datasets differs:\n{one:#?}\n{other:#?}"))
    }

    /// The public records of the log: the same but for the size of answers, and the same in that where answers are.
    pub(super) fn compare_logs(&self, one: Vec<Json>, other: Vec<Json>) -> Option<String> {
        if self.spent {
            return None;
        }
        let without_sizes = |records: &[Json]| -> Vec<Json> {
            let mut records = records.to_vec();
            for outcome in records.iter_mut().filter_map(|record| record.get_mut("outcome")) {
                *outcome = Json::Null;
            }
            records
        };
        let same = if self.same_past { one == other } else { without_sizes(&one) == without_sizes(&other) };
        (!same).then(|| format!("(a) the logs differ:\n{one:#?}\n{other:#?}"))
    }
}

/// How a transcript differs from what the model expects.
fn differs(found: &Transcript, expected: &Expected) -> Option<String> {
    let agrees = match (expected, found.rows()) {
        (Expected::Refused(_), None) => true,
        (Expected::Answered(answer), Some(rows)) => same_rows(&answer.rows, &rows),
        _ => false,
    };
    (!agrees).then(|| format!("the model differs: {expected:#?}\n{:#?}\n{:?}", found.rows(), found.refusal()))
}

fn contributions<'m>(answer: &'m Answer, place: &Place) -> Option<&'m Contributions> {
    answer.cells.iter().find(|cell| cell.place == *place).map(|cell| &cell.contributions)
}

fn settled<'m>(answer: &'m Answer, place: &Place) -> Option<&'m Settled> {
    answer.cells.iter().find(|cell| cell.place == *place).map(|cell| &cell.settled)
}

fn below(answer: &Answer, place: &Place) -> bool {
    contributions(answer, place).is_none_or(|units| (units.len() as u64) < answer.threshold)
}

/// Where the figures stand that are made of other contributions in the one than in the other.
fn affected(one: &Answer, other: &Answer) -> Vec<Place> {
    let nothing = Contributions::new();
    let mut affected: Vec<Place> = Vec::new();
    for place in one.cells.iter().chain(&other.cells).map(|cell| &cell.place) {
        let of = |answer| contributions(answer, place).unwrap_or(&nothing);
        if of(one) != of(other) && !affected.contains(place) {
            affected.push(place.clone());
        }
    }
    affected
}

fn distance(one: &Contributions, other: &Contributions) -> usize {
    let gone = one.iter().filter(|(unit, contribution)| other.get(unit) != Some(contribution)).count();
    gone + other.keys().filter(|unit| !one.contains_key(unit)).count()
}
