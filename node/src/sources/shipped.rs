//! What is done to rows where they are scanned, as it goes to a worker of this body's cluster and becomes the same there: the
//! functions that mappings may call by their names, and those that no SQL can name with what they hold.
//!
//! With these goes the key by which units of one kind are hashed, and who may not be used: a worker that scans rows needs
//! both. They are in its memory for the question's length, and the node's secret itself goes nowhere.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use datafusion::error::Result;
use datafusion::logical_expr::ScalarUDF;
use serde::{Deserialize, Serialize};

use super::expressions::{OverRows, Step};
use super::{boroughs, functions};
use crate::{geometry, portable};

/// A function over rows of a dataset with a unit.
#[derive(Clone, Serialize, Deserialize)]
pub struct ShippedFunction(Form);

#[derive(Clone, Serialize, Deserialize)]
enum Form {
    Unit { key: [u8; 16] },
    EachRow { key: [u8; 16] },
    Kept { left_out: Vec<u64> },
    Overlay { values: BTreeMap<u64, Vec<u8>> },
    Keyed,
}

impl fmt::Debug for ShippedFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ShippedFunction")
    }
}

/// The function, if it is one of these.
pub fn ship_function(function: &ScalarUDF) -> Result<Option<ShippedFunction>> {
    let Some(OverRows { step, .. }) = function.inner().downcast_ref::<OverRows>() else { return Ok(None) };
    let form = match step {
        Step::Unit { key } => Form::Unit { key: *key },
        Step::EachRow { key } => Form::EachRow { key: *key },
        Step::Kept { left_out } => Form::Kept { left_out: left_out.iter().copied().collect() },
        Step::Overlay { values } => {
            let values = values.iter().map(|(unit, value)| Ok((*unit, portable::of_value(value)?)));
            Form::Overlay { values: values.collect::<Result<_>>()? }
        }
        Step::Keyed => Form::Keyed,
    };
    Ok(Some(ShippedFunction(form)))
}

impl ShippedFunction {
    /// The function.
    pub fn function(self) -> Result<Arc<ScalarUDF>> {
        let step = match self.0 {
            Form::Unit { key } => Step::Unit { key },
            Form::EachRow { key } => Step::EachRow { key },
            Form::Kept { left_out } => Step::Kept { left_out: Arc::new(left_out.into_iter().collect()) },
            Form::Overlay { values } => {
                let values = values.into_iter().map(|(unit, value)| Ok((unit, portable::value(&value)?)));
                Step::Overlay { values: values.collect::<Result<_>>()? }
            }
            Form::Keyed => Step::Keyed,
        };
        Ok(step.function())
    }
}

/// The functions beyond the engine's own that mappings may call and that are the same under their names everywhere.
pub fn named_functions() -> impl Iterator<Item = ScalarUDF> {
    functions::all().chain([boroughs::function()]).chain(geometry::functions())
}
