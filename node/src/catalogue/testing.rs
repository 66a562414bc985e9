//! Descriptions for the tests of what is made of them.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use meridian_proto::{About, Check, Column, ColumnType, Contact, Coverage, Covers, Dataset, Form, Name, Quality, Role};

use super::Entry;

pub(crate) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

pub(crate) fn column(of: &str, column_type: ColumnType, concept: &str) -> Column {
    Column {
        name: name(of),
        column_type,
        role: Role::Dimension,
        required: false,
        ranges: false,
        concept: concept.into(),
        unit: String::new(),
        description: format!("What {of} is"),
    }
}

/// An open dataset about which everything is said.
pub(crate) fn dataset(of: &str, title: &str) -> Dataset {
    Dataset {
        name: name(of),
        title: title.into(),
        description: "One row for each".into(),
        licence: "OGL-UK-3.0".into(),
        form: Form::Open,
        needs_agreement: false,
        columns: vec![
            column("borough_gss", ColumnType::Varchar, "gss:borough"),
            column("year", ColumnType::Integer, ""),
        ],
        unit_kind: String::new(),
        threshold: 0,
        standard: None,
        coverage: vec![Coverage { column: name("borough_gss"), covers: Covers::Value("E09000007".into()) }],
        size_class: 4,
        update_frequency: "monthly".into(),
        references: Vec::new(),
        about: About {
            keywords: vec!["safety".into()],
            contact: Some(Contact { name: "Data team".into(), email: "data@lfb.example".into() }),
            last_change: Some(20_000),
            quality: Some(Quality { checks: vec![Check::Types], failing_class: None }),
            members_only: false,
        },
    }
}

pub(crate) fn entry(body: &str, publisher: &str, dataset: Dataset) -> Entry {
    Entry { federation: name("london"), body: name(body), publisher: publisher.into(), dataset: Arc::new(dataset) }
}
