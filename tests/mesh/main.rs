//! The mesh end to end: real processes of the binary that was just built, real certificates, clients no one here wrote.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod agreements;
mod allowances;
mod analyze;
mod answers;
mod attacks;
mod calendar;
mod check;
mod clients;
mod crowds;
mod databases;
mod demo;
mod disk;
mod doctor;
mod faults;
mod federations;
mod groups;
mod house;
mod identities;
mod joining;
mod keys;
mod kills;
mod london;
mod outages;
mod partial;
mod private;
mod protection;
mod public;
mod records;
mod references;
mod register;
mod rights;
mod roots;
mod sessions;
mod shapes;
mod signed_agreements;
mod standards;
mod support;
mod tables;
mod terms;
mod tickets;
mod told;
mod views;
mod witnesses;
