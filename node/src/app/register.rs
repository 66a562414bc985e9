//! Makes this body's register from its configuration and its log, and keeps it as new as they are.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::NaiveDate;
use meridian_proto::{Form, Membership, Name, Signed};
use tokio::sync::watch;

use crate::audit::{Log, LogError};
use crate::clock::Clock;
use crate::config::{self, AgreementConfig, AlgorithmConfig, Config, Counts, GrantConfig, NodeConfig, SectionConfig};
use crate::register::{
    Agreement, Algorithm, Day, Ended, Field, Id, Item, Particulars, Register, Registers, Section, Text, Told, Usage,
};

/// Time between looks at the log.
const LOOK: Duration = Duration::from_secs(2);

/// Counts what the log says of use, for a register that is made once, on a day.
pub(crate) fn usage(node: &NodeConfig, today: NaiveDate) -> Result<Told, LogError> {
    let mut usage = Usage::default();
    usage.follow(&node.state.join("audit"), first_that_waits(node, today))?;
    Ok(usage.told())
}

/// The first day of which nothing is counted yet.
fn first_that_waits(node: &NodeConfig, today: NaiveDate) -> Option<NaiveDate> {
    match node.public.counts {
        Counts::Daily => Some(today),
        Counts::Live => None,
    }
}

/// What a body says of itself on a day.
pub(crate) fn made(config: &Config, usage: &Told, today: NaiveDate) -> Register {
    let node = &config.node;
    let agreement = |agreement: &AgreementConfig| self::agreement(config, agreement, usage, today);
    let mut agreements: Vec<Agreement> = config.agreements.iter().filter_map(agreement).collect();
    agreements.sort_by(|a, b| a.id.cmp(&b.id));
    let is_known = |id: &Id| agreements.iter().any(|agreement| agreement.id == *id);
    let ended = usage.agreements().filter(|id| !is_known(id));
    let ended = ended.map(|id| Ended { months: usage.of_agreement(id.as_str()), id }).collect();
    Register {
        federation: node.federation.clone(),
        body: node.body.clone(),
        title: Text::of(&node.title),
        made: Day(today),
        counted: usage.last().map(Day),
        counts_are_recent: usage.is_recent(),
        ended,
        open: usage.open(),
        refused: usage.refused(),
        algorithms: config.algorithms.iter().filter_map(algorithm).collect(),
        agreements,
    }
}

fn agreement(config: &Config, said: &AgreementConfig, usage: &Told, today: NaiveDate) -> Option<Agreement> {
    Some(Agreement {
        // Every identifier of a configuration is one.
        id: said.id.parse().ok()?,
        title: Text::of(&said.title),
        in_force: said.start <= today && today < said.end,
        purpose: Text::of(&said.purpose),
        benefit: Text::of(&said.benefit),
        legal_power: Text::of(&said.legal_power),
        lawful_basis: Text::of(&said.lawful_basis),
        parties: said.parties.clone(),
        recipients: said.recipients.clone(),
        start: Day(said.start),
        end: Day(said.end),
        contact: Text::of(&said.contact),
        particulars: particulars(&said.particulars),
        items: said.grants.iter().map(|grant| item(config, grant)).collect(),
        months: usage.of_agreement(&said.id),
    })
}

fn particulars(said: &config::Particulars) -> Particulars {
    let texts = |said: &[String]| said.iter().map(|text| Text::of(text)).collect();
    let text = |said: &Option<String>| said.as_deref().map(Text::of).unwrap_or_default();
    Particulars {
        controllers: texts(&said.controllers),
        processors: texts(&said.processors),
        special_category: text(&said.special_category),
        method: text(&said.method),
        necessity: text(&said.necessity),
        dpia: text(&said.dpia),
        dpo_view: text(&said.dpo_view),
        retention: text(&said.retention),
        review: said.review.map(Day),
        area: text(&said.area),
        rights_contact: text(&said.rights_contact),
    }
}

fn item(config: &Config, grant: &GrantConfig) -> Item {
    let dataset = config.dataset(grant.dataset.as_str()).map(|found| &found.dataset);
    let visible = || dataset.iter().flat_map(|dataset| dataset.visible_columns()).map(|column| column.name.clone());
    let columns: Vec<Name> = grant.columns.clone().unwrap_or_else(|| visible().collect());
    let threshold = grant.threshold.unwrap_or(0).max(dataset.map_or(0, |dataset| dataset.threshold));
    Item {
        dataset: grant.dataset.clone(),
        title: Text::of(dataset.map_or("", |dataset| dataset.title.as_str())),
        form: grant.form,
        columns,
        smallest_group: if grant.form == Form::Statistics { threshold } else { 0 },
        onward: grant.onward,
    }
}

fn algorithm(said: &AlgorithmConfig) -> Option<Algorithm> {
    let section = |said: &SectionConfig| {
        let field = |(key, label, text): &(&'static str, &'static str, String)| {
            Some(Field { key: key.parse().ok()?, label: Text::of(label), text: Text::of(text) })
        };
        let fields = said.fields.iter().filter_map(field).collect();
        Section { tier: said.tier, title: Text::of(said.title), fields }
    };
    Some(Algorithm {
        id: said.id.parse().ok()?,
        sections: said.sections.iter().map(section).collect(),
        datasets: said.datasets.iter().map(|dataset| Text::of(dataset)).collect(),
        // As it is now, and not as it was when the record was read.
        sql: Text::of(std::fs::read_to_string(&said.sql).unwrap_or_default().trim_end()),
    })
}

/// Keeps the register as new as configuration and log for as long as the node runs.
pub(super) async fn keep(config: watch::Receiver<Config>, registers: Arc<Registers>, log: Arc<Log>, clock: Clock) {
    let mut usage = Usage::default();
    let mut said = None;
    loop {
        let now = config.borrow().clone();
        let today = clock.now().date_naive();
        let waits = first_that_waits(&now.node, today);
        usage.count_before(waits);
        let mut failed = None;
        if log.head().size() > usage.next() {
            (usage, failed) = counted(usage, now.node.state.join("audit"), waits).await;
        }
        if failed.is_some() && failed != said {
            tracing::error!(why = failed, "the log can't be read for the register, which stays as it was");
        } else if failed.is_none() {
            registers.say(made(&now, &usage.told(), today));
        }
        said = failed;
        tokio::time::sleep(LOOK).await;
    }
}

/// Reads what the log has grown by, beside what else the node does.
async fn counted(
    usage: Usage,
    folder: impl AsRef<Path> + Send + 'static,
    waits: Option<NaiveDate>,
) -> (Usage, Option<String>) {
    let counted = tokio::task::spawn_blocking(move || {
        let mut usage = usage;
        let failed = usage.follow(folder.as_ref(), waits).err().map(|error| error.to_string());
        (usage, failed)
    });
    counted.await.unwrap_or_else(|error| (Usage::default(), Some(error.to_string())))
}

/// The bodies that this node knows to be members, without running it.
pub(crate) fn members(node: &NodeConfig) -> Vec<Name> {
    let said = node.members.iter().map(|member| member.body.clone());
    let held = std::fs::read(node.state.join(super::MEMBERSHIP_FILE)).ok();
    let held = held.and_then(|bytes| Membership::decode(&Signed::decode(&bytes).ok()?.payload).ok());
    said.chain(held.into_iter().flat_map(|held| held.members).map(|member| member.body)).collect()
}
