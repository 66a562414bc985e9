//! What says of a query that whatever it reads of this node's own rows is open.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use datafusion::common::not_impl_err;
use datafusion::config::{ConfigEntry, ConfigExtension, ConfigOptions, ExtensionOptions};
use datafusion::error::Result;

/// The datasets of this node in a query all of whose own rows anybody may read: keys among them may be sent to other bodies. An
/// extension of the options of that query's session, which whoever has decided about the query puts there; without it, no own
/// row's key is sent.
#[derive(Clone)]
pub struct OpenHere {
    datasets: Vec<String>,
    still: Arc<dyn Fn() -> bool + Send + Sync>,
}

impl OpenHere {
    /// These datasets, by their full names, and what says whether all of them are open still: it is asked before keys are sent.
    pub fn new(datasets: Vec<String>, still: Arc<dyn Fn() -> bool + Send + Sync>) -> Self {
        Self { datasets, still }
    }

    /// What the options say.
    pub(crate) fn of(options: &ConfigOptions) -> Option<&Self> {
        options.extensions.get::<Self>()
    }

    /// All of them: a table of a plan does not say which of them it is, or that it is several.
    pub(super) fn datasets(&self) -> &[String] {
        &self.datasets
    }

    /// Whether they are open still.
    pub(super) fn holds(&self) -> bool {
        (self.still)()
    }
}

impl fmt::Debug for OpenHere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenHere").field("datasets", &self.datasets).finish_non_exhaustive()
    }
}

impl Default for OpenHere {
    /// Nothing is open.
    fn default() -> Self {
        Self::new(Vec::new(), Arc::new(|| false))
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
