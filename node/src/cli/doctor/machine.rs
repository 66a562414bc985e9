//! The machine: the state folder, who may read what, space on the disk, memory, and how many files may be open.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use rustix::process::{Resource, geteuid, getrlimit};

use super::report::Report;
use crate::config::NodeConfig;

const GIB: u64 = 1 << 30;
/// Below this a node should not go on (bytes): its log, and snapshots of its datasets, need space.
const LEAST_SPACE: u64 = GIB / 4;
/// Below this somebody should look (bytes).
const LITTLE_SPACE: u64 = 2 * GIB;
/// A node holds connections with every peer and analyst, and its files.
const LEAST_FILES: u64 = 1024;

/// Looks at it.
pub(super) fn look(node: &NodeConfig, report: &mut Report) {
    if state(node, report) {
        space(&node.state, report);
    }
    secrets(node, report);
    memory(node, report);
    files(report);
}

/// Whether the state folder is there and can be written.
fn state(node: &NodeConfig, report: &mut Report) -> bool {
    let (check, folder) = ("state.folder", &node.state);
    let shown = folder.display();
    let metadata = match fs::metadata(folder) {
        Ok(metadata) if metadata.is_dir() => metadata,
        Ok(_) => {
            report.fault(check, format!("{shown} is no folder"), "move it away, or set state in node.toml to a folder");
            return false;
        }
        Err(error) => {
            let fix = format!("create it for the node's user alone: install -d -m 700 {shown}");
            report.fault(check, format!("{shown} can't be looked at: {error}"), fix);
            return false;
        }
    };
    let (owner, user) = (metadata.uid(), geteuid().as_raw());
    if owner != user && user != 0 {
        let what = format!("{shown} belongs to user {owner}, and this is user {user}");
        report.fault(check, what, "run the node, and this, as the user whose folder it is");
        return false;
    }
    if user == 0 {
        let fix = "run the node, and this, as a user of its own that may read its folder and nothing else";
        report.warning("machine.user", "this is root", fix);
    }
    // The only way to know is to try, under a name that nothing else has.
    let probe = folder.join(format!(".check-{}", std::process::id()));
    let written = fs::write(&probe, b"").and_then(|()| fs::remove_file(&probe));
    if let Err(error) = written {
        let fix = "give the node's user the right to write there, and the file system space and no read-only mount";
        report.fault(check, format!("{shown} can't be written: {error}"), fix);
        return false;
    }
    if metadata.permissions().mode() & 0o007 != 0 {
        let what = format!("{shown} can be entered by every user of this machine");
        report.warning(check, what, format!("chmod 700 {shown}"));
    } else {
        report.good(check, format!("{shown} can be written"));
    }
    true
}

fn space(folder: &Path, report: &mut Report) {
    let (check, shown) = ("state.space", folder.display());
    let Ok(found) = rustix::fs::statvfs(folder) else {
        report.warning(check, format!("the free space of {shown} can't be told"), "look at it with df");
        return;
    };
    let free = found.f_bavail.saturating_mul(found.f_frsize);
    let what = format!("{} MiB are free where {shown} is", free >> 20);
    let fix = "free some: without space for its log a node answers nothing";
    if free < LEAST_SPACE {
        report.fault(check, what, fix);
    } else if free < LITTLE_SPACE {
        report.warning(check, what, fix);
    } else {
        report.good(check, what);
    }
}

/// Files that only the node's user may read.
fn secrets(node: &NodeConfig, report: &mut Report) {
    let check = "state.secret";
    let secret = node.state.join("secret.key");
    match fs::metadata(&secret) {
        Ok(metadata) if metadata.permissions().mode() & 0o077 != 0 => {
            let what = format!("{} can be read by others than its owner", secret.display());
            report.fault(check, what, format!("chmod 600 {}, and find out who read it", secret.display()));
        }
        Ok(_) => report.good(check, format!("{} is its owner's alone; keep a copy elsewhere", secret.display())),
        Err(_) if node.state.join("audit").exists() => {
            let what = format!("{} is gone, and there is a log that was kept with it", secret.display());
            report.fault(check, what, "restore it from the backup: without it the log and every figure's noise change");
        }
        Err(_) => report.good(check, "none yet: the node makes it when it starts first"),
    }
}

fn memory(node: &NodeConfig, report: &mut Report) {
    let (check, wanted) = ("machine.memory", node.limits.memory_mib as u64);
    let Some(all) = total_memory_mib() else { return };
    let what = format!("queries may use {wanted} MiB of this machine's {all} MiB");
    if wanted > all * 4 / 5 {
        report.fault(check, what, "lower memory_mib in [limits] of node.toml, or give the machine more");
    } else {
        report.good(check, what);
    }
}

fn total_memory_mib() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    Some(line.trim().trim_end_matches("kB").trim().parse::<u64>().ok()? / 1024)
}

fn files(report: &mut Report) {
    let check = "machine.files";
    match getrlimit(Resource::Nofile).current {
        Some(most) if most < LEAST_FILES => {
            let what = format!("a process of this user may have {most} files open");
            report.warning(
                check,
                what,
                format!("raise it to {LEAST_FILES} or more: ulimit -n, or LimitNOFILE of its unit"),
            );
        }
        Some(most) => report.good(check, format!("a process may have {most} files open")),
        None => report.good(check, "a process may have any number of files open"),
    }
}
