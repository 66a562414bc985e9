//! Who else on this machine may change what the node goes by, or may own what it keeps.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::code::Code;
use super::report::Report;
use crate::config::NodeConfig;

/// Files of one kind of which each is named; further ones are counted.
const MOST_NAMED: usize = 5;

/// Looks at it.
pub(super) fn look(file: &Path, node: &NodeConfig, report: &mut Report) {
    let folders = [&node.datasets, &node.views, &node.agreements, &node.algorithms, &node.standards];
    let files = folders.iter().flat_map(|folder| [vec![(*folder).clone()], within(folder)].concat());
    let all = files.chain([file.to_path_buf(), node.tls.ca.clone(), node.tls.cert.clone()]);
    let mut open: Vec<PathBuf> = all.filter(|path| others_may_write(path)).collect();
    open.sort();
    open.dedup();
    if open.is_empty() {
        report.good(Code::ConfigurationPermissions, "nobody else can change the configuration");
        return;
    }
    let paths = named(&open);
    let what = format!("every user of this machine can change {paths}, and so what the body shares");
    report.fault(Code::ConfigurationPermissions, what, format!("chmod o-w {}", listed(&open)));
}

/// Whether all of the state folder belongs to whom the folder belongs.
pub(super) fn owners(folder: &Path, owner: u32, report: &mut Report) {
    let others: Vec<PathBuf> = below(folder, 3)
        .into_iter()
        .filter(|path| fs::symlink_metadata(path).is_ok_and(|metadata| metadata.uid() != owner))
        .collect();
    let shown = folder.display();
    if others.is_empty() {
        report.good(Code::StateOwner, format!("all of {shown} belongs to its user"));
        return;
    }
    let what = format!("{} belong to another user than {shown} (user {owner}), who can't write them", named(&others));
    report.fault(Code::StateOwner, what, format!("chown -R {owner} {shown}"));
}

fn others_may_write(path: &Path) -> bool {
    // A folder in which everybody may only remove their own is no danger to what is in it already.
    fs::metadata(path).is_ok_and(|metadata| {
        let mode = metadata.permissions().mode();
        mode & 0o002 != 0 && !(metadata.is_dir() && mode & 0o1000 != 0)
    })
}

fn within(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

fn below(folder: &Path, depth: usize) -> Vec<PathBuf> {
    let mut found = within(folder);
    if depth > 1 {
        let folders: Vec<PathBuf> = found.iter().filter(|path| path.is_dir() && !path.is_symlink()).cloned().collect();
        found.extend(folders.iter().flat_map(|folder| below(folder, depth - 1)));
    }
    found
}

fn named(paths: &[PathBuf]) -> String {
    let more = paths.len().saturating_sub(MOST_NAMED);
    let named = listed(paths.get(..MOST_NAMED).unwrap_or(paths));
    if more == 0 { named } else { format!("{named} and {more} more") }
}

fn listed(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(" ")
}
