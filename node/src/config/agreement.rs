//! An agreement as this body has it, and the checks of its file.

use std::path::PathBuf;

use chrono::NaiveDate;
use meridian_proto::{BodyName, Name};
use toml::Spanned;

use crate::gate::Askers;

use super::files::Known;
use super::problem::{File, Report};
use super::{GrantConfig, NodeConfig, Particulars, ViewConfig, document, grant, particulars, raw};

/// A data-sharing agreement: the owner's copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgreementConfig {
    /// The file that says so.
    pub file: PathBuf,
    /// Its identifier: lower-case letters, digits and hyphens.
    pub id: String,
    /// For people.
    pub title: String,
    /// The purpose that a query must state.
    pub purpose: String,
    /// For the register.
    pub benefit: String,
    /// The legal power to share.
    pub legal_power: String,
    /// The lawful basis of the processing.
    pub lawful_basis: String,
    /// The bodies that it admits.
    pub recipients: Vec<BodyName>,
    /// The bodies that signed it: this body and the recipients, and others where the file names them.
    pub parties: Vec<BodyName>,
    /// Only on behalf of these may the recipients ask; `None` for anybody.
    pub askers: Option<Askers>,
    /// In force from the start of this day, UTC.
    pub start: NaiveDate,
    /// No longer in force from the start of this day, UTC.
    pub end: NaiveDate,
    /// Whom to ask.
    pub contact: String,
    /// What else the public is told.
    pub particulars: Particulars,
    /// What it admits.
    pub grants: Vec<GrantConfig>,
}

/// Where an agreement stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// In a file that this body alone writes.
    Own,
    /// In a document that all sign.
    Document,
}

