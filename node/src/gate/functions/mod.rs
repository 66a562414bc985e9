//! Every function and operator of the build, classified: where it may stand, and what makes it total. Whatever is in no
//! table is refused; a test compares the tables with what the build registers.
//!
//! | where | what |
//! | --- | --- |
//! | `scalar`, `aggregate`, `window`, `table` | functions by name |
//! | `operators` | operators, by a match that names each |

mod aggregate;
mod operators;
mod scalar;
mod table;
mod window;

use super::Refused;

pub(super) use operators::{Use, operator};

/// Where a function may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// Below a release point in the shape that is named, and above.
    Below(Shape, Totality),
    /// Over what is public to the caller.
    Above(Totality),
    /// Nowhere.
    Never(Why),
}

/// In which shape a function is admitted below a release point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// A part of a date whose ranges may be seen: `f(constant, dimension)`.
    DatePart,
    /// A prefix of so many characters: `f(dimension, constant)`.
    Prefix,
    /// A prefix that is cut from the first character: `f(dimension, 1, constant)`.
    PrefixFromFirst,
    /// Another spelling: `f(dimension)`.
    Spelling,
    /// One of several dimensions.
    Choice,
    /// The test for a prefix: `f(dimension, constant)`.
    StartsWith,
}

/// Whether there is a value for all arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Totality {
    /// As it is.
    Total,
    /// It fails for some arguments, or nobody showed that it doesn't: made total, it gives NULL for them.
    MadeTotal,
    /// The engine knows it as another expression, which is made total in its place.
    Rewritten,
}

/// Why a function is admitted nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// It gives something else each time.
    Volatile,
    /// Its value is as long as an argument says, and no pool counts it.
    Length,
    /// It tells of the node and its files, not of data.
    Node,
    /// It stands for a table.
    Table,
}

impl Why {
    fn refused(self, name: &str) -> Refused {
        let rule = if self == Self::Table { "table.unknown" } else { "function" };
        let (reason, remedy) = match self {
            Self::Volatile => (
                "since the same question must get the same answer",
                "order by a column, or draw at random at the client",
            ),
            Self::Length => ("since its value can be of any length", "pad or repeat text at the client"),
            Self::Node => ("since it tells of the node and not of data", "leave it out"),
            Self::Table => ("since only datasets are tables here", "name a dataset as body.dataset"),
        };
        Refused::new(rule, format!("{name} is not answered here, {reason}"), remedy).at(name)
    }
}

/// The functions that may stand in a question, sorted.
pub fn answered() -> Vec<&'static str> {
    let tables = [scalar::SCALAR, aggregate::AGGREGATE, window::WINDOW];
    let answered = tables.into_iter().flatten().filter(|(_, class)| !matches!(class, Class::Never(_)));
    let mut names: Vec<_> = answered.map(|(name, _)| *name).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// How a scalar function is classified, or the refusal of one that is not.
pub(super) fn scalar(name: &str) -> Result<Class, Refused> {
    found(scalar::SCALAR, name)
}

/// What makes a scalar function total; of one that only an owner's mapping may call, the wrapper.
pub(super) fn totality(name: &str) -> Totality {
    match scalar(name) {
        Ok(Class::Below(_, totality) | Class::Above(totality)) => totality,
        Ok(Class::Never(_)) | Err(_) => Totality::MadeTotal,
    }
}

/// How an aggregate function is classified, or the refusal of one that is not.
pub(super) fn aggregate(name: &str) -> Result<Class, Refused> {
    found(aggregate::AGGREGATE, name)
}

/// How a window function is classified, or the refusal of one that is not.
pub(super) fn window(name: &str) -> Result<Class, Refused> {
    found(window::WINDOW, name)
}

/// The refusal of a table function; `None` for any other name.
pub(super) fn table(name: &str) -> Option<Refused> {
    let name = name.trim_end_matches("()");
    let known = table::TABLE.iter().any(|(known, _)| *known == name);
    if known { found(table::TABLE, name).err() } else { None }
}

fn found(table: &[(&str, Class)], name: &str) -> Result<Class, Refused> {
    let unknown = || {
        let reason = format!("the function {name} is not one of those that are answered here");
        Refused::new("function", reason, "write the expression without it").at(name)
    };
    match table.iter().find(|(known, _)| *known == name) {
        Some((_, Class::Never(why))) => Err(why.refused(name)),
        Some((_, class)) => Ok(*class),
        None => Err(unknown()),
    }
}

#[cfg(test)]
mod tests;
