//! Random labels and conditions over what a relation offers.

use super::Dice;
use super::datasets::pool;
use crate::proofs::case::{Column, Expr, Named, Op, Predicate, Role, Truth};
use crate::proofs::value::{Type, Value};

/// A column that a relation offers.
#[derive(Debug, Clone)]
pub(super) struct Offer {
    pub(super) at: Named,
    pub(super) of: Type,
    pub(super) role: Role,
    /// The published column, while it is known.
    pub(super) column: Option<Column>,
    /// The kind of unit that it names, or that the unit belongs to.
    pub(super) kind: Option<&'static str>,
    pub(super) outer: bool,
}

impl Offer {
    pub(super) fn expr(&self) -> Expr {
        Expr::Reference(self.at.clone())
    }

    fn ranges(&self) -> bool {
        self.column.as_ref().is_some_and(|column| column.ranges && column.bands.is_none())
    }

    fn bands(&self) -> Option<&[Value]> {
        self.column.as_ref().and_then(|column| column.bands.as_deref())
    }

    fn constants(&self) -> Vec<Value> {
        pool(self.at.column, self.of)
    }
}

pub(super) fn of_role(offers: &[Offer], role: Role) -> Vec<Offer> {
    offers.iter().filter(|offer| offer.role == role).cloned().collect()
}

/// A label: mostly a dimension as it is. None where there are no dimensions.
pub(super) fn label(dice: &mut Dice, offers: &[Offer], depth: u32) -> Option<Expr> {
    let role =
        if dice.mistake() { *dice.one(&[Role::Measure, Role::Identifier, Role::Hidden]) } else { Role::Dimension };
    let of_role = of_role(offers, role);
    let of_role = if of_role.is_empty() { self::of_role(offers, Role::Dimension) } else { of_role };
    if of_role.is_empty() {
        return None;
    }
    let offer = dice.one(&of_role).clone();
    if depth == 0 || dice.percent(70) {
        return Some(offer.expr());
    }
    Some(made(dice, &offer, offers, depth))
}

fn made(dice: &mut Dice, offer: &Offer, offers: &[Offer], depth: u32) -> Expr {
    let it = vec![offer.expr()];
    if dice.mistake() {
        match offer.of {
            Type::Int | Type::Big => return Expr::Plus(it, 1),
            Type::Text => return Expr::Length(it),
            _ => {}
        }
    }
    let choice = dice.below(4);
    match offer.of {
        Type::Day if offer.ranges() || dice.mistake() => match choice {
            0 | 1 => Expr::Truncated(*dice.one(&["year", "month", "day"]), it),
            _ => Expr::Part(*dice.one(&["year", "quarter", "month", "day", "dow"]), it),
        },
        Type::Text => match choice {
            0 => Expr::Left(it, dice.from_to(-2, 3)),
            1 => Expr::Start(it, dice.from_to(0, 4)),
            2 => Expr::Spelling(*dice.one(&["upper", "lower", "btrim", "ltrim", "rtrim"]), it),
            _ => Expr::Coalesce(vec![it[0].clone(), Expr::Constant(Value::Word("?".into()))]),
        },
        Type::Int if choice == 0 => Expr::Casted(it, *dice.one(&[Type::Big, Type::Float])),
        _ if choice == 1 => {
            let constant = dice.one(&offer.constants()).clone();
            Expr::Nullif(it, constant)
        }
        _ => {
            let when = condition(dice, offers, depth - 1);
            let whens =
                when.into_iter().map(|when| (when, Expr::Constant(Value::Word("in".into())))).collect::<Vec<_>>();
            if whens.is_empty() {
                return it[0].clone();
            }
            let otherwise = dice.percent(60).then(|| Expr::Constant(Value::Word("out".into())));
            Expr::Choice(whens, otherwise.into_iter().collect())
        }
    }
}

/// A condition over dimensions, and over measures at their bands.
pub(super) fn condition(dice: &mut Dice, offers: &[Offer], depth: u32) -> Option<Predicate> {
    if depth > 0 && dice.percent(40) {
        let mut several = Vec::new();
        for _ in 0..dice.from_to(2, 3) {
            several.extend(condition(dice, offers, depth - 1));
        }
        let first = several.first()?.clone();
        return Some(match dice.below(5) {
            0 => Predicate::All(several),
            1 | 2 => Predicate::Any(several),
            3 => Predicate::Not(vec![first]),
            _ => Predicate::Is(vec![first], *dice.one(&[Truth::Yes, Truth::No, Truth::Unknown]), dice.percent(50)),
        });
    }
    if dice.percent(3) {
        return Some(Predicate::Always(dice.percent(60)));
    }
    if dice.percent(15)
        && let Some(at_band) = at_band(dice, offers)
    {
        return Some(at_band);
    }
    let role =
        if dice.mistake() { *dice.one(&[Role::Measure, Role::Identifier, Role::Hidden]) } else { Role::Dimension };
    let chosen = of_role(offers, role);
    if chosen.is_empty() {
        return None;
    }
    let offer = dice.one(&chosen).clone();
    Some(simple(dice, &offer))
}

fn at_band(dice: &mut Dice, offers: &[Offer]) -> Option<Predicate> {
    let banded: Vec<Offer> = offers.iter().filter(|offer| offer.bands().is_some()).cloned().collect();
    if banded.is_empty() {
        return None;
    }
    let offer = dice.one(&banded);
    let band = dice.one(offer.bands()?).clone();
    let op = if dice.mistake() { Op::Greater } else { *dice.one(&[Op::Less, Op::GreaterOrEqual]) };
    Some(Predicate::Compare(offer.expr(), op, band))
}

fn simple(dice: &mut Dice, offer: &Offer) -> Predicate {
    let it = offer.expr();
    let constants = offer.constants();
    let one = dice.one(&constants).clone();
    if dice.mistake() {
        let many = if let Type::Int = offer.of { (0..21).map(Value::Whole).collect() } else { vec![one.clone(); 21] };
        return match (dice.below(3), offer.of) {
            (0, Type::Text) => Predicate::Contains(it, "a"),
            (1, _) => Predicate::Same(it.clone(), it),
            _ => Predicate::Among(it, many, dice.percent(30)),
        };
    }
    let negated = dice.percent(35);
    match dice.below(8) {
        0 => Predicate::Missing(it, negated),
        1 => Predicate::Distinct(it, if dice.percent(15) { Value::Null } else { one }, negated),
        2 | 3 => {
            let among = dice.several(&constants, 3);
            Predicate::Among(it, among, negated)
        }
        4 if offer.of == Type::Text => match one {
            Value::Word(_) if dice.percent(50) => Predicate::Prefix(it, *dice.one(&["b", "Ł", "", "a "]), negated),
            _ => Predicate::StartsWith(it, *dice.one(&["c", "O'", ""])),
        },
        4 if offer.of == Type::Bool => Predicate::Holds(it),
        5 | 6 if offer.ranges() || dice.mistake() => {
            let other = dice.one(&constants).clone();
            if dice.percent(40) {
                return Predicate::Between(it, one, other, negated);
            }
            let ops = [Op::Less, Op::LessOrEqual, Op::Greater, Op::GreaterOrEqual];
            Predicate::Compare(it, *dice.one(&ops), one)
        }
        _ => Predicate::Compare(it, if negated { Op::Unequal } else { Op::Equal }, one),
    }
}
