//! In which form one dataset may leave for one caller, and by which agreement.

use chrono::{DateTime, NaiveDate, Utc};
use datafusion::logical_expr::Expr;
use meridian_proto::{BodyName, Form, Name};

use super::facts::Decision;
use super::onward;
use super::permit::Grounds;
use super::table::is_open;
use super::terms::{Askers, Grant, Terms};
use super::{Caller, Refused, Request};

/// What a caller may do with a dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Access {
    /// All rows and columns, since the dataset is open or the caller's own.
    Whole(Form),
    /// Rows under an agreement.
    Rows { granted: Columns, filter: Option<Expr> },
    /// Cells of at least `threshold` units, no more than `allowance` of them.
    Statistics { granted: Columns, threshold: u32, allowance: Option<u64> },
}

impl Access {
    /// The agreement that it rests on.
    pub(super) fn agreement(&self) -> Option<&str> {
        match self {
            Self::Whole(_) => None,
            Self::Rows { granted, .. } | Self::Statistics { granted, .. } => granted.agreement.as_deref(),
        }
    }

    pub(super) fn opens(&self, terms: &Terms, column: &str) -> bool {
        match self {
            Self::Whole(_) => terms.dataset.column(column).is_some(),
            Self::Rows { granted, .. } | Self::Statistics { granted, .. } => granted.holds(terms, column),
        }
    }

    /// Whether it gives, by the same agreement, whatever rows or cells `other` gives.
    fn covers(&self, other: &Self) -> bool {
        self.agreement() == other.agreement()
            && match (self, other) {
                (Self::Whole(form), Self::Whole(other)) => form <= other,
                (Self::Rows { filter, .. }, Self::Rows { filter: other, .. }) => filter.is_none() || filter == other,
                (Self::Statistics { threshold, .. }, Self::Statistics { threshold: other, .. }) => threshold <= other,
                (Self::Whole(_) | Self::Rows { .. } | Self::Statistics { .. }, _) => false,
            }
    }
}

/// The columns that exist for a caller, and the agreement that says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Columns {
    pub(super) agreement: Option<String>,
    pub(super) names: Option<Vec<Name>>,
}

impl Columns {
    /// All that are not hidden, to anybody who may ask.
    pub(super) fn visible() -> Self {
        Self { agreement: None, names: None }
    }

    pub(super) fn holds(&self, terms: &Terms, column: &str) -> bool {
        match &self.names {
            Some(names) => names.iter().any(|name| name.as_str() == column),
            None => terms.dataset.visible_columns().any(|visible| visible.name.as_str() == column),
        }
    }
}

/// How much of a dataset a caller may know of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Not even that it exists.
    Unknown,
    /// That it exists, and its visible columns.
    Visible,
    /// All columns.
    Whole,
}

/// How much of a dataset a caller may know of.
pub(super) fn standing(terms: &Terms, caller: &Caller, now: DateTime<Utc>) -> Standing {
    let day = now.date_naive();
    if !caller.is_peer() {
        return match terms.own {
            Form::Open | Form::Rows => Standing::Whole,
            Form::Statistics => Standing::Visible,
            Form::None => Standing::Unknown,
        };
    }
    let granted = grants_to(terms, caller).any(|grant| grant.in_force(day));
    if terms.dataset.form == Form::None || !(terms.listed || granted) { Standing::Unknown } else { Standing::Visible }
}

/// Decides, and notes what the decision rests on.
pub(super) fn decide(terms: &Terms, request: &Request<'_>, decision: &mut Decision) -> Result<Access, Refused> {
    let name = terms.name.to_string();
    if standing(terms, request.caller, request.now) == Standing::Unknown {
        return Err(Refused::unknown(&name));
    }
    if open_to(terms, request.caller) {
        decision.rule("form.open");
        decision.dataset(&name, Form::Open);
        decision.facts.unlisted |= !terms.listed;
        let access = Access::Whole(Form::Open);
        decision.rests_on(terms, &access);
        return Ok(access);
    }
    if request.only_open && request.caller.is_peer() {
        return Err(Refused::new(
            "membership.stale",
            format!("{name} is not open, and this node has not heard for 96 hours who is still in the federation"),
            "ask again when its node reaches the federation's authority, or a member that has",
        ));
    }
    let purpose = stated_purpose(terms, request.caller)?;
    decision.rule("purpose.stated");
    decision.facts.protected = true;
    let mut candidates = candidates(terms, request.caller, purpose, request.now.date_naive());
    if candidates.is_empty() {
        return Err(if request.caller.is_peer() {
            no_agreement(terms, request, purpose)
        } else {
            Refused::unknown(&name)
        });
    }
    let access = candidates.swap_remove(decision.choice.of(&name, candidates.len()).min(candidates.len() - 1));
    note(&access, &name, decision);
    decision.rests_on(terms, &access);
    Ok(access)
}

