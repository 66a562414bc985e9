//! `meridian completions` and `meridian man`: what shells and manuals know of the command line, made from it.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{Cli, Error, say};

/// Options of `meridian completions`.
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Options of `meridian man`.
#[derive(Debug, Args)]
pub(crate) struct Man {
    /// The folder for the pages, one per command
    #[arg(long, value_name = "FOLDER")]
    dir: PathBuf,
}

impl Completions {
    /// Writes the script.
    pub(crate) fn run(self, out: &mut dyn Write) -> Result<(), Error> {
        // By way of memory, since what writes it expects that writing works.
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "meridian", &mut script);
        out.write_all(&script)?;
        Ok(())
    }
}

impl Man {
    /// Writes the pages.
    pub(crate) fn run(self) -> Result<(), Error> {
        let failed = |source| Error::Write { path: self.dir.clone(), source };
        fs::create_dir_all(&self.dir).map_err(failed)?;
        clap_mangen::generate_to(Cli::command(), &self.dir).map_err(failed)?;
        say(format_args!(
            "Read them with man -l {}/meridian-query.1, or put them into a folder of MANPATH",
            self.dir.display()
        ));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
    use super::*;

    #[test]
    fn shells_and_manuals_know_the_commands() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let mut script = Vec::new();
            Completions { shell }.run(&mut script).unwrap();
            let script = String::from_utf8(script).unwrap();
            assert!(script.contains("catalogue") && script.contains("no-pager"), "{shell}");
        }
        let dir = tempfile::tempdir().unwrap();
        Man { dir: dir.path().join("man1") }.run().unwrap();
        let page = fs::read_to_string(dir.path().join("man1/meridian-query.1")).unwrap();
        assert!(page.contains("purpose"), "{page}");
    }
}
