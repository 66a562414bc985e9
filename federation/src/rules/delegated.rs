//! A join of a body's `statistics` dataset with an open dataset of another body that it has declared as a reference: the whole
//! subtree goes to the owner of the protected rows, who fetches the other dataset as itself and joins at home.

use datafusion::common::{JoinType, NullEquality};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{Expr, Join, LogicalPlan};
use meridian_proto::{Form, Reference};

use crate::alternative::{Alternative, Away, Part, Rejection};
use crate::error::Why;
use crate::placement::Search;
use crate::rel::{self, How, Rel, ScanColumn, Source};
use crate::{lower, normal};

pub(crate) fn make(search: &mut Search, node: &LogicalPlan, children: &[Vec<Alternative>]) -> Vec<Alternative> {
    let (LogicalPlan::Join(join), [left, right]) = (node, children) else { return Vec::new() };
    let mut made = Vec::new();
    for left in left.iter().filter_map(away) {
        for right in right.iter().filter_map(away) {
            match Sides::of(left, right).map(|sides| sides.delegated(join)) {
                Some(Ok(found)) => made.push(Alternative::Away(found)),
                Some(Err(rejection)) => search.reject(rejection, node),
                None => {}
            }
        }
    }
    made
}

fn away(alternative: &Alternative) -> Option<&Away> {
    match alternative {
        Alternative::Away(away) => Some(away),
        Alternative::Here(_) => None,
    }
}

/// Of several datasets the first that leaves as statistics.
fn own<'a>(owner: &'a Away, first: &'a Part) -> &'a Part {
    owner.datasets().find(|part| part.dataset.form == Form::Statistics).unwrap_or(first)
}

/// The two sides of a join between bodies of which one at least does not let go of its rows.
struct Sides<'a> {
    owner: &'a Away,
    own: &'a Part,
    other: &'a Away,
    others: &'a Part,
    owner_is_left: bool,
}

impl<'a> Sides<'a> {
    fn of(left: &'a Away, right: &'a Away) -> Option<Self> {
        let ([of_left], [of_right]) = (left.parts.as_slice(), right.parts.as_slice()) else { return None };
        if of_left.owner == of_right.owner {
            return None;
        }
        if left.is_protected() {
            Some(Self { owner: left, own: own(left, of_left), other: right, others: of_right, owner_is_left: true })
        } else if right.is_protected() {
            Some(Self { owner: right, own: own(right, of_right), other: left, others: of_left, owner_is_left: false })
        } else {
            None
        }
    }

    fn delegated(&self, join: &Join) -> Result<Away, Rejection> {
        if !self.is_rows(&self.owner.rel) {
            // Released cells are joined here.
            return Err(
                self.rejected("cells are joined where they were asked for".into(), "join what is released".into())
            );
        }
        let reference = self.reference()?;
        self.is_open(reference)?;
        self.columns(reference)?;
        let how = self.how(join)?;
        let on = self.on(join, reference)?;
        let (owner, other) = (self.owner.rel.width(), self.other.rel.width());
        let (left, right) = self.without_conditions_on_the_key(how, &on)?;
        let equal =
            on.own.eq(rel::replace(on.key, |index| rel::column(owner + index)).map_err(|error| self.internal(error))?);
        let rel = Rel::Join { left: Box::new(left), right: Box::new(right), how, on: vec![equal] };
        let in_order = if how.shows_right() && !self.owner_is_left {
            let exprs = (owner..owner + other).chain(0..owner).map(rel::column).collect();
            Rel::Project { input: Box::new(rel), exprs }
        } else {
            rel
        };
        let mut delegated = self.owner.over(in_order, self.owner.rows);
        delegated.references.push(self.others.clone());
        Ok(delegated)
    }

    /// Whether they are rows yet, not cells.
    fn is_rows(&self, rel: &Rel) -> bool {
        match rel {
            Rel::Scan { .. } => true,
            Rel::Filter { input, .. } | Rel::Project { input, .. } => self.is_rows(input),
            Rel::Join { left, right, .. } => self.is_rows(left) && self.is_rows(right),
            Rel::Union { inputs } => inputs.iter().all(|input| self.is_rows(input)),
            Rel::Aggregate { .. } | Rel::Window { .. } | Rel::Sort { .. } | Rel::Limit { .. } => false,
        }
    }

