//! A node with several inputs that are all at one body: joined or united there.

use datafusion::logical_expr::{Join, LogicalPlan, Union};
use meridian_proto::Role;

use crate::alternative::{Alternative, Away};
use crate::error::Why;
use crate::placement::Search;
use crate::rel::{self, How, Rel, ScanColumn};
use crate::{lower, statistics};

pub(crate) fn make(search: &mut Search, node: &LogicalPlan, children: &[Vec<Alternative>]) -> Vec<Alternative> {
    let sides: Option<Vec<&Away>> = children.iter().map(|alternatives| away(alternatives)).collect();
    let Some(sides) = sides else { return Vec::new() };
    let made = match (node, sides.as_slice()) {
        (LogicalPlan::Join(join), [left, right]) => joined(search, join, node, left, right),
        (LogicalPlan::Union(union), [first, others @ ..]) => united(union, first, others),
        _ => return Vec::new(),
    };
    match made {
        Ok(found) => found.into_iter().map(Alternative::Away).collect(),
        Err(why) => {
            search.stays(&sides.first().map(|side| side.parts.clone()).unwrap_or_default(), &why, node);
            Vec::new()
        }
    }
}

/// What one body computes.
fn away(alternatives: &[Alternative]) -> Option<&Away> {
    alternatives.iter().find_map(|alternative| match alternative {
        Alternative::Away(away) if away.one().is_some() => Some(away),
        Alternative::Away(_) | Alternative::Here(_) => None,
    })
}

fn joined(
    search: &mut Search,
    join: &Join,
    node: &LogicalPlan,
    left: &Away,
    right: &Away,
) -> Result<Option<Away>, Why> {
    let Some(both) = left.with(right, left.rel.clone(), 0.0) else { return Ok(None) };
    let Some(theirs) = right.at_home().transpose()? else { return Ok(None) };
    let own = left.at_home().transpose()?.unwrap_or_else(|| left.rel.clone());
    let rel = lower::join(join, own, theirs)?;
    // Released cells are joined where they were asked for.
    if both.is_protected() && statistics::is_aggregated(&rel) {
        return Ok(None);
    }
    if let Some(Err(rejection)) = both.one().and_then(statistics::Site::of).map(|site| site.joins(&rel)) {
        search.reject(rejection, node);
        return Ok(None);
    }
    let rows = pairs(&rel, &both, left.rows, right.rows, node.schema().fields().len());
    Ok(Some(both.over(rel, rows)))
}

fn united(union: &Union, first: &Away, others: &[&Away]) -> Result<Option<Away>, Why> {
    let width = union.schema.fields().len();
    let Some(rel) = first.at_home().transpose()? else { return Ok(None) };
    let mut all = first.over(rel.clone(), first.rows);
    let mut inputs = vec![rel.exactly(width)];
    for other in others {
        let Some(rel) = other.at_home().transpose()? else { return Ok(None) };
        let Some(both) = all.with(other, rel.clone(), all.rows + other.rows) else { return Ok(None) };
        inputs.push(rel.exactly(width));
        all = both;
    }
    let rel = Rel::Union { inputs };
    if all.is_protected() && statistics::is_aggregated(&rel) {
        return Ok(None);
    }
    Ok(Some(Away { rel, ordered: false, ..all }))
}

/// Roughly how many pairs a join makes: of all, one in as many as an equality has different values. Keys that are compared with
/// each other are taken to have the values that the smaller dataset has: in the larger, many rows may name the same one of it.
/// Where a join makes no more rows than it is given, they are not taken for more to bring than the sides by themselves: rows
/// that repeat what they are joined with are one answer instead of two.
pub(super) fn pairs(join: &Rel, both: &Away, left: f64, right: f64, width: usize) -> f64 {
    let Rel::Join { left: of_left, right: of_right, how, on } = join else { return left * right };
    let larger = left.max(right);
    let mut rows = left * right;
    for conjunct in on {
        let Some((one, other)) = rel::equality(conjunct) else { continue };
        // Equalities are between the sides, whichever stands first.
        let values =
            |expr| rel::bare_or_cast(expr).map_or(Values::Some(1.0), |index| distinct(of_left, of_right, index, both));
        rows /= match (values(one), values(other)) {
            (Values::Keys(one), Values::Keys(other)) => one.min(other),
            (one, other) => one.number().max(other.number()),
        };
    }
    let rows = match how {
        How::Inner | How::Value => rows,
        How::Left => rows.max(left),
        How::Right => rows.max(right),
        How::Full => rows.max(left + right),
        How::Semi => rows.min(left / 2.0),
        How::Anti | How::NotIn => left / 2.0,
    };
    if rows > larger {
        return rows;
    }
    let given = left * of_left.width() as f64 + right * of_right.width() as f64;
    rows.min(given / width.max(1) as f64).max(1.0)
}

/// Roughly how many values a column has.
enum Values {
    /// One for about each row of its dataset, if no other dataset's rows are told apart by them.
    Keys(f64),
    Some(f64),
}

impl Values {
    fn number(&self) -> f64 {
        let (Self::Keys(number) | Self::Some(number)) = self;
        *number
    }
}

fn distinct(left: &Rel, right: &Rel, index: usize, both: &Away) -> Values {
    let origin =
        if index < left.width() { left.origin(index) } else { right.origin(index.saturating_sub(left.width())) };
    let Some((source, ScanColumn::Named(name))) = origin else { return Values::Some(1.0) };
    let Some((part, column)) = both.described(source, name) else { return Values::Some(1.0) };
    let rows = 10_f64.powi(i32::try_from(part.dataset.size_class).unwrap_or(18));
    if column.role == Role::Identifier { Values::Keys(rows) } else { Values::Some(rows.sqrt()) }
}
