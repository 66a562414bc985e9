//! What other bodies are asked by a placed plan, for EXPLAIN and checks.

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::Result;
use datafusion::logical_expr::{Extension, LogicalPlan};
use meridian_proto::{BodyName, DatasetName, Form};

use crate::node::{RemoteNode, RemotePart};

/// One query, and the bodies that get it: at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteSummary {
    /// The bodies, in order.
    pub bodies: Vec<BodyName>,
    /// What each of them gets, in the same order; the SQL of one is that of the others over its own dataset.
    pub parts: Vec<RemotePart>,
    /// The form in which it leaves.
    pub form: Form,
    /// What leaves: the columns of the answer, for people.
    pub columns: Vec<String>,
    /// Roughly how many rows all of them answer together.
    pub rows: usize,
    /// Datasets of other bodies whose keys may be sent along, so that only rows that can match leave.
    pub keys_of: Vec<String>,
}

impl RemoteSummary {
    /// The SQL that the first body gets.
    pub fn sql(&self) -> &str {
        self.parts.first().map_or("", |part| &part.sql)
    }

    /// The datasets of the first body in its SQL.
    pub fn datasets(&self) -> Vec<String> {
        let part = self.parts.first();
        let datasets = part
            .into_iter()
            .flat_map(|part| std::iter::once(part.dataset.clone()).chain(part.beside.iter().map(ToString::to_string)));
        datasets.collect()
    }

    /// Datasets of other bodies that the first body asks for as wholes and joins with its own.
    pub fn references(&self) -> &[DatasetName] {
        self.parts.first().map_or(&[], |part| &part.references)
    }
}

pub(crate) fn summaries(plan: &LogicalPlan) -> Result<Vec<RemoteSummary>> {
    let mut found: Vec<RemoteSummary> = Vec::new();
    let mut shared: Vec<Vec<RemotePart>> = Vec::new();
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::Extension(Extension { node }) = node
            && let Some(remote) = node.as_any().downcast_ref::<RemoteNode>()
        {
            // Equal leaves are one question.
            if remote.may_share() {
                if shared.contains(&remote.parts) {
                    return Ok(TreeNodeRecursion::Continue);
                }
                shared.push(remote.parts.clone());
            }
            found.extend(summarised(remote));
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}

fn summarised(remote: &RemoteNode) -> Vec<RemoteSummary> {
    let columns = &remote.columns;
    let mut groups: Vec<(String, RemoteSummary)> = Vec::new();
    for part in &remote.parts {
        let body = &part.body;
        let names = std::iter::once(part.dataset.clone()).chain(part.beside.iter().map(ToString::to_string));
        let shape =
            names.fold(part.sql.replace(&format!("'{body}'"), "\u{0}"), |sql, name| sql.replace(&name, "\u{0}"));
        match groups.iter_mut().find(|(known, group)| *known == shape && group.form == part.form) {
            Some((_, group)) => {
                group.bodies.push(body.clone());
                group.parts.push(part.clone());
            }
            None => {
                let (bodies, parts, columns) = (vec![body.clone()], vec![part.clone()], columns.clone());
                let (form, rows, keys_of) = (part.form, remote.rows, remote.keys_of.clone());
                groups.push((shape, RemoteSummary { bodies, parts, form, columns, rows, keys_of }));
            }
        }
    }
    groups.into_iter().map(|(_, group)| group).collect()
}
