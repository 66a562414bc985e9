//! What says of a query that whatever it reads of this node's own rows is open.

use std::any::Any;

use datafusion::common::not_impl_err;
use datafusion::config::{ConfigEntry, ConfigExtension, ConfigOptions, ExtensionOptions};
use datafusion::error::Result;

/// The datasets of this node in a query all of whose own rows anybody may read: keys among them may be sent to other bodies. An
/// extension of the options of that query's session, which whoever has decided about the query puts there; without it, no own
/// row's key is sent.
#[derive(Debug, Clone, Default)]
pub struct OpenHere {
    datasets: Vec<String>,
}

impl OpenHere {
    /// These datasets, by their full names.
    pub fn new(datasets: Vec<String>) -> Self {
        Self { datasets }
    }

    /// What the options say.
    pub(crate) fn of(options: &ConfigOptions) -> Option<&Self> {
        options.extensions.get::<Self>()
    }

    /// The dataset that a table's name in a plan means.
    pub(super) fn named(&self, table: &str) -> Option<&String> {
        let is_it =
            |full: &&String| full.strip_suffix(table).is_some_and(|before| before.is_empty() || before.ends_with('.'));
        self.datasets.iter().find(is_it)
    }
}

impl ConfigExtension for OpenHere {
    const PREFIX: &'static str = "open_here";
}

impl ExtensionOptions for OpenHere {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    fn cloned(&self) -> Box<dyn ExtensionOptions> {
        Box::new(self.clone())
    }

    /// Nobody's statement says what is open.
    fn set(&mut self, key: &str, _value: &str) -> Result<()> {
        not_impl_err!("{}.{key} is not to be set", Self::PREFIX)
    }

    fn entries(&self) -> Vec<ConfigEntry> {
        Vec::new()
    }
}
