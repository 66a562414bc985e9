//! `meridian sprint …`: a time-boxed space in which a team writes its questions on rows that nobody has to protect.
//!
//! | where | what |
//! | --- | --- |
//! | `told` | what the analyst's node tells of datasets, and those of them that are chosen |
//! | `values` | what stands in a column of made rows |
//! | `twin` | a dataset's file and rows at the body's node in the sprint |
//! | `agreement` | the agreements of the sprint |
//! | `space` | the folder of a sprint, with all of these |
//! | `file` | `sprint.toml`, which says what the sprint is |
//! | `new`, `serve` | the commands |

mod agreement;
mod file;
mod new;
mod serve;
mod space;
mod told;
mod twin;
mod values;

use clap::Subcommand;

use super::{Error, or_interrupted};
use new::New;
use serve::Serve;

/// `meridian sprint …`
#[derive(Debug, Subcommand)]
pub(crate) enum Sprint {
    /// Make the folder of a sprint: the bodies of the datasets, open data as it is, and twins of all other datasets, with the
    /// same columns and terms and made rows
    New(New),
    /// Run a sprint until Ctrl-C, at most until the end of its last day
    Serve(Serve),
}

impl Sprint {
    /// Does it.
    pub(crate) async fn run(self) -> Result<(), Error> {
        match self {
            Self::New(new) => or_interrupted(new.run()).await,
            Self::Serve(serve) => serve.run().await,
        }
    }
}
