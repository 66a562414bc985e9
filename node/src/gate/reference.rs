//! A dataset of another body, as the owner of protected rows has declared it: what of it exists, and the leaf that yields it.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::common::ScalarValue;
use datafusion::logical_expr::LogicalPlan;
use meridian_proto::{About, Column, Dataset, DatasetName, Form, Name, Role};

use super::Reference;
use super::terms::{ColumnTerms, Terms};

/// A reference that can be joined.
#[derive(Debug, Clone)]
pub struct Referenced {
    pub(super) terms: Arc<Terms>,
    pub(super) rows: LogicalPlan,
}

impl Referenced {
    /// The reference `name`. `columns` are its key, then its labels, as the other body describes them, with all values that
    /// a label can have where they are said. `rows` yields these columns, unqualified, and asks the other body nothing that
    /// depends on the query.
    pub fn new(
        name: DatasetName,
        reference: &Reference,
        columns: Vec<(Column, Option<Vec<ScalarValue>>)>,
        rows: LogicalPlan,
    ) -> Self {
        let role = |column: &Column| if column.name == reference.key { Role::Identifier } else { Role::Dimension };
        let terms: HashMap<Name, ColumnTerms> = columns
            .iter()
            .map(|(column, domain)| {
                (column.name.clone(), ColumnTerms { domain: domain.clone(), ..ColumnTerms::default() })
            })
            .collect();
        let columns = columns
            .into_iter()
            // Ranges are what this body declares of its own columns; of another's labels it declares none.
            .map(|(column, _)| Column { role: role(&column), ranges: false, ..column })
            .collect();
        let dataset = Dataset {
            name: name.dataset.clone(),
            title: String::new(),
            description: String::new(),
            licence: String::new(),
            form: Form::Open,
            needs_agreement: false,
            columns,
            unit_kind: String::new(),
            threshold: 0,
            standard: None,
            coverage: Vec::new(),
            size_class: 0,
            update_frequency: String::new(),
            references: Vec::new(),
            about: About::default(),
        };
        let terms = Terms {
            name,
            dataset: Arc::new(dataset),
            own: Form::None,
            unit: None,
            columns: terms,
            controls: None,
            tables: None,
            listed: false,
            grants: Vec::new(),
            references: Vec::new(),
        };
        Self { terms: Arc::new(terms), rows }
    }
}
