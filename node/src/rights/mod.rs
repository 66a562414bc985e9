//! The list of objections, erasures, restrictions and rectifications: what persons have asked for under the UK GDPR.
//!
//! ```text
//! entry.rs    one entry: which right, of whom as a keyed hash, in which datasets
//! list.rs     the whole list, and what of it concerns a dataset
//! store.rs    the sealed file, changed by one process at a time
//! watched.rs  the list as a running node sees it
//! ```
//!
//! What each right is in law, and what the node does:
//!
//! | verb | article | in the node |
//! | --- | --- | --- |
//! | `object` | 21: objection | the unit's rows are in no later release of the datasets named |
//! | `erase` | 17: erasure | the same, also where the source still holds the rows or gets them back from a copy |
//! | `restrict` | 18: restriction of processing | the same, until it is withdrawn |
//! | `rectify` | 16: rectification | the right value overlays the source's, until withdrawn or until the source holds it |
//! | `report` | 15: access | says which datasets hold rows of the unit and which releases covered them |
//! | `withdraw` | 18(3) | ends an earlier entry: taken back, lifted, or made by mistake |
//!
//! Rows are taken out, and values overlaid, when rows are taken from the source and before anything else sees them: no
//! row filter, no expression of a caller's, no count and no size is computed from a row that is left out. A dataset with a
//! unit is held in memory or comes from its snapshot, never scanned per query, so there is no second place to filter.
//! Where the form is `statistics`, everything since the last snapshot takes effect together with the next one, at most a
//! month later (Article 12(3)): one at a time, the cells that change would spell the attributes of whoever objected.
//! Elsewhere a running node applies an entry within seconds, also to the statistics that an agreement grants of a dataset
//! whose own form is `rows`: its rows are live.
//!
//! What it does not do:
//!
//! - Copies that recipients hold already, and answers that have left, stay. Article 19 obliges the body to tell its
//!   recipients; `report` names them.
//! - The source is not changed. To erase is to erase there, too; the entry sees to it that what is left isn't released.
//! - The history's anchors are not recomputed: they are keyed sketches of sets, sealed, and protect all others.
//!   A sum near to an earlier one is answered as before, so that a single objection doesn't show in it. A count is made
//!   anew: where nothing else changed between two snapshots, which noisy counts changed tells of that one unit. Noise
//!   bounds what is learnt of how much, not of where.
//! - A snapshot holds its rows, sealed, until the next one takes its place.
//! - A kind that a dataset does not declare isn't followed: a household's objection covers the persons in datasets that
//!   say to which household they belong, and no others.
//!
//! An entry holds no unit, only its keyed hash; the whole file is sealed with a key of the node's secret and written whole
//! or not at all. Numbers go up without gaps and each is recorded in the node's log, so a list that is lost, cut or put
//! back from an older copy is noticed. A list that can't be read stops every dataset with a unit: a person's objection
//! must not end with a damaged file.

mod entry;
mod error;
mod list;
mod store;
mod watched;

#[cfg(test)]
mod tests;

pub use entry::{Entry, Right};
pub use error::RightsError;
pub use list::{Concerning, Kinds, List, Misfit, Overlay};
pub use store::Store;
pub use watched::Watched;
