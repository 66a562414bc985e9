//! What the engine of a node is made of, and what the rest of the node reads of it.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::NaiveDate;
use meridian_certs::Credentials;
use meridian_federation::remote::{Peers, Routes};
use meridian_proto::{Name, Signed};

use super::{Engine, Listed};
use crate::agreements::Agreements;
use crate::audit::Log;
use crate::catalogue::{self, Catalogue};
use crate::clock::Clock;
use crate::cluster::Workers;
use crate::gate::Caller;
use crate::membership::Members;
use crate::metrics::Metrics;
use crate::news::{self, News};
use crate::peers::Directory;
use crate::query::Spill;
use crate::register::{self, Registers};
use crate::witness::{self, Witnessing};

/// What a node has before it is known what its body publishes.
pub struct Footing {
    /// Its certificate, which says whose node it is.
    pub credentials: Arc<Credentials>,
    /// The way to the other bodies of the federation.
    pub peers: Arc<Peers>,
    /// What these publish.
    pub directory: Arc<Directory>,
    /// Who is in, where the authority says so and not the configuration.
    pub members: Option<Arc<Members>>,
    /// The log.
    pub log: Arc<Log>,
    /// What the key is made of by which it is a witness of other logs.
    pub seed: [u8; 32],
    /// The folder in which it keeps what others told it.
    pub state: PathBuf,
    /// By which agreements begin and end.
    pub clock: Clock,
}

/// What the engine of a node is made of.
#[derive(Debug, Clone)]
pub struct Parts {
    /// The federation.
    pub federation: Name,
    /// The body whose node this is.
    pub body: Name,
    /// What may be named.
    pub catalogue: Arc<Catalogue>,
    /// By which agreements begin and end.
    pub clock: Clock,
    /// The log.
    pub log: Arc<Log>,
    /// The witnesses of the log, and the logs that this node is a witness of.
    pub witnessing: Arc<Witnessing>,
    /// The agreements that many sign.
    pub agreements: Arc<Agreements>,
    /// Near pairs of counts that an analyst, or an agreement, may make in a day before there is an alert.
    pub near_alert: u64,
    /// The node's own certificate, which signs release records.
    pub credentials: Arc<Credentials>,
    /// The way to the other bodies.
    pub routes: Routes,
    /// Who is in, where the authority says so and not the configuration.
    pub members: Option<Arc<Members>>,
    /// What the bodies tell the public.
    pub registers: Arc<Registers>,
    /// What nodes tell each other has changed.
    pub news: Arc<News>,
    /// Who is in other federations that this node trusts, where their authorities say so.
    pub abroad: Vec<Arc<Members>>,
    /// Memory for all queries together, in bytes.
    pub memory: usize,
    /// Where rows of open data go that have no room in it.
    pub spill: Spill,
    /// Longest time that another body may take for its part of a query.
    pub patience: Duration,
    /// Endpoints at which the long answer of another body is read at once.
    pub endpoints: u32,
    /// Partitions that one query is run in.
    pub target_partitions: usize,
    /// What an operator's monitoring is told.
    pub metrics: Arc<Metrics>,
    /// The machines of the body's own that compute what is below a release, where there are any.
    pub workers: Option<Arc<Workers>>,
}

