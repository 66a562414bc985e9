//! `meridian agreement …`: what bodies agree on.

mod draft;

use std::io::Write;

use clap::Subcommand;

use super::{Error, client, or_interrupted};

/// `meridian agreement …`
#[derive(Debug, Subcommand)]
pub(crate) enum Agreement {
    /// Write the smallest agreement that lets a query run, with what people have to fill in left open
    Draft(draft::Draft),
}

impl Agreement {
    /// Does it.
    pub(crate) fn run(self, out: &mut dyn Write) -> Result<(), Error> {
        match self {
            Self::Draft(draft) => client(or_interrupted(draft.run(out))),
        }
    }
}
