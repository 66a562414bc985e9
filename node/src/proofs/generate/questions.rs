//! Random questions: FROM, WHERE, groups, cells, and what is done above.

use super::Dice;
use super::datasets::PURPOSES;
use super::expressions::{Offer, condition, label, of_role};
use crate::proofs::case::{
    Above, Call, Cell, Dataset, Expr, From, Grouping, Joining, Key, Named, Op, Projected, Question, Release, Role,
    Select, Within,
};
use crate::proofs::value::Type;

const RELATIONS: [&str; 24] = [
    "t0", "t1", "t2", "t3", "t4", "t5", "t6", "t7", "t8", "t9", "t10", "t11", "t12", "t13", "t14", "t15", "t16", "t17",
    "t18", "t19", "t20", "t21", "t22", "t23",
];
const KEYS: [&str; 4] = ["k0", "k1", "k2", "k3"];

pub(super) fn question(dice: &mut Dice, datasets: &[Dataset]) -> Question {
    let mut names = RELATIONS.iter();
    let mut maker = Maker { dice, datasets, names: &mut names };
    let (from, offers) = maker.select(2);
    let ask = maker.release(from, &offers);
    let above = maker.above(&ask);
    let purpose = if dice.mistake() { None } else { Some(*dice.one(&PURPOSES)) };
    Question { purpose, ask, above }
}

struct Maker<'a> {
    dice: &'a mut Dice,
    datasets: &'a [Dataset],
    names: &'a mut std::slice::Iter<'static, &'static str>,
}

type Relation = (From, Vec<Offer>);

