//! Every body joins the federation by an invitation, as it would on a machine of its own; the asker's signs its analyst.

use std::fs::OpenOptions;
use std::io::Write;
use std::time::SystemTime;

use futures::{StreamExt, TryStreamExt, stream};
use meridian_certs::Office;

use super::super::Error;
use super::super::analyst::Add;
use super::super::join::Join;
use super::{Plan, Progress, Site};

/// Bodies that join at the same time.
const AT_ONCE: usize = 4;

/// Has every body join, and writes what its node needs beside that.
pub(super) async fn join(plan: &Plan, progress: &Progress) -> Result<(), Error> {
    let office = Office::open(&plan.authority_folder())?;
    let fingerprint = office.authority()?.fingerprint()?;
    let (all, mut done) = (plan.sites.len(), 0);
    let (office, fingerprint) = (&office, fingerprint.as_str());
    let mut joining = stream::iter(&plan.sites)
        .map(|site| async move {
            let token = office.invite(&site.body, &site.endpoint(), &hosts(), SystemTime::now())?;
            let join = Join {
                authority: plan.authority_url(),
                fingerprint: fingerprint.to_owned(),
                token,
                dir: plan.folder(&site.body),
                listen: Some(site.flight),
                health: Some(site.health),
                title: Some(site.title.clone()),
                contact: Some(format!("data@{}.example", site.body.as_str().replace('_', "-"))),
            };
            join.join().await?;
            limit(plan, site)
        })
        .buffer_unordered(AT_ONCE);
    while joining.try_next().await?.is_some() {
        done += 1;
        progress.update(&format!("{done} of {all} bodies have joined"));
    }
    drop(joining);
    let asker = &plan.asker;
    let node = plan.folder(&asker.body).join("node.toml");
    Add::new(asker.analyst.clone(), node, plan.analyst(), &asker.purpose).sign()?;
    progress.say(&format!("{all} bodies have joined, each by an invitation of the authority and with its own key"));
    Ok(())
}

/// What a node's certificate names beside its address.
fn hosts() -> [String; 1] {
    ["localhost".to_owned()]
}

/// The asker's node serves the register, in which nobody has to wait for the end of the day. 36 nodes share one machine: together they stay below 4 GiB even where all use what they may.
fn limit(plan: &Plan, site: &Site) -> Result<(), Error> {
    let is_asker = site.body == plan.asker.body;
    let (memory, threads) = if is_asker { (256, 2) } else { (64, 1) };
    let path = plan.folder(&site.body).join("node.toml");
    let mut text = format!("\n[limits]\nmemory_mib = {memory}\nworker_threads = {threads}\ntarget_partitions = 1\n");
    text += "\n[public]\ncounts = \"live\"\n";
    if is_asker {
        text += &format!("listen = \"{}\"\n\n[workbench]\nlisten = \"{}\"\n", plan.public, plan.workbench);
    }
    let written = OpenOptions::new().append(true).open(&path).and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|source| Error::Write { path, source })
}