    /// What the owner has declared of the other dataset.
    fn reference(&self) -> Result<&'a Reference, Rejection> {
        let (own, others) = (&self.own.name, &self.others.name);
        if self.others.dataset.form == Form::Statistics {
            let reason =
                format!("{own} leaves as statistics only, and so does {others}: their rows are joined nowhere");
            return Err(self.rejected(reason, "aggregate each by itself and join what is released".into()));
        }
        let declared = &self.own.dataset.references;
        // A body declares datasets of its own federation.
        let same = |known: &&Reference| {
            own.federation == others.federation && known.body == others.body && known.dataset == others.dataset
        };
        let found = declared.iter().find(same);
        found.ok_or_else(|| {
            let reason = format!(
                "{own} leaves as statistics only, and {} declares no reference to {others} by which its rows could be joined",
                self.own.owner
            );
            let known: Vec<String> = declared.iter().map(in_words).collect();
            let known =
                if known.is_empty() { String::new() } else { format!("join it with {}, or ", known.join(" or ")) };
            let remedy = format!(
                "{known}aggregate {own} by itself and join what is released, or ask {} to declare the reference",
                self.own.owner
            );
            self.rejected(reason, remedy)
        })
    }

    /// Another's right to the other dataset is not lent, and what it is stays between the two.
    fn is_open(&self, reference: &Reference) -> Result<(), Rejection> {
        let (own, others) = (&self.own.name, &self.others.name);
        if self.others.dataset.form == Form::Open {
            return Ok(());
        }
        let reason =
            format!("{others} is not open, so that {} is not asked to fetch it for somebody else", self.own.owner);
        let remedy =
            format!("aggregate {own} by itself, or ask {} to publish {} openly", reference.body, reference.dataset);
        Err(self.rejected(reason, remedy).at(others.dataset.as_str()))
    }

    /// Only the key and the declared labels exist.
    fn columns(&self, reference: &Reference) -> Result<(), Rejection> {
        let exists =
            |name: &str| reference.key.as_str() == name || reference.labels.iter().any(|label| label.as_str() == name);
        let Some(scanned) = scanned(&self.other.rel) else {
            let reason = format!(
                "{} is joined by {} row by row, and here it is computed first",
                self.others.name, self.own.owner
            );
            return Err(self.rejected(reason, format!("join {} itself", self.others.name)));
        };
        let undeclared = scanned.iter().find_map(|column| match column {
            ScanColumn::Named(name) if !exists(name) => Some(name),
            ScanColumn::Named(_) | ScanColumn::Body => None,
        });
        match undeclared {
            None => Ok(()),
            Some(name) => {
                let owner = &self.own.owner;
                let reason = format!("{name} of {} is not among what {owner} has declared of it", self.others.name);
                let remedy = format!("use {}, or ask {owner} to declare {name}", in_words(reference));
                Err(self.rejected(reason, remedy).at_column(name.clone()))
            }
        }
    }

    /// The owner's rows stay or go, each at most once.
    fn how(&self, join: &Join) -> Result<How, Rejection> {
        let how = match (join.join_type, self.owner_is_left) {
            (JoinType::Inner, _) => Some(How::Inner),
            (JoinType::Left, true) | (JoinType::Right, false) => Some(How::Left),
            (JoinType::LeftSemi, true) | (JoinType::RightSemi, false) => Some(How::Semi),
            (JoinType::Left | JoinType::LeftSemi, false)
            | (JoinType::Right | JoinType::RightSemi, true)
            | (
                JoinType::Full | JoinType::LeftAnti | JoinType::RightAnti | JoinType::LeftMark | JoinType::RightMark,
                _,
            ) => None,
        };
        let (own, others) = (&self.own.name, &self.others.name);
        how.ok_or_else(|| {
            let reason = format!("a {} join of {own} with {others} is not one of {own}'s own rows", join.join_type);
            self.rejected(reason, format!("write {own} JOIN {others}, or {own} LEFT JOIN {others}"))
        })
    }

    /// The one equality: a column of the owner's own with the reference's key.
    fn on(&self, join: &Join, reference: &Reference) -> Result<On, Rejection> {
        let keyed = || {
            let (own, others) = (&self.own.name, &self.others.name);
            let reason = format!("{own} and {others} are not joined by the key of the reference alone");
            let key = &reference.key;
            self.rejected(reason, format!("join ON a column of {own} = {key} of {others}; compare labels in WHERE"))
        };
        let [(left, right)] = join.on.as_slice() else { return Err(keyed()) };
        if join.filter.is_some() || join.null_equality != NullEquality::NullEqualsNothing || join.null_aware {
            return Err(keyed());
        }
        let left = lower::expr(left, join.left.schema()).map_err(|_| keyed())?;
        let right = lower::expr(right, join.right.schema()).map_err(|_| keyed())?;
        let (own, other) = if self.owner_is_left { (left, right) } else { (right, left) };
        let is_key = |column: &ScanColumn| matches!(column, ScanColumn::Named(name) if name == reference.key.as_str());
        let of = |rel: &'a Rel, expr| rel::bare_or_cast(expr).and_then(|index| rel.origin(index));
        // The dataset whose column it is has declared the reference.
        let declares = of(&self.owner.rel, &own).is_some_and(|(source, _)| match source {
            Source::Dataset(name) => *name == self.own.name,
            Source::Every(_) => true,
        });
        let is_key = of(&self.other.rel, &other).is_some_and(|(_, column)| is_key(column));
        if declares && is_key { Ok(On { own, key: other }) } else { Err(keyed()) }
    }

    /// Both sides, where conditions on the key are the owner's: the optimizer implies them for the key from those on the
    /// owner's column, and the owner compares no keys with constants.
    fn without_conditions_on_the_key(&self, how: How, on: &On) -> Result<(Rel, Rel), Rejection> {
        let (mut own, other) = (self.owner.rel.clone(), self.other.rel.clone());
        let (Rel::Filter { input, predicate }, How::Inner | How::Semi) = (&other, how) else { return Ok((own, other)) };
        let (Some(_), Some(key)) = (rel::position(&on.own), rel::position(&on.key)) else { return Ok((own, other)) };
        let conjuncts = normal::conjuncts(predicate.clone()).map_err(|error| self.internal(error))?;
        let of_key = |conjunct: &Expr| rel::used(conjunct).iter().all(|index| *index == key);
        let (of_key, of_labels): (Vec<Expr>, Vec<Expr>) = conjuncts.into_iter().partition(of_key);
        for conjunct in of_key {
            let predicate = rel::replace(conjunct, |_| on.own.clone()).map_err(|error| self.internal(error))?;
            if !holds(&own, &predicate) {
                own = Rel::Filter { input: Box::new(own), predicate };
            }
        }
        let other = match normal::all(of_labels) {
            Some(predicate) => Rel::Filter { input: input.clone(), predicate },
            None => input.as_ref().clone(),
        };
        Ok((own, other))
    }

    fn internal(&self, error: DataFusionError) -> Rejection {
        self.rejected(Why::from(error).0, "write it more simply".into())
    }

    fn rejected(&self, reason: String, remedy: String) -> Rejection {
        Rejection::new("placement.delegated", self.own, reason, remedy)
    }
}

