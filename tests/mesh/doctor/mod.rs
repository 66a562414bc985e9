//! `meridian node check`: each fault is made, found, named, and gone once it is mended as the advice says.

mod abroad;
mod codes;
mod files;
mod identity;
mod patient;
mod public;
mod running;
mod stopped;

use patient::{Patient, complaints, in_one, mode, replaced, says, write};
