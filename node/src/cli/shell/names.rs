//! What the caller may name: bodies, their datasets and columns, as their node tells.

use std::collections::BTreeSet;

use meridian_proto::EVERY;

use super::super::Error;
use super::super::catalogue::{self, Listing};
use super::super::client::Client;
use crate::spelling;

/// All of them.
#[derive(Debug, Clone, Default)]
pub(super) struct Names {
    /// The federation of the node that is asked.
    home: String,
    pub(super) datasets: Vec<Listing>,
}

impl Names {
    /// Asks for them.
    pub(super) async fn of(client: &mut Client) -> Result<Self, Error> {
        let mut datasets = catalogue::listings(client, None).await?;
        datasets.sort_by_cached_key(Listing::name);
        Ok(Self { home: client.identity().federation().to_string(), datasets })
    }

    /// A dataset as it is named in a question: those of one's own federation without it.
    pub(super) fn short(&self, listing: &Listing) -> String {
        format!("{}.{}", self.body_of(listing), listing.table)
    }

    /// The body of a dataset as it is named in a question.
    pub(super) fn body_of(&self, listing: &Listing) -> String {
        if listing.catalog == self.home {
            listing.body.clone()
        } else {
            format!("{}.{}", listing.catalog, listing.body)
        }
    }

    /// The bodies that publish something, and `every` where there are standards.
    pub(super) fn bodies(&self) -> BTreeSet<String> {
        self.datasets.iter().map(|listing| self.body_of(listing)).collect()
    }

    /// The datasets for which a name stands: one of them, all of a body, or all of that name.
    pub(super) fn found(&self, name: &str) -> Vec<&Listing> {
        let name = name.replace('"', "").to_lowercase();
        let all = || self.datasets.iter();
        let exact: Vec<_> = all().filter(|listing| self.short(listing) == name || listing.name() == name).collect();
        if !exact.is_empty() {
            return exact;
        }
        let of_body: Vec<_> = all().filter(|listing| self.body_of(listing) == name).collect();
        if !of_body.is_empty() {
            return of_body;
        }
        all().filter(|listing| listing.table == name).collect()
    }

    /// What is spelled like a name that is not there.
    pub(super) fn like(&self, name: &str) -> Option<String> {
        let name = name.to_lowercase();
        let mut known: Vec<String> = self.datasets.iter().map(|listing| self.short(listing)).collect();
        known.extend(self.bodies());
        known.extend(self.datasets.iter().map(|listing| listing.table.clone()));
        spelling::nearest(&name, known.iter().map(String::as_str)).map(str::to_owned)
    }

    /// Names without a node.
    #[cfg(test)]
    pub(super) fn for_test(home: &str, datasets: Vec<Listing>) -> Self {
        Self { home: home.into(), datasets }
    }

    /// Whether datasets of a body are those of a standard at all bodies.
    pub(super) fn is_every(body: &str) -> bool {
        body == EVERY
    }
}