/// Whether what was decided once is still given, in full.
pub(super) fn holds(terms: &Terms, caller: &Caller, now: DateTime<Utc>, grounds: &Grounds) -> bool {
    if standing(terms, caller, now) == Standing::Unknown {
        return false;
    }
    let given = if open_to(terms, caller) {
        vec![Access::Whole(Form::Open)]
    } else {
        caller.purpose().map(|purpose| candidates(terms, caller, purpose, now.date_naive())).unwrap_or_default()
    };
    let opens = |access: &Access| grounds.columns.iter().all(|column| access.opens(terms, column.as_str()));
    given.iter().any(|access| access.covers(&grounds.access) && opens(access))
}

/// Whether the dataset is open, and to this caller too.
fn open_to(terms: &Terms, caller: &Caller) -> bool {
    is_open(terms) && (caller.is_peer() || terms.own != Form::Statistics)
}

fn note(access: &Access, name: &str, decision: &mut Decision) {
    let agreement = match access {
        Access::Whole(form) => {
            decision.rule("form.own");
            decision.dataset(name, *form);
            None
        }
        Access::Rows { granted, filter } => {
            decision.rule("form.rows");
            if filter.is_some() {
                decision.rule("rows.filter");
            }
            decision.dataset(name, Form::Rows);
            granted.agreement.as_deref()
        }
        Access::Statistics { granted, .. } => {
            decision.rule("form.statistics");
            decision.rule("statistics.threshold");
            decision.dataset(name, Form::Statistics);
            granted.agreement.as_deref()
        }
    };
    if let Some(agreement) = agreement {
        decision.agreement(agreement);
    }
}

fn stated_purpose<'a>(terms: &Terms, caller: &'a Caller) -> Result<&'a str, Refused> {
    caller.purpose().ok_or_else(|| {
        let mut agreed: Vec<&str> = grants_to(terms, caller).map(|grant| grant.purpose.as_str()).collect();
        agreed.sort_unstable();
        agreed.dedup();
        let which = if agreed.is_empty() {
            String::new()
        } else {
            format!("; agreed with {}: {}", caller.body(), agreed.join(", "))
        };
        Refused::new(
            "purpose.stated",
            format!("{} is not open, and no purpose is stated", terms.name),
            format!(
                "state what the answer is for (header meridian-purpose, or SET purpose = '…' in meridian query){which}"
            ),
        )
        .about(&terms.name.to_string())
    })
}

/// All that a caller is given of a dataset that is not open, the preferred first. A query goes by one of these.
fn candidates(terms: &Terms, caller: &Caller, purpose: &str, day: NaiveDate) -> Vec<Access> {
    if !caller.is_peer() {
        return of_own(terms).into_iter().collect();
    }
    let granted = grants_to(terms, caller).filter(|grant| grant.purpose == purpose && grant.in_force(day));
    let mut candidates: Vec<Access> =
        granted.filter_map(|grant| onward::kept(terms, caller, day, grant, by_grant(terms, grant)?)).collect();
    if caller.is_for_members() && terms.dataset.form == Form::Statistics && !terms.dataset.needs_agreement {
        let (granted, threshold) = (Columns::visible(), terms.threshold(None));
        candidates.push(Access::Statistics { granted, threshold, allowance: None });
    }
    candidates.sort_by_key(preference);
    candidates
}

fn of_own(terms: &Terms) -> Option<Access> {
    match terms.own {
        Form::Open | Form::Rows => Some(Access::Whole(Form::Rows)),
        Form::Statistics => {
            let threshold = terms.threshold(None);
            Some(Access::Statistics { granted: Columns::visible(), threshold, allowance: None })
        }
        Form::None => None,
    }
}

/// Rows before statistics, all rows before some, then the lower threshold, cells without number before counted ones, no
/// agreement before one, then by name.
fn preference(access: &Access) -> (u32, bool, Option<String>) {
    let agreement = access.agreement().map(str::to_owned);
    match access {
        Access::Whole(_) => (0, false, agreement),
        Access::Rows { filter, .. } => (0, filter.is_some(), agreement),
        Access::Statistics { threshold, allowance, .. } => (*threshold, allowance.is_some(), agreement),
    }
}

