//! Joins with a dataset of another body: by the key that its reference declares, at home, for its declared labels.

use std::sync::Arc;

use datafusion::common::{Column, JoinType, ScalarValue};
use datafusion::logical_expr::{Expr, LogicalPlan, Projection, TableScan};
use meridian_proto::DatasetName;

use super::join::Pair;
use super::leaf::Leaf;
use super::{Below, Kind};
use crate::gate::access::Columns;
use crate::gate::facts::Decision;
use crate::gate::terms::Reference;
use crate::gate::{Referenced, Refused, leaf};

impl Below {
    /// The reference to a dataset of another body that one of these datasets declares.
    pub(in super::super) fn referenced(&self, name: &str) -> Result<Reference, Refused> {
        let declared = self.leaves.iter().flat_map(|leaf| leaf.terms.references.iter().map(move |r| (leaf, r)));
        for (leaf, reference) in declared {
            if full_name(leaf, reference).to_string() == name {
                return Ok(reference.clone());
            }
        }
        let (own, owner) = (&self.leaf.name, &self.leaf.terms.name.body);
        let mut short = name.splitn(3, '.').skip(1);
        let (body, dataset) = (short.next().unwrap_or_default(), short.next().unwrap_or_default());
        let known: Vec<String> =
            self.leaves.iter().flat_map(|leaf| leaf.terms.references.iter()).map(in_words).collect();
        let known = if known.is_empty() { String::new() } else { format!("join it with {}, or ", known.join(" or ")) };
        let reason = format!("rows of {own} are joined with those of {name}, and {owner} declares no reference to it");
        let remedy = format!(
            "{known}ask {owner} to add [[references]] with body = \"{body}\" and dataset = \"{dataset}\" to the file of {own} \
             (meridian reference prints it), or group by a column of its own and join what is released"
        );
        Err(Refused::new("reference.undeclared", reason, remedy).about(own).at(dataset))
    }

    /// The rows of a reference under the scan's name. Columns that it does not declare are carried as such, without values,
    /// and refused where they are used.
    pub(in super::super) fn reference(
        referenced: Referenced,
        reference: &Reference,
        scan: &TableScan,
        decision: &mut Decision,
    ) -> Result<Self, Refused> {
        let Referenced { terms, rows } = referenced;
        let name = terms.name.to_string();
        let key = Some(reference.key.clone());
        let leaf = Leaf { name, terms, granted: Columns::visible(), protection: None, key };
        let mut columns = Vec::new();
        for field in scan.projected_schema.fields() {
            let column = Column::new_unqualified(field.name());
            columns.push(if rows.schema().maybe_index_of_column(&column).is_some() {
                Expr::Column(column)
            } else {
                Expr::Literal(ScalarValue::try_from(field.data_type())?, None).alias(field.name())
            });
        }
        let rows = LogicalPlan::Projection(Projection::try_new(columns, Arc::new(rows))?);
        Self::of(leaf, None, leaf::named(rows, scan)?, scan, decision)
    }

    /// Whether one side is a reference, and then joined as it may be: by its key alone, with a column of the dataset that
    /// declares it, so that each protected row stays one row or goes.
    pub(super) fn by_reference(&self, right: &Self, join_type: JoinType, pairs: &[Pair]) -> Result<bool, Refused> {
        let (reference, key, owner) = match (&self.leaf.key, &right.leaf.key) {
            (None, None) => return Ok(false),
            (None, Some(key)) => (right, key, self),
            (Some(key), None) => (self, key, right),
            (Some(_), Some(_)) => {
                return Err(self.leaf.join("a join of other bodies' rows with each other", "join each with your own"));
            }
        };
        let is_right = right.leaf.key.is_some();
        let kept = match join_type {
            JoinType::Inner => true,
            JoinType::Left | JoinType::LeftSemi => is_right,
            JoinType::Right | JoinType::RightSemi => !is_right,
            JoinType::Full | JoinType::LeftAnti | JoinType::RightAnti | JoinType::LeftMark | JoinType::RightMark => {
                false
            }
        };
        let (own, name) = (&owner.leaf.name, &reference.leaf.name);
        if !kept {
            return Err(owner.leaf.join(
                format!("a join that keeps rows of {name} without any of {own}"),
                format!("write {own} JOIN {name}, or {own} LEFT JOIN {name}"),
            ));
        }
        let by_key = |pair: &Pair| {
            let (mine, theirs) = if is_right { (&pair.left.1, &pair.right.1) } else { (&pair.right.1, &pair.left.1) };
            let declares = mine
                .leaf
                .terms
                .references
                .iter()
                .any(|known| full_name(&mine.leaf, known) == reference.leaf.terms.name && known.key == *key);
            declares && theirs.kind == Kind::Identifier && theirs.name == key.as_str()
        };
        match pairs {
            [pair] if by_key(pair) => Ok(true),
            _ => Err(owner.leaf.join(
                format!("a join of {own} with {name} that is not by its key alone"),
                format!("join ON a column of {own} = {key} of {name}, and compare labels with constants"),
            )),
        }
    }
}

fn full_name(leaf: &Leaf, reference: &Reference) -> DatasetName {
    DatasetName {
        federation: leaf.terms.name.federation.clone(),
        body: reference.body.clone(),
        dataset: reference.dataset.clone(),
    }
}

fn in_words(reference: &Reference) -> String {
    let labels: Vec<&str> = reference.labels.iter().map(|(name, _)| name.as_str()).collect();
    format!("{}.{} by {} for {}", reference.body, reference.dataset, reference.key, labels.join(", "))
}
