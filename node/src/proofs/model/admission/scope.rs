//! What may be named in a part of a question, and what is known of it.

use std::collections::BTreeMap;

use crate::proofs::case::{Column, Dataset, Role};
use crate::proofs::value::{Type, Value};

/// With how many constants columns are compared.
pub(super) type Choices = BTreeMap<(&'static str, &'static str), usize>;

/// What may be named, and what is known of it.
#[derive(Default, Clone)]
pub(super) struct Scope<'a> {
    pub(super) columns: Vec<(&'static str, &'static str, Origin<'a>)>,
    pub(super) datasets: Vec<&'a Dataset>,
    pub(super) kind: Option<&'static str>,
    pub(super) choices: Choices,
}

/// Where a value comes from.
#[derive(Clone)]
pub(super) struct Origin<'a> {
    pub(super) of: Option<(&'a Dataset, &'a Column)>,
    pub(super) kind: Kind,
    pub(super) bare: bool,
    /// With how many constants columns were compared to make it.
    pub(super) chosen: Choices,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Label {
        ranges: bool,
    },
    Measure,
    Unit(&'static str),
    Outer(&'static str),
    Identifier,
    /// Not granted.
    Withheld,
    /// Not even to be named.
    Hidden,
    Constant,
}

impl Kind {
    pub(super) fn is_label(self) -> bool {
        matches!(self, Self::Label { .. } | Self::Constant)
    }
}

pub(super) const MADE: Origin<'static> =
    Origin { of: None, kind: Kind::Label { ranges: false }, bare: false, chosen: Choices::new() };

impl<'a> Origin<'a> {
    pub(super) fn bands(&self) -> Option<&'a [Value]> {
        self.of.and_then(|(_, column)| column.bands.as_deref())
    }
}

pub(super) fn named<'a>(mut scope: Scope<'a>, alias: &'static str) -> Scope<'a> {
    scope.columns.iter_mut().for_each(|column| column.0 = alias);
    scope
}

pub(super) fn kind(dataset: &Dataset, column: &Column, granted: Option<&[&'static str]>) -> Kind {
    let Some(protection) = &dataset.protection else {
        return if column.role == Role::Dimension { Kind::Label { ranges: column.ranges } } else { Kind::Identifier };
    };
    match column.role {
        Role::Hidden => Kind::Hidden,
        _ if granted.is_some_and(|granted| !granted.contains(&column.name)) => Kind::Withheld,
        Role::Dimension => Kind::Label { ranges: column.ranges },
        Role::Measure => Kind::Measure,
        Role::Identifier if protection.unit == Some(column.name) => Kind::Unit(protection.kind),
        Role::Identifier => match protection.belongs_to {
            Some((kind, name)) if name == column.name => Kind::Outer(kind),
            _ => Kind::Identifier,
        },
    }
}

pub(super) fn lossless(from: Type, to: Type) -> bool {
    matches!(
        (from, to),
        (Type::Int | Type::Big, Type::Big | Type::Float)
            | (Type::Int, Type::Int)
            | (Type::Float, Type::Float)
            | (Type::Text, Type::Text)
            | (Type::Bool, Type::Bool)
            | (Type::Day, Type::Day)
    )
}

pub(super) fn together(one: &Choices, other: &Choices) -> Choices {
    let mut all = one.clone();
    for (column, constants) in other {
        *all.entry(*column).or_default() += constants;
    }
    all
}
