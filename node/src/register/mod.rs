//! The register: what bodies share, why, under which law and how often it was used, for anybody to read.
//!
//! A body makes its own from its configuration and its log ([`Usage`]), signs it and tells it to the other nodes
//! ([`Registers`]), which show all of them. Pages and tables are made of what is known at that moment ([`View`]), the same
//! for the server ([`Place::Served`]) and for files ([`Place::Files`]).

mod known;
mod model;
mod pages;
mod part;
mod tables;
mod usage;
mod view;
mod words;

pub use known::{Registers, kept};
pub use model::{Agreement, Algorithm, Class, Ended, Field, Item, Month, Particulars, Refused, Register, Section};
pub(crate) use pages::{Shell, Way, contact, encoded, readable, shell, wide};
pub use usage::{Told, Usage};
pub use view::{Document, Place, View};
pub(crate) use view::{HTML, JSON, MOST_PAGE};
pub(crate) use words::many;
pub use words::{Day, Id, MonthName, NoWord, Text};

/// The folder, below the node's state, in which the bodies' registers are kept.
pub const FOLDER: &str = "registers";
