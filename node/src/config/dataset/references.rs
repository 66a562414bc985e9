//! Datasets of other bodies that a dataset's rows may be joined with.

use meridian_proto::{ColumnType, Name, Role};
use toml::Spanned;

use super::super::problem::{File, Report};
use super::super::{NodeConfig, raw};
use super::statistics_only;
use super::values;
use crate::gate::Reference;

pub(super) fn check(file: &File, raw: &raw::Dataset, node: Option<&NodeConfig>, report: &mut Report) -> Vec<Reference> {
    let Some(first) = raw.references.first() else {
        return Vec::new();
    };
    if !statistics_only(file, raw, "[[references]]", first.body.span(), report) {
        return Vec::new();
    }
    let mut references: Vec<Reference> = Vec::with_capacity(raw.references.len());
    for said in &raw.references {
        let Some(reference) = reference(file, said, node, report) else {
            continue;
        };
        let Reference { body, dataset, .. } = &reference;
        if references.iter().any(|other| other.body == *body && other.dataset == *dataset) {
            let what = format!("the reference to {body}.{dataset} stands twice");
            file.problem(report, said.dataset.span(), what, "merge the two");
        }
        references.push(reference);
    }
    references
}

fn reference(file: &File, raw: &raw::Reference, node: Option<&NodeConfig>, report: &mut Report) -> Option<Reference> {
    let body = body(file, &raw.body, node, report);
    let dataset = file.name(report, "references.dataset", &raw.dataset);
    let key = file.name(report, "references.key", &raw.key);
    let sha256 = sha256(file, &raw.sha256, report);
    let labels = labels(file, raw, report);
    Some(Reference { body: body?, dataset: dataset?, key: key?, sha256: sha256?, labels })
}

fn body(file: &File, text: &Spanned<String>, node: Option<&NodeConfig>, report: &mut Report) -> Option<Name> {
    let body = file.name(report, "references.body", text)?;
    let Some(node) = node else {
        return Some(body);
    };
    let (what, fix) = if node.body == body {
        (
            format!("references.body is `{body}`, which is this body"),
            "remove the reference: datasets of one body join without",
        )
    } else if !node.may_be_member(&body) {
        (
            format!("references.body is `{body}`, which is no member of the federation"),
            "correct the name, or add it to [[members]] of node.toml",
        )
    } else {
        return Some(body);
    };
    file.problem(report, text.span(), what, fix);
    None
}

fn sha256(file: &File, text: &Spanned<String>, report: &mut Report) -> Option<[u8; 32]> {
    let mut sha256 = [0; 32];
    let decoded = hex::decode_to_slice(text.get_ref(), &mut sha256).ok();
    if decoded.is_none() {
        let what = format!("references.sha256 is {:?}, which is no SHA-256", text.get_ref());
        file.problem(report, text.span(), what, "write the 64 hexadecimal digits that `meridian reference` prints");
    }
    decoded.map(|()| sha256)
}

fn labels(file: &File, raw: &raw::Reference, report: &mut Report) -> Vec<(Name, Option<Vec<String>>)> {
    if raw.labels.get_ref().is_empty() {
        let fix = "name the columns of the reference that may be used, such as ward = { role = \"dimension\" }";
        file.problem(report, raw.labels.span(), "labels is empty", fix);
    }
    let mut labels = Vec::with_capacity(raw.labels.get_ref().len());
    for (text, label) in raw.labels.get_ref() {
        let Some(name) = file.name(report, "a name in labels", text) else {
            continue;
        };
        if text.get_ref() == raw.key.get_ref() {
            let what = format!("label {name} is the reference's key");
            file.problem(report, text.span(), what, "leave it out: a key joins and is never in an answer");
        }
        if *label.role.get_ref() != Role::Dimension {
            let what = format!("label {name} has the role {}", label.role.get_ref());
            file.problem(report, label.role.span(), what, "write role = \"dimension\", or leave the label out");
        }
        // The other body's types are not known here: any constant is text.
        let domain = |said| values::domain(file, &name, ColumnType::Varchar, said, report);
        let domain = label.domain.as_ref().and_then(domain);
        labels.push((name, domain));
    }
    labels
}
