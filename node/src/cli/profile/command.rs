//! `meridian profile …`: which profiles there are, what one says, and which is used where none is named.

use std::io::Write;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use clap::Subcommand;

use super::super::{Error, say};
use super::{Connection, Profile, Profiles};

/// `meridian profile …`
#[derive(Debug, Subcommand)]
pub(crate) enum ProfileCommand {
    /// List the profiles that have names; the default is marked
    List,
    /// Show what a profile says, and whose certificate it names until when
    Show {
        /// A name or a file; the default without it
        #[arg(value_name = "PROFILE", env = "MERIDIAN_PROFILE")]
        profile: Option<PathBuf>,
    },
    /// Use a profile wherever none is named
    Use {
        /// A name or a file
        #[arg(value_name = "PROFILE")]
        profile: PathBuf,
    },
}

impl ProfileCommand {
    /// Does it.
    pub(crate) fn run(self, out: &mut dyn Write) -> Result<(), Error> {
        match self {
            Self::List => list(&of_user()?, out),
            Self::Show { profile } => show(profile, out),
            Self::Use { profile } => {
                // What can't be used is refused before it is the default.
                named(profile.clone()).resolve()?.credentials()?;
                let file = of_user()?.set_default(&profile)?;
                say(format_args!("Where no profile is named, {} is used", file.display()));
                Ok(())
            }
        }
    }
}

fn of_user() -> Result<Profiles, Error> {
    let none = || Error::Usage("there is no folder for profiles: set HOME or XDG_CONFIG_HOME".into());
    Profiles::of_user().ok_or_else(none)
}

fn named(profile: PathBuf) -> Connection {
    Connection { profile: Some(profile), ..Connection::default() }
}

fn list(profiles: &Profiles, out: &mut dyn Write) -> Result<(), Error> {
    let default = profiles.default()?;
    let names = profiles.names();
    for name in &names {
        let path = profiles.folder().join(format!("{name}.toml"));
        let mark = if default.as_deref() == Some(&path) { '*' } else { ' ' };
        writeln!(out, "{mark} {name:<20} {}", path.display())?;
    }
    match default {
        Some(path) if !path.starts_with(profiles.folder()) => writeln!(out, "* {:<20} {}", "", path.display())?,
        _ => {}
    }
    if names.is_empty() {
        say(format_args!("No profile has a name: put NAME.toml into {}", profiles.folder().display()));
    }
    Ok(())
}

fn show(profile: Option<PathBuf>, out: &mut dyn Write) -> Result<(), Error> {
    let file = match &profile {
        Some(named) => Some(Profiles::find(named)?),
        None => of_user()?.default()?,
    };
    let connection = profile.map(named).unwrap_or_default();
    let profile = connection.resolve()?;
    if let Some(file) = file {
        writeln!(out, "profile  {}", file.display())?;
    }
    let files = |path: &Path| path.display().to_string();
    let Profile { node, cert, key, ca, other_ca, purpose } = &profile;
    for (name, value) in [("node", node.clone()), ("cert", files(cert)), ("key", files(key)), ("ca", files(ca))] {
        writeln!(out, "{name:<8} {value}")?;
    }
    for other in other_ca {
        writeln!(out, "{:<8} {}", "other_ca", files(other))?;
    }
    writeln!(out, "{:<8} {}", "purpose", purpose.as_deref().unwrap_or("-"))?;
    let credentials = profile.credentials()?;
    let until: DateTime<Utc> = credentials.valid_until().into();
    writeln!(out, "{:<8} {}, until {}", "who", credentials.identity(), until.format("%Y-%m-%d %H:%M UTC"))?;
    Ok(())
}
