//! What other bodies are asked by a placed plan, for EXPLAIN.

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::Result;
use datafusion::logical_expr::{Extension, LogicalPlan};
use meridian_proto::{Form, Name};

use crate::node::RemoteNode;

/// One query, and the bodies that get it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteSummary {
    /// The bodies, in order.
    pub bodies: Vec<Name>,
    /// The SQL that the first of them gets; the others get it over their own dataset.
    pub sql: String,
    /// The form in which it leaves.
    pub form: Form,
    /// What leaves: the names of the answer's columns at this node.
    pub columns: Vec<String>,
    /// Roughly how many rows all of them answer together.
    pub rows: usize,
}

pub(crate) fn summaries(plan: &LogicalPlan) -> Result<Vec<RemoteSummary>> {
    let mut found: Vec<RemoteSummary> = Vec::new();
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::Extension(Extension { node }) = node
            && let Some(remote) = node.as_any().downcast_ref::<RemoteNode>()
        {
            found.extend(summarised(remote));
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}

fn summarised(remote: &RemoteNode) -> Vec<RemoteSummary> {
    let columns: Vec<String> = remote.schema.fields().iter().map(|field| field.name().clone()).collect();
    let mut groups: Vec<(String, RemoteSummary)> = Vec::new();
    for part in &remote.parts {
        let (dataset, body) = (&part.dataset, &part.body);
        let shape = part.sql.replace(dataset.as_str(), "\u{0}").replace(&format!("'{body}'"), "\u{0}");
        match groups.iter_mut().find(|(known, group)| *known == shape && group.form == part.form) {
            Some((_, group)) => group.bodies.push(body.clone()),
            None => {
                let (bodies, sql) = (vec![body.clone()], part.sql.clone());
                let columns = columns.clone();
                groups.push((shape, RemoteSummary { bodies, sql, form: part.form, columns, rows: remote.rows }));
            }
        }
    }
    groups.into_iter().map(|(_, group)| group).collect()
}
