//! `meridian agreement …`: one document for all whom it concerns, proposed, signed and withdrawn by bodies.

mod draft;
mod show;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use chrono::Utc;
use clap::{Args, Subcommand};
use meridian_proto::Name;

use super::{Error, client, or_interrupted, say};
use crate::agreements::{Act, AgreementError, Agreements, Document, Kept, MOST_BYTES};
use crate::app;
use crate::clock::Clock;
use crate::config::Config;

/// The fewest characters by which a document is named.
const SHORTEST: usize = 6;
/// The fewest by which one is named that is signed: as many as `list` shows.
const SHORTEST_SIGNED: usize = show::SHORT;

/// `meridian agreement …`
#[derive(Debug, Subcommand)]
pub(crate) enum Agreement {
    /// Write the smallest agreement that lets a query run, with what people have to fill in left open
    Draft(draft::Draft),
    /// Check that a document is complete, and send it to the nodes of all whom it concerns
    Propose(Propose),
    /// Sign a document for one's own body, and tell the others
    Sign(Which),
    /// Withdraw one's own body's signature, for good, and tell the others
    Withdraw(Which),
    /// Forget a document that one's own body has not signed, and take it from nobody until it is proposed here
    Discard(Which),
    /// List the documents that are known: who has signed, and where each is in force
    List(Whose),
    /// Show a document, who has signed it and who has not, and why it is not in force
    Show(Which),
}

/// Whose node it is.
#[derive(Debug, Args)]
pub(crate) struct Whose {
    /// The node's configuration (TOML)
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

/// Options of `meridian agreement propose`.
#[derive(Debug, Args)]
pub(crate) struct Propose {
    /// The document (TOML)
    file: PathBuf,
    #[command(flatten)]
    whose: Whose,
}

/// Which document.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// The document: the beginning of its id, or, but for signing, the agreement's own id where one document alone has it
    id: String,
    #[command(flatten)]
    whose: Whose,
}

/// A body's part, from its own machine.
struct Own {
    config: Config,
    agreements: Arc<Agreements>,
}

impl Agreement {
    /// Does it.
    pub(crate) fn run(self, out: &mut dyn Write) -> Result<(), Error> {
        match self {
            Self::Draft(draft) => client(or_interrupted(draft.run(out))),
            Self::Propose(propose) => client(or_interrupted(propose.run(out))),
            Self::Sign(which) => client(or_interrupted(which.say(Act::Consent))),
            Self::Withdraw(which) => client(or_interrupted(which.say(Act::Withdrawal))),
            Self::List(whose) => show::list(&Own::of(&whose)?.agreements.kept()?, Utc::now().date_naive(), out),
            Self::Show(Which { id, whose }) => {
                let own = Own::of(&whose)?;
                let kept = own.agreements.kept()?;
                show::one(find(&kept, &id)?, &own.config.node.body, Utc::now().date_naive(), out)
            }
            Self::Discard(Which { id, whose }) => {
                let own = Own::of(&whose)?;
                let kept = own.agreements.kept()?;
                let document = &find(&kept, &id)?.document;
                own.agreements.discard(document)?;
                say(format_args!("{} is discarded; `meridian agreement propose` brings it back", document.id));
                Ok(())
            }
        }
    }
}

impl Propose {
    async fn run(self, out: &mut dyn Write) -> Result<(), Error> {
        Own::of(&self.whose)?.propose(&self.file, out).await
    }
}

impl Which {
    async fn say(self, act: Act) -> Result<(), Error> {
        Own::of(&self.whose)?.say(&self.id, act).await
    }
}