impl Parts {
    /// With what the nodes of a federation do for each other: they witness logs, sign agreements, tell what the public may know,
    /// and pass on news. It trusts no other federation, has no workers, and its limits are small ones.
    pub fn new(footing: Footing, catalogue: Arc<Catalogue>) -> Self {
        let Footing { credentials, peers, directory, members, log, seed, state, clock } = footing;
        let (federation, body) = (credentials.identity().federation().clone(), credentials.identity().body().clone());
        let witnessing = Witnessing::open(witness::Parts {
            federation: federation.clone(),
            body: body.clone(),
            log: Arc::clone(&log),
            seed,
            credentials: Arc::clone(&credentials),
            peers: Arc::clone(&peers),
            folder: state.join("witness"),
        });
        let spill = Spill::new(&state, 0);
        let agreements = Agreements::new(&state, Arc::clone(&credentials), Arc::clone(&peers), clock.clone());
        let registers = Registers::open(
            body.clone(),
            federation.clone(),
            Arc::clone(&credentials),
            Arc::clone(&peers),
            state.join(register::FOLDER),
        );
        let news = News::new(news::Parts {
            own: body.clone(),
            peers: Arc::clone(&peers),
            directory,
            registers: Arc::clone(&registers),
            members: members.clone(),
            agreements: Arc::clone(&agreements),
        });
        Self {
            federation,
            body,
            catalogue,
            clock,
            log,
            witnessing,
            agreements,
            near_alert: 20,
            credentials,
            routes: Routes::new(peers, []),
            members,
            registers,
            news,
            abroad: Vec::new(),
            memory: 1 << 30,
            spill,
            patience: Duration::from_secs(60),
            endpoints: 1,
            target_partitions: 2,
            metrics: Metrics::new(),
            workers: None,
        }
    }
}

impl Engine {
    /// The federation that this node belongs to.
    pub fn federation(&self) -> &Name {
        &self.parts.federation
    }

    /// Its keys, and whom it trusts.
    pub fn credentials(&self) -> &Arc<Credentials> {
        &self.parts.credentials
    }

    /// Memory that queries hold now, in bytes.
    pub fn memory_held(&self) -> usize {
        self.session.runtime_env().memory_pool.reserved()
    }

    /// The body whose node this is.
    pub fn body(&self) -> &Name {
        &self.parts.body
    }

    /// What this caller may see.
    pub fn listed(&self, caller: &Caller) -> Vec<Listed> {
        self.parts.catalogue.view(caller, self.parts.clock.now(), &BTreeSet::new()).listed()
    }

    /// What is told of each dataset that this caller may know of.
    pub fn entries(&self, caller: &Caller) -> Vec<catalogue::Entry> {
        self.parts.catalogue.view(caller, self.parts.clock.now(), &BTreeSet::new()).entries()
    }

    /// What anybody may know of what the federation publishes.
    pub fn public_entries(&self) -> Vec<catalogue::Entry> {
        catalogue::public(self.parts.catalogue.directory())
    }

    /// The day that it is.
    pub fn today(&self) -> NaiveDate {
        self.parts.clock.now().date_naive()
    }

    /// Who is in, where the authority says so.
    pub fn members(&self) -> Option<&Arc<Members>> {
        self.parts.members.as_ref()
    }

    /// The witnesses of the log, and the logs that this node is a witness of.
    pub fn witnessing(&self) -> &Witnessing {
        &self.parts.witnessing
    }

    /// The agreements that many sign.
    pub fn agreements(&self) -> &Agreements {
        &self.parts.agreements
    }

    /// The way to the other bodies.
    pub fn routes(&self) -> &Routes {
        &self.parts.routes
    }

    /// Whether nobody knows any more who is out of the federation of a caller, or of this node's own.
    pub(super) fn is_stale_for(&self, caller: &Caller) -> bool {
        let of_caller = self.parts.abroad.iter().find(|members| Some(members.federation()) == caller.abroad());
        self.parts.members.iter().chain(of_caller).any(|members| members.is_stale())
    }

    /// The federations of which this caller may name something, this node's own first.
    pub fn federations(&self, caller: &Caller) -> Vec<Name> {
        self.parts.catalogue.view(caller, self.parts.clock.now(), &BTreeSet::new()).federations()
    }

    /// The descriptions that are newer than what a peer holds. Of another federation it gets this body's own: what others publish
    /// it asks of them, if they trust it.
    pub fn descriptions(&self, held: &[(Name, u64)], parts: &[u32], of: &Name) -> Vec<Signed> {
        let body = (*of != self.parts.federation).then_some(&self.parts.body);
        self.parts.catalogue.directory().newer_than(held, parts, body)
    }

    /// What has changed, for other nodes.
    pub fn news(&self) -> &News {
        &self.parts.news
    }

    /// What the bodies tell the public.
    pub fn registers(&self) -> &Registers {
        &self.parts.registers
    }
}