/// What a grant gives: never more than the dataset's own form.
pub(super) fn by_grant(terms: &Terms, grant: &Grant) -> Option<Access> {
    let granted = Columns { agreement: Some(grant.agreement.clone()), names: grant.columns.clone() };
    match grant.form.max(terms.dataset.form) {
        Form::Open | Form::Rows => Some(Access::Rows { granted, filter: grant.filter.clone() }),
        // A row filter would have to hold for statistics too, and is not admitted there by the configuration.
        Form::Statistics if grant.filter.is_some() => None,
        Form::Statistics => {
            let threshold = terms.threshold(grant.threshold);
            Some(Access::Statistics { granted, threshold, allowance: grant.allowance })
        }
        Form::None => None,
    }
}

fn grants_to<'a>(terms: &'a Terms, caller: &'a Caller) -> impl Iterator<Item = &'a Grant> {
    terms.grants.iter().filter(move |grant| caller.is_peer() && grants(grant, caller, caller.body()))
}

/// Whether a grant is for a body, and for the analyst for whom the caller asks where it says for whom.
pub(super) fn grants(grant: &Grant, caller: &Caller, body: &BodyName) -> bool {
    let admitted = |askers: &Askers| {
        caller.analyst_of(body).is_some_and(|name| {
            askers.analysts.iter().any(|known| known.as_str() == name)
                || caller.groups().iter().any(|group| askers.groups.contains(group))
        })
    };
    grant.recipients.contains(body) && grant.askers.as_ref().is_none_or(admitted)
}

/// The owner of a dataset as the caller's body names it.
pub(super) fn owner(terms: &Terms, caller: &Caller) -> BodyName {
    let own = caller.abroad().unwrap_or(&terms.name.federation);
    BodyName::of(&terms.name.federation, &terms.name.body, own)
}

/// An agreement of this purpose that is for others than the analyst for whom the caller asks.
fn barred<'a>(terms: &'a Terms, request: &Request<'_>, purpose: &str) -> Option<(&'a str, &'a Askers)> {
    let (caller, day) = (request.caller, request.now.date_naive());
    let of = |grant: &&Grant| {
        let meant = grant.purpose == purpose && grant.recipients.contains(caller.body()) && grant.in_force(day);
        caller.is_peer() && meant && !grants(grant, caller, caller.body())
    };
    let grant = terms.grants.iter().find(of)?;
    Some((grant.agreement.as_str(), grant.askers.as_ref()?))
}

/// The names of analysts are not told to each other.
fn remedy_of(askers: &Askers, body: &BodyName) -> String {
    if askers.groups.is_empty() {
        return format!("ask whoever runs the node of {body} who may");
    }
    let groups: Vec<&str> = askers.groups.iter().map(Name::as_str).collect();
    format!("ask whoever runs the node of {body} to put you into the group {}", groups.join(" or "))
}

fn no_agreement(terms: &Terms, request: &Request<'_>, purpose: &str) -> Refused {
    let (name, body, owner) = (&terms.name, request.caller.body(), owner(terms, request.caller));
    let day = request.now.date_naive();
    let mut purposes: Vec<&str> = grants_to(terms, request.caller)
        .filter(|grant| grant.in_force(day))
        .map(|grant| grant.purpose.as_str())
        .collect();
    purposes.sort_unstable();
    purposes.dedup();
    let lapsed: Vec<&str> = grants_to(terms, request.caller)
        .filter(|grant| !grant.in_force(day) && grant.purpose == purpose)
        .map(|grant| grant.agreement.as_str())
        .collect();
    if let Some(refused) = onward::refused(terms, request, purpose) {
        return refused;
    }
    let (reason, remedy) = if let Some((agreement, askers)) = barred(terms, request, purpose) {
        let reason = format!("the agreement {agreement} over {name} is for certain analysts of {body}");
        (reason, remedy_of(askers, body))
    } else if let Some(agreement) = lapsed.first() {
        let reason = format!("the agreement {agreement} over {name} is not in force on {day}");
        (reason, format!("ask {owner} to renew it"))
    } else if purposes.is_empty() {
        let reason = format!("{name} leaves only under an agreement, and {body} has none");
        (reason, format!("ask {owner} for an agreement"))
    } else {
        let reason = format!("no agreement of {body} over {name} is for the purpose '{purpose}'");
        (reason, format!("state one that is agreed: {}", purposes.join(", ")))
    };
    Refused::new("agreement.active", reason, remedy).about(&name.to_string())
}