impl Own {
    fn of(whose: &Whose) -> Result<Self, Error> {
        let config = Config::load(&whose.config).map_err(|errors| Error::Config(errors.to_string()))?;
        let node = &config.node;
        let serve = |error: app::Error| Error::Serve(error.to_string());
        let credentials = app::credentials(node).map_err(serve)?;
        let peers = app::peers(node, &credentials);
        // Who is out counts here as it does at the node.
        app::members(node, &credentials, &peers, &Clock::system()).map_err(|error| serve(error.into()))?;
        let agreements = Agreements::new(&node.state, credentials, peers, Clock::system());
        agreements.tend(SystemTime::now())?;
        Ok(Self { config, agreements })
    }

    async fn propose(&self, file: &Path, out: &mut dyn Write) -> Result<(), Error> {
        let text = fs::read_to_string(file).map_err(|source| Error::Read { path: file.into(), source })?;
        if text.len() > MOST_BYTES {
            return Err(Error::Config(format!("{}: it is longer than {MOST_BYTES} bytes", file.display())));
        }
        let document = self.config.document(file, &text).map_err(|errors| Error::Config(errors.to_string()))?;
        self.agreements.propose(&document, Utc::now())?;
        writeln!(out, "{}", document.id)?;
        self.tell(&document).await;
        say(
            "nothing is in force yet: each body looks at it by `meridian agreement show`, and signs by `meridian agreement sign`",
        );
        Ok(())
    }

    async fn say(&self, id: &str, act: Act) -> Result<(), Error> {
        let kept = self.agreements.kept()?;
        let document = &find(&kept, id)?.document;
        if act == Act::Consent {
            is_of(document, id)?;
            let file = PathBuf::from(format!("document {}", document.id));
            let checked = self.config.document(&file, &document.text);
            checked.map_err(|errors| Error::Config(errors.to_string()))?;
        }
        self.agreements.say(act, document, Utc::now())?;
        let own = &self.config.node.body;
        match act {
            Act::Proposal | Act::Consent => say(format_args!("{own} has signed {}", document.id)),
            Act::Withdrawal => say(format_args!("{own} has withdrawn from {}, for good", document.id)),
        }
        self.tell(document).await;
        Ok(())
    }

    /// Tells all whom it concerns, and names those who are told later.
    async fn tell(&self, document: &Document) {
        let failed = self.agreements.exchange_with(document.bodies()).await;
        let mut by_reason: BTreeMap<String, BTreeSet<Name>> = BTreeMap::new();
        for (body, why) in failed {
            by_reason.entry(why).or_default().insert(body);
        }
        for (why, bodies) in by_reason {
            let bodies = bodies.iter().map(Name::as_str).collect::<Vec<_>>().join(", ");
            say(format_args!("{bodies}: not told yet ({why}); this body's node goes on trying"));
        }
    }
}

/// The document that is meant.
fn find<'a>(kept: &'a [Kept], id: &str) -> Result<&'a Kept, Error> {
    let by_id = |kept: &&Kept| id.len() >= SHORTEST && kept.document.id.starts_with(id);
    let found: Vec<&Kept> = kept.iter().filter(|kept| by_id(kept) || kept.document.name == id).collect();
    match found.as_slice() {
        [one] => Ok(one),
        [] => Err(Error::Usage(format!(
            "no document here is named {id}: `meridian agreement list` shows those that are known"
        ))),
        more => {
            let ids: Vec<&str> = more.iter().map(|kept| kept.document.id.as_str()).collect();
            Err(Error::Usage(format!("{} documents are named {id}: say which of {}", more.len(), ids.join(", "))))
        }
    }
}

/// Whoever signs names the text that they have read: another one may have the same name.
fn is_of(document: &Document, id: &str) -> Result<(), Error> {
    if id.len() >= SHORTEST_SIGNED && document.id.starts_with(id) {
        return Ok(());
    }
    Err(Error::Usage(format!(
        "a document is signed by the beginning of its own id, {SHORTEST_SIGNED} characters at least: read it by `meridian \
         agreement show {id}`, and give the id that stands there"
    )))
}

impl From<AgreementError> for Error {
    fn from(error: AgreementError) -> Self {
        Self::Agreement(error.to_string())
    }
}
