//! `meridian register`: what a body shares, why and to whose benefit, and how often it was used, as files for the public.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::Utc;
use clap::Args;

use super::{Error, say};
use crate::app::register;
use crate::config::Config;
use crate::register::{FOLDER, Place, View, kept};

/// Options of `meridian register`.
#[derive(Debug, Args)]
pub(crate) struct Make {
    /// The node's configuration (TOML)
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The folder for pages and tables, index.html first; files of before are replaced
    #[arg(long)]
    dir: PathBuf,
    /// Show all bodies of the federation, as far as the body's node has heard from them
    #[arg(long)]
    federation: bool,
}

impl Make {
    /// Reads agreements and log, and writes the pages.
    pub(crate) fn run(self) -> Result<(), Error> {
        let config = Config::load(&self.config).map_err(|errors| Error::Config(errors.to_string()))?;
        let node = &config.node;
        let today = Utc::now().date_naive();
        let usage = register::usage(node, today).map_err(|error| Error::Config(error.to_string()))?;
        let own = register::made(&config, &usage, today);
        let agreements = own.agreements.len();
        let mut bodies = std::collections::BTreeMap::new();
        if self.federation {
            bodies.extend(register::members(node).into_iter().map(|body| (body, None)));
            let told = kept(&node.state.join(FOLDER)).into_iter();
            bodies.extend(told.map(|(body, register)| (body, Some(register))));
        }
        bodies.insert(node.body.clone(), Some(Arc::new(own)));
        let view = View::new(node.federation.clone(), today, bodies);
        for address in view.addresses() {
            if let Some(document) = view.document(&address, None, Place::Files) {
                replace(&self.dir.join(address), &document.text)?;
            }
        }
        say(format_args!("{agreements} agreements: {}", self.dir.join("index.html").display()));
        Ok(())
    }
}

/// Under another name first, so that nobody reads half a page.
fn replace(path: &Path, text: &str) -> Result<(), Error> {
    let write = || {
        let mut made = path.as_os_str().to_owned();
        made.push(".new");
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        fs::write(&made, text).and_then(|()| fs::rename(&made, path))
    };
    write().map_err(|source| Error::Write { path: path.to_owned(), source })
}