/// The equality of a reference: a column of the owner's own, and the key by the other side's positions; bare or cast.
struct On {
    own: Expr,
    key: Expr,
}

/// Whether the rows are known to meet a condition.
fn holds(rel: &Rel, condition: &Expr) -> bool {
    match rel {
        Rel::Filter { input, predicate } => {
            let known = normal::conjuncts(predicate.clone()).unwrap_or_default();
            known.contains(condition) || holds(input, condition)
        }
        Rel::Scan { .. }
        | Rel::Project { .. }
        | Rel::Aggregate { .. }
        | Rel::Window { .. }
        | Rel::Union { .. }
        | Rel::Sort { .. }
        | Rel::Limit { .. }
        | Rel::Join { .. } => false,
    }
}

/// The columns of a dataset whose rows are filtered at most.
fn scanned(rel: &Rel) -> Option<&[ScanColumn]> {
    match rel {
        Rel::Scan { columns, .. } => Some(columns),
        Rel::Filter { input, .. } => scanned(input),
        Rel::Project { input, exprs } if exprs.iter().all(|expr| rel::position(expr).is_some()) => scanned(input),
        Rel::Project { .. }
        | Rel::Aggregate { .. }
        | Rel::Window { .. }
        | Rel::Union { .. }
        | Rel::Sort { .. }
        | Rel::Limit { .. }
        | Rel::Join { .. } => None,
    }
}

fn in_words(reference: &Reference) -> String {
    let labels: Vec<&str> = reference.labels.iter().map(|label| label.as_str()).collect();
    format!("{}.{} by {} for {}", reference.body, reference.dataset, reference.key, labels.join(", "))
}