pub(super) fn check(
    file: &File,
    raw: &raw::Agreement,
    (known, views, kind): (&Known<'_>, &[ViewConfig], Kind),
    taken: &[AgreementConfig],
    report: &mut Report,
) -> Option<AgreementConfig> {
    let id = identifier(file, "id", &raw.id, report);
    if let Some(other) = taken.iter().find(|other| Some(&other.id) == id.as_ref()) {
        let what = format!("agreement `{}` stands in {} already", other.id, other.file.display());
        file.problem(report, raw.id.span(), what, "give one another id");
    }
    let title = file.text(report, "title", &raw.title);
    let purpose = identifier(file, "purpose", &raw.purpose, report);
    let benefit = file.text(report, "benefit", &raw.benefit);
    let legal_power = file.text(report, "legal_power", &raw.legal_power);
    let lawful_basis = file.text(report, "lawful_basis", &raw.lawful_basis);
    let contact = file.text(report, "contact", &raw.contact);
    let recipients = members(file, ("recipients", "recipient"), &raw.recipients, known.node, report);
    let parties = parties(file, raw, &recipients, (known.node, kind), report);
    match (kind, &raw.trustees) {
        (Kind::Own, _) => document::stays_out(file, raw, report),
        (Kind::Document, Some(trustees)) => {
            members(file, ("trustees", "trustee"), trustees, known.node, report);
        }
        (Kind::Document, None) => {}
    }
    let askers = askers(file, raw, report);
    let start = file.date("start", &raw.start, report);
    let end = file.date("end", &raw.end, report);
    if let (Some(start), Some(end)) = (start, end)
        && start >= end
    {
        let what = format!("the agreement ends on {end}, not after its start on {start}");
        file.problem(report, raw.end.span(), what, "write an end after the start; the end is exclusive");
    }
    let particulars = particulars::check(file, raw, start, report);
    let grants = grant::check(file, raw, (known, views, kind), report);
    Some(AgreementConfig {
        file: file.path.clone(),
        id: id?,
        title: title?,
        purpose: purpose?,
        benefit: benefit?,
        legal_power: legal_power?,
        lawful_basis: lawful_basis?,
        recipients,
        parties,
        askers,
        start: start?,
        end: end?,
        contact: contact?,
        particulars,
        grants,
    })
}

/// Lower-case letters, digits, hyphens and underscores: it travels in a header.
pub(super) fn identifier(file: &File, key: &str, text: &Spanned<String>, report: &mut Report) -> Option<String> {
    let word = text.get_ref();
    let inside = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
    if word.is_empty() || word.len() > 63 || !word.bytes().all(inside) {
        let fix = "write lower-case letters, digits, hyphens and underscores, 63 at most";
        file.problem(report, text.span(), format!("{key} is {word:?}, which is no identifier"), fix);
        return None;
    }
    Some(word.clone())
}

/// Bodies of the federation, or of another that the node trusts, each once, at least one.
fn members(
    file: &File,
    (key, one): (&str, &str),
    said: &Spanned<Vec<Spanned<String>>>,
    node: Option<&NodeConfig>,
    report: &mut Report,
) -> Vec<BodyName> {
    if said.get_ref().is_empty() {
        file.problem(report, said.span(), format!("{key} is empty"), "name the bodies that the agreement admits");
    }
    let mut members = Vec::new();
    for text in said.get_ref() {
        let Some(name) = file.body(report, key, text, node.map(|node| &node.federation)) else {
            continue;
        };
        if node.is_some_and(|node| !node.may_be_known(&name)) {
            let (what, fix) = match name.abroad() {
                None => ("the federation".to_owned(), "correct the name, or add it to [[members]] of node.toml"),
                Some(federation) => (
                    format!("a federation {federation} that this node trusts"),
                    "correct the name, or add the federation to [[federations]] of node.toml",
                ),
            };
            file.problem(report, text.span(), format!("{one} `{name}` is no member of {what}"), fix);
        } else if members.contains(&name) {
            file.problem(report, text.span(), format!("{one} `{name}` stands twice"), "remove one");
        } else {
            members.push(name);
        }
    }
    members
}

fn parties(
    file: &File,
    raw: &raw::Agreement,
    recipients: &[BodyName],
    (node, kind): (Option<&NodeConfig>, Kind),
    report: &mut Report,
) -> Vec<BodyName> {
    // A document may be read at a trustee's node, too.
    let own = node.filter(|_| kind == Kind::Own).map(|node| &node.body);
    let mut least: Vec<BodyName> = own.into_iter().map(|own| own.clone().into()).collect();
    least.extend(recipients.iter().filter(|name| own.is_none_or(|own| **name != *own)).cloned());
    let Some(said) = &raw.parties else {
        return least;
    };
    let parties = members(file, ("parties", "party"), said, node, report);
    // A party that was refused may be the one that is missing.
    if parties.len() == said.get_ref().len() && !parties.is_empty() {
        for missing in least.iter().filter(|name| !parties.contains(name)) {
            let what = format!("parties leaves out `{missing}`");
            file.problem(report, said.span(), what, "add it: this body and every recipient are parties");
        }
    }
    parties
}

/// Analysts and groups of the recipients; `None` where the file says neither.
fn askers(file: &File, raw: &raw::Agreement, report: &mut Report) -> Option<Askers> {
    let mut names = |key: &'static str, one: &str, said: &Option<Spanned<Vec<Spanned<String>>>>| {
        said.as_ref().map(|said| self::names(file, (key, one), said, report))
    };
    match (names("analysts", "analyst", &raw.analysts), names("groups", "group", &raw.groups)) {
        (None, None) => None,
        (analysts, groups) => {
            Some(Askers { analysts: analysts.unwrap_or_default(), groups: groups.unwrap_or_default() })
        }
    }
}

fn names(
    file: &File,
    (key, one): (&'static str, &str),
    said: &Spanned<Vec<Spanned<String>>>,
    report: &mut Report,
) -> Vec<Name> {
    if said.get_ref().is_empty() {
        let fix = format!("name {key} of the recipients, or leave it out");
        file.problem(report, said.span(), format!("{key} is empty"), &fix);
    }
    let mut names = Vec::with_capacity(said.get_ref().len());
    for text in said.get_ref() {
        let Some(name) = file.name(report, key, text) else {
            continue;
        };
        if names.contains(&name) {
            file.problem(report, text.span(), format!("{one} `{name}` stands twice"), "remove one");
        } else {
            names.push(name);
        }
    }
    names
}
