//! The words that Meridian nodes say to each other beyond Flight SQL.
//!
//! [`wire`] holds the messages as they travel; everything else is the domain types made from them by `TryFrom`.
//! No message is trusted because it parsed: a domain type exists only if its rules hold.

mod about;
mod check;
mod dataset;
mod error;
mod membership;
mod name;
mod progress;
mod register;
mod release;
mod witness;

pub use about::{About, Check, Contact, Frequency, LONGEST_WORDS, MOST_KEYWORDS, Quality, is_mail};
pub use check::{Admission, CheckAnswer, Decision, Needs, Place, Refusal, Verdict};
pub use dataset::{Column, ColumnType, Coverage, Covers, Dataset, Description, Form, Reference, Role};
pub use error::Invalid;
pub use membership::{Member, Membership};
pub use name::{BodyName, DatasetName, Name};
pub use progress::{Progress, State};
pub use register::{MOST_REGISTER_BYTES, ToldRegister};
pub use release::{DatasetUse, Receipt, ReleaseRecord, Signed};
pub use witness::{LogKeys, Said, WitnessAnswer, WitnessRequest, Witnessed};

/// The messages as they travel, generated from `proto/meridian.proto`.
#[allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]
pub mod wire {
    include!(concat!(env!("OUT_DIR"), "/meridian.v1.rs"));
}

/// The Flight action by which a node asks a peer for the descriptions it holds.
pub const DESCRIBE_ACTION: &str = "meridian.describe";

/// The Flight action by which an analyst searches what their own node knows of all datasets: a [`wire::CatalogueRequest`].
pub const CATALOGUE_ACTION: &str = "meridian.catalogue";

/// The Flight action by which a body is asked whether it would release the answer to a query.
pub const CHECK_ACTION: &str = "meridian.check";

/// The Flight action by which an analyst asks their own node what an agreement has to grant for a query to run.
pub const NEEDS_ACTION: &str = "meridian.needs";

/// The Flight action by which whoever reads an answer asks how far the bodies behind it are: a [`Progress`].
pub const PROGRESS_ACTION: &str = "meridian.progress";

/// The Flight action by which a node asks a peer what has changed: a [`wire::NewsRequest`], a [`wire::News`].
pub const NEWS_ACTION: &str = "meridian.news";

/// The Flight action by which a node asks a peer for the federation's membership.
pub const MEMBERSHIP_ACTION: &str = "meridian.membership";

/// The request header in which a node says which version of the membership it holds.
pub const MEMBERSHIP_HEADER: &str = "meridian-membership";

/// The Flight action by which a node hands its newest checkpoint to a witness: a [`WitnessRequest`], a [`WitnessAnswer`].
pub const WITNESS_ACTION: &str = "meridian.witness";

/// The Flight action by which a log is asked for the proof of a record: a [`wire::ProofRequest`], a [`Witnessed`].
pub const PROOF_ACTION: &str = "meridian.proof";

/// The Flight action by which a node asks a peer for the registers that it holds: a [`wire::DescribeRequest`], a [`Signed`]
/// [`ToldRegister`] for each.
pub const REGISTER_ACTION: &str = "meridian.register";

/// The Flight action by which nodes tell each other of agreements that many sign: a [`wire::AgreementExchange`] each way.
pub const AGREEMENTS_ACTION: &str = "meridian.agreements";

/// The response header in which a refusal travels in its parts: a [`wire::Refusal`].
pub const REFUSAL_HEADER: &str = "meridian-refusal-bin";

/// The standard catalogue's schema name that stands for all bodies at once: `every.<standard>`.
pub const EVERY: &str = "every";
