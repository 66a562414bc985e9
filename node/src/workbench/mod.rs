//! The workbench: this body's analysts ask in a browser, with their own certificates.
//!
//! It is a client of Flight SQL like any other and stands in front of no second road: each question goes through the node's
//! one door ([`crate::flight::Door`]) under the certificate of the connection. What is kept here are saved questions, and of
//! answers nothing. The parts:
//!
//! - `connections`: TLS, who may come in, limits
//! - `guard`: whether a request comes from the workbench's own page, and what every answer says to the browser
//! - `pages`: the page and what belongs to it
//! - `routes`: the addresses
//! - `said`: what is asked, and why it is not answered, as JSON
//! - `run`, `frames`: a question, and its answer as it comes
//! - `before`: what a question would do, before anything runs
//! - `names`: what may be named
//! - `receipt`: what left whom
//! - `download`: an answer in another format
//! - `saved`: questions with addresses of their own

mod before;
mod connections;
mod download;
mod frames;
mod guard;
mod names;
mod pages;
mod receipt;
mod routes;
mod run;
mod said;
mod saved;

use std::path::PathBuf;

use meridian_proto::Name;

use crate::flight::Door;

pub use connections::Workbench;

/// What the workbench is made of.
#[derive(Debug)]
pub struct Parts {
    /// The way to the node's answers.
    pub door: Door,
    /// Whose analysts come.
    pub federation: Name,
    /// The body.
    pub body: Name,
    /// Its name for people.
    pub title: String,
    /// The folder of saved questions.
    pub saved: PathBuf,
    /// Where anybody reads what is published, if it is served: `http://127.0.0.1:8080/catalogue/`.
    pub portal: Option<String>,
}
