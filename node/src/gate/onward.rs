//! What is granted to one body and asked for on behalf of another: it passes where the grant says `onward`, or as far as
//! the other body has been granted it itself.
//!
//! For whom a node asks is its own claim. A node that keeps quiet about it breaks its agreement and gains no more than
//! what it was granted anyway; one that says so is held to it here.

use chrono::NaiveDate;
use meridian_proto::{BodyName, Form};

use super::access::{self, Access, Columns};
use super::terms::{Grant, Terms};
use super::{Caller, Refused, Request};

/// What a grant gives to the caller, kept to what all bodies that the caller asks for may have; `None` for nothing.
pub(super) fn kept(terms: &Terms, caller: &Caller, day: NaiveDate, grant: &Grant, access: Access) -> Option<Access> {
    if grant.onward {
        return Some(access);
    }
    caller.others()?.iter().try_fold(access, |access, body| {
        let own = of_body(terms, caller, day, body, &grant.purpose);
        own.into_iter().find_map(|own| common(&access, own))
    })
}

/// The refusal where a grant would have been enough for the caller alone.
pub(super) fn refused(terms: &Terms, request: &Request<'_>, purpose: &str) -> Option<Refused> {
    let day = request.now.date_naive();
    let enough = |grant: &&Grant| {
        grant.purpose == purpose && grant.in_force(day) && access::grants(grant, request.caller, request.caller.body())
    };
    let grant = terms.grants.iter().find(enough)?;
    let (name, owner, caller) = (&terms.name, access::owner(terms, request.caller), request.caller.body());
    let whom = match request.caller.others() {
        Some(others) if others.is_empty() => return None,
        Some(others) => others.iter().map(BodyName::to_string).collect::<Vec<_>>().join(", "),
        None => "somebody whose body is not told".to_owned(),
    };
    let agreement = &grant.agreement;
    let refused = Refused::new(
        "agreement.onward",
        format!("{agreement} gives {name} to {caller}, not to be passed on, and {caller} asks for {whom}"),
        format!("ask {owner} for an agreement with {whom}, or for onward = true in {agreement}"),
    );
    Some(refused.about(&name.to_string()))
}

/// What a body may have by grants of its own.
fn of_body(terms: &Terms, caller: &Caller, day: NaiveDate, body: &BodyName, purpose: &str) -> Vec<Access> {
    let own = |grant: &&Grant| grant.purpose == purpose && grant.in_force(day) && access::grants(grant, caller, body);
    let mut found: Vec<Access> =
        terms.grants.iter().filter(own).filter_map(|grant| access::by_grant(terms, grant)).collect();
    if body.is_own() && terms.dataset.form == Form::Statistics && !terms.dataset.needs_agreement {
        let (granted, threshold) = (Columns::visible(), terms.threshold(None));
        found.push(Access::Statistics { granted, threshold, allowance: None });
    }
    found
}

/// What both give: their common columns, rows that pass both filters, the higher threshold. Whoever may have rows may have
/// statistics of them, never the other way round.
fn common(access: &Access, own: Access) -> Option<Access> {
    match (access.clone(), own) {
        (Access::Rows { granted, filter }, Access::Rows { granted: other, filter: and }) => {
            let filter = match (filter, and) {
                (Some(filter), Some(and)) => Some(filter.and(and)),
                (filter, and) => filter.or(and),
            };
            Some(Access::Rows { granted: both(granted, other), filter })
        }
        (
            Access::Statistics { granted, threshold, allowance },
            Access::Statistics { granted: other, threshold: least, .. },
        ) => Some(Access::Statistics { granted: both(granted, other), threshold: threshold.max(least), allowance }),
        // A row filter would have to hold for statistics too.
        (Access::Statistics { granted, threshold, allowance }, Access::Rows { granted: other, filter: None }) => {
            Some(Access::Statistics { granted: both(granted, other), threshold, allowance })
        }
        (Access::Statistics { .. }, Access::Rows { filter: Some(_), .. })
        | (Access::Rows { .. }, Access::Statistics { .. })
        | (Access::Whole(_), _)
        | (_, Access::Whole(_)) => None,
    }
}

/// The columns that both hold, under the first one's agreement.
fn both(one: Columns, other: Columns) -> Columns {
    let names = match (one.names, other.names) {
        (Some(names), Some(also)) => Some(names.into_iter().filter(|name| also.contains(name)).collect()),
        (names, also) => names.or(also),
    };
    Columns { agreement: one.agreement, names }
}