impl Maker<'_> {
    fn name(&mut self) -> &'static str {
        self.names.next().unwrap()
    }

    fn select(&mut self, depth: u32) -> (Select, Vec<Offer>) {
        let (from, offers) = self.from(depth);
        let mut select = Select { from: vec![from], conditions: vec![], within: vec![] };
        for _ in 0..*self.dice.one(&[0, 0, 1, 1, 2]) {
            select.conditions.extend(condition(self.dice, &offers, 2));
        }
        if depth > 0 && self.dice.percent(10) {
            select.within.extend(self.within(&offers));
        }
        (select, offers)
    }

    fn from(&mut self, depth: u32) -> Relation {
        let protected: Vec<&Dataset> = self.datasets.iter().filter(|dataset| dataset.protection.is_some()).collect();
        let dataset = *self.dice.one(&protected);
        if depth == 0 {
            return self.scan(dataset);
        }
        match self.dice.below(100) {
            0..55 => self.scan(dataset),
            55..67 => self.derived(depth - 1),
            67..80 => self.looked_up(dataset),
            80..92 => self.by_unit(dataset).unwrap_or_else(|| self.scan(dataset)),
            _ => self.united(dataset),
        }
    }

    fn scan(&mut self, dataset: &Dataset) -> Relation {
        let alias = self.name();
        let protection = dataset.protection.as_ref();
        let offer = |column: &crate::proofs::case::Column| {
            let unit = protection.filter(|p| p.unit == Some(column.name)).map(|p| p.kind);
            let outer = protection.and_then(|p| p.belongs_to).filter(|(_, name)| *name == column.name);
            let role = match column.role {
                Role::Measure if protection.is_none() => Role::Identifier,
                role => role,
            };
            Offer {
                at: Named { relation: alias, column: column.name },
                of: column.of,
                role,
                column: Some(column.clone()),
                kind: unit.or(outer.map(|(kind, _)| kind)),
                outer: outer.is_some(),
            }
        };
        (From::Scan { dataset: dataset.name, alias }, dataset.columns.iter().map(offer).collect())
    }

    /// SELECT some columns, and perhaps one that is made of them.
    fn projected(&mut self, of: (Select, Vec<Offer>), alias: &'static str) -> (Projected, Vec<Offer>) {
        let (from, below) = of;
        let mut items = Vec::new();
        let mut offers = Vec::new();
        for offer in &below {
            let taken = items.iter().any(|item: &Key| item.name == offer.at.column);
            if taken || offer.role == Role::Hidden {
                continue;
            }
            items.push(Key { of: offer.expr(), name: offer.at.column });
            let at = Named { relation: alias, column: offer.at.column };
            offers.push(Offer { at, ..offer.clone() });
        }
        if self.dice.percent(35)
            && let Some(Expr::Choice(whens, otherwise)) = label(self.dice, &below, 1)
        {
            items.push(Key { of: Expr::Choice(whens, otherwise), name: "made" });
            let at = Named { relation: alias, column: "made" };
            offers.push(Offer { at, of: Type::Text, role: Role::Dimension, column: None, kind: None, outer: false });
        }
        (Projected { items, from }, offers)
    }

    fn derived(&mut self, depth: u32) -> Relation {
        let below = self.select(depth);
        let alias = self.name();
        let (of, offers) = self.projected(below, alias);
        (From::Derived { of, alias, cte: self.dice.percent(50) }, offers)
    }

    fn open(&mut self) -> Relation {
        let open = self.datasets.iter().find(|dataset| dataset.protection.is_none()).unwrap();
        self.scan(open)
    }

    /// A join with an open dataset by a label.
    fn looked_up(&mut self, dataset: &Dataset) -> Relation {
        let (left, mut offers) = self.scan(dataset);
        let (right, others) = self.open();
        let pairs = pairs(&offers, &others);
        let mut on: Vec<(Named, Named)> =
            if pairs.is_empty() || self.dice.mistake() { vec![] } else { vec![self.dice.one(&pairs).clone()] };
        let kind = self.joining();
        let mut rest = Vec::new();
        if self.dice.percent(20) {
            rest.extend(condition(self.dice, &others, 1));
        }
        offers.extend(others);
        if self.dice.percent(30) {
            // The other way round.
            on = on.into_iter().map(|(left, right)| (right, left)).collect();
            let kind = match kind {
                Joining::LeftOuter => Joining::RightOuter,
                Joining::RightOuter => Joining::LeftOuter,
                other => other,
            };
            // Only conditions of the side that is extended may stand beside the equality.
            return (From::Joined { sides: vec![right, left], kind, on, rest: inner_only(kind, rest) }, offers);
        }
        let rest = if kind == Joining::RightOuter { vec![] } else { rest };
        (From::Joined { sides: vec![left, right], kind, on, rest }, offers)
    }

    fn joining(&mut self) -> Joining {
        if self.dice.mistake() {
            return Joining::FullOuter;
        }
        *self.dice.one(&[Joining::Inner, Joining::Inner, Joining::LeftOuter, Joining::RightOuter])
    }

    /// A join of two protected datasets by their units.
    fn by_unit(&mut self, dataset: &Dataset) -> Option<Relation> {
        let (left, mut offers) = match self.dice.below(10) {
            0 => self.looked_up(dataset),
            1 => self.by_unit(dataset)?,
            _ => self.scan(dataset),
        };
        let protected: Vec<&Dataset> = self.datasets.iter().filter(|other| other.protection.is_some()).collect();
        let other = *self.dice.one(&protected);
        let (right, others) = self.scan(other);
        let mut pairs = Vec::new();
        for one in offers.iter().filter(|offer| offer.kind.is_some()) {
            for other in others.iter().filter(|other| other.kind == one.kind && !(one.outer && other.outer)) {
                pairs.push((one.at.clone(), other.at.clone()));
            }
        }
        if pairs.is_empty() || self.dice.mistake() {
            pairs = self::pairs(&offers, &others);
        }
        if pairs.is_empty() {
            return None;
        }
        let on = vec![self.dice.one(&pairs).clone()];
        offers.extend(others);
        let kind = self.joining();
        Some((From::Joined { sides: vec![left, right], kind, on, rest: vec![] }, offers))
    }

    /// UNION ALL of two selections of one dataset, or of two with columns of the same types.
    fn united(&mut self, dataset: &Dataset) -> Relation {
        let mut branches = Vec::new();
        let alias = self.name();
        let protected: Vec<&Dataset> = self.datasets.iter().filter(|other| other.protection.is_some()).collect();
        let other = if self.dice.percent(60) { dataset } else { *self.dice.one(&protected) };
        let shared: Vec<(&'static str, Type)> = dataset
            .columns
            .iter()
            .filter(|column| column.role != Role::Hidden)
            .filter(|column| {
                other.columns.iter().any(|o| o.name == column.name && o.of == column.of && o.role == column.role)
            })
            .map(|column| (column.name, column.of))
            .collect();
        let mut offers = Vec::new();
        for dataset in [dataset, other] {
            let (from, below) = self.scan(dataset);
            let mut select = Select { from: vec![from], conditions: vec![], within: vec![] };
            if self.dice.percent(50) {
                select.conditions.extend(condition(self.dice, &below, 1));
            }
            let named: Vec<&Offer> =
                shared.iter().map(|(name, _)| below.iter().find(|offer| offer.at.column == *name).unwrap()).collect();
            let items = named.iter().map(|offer| Key { of: offer.expr(), name: offer.at.column }).collect();
            branches.push(Projected { items, from: select });
            let of = |offer: &&Offer| {
                let at = Named { relation: alias, column: offer.at.column };
                let column = if offer.role == Role::Measure { offer.column.clone() } else { None };
                let role = if offer.role == Role::Identifier && offer.outer { Role::Hidden } else { offer.role };
                Offer { at, column, role, ..(*offer).clone() }
            };
            if offers.is_empty() {
                offers = named.iter().map(of).filter(|offer| offer.role != Role::Hidden).collect();
            }
        }
        (From::United { branches, alias }, offers)
    }

    /// column IN (SELECT column FROM …)
    fn within(&mut self, offers: &[Offer]) -> Option<Within> {
        let (relation, others) = if self.dice.percent(60) {
            self.open()
        } else {
            let protected: Vec<&Dataset> = self.datasets.iter().filter(|other| other.protection.is_some()).collect();
            let dataset = *self.dice.one(&protected);
            self.scan(dataset)
        };
        let units = |offer: &&Offer| offer.kind.is_some() && !offer.outer;
        let mut pairs = Vec::new();
        for one in offers.iter().filter(units) {
            for other in others.iter().filter(units).filter(|other| other.kind == one.kind) {
                pairs.push((one.at.clone(), other.at.clone()));
            }
        }
        if pairs.is_empty() && others.iter().all(|offer| offer.kind.is_none()) {
            pairs = self::pairs(offers, &others);
        }
        if pairs.is_empty() {
            return None;
        }
        let (column, other) = self.dice.one(&pairs).clone();
        let mut from = Select { from: vec![relation], conditions: vec![], within: vec![] };
        if self.dice.percent(50) {
            from.conditions.extend(condition(self.dice, &others, 1));
        }
        let items = vec![Key { name: other.column, of: Expr::Reference(other) }];
        Some(Within { column, of: Projected { items, from } })
    }

    fn release(&mut self, from: Select, offers: &[Offer]) -> Release {
        let mut keys: Vec<Key> = Vec::new();
        for name in &KEYS[..*self.dice.one(&[0, 1, 1, 1, 2, 2, 3])] {
            if let Some(of) = label(self.dice, offers, 2)
                && !keys.iter().any(|key| key.of == of)
            {
                keys.push(Key { of, name });
            }
        }
        if !keys.is_empty() && self.dice.percent(7) {
            return Release { from, keys, grouping: Grouping::Plain, cells: vec![], distinct: true };
        }
        // DataFusion names what is made of exact constants in two ways, and then finds no such key.
        let made = keys.iter().any(|key| matches!(key.of, Expr::Choice(..) | Expr::Nullif(..)));
        let grouping = if made { Grouping::Plain } else { self.grouping(keys.len()) };
        let mut cells = Vec::new();
        let least = i64::from(keys.is_empty() || self.dice.percent(90));
        for _ in 0..self.dice.from_to(least, 4) {
            let cell = self.cell(offers);
            // DataFusion gives two sums of one column, one of them cast, the same name.
            let cast = |cell: &Cell| matches!(&cell.call, Call::Sum(Expr::Casted(..)));
            let clash = cells.iter().any(|held| cast(held) || cast(&cell));
            cells.push(if clash { Cell { call: Call::Rows, ..cell } } else { cell });
        }
        Release { from, keys, grouping, cells, distinct: false }
    }

    fn grouping(&mut self, keys: usize) -> Grouping {
        if keys == 0 || self.dice.percent(70) {
            return Grouping::Plain;
        }
        match self.dice.below(3) {
            0 => Grouping::Rollup,
            1 => Grouping::Cube,
            _ => {
                let all: Vec<usize> = (0..keys).collect();
                let mut sets: Vec<Vec<usize>> = vec![all.clone()];
                for _ in 0..self.dice.below(3) {
                    let set = self.dice.some(&all, 50);
                    if !sets.contains(&set) {
                        sets.push(set);
                    }
                }
                Grouping::Sets(sets)
            }
        }
    }

    fn cell(&mut self, offers: &[Offer]) -> Cell {
        let filter = if self.dice.percent(35) { condition(self.dice, offers, 1) } else { None };
        let call = self.call(offers);
        let plain = matches!(call, Call::Rows | Call::Count(_) | Call::Sum(_) | Call::Ones);
        Cell { as_case: plain && filter.is_some() && self.dice.percent(40), call, filter }
    }

    fn call(&mut self, offers: &[Offer]) -> Call {
        let dimensions = of_role(offers, Role::Dimension);
        let mut measures = of_role(offers, Role::Measure);
        let mut units: Vec<Offer> =
            offers.iter().filter(|offer| offer.kind.is_some() && !offer.outer).cloned().collect();
        if self.dice.mistake() {
            measures.clone_from(&dimensions);
        }
        if self.dice.mistake() {
            units.clone_from(&measures);
        }
        if self.dice.mistake() && !measures.is_empty() {
            return Call::Never(
                *self.dice.one(&["min", "max", "stddev", "array_agg"]),
                self.dice.one(&measures).expr(),
            );
        }
        match self.dice.below(11) {
            0 | 1 if !units.is_empty() => {
                let of = self.dice.one(&units).expr();
                if self.dice.percent(25) { Call::Approximate(of) } else { Call::Units(of) }
            }
            2 if !dimensions.is_empty() => Call::Labels(self.dice.one(&dimensions).expr()),
            3 => Call::Count(self.dice.one(offers).expr()),
            4 => Call::Ones,
            5..8 if !measures.is_empty() => {
                let offer = self.dice.one(&measures).clone();
                let to = if offer.of == Type::Int && self.dice.percent(15) { Type::Float } else { offer.of };
                Call::Sum(if to == offer.of { offer.expr() } else { Expr::Casted(vec![offer.expr()], to) })
            }
            8 | 9 if !measures.is_empty() => Call::Average(self.dice.one(&measures).expr()),
            _ => Call::Rows,
        }
    }

    fn above(&mut self, ask: &Release) -> Above {
        let cells = ask.cells.len();
        if cells == 0 || self.dice.percent(55) {
            return Above::Nothing;
        }
        let by = self.dice.below(cells);
        match self.dice.below(4) {
            0 => Above::Having(
                by,
                *self.dice.one(&[Op::Less, Op::GreaterOrEqual, Op::Unequal]),
                self.dice.from_to(0, 40),
            ),
            1 => Above::Limited {
                by,
                descending: self.dice.percent(50),
                // A question of no rows is never run, and so makes no history.
                limit: 1 + self.dice.below(5),
                offset: self.dice.below(3),
            },
            2 => Above::Quotient(by, self.dice.below(cells)),
            _ => Above::Kept(by, self.dice.percent(50)),
        }
    }
}

/// Columns of the same name and type, by which labels are looked up.
fn pairs(offers: &[Offer], others: &[Offer]) -> Vec<(Named, Named)> {
    let mut pairs = Vec::new();
    for one in offers.iter().filter(|offer| offer.role == Role::Dimension) {
        let same = |other: &&Offer| other.of == one.of && other.at.column == one.at.column && other.role == one.role;
        pairs.extend(others.iter().filter(same).map(|other| (one.at.clone(), other.at.clone())));
    }
    pairs
}

fn inner_only<T>(kind: Joining, rest: Vec<T>) -> Vec<T> {
    if kind == Joining::Inner { rest } else { vec![] }
}
