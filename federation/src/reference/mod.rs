//! Datasets of other bodies that a node fetches whole to join its own protected rows with them at home.
//!
//! | where | what |
//! | --- | --- |
//! | `content` | the SHA-256 by which an owner declares what it has looked at |
//! | `whole` | what is fetched, and the one time at which it is fetched and checked |
//! | `node`, `exec` | its place in a plan: a leaf without filter or projection |
//!
//! What is asked of the other body is the same for every query, and it is asked whenever a query was admitted that names the
//! reference, before the query runs: so neither its words nor the moment, nor that it is asked at all, tell the other body
//! anything of the rows that are joined. What arrives lives in memory for the query's length.

mod content;
mod error;
mod exec;
mod node;
mod whole;

pub use content::{Content, content};
pub use error::ReferenceError;
pub use exec::ReferenceExec;
pub use node::ReferenceNode;
pub use whole::{References, Whole};

#[cfg(test)]
mod tests;
