//! The machine: the state folder, who may read what, space on the disk, memory, and how many files may be open.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::process::{Resource, geteuid, getrlimit};

use super::code::Code;
use super::permissions;
use super::report::Report;
use crate::config::NodeConfig;

const GIB: u64 = 1 << 30;
/// Below this a node should not go on (bytes): its log, and snapshots of its datasets, need space.
const LEAST_SPACE: u64 = GIB / 4;
/// Below this somebody should look (bytes).
const LITTLE_SPACE: u64 = 2 * GIB;
/// A node holds connections with every peer and analyst, and its files.
const LEAST_FILES: u64 = 1024;
/// What a node takes beside what its queries may use (MiB).
const BESIDE_MIB: u64 = 64;

/// Looks at it; `process` is the node's, where it runs.
pub(super) fn look(node: &NodeConfig, process: Option<u32>, report: &mut Report) {
    if state(node, report) {
        space(&node.state, report);
    }
    secrets(node, report);
    memory(node, process, report);
    files(process, report);
}

/// Whether the state folder is there and can be written.
fn state(node: &NodeConfig, report: &mut Report) -> bool {
    let folder = &node.state;
    let shown = folder.display();
    let metadata = match fs::metadata(folder) {
        Ok(metadata) if metadata.is_dir() => metadata,
        Ok(_) => {
            let fix = "move it away, or set state in node.toml to a folder";
            report.fault(Code::StateFolder, format!("{shown} is no folder"), fix);
            return false;
        }
        Err(error) => {
            let fix = format!("create it for the node's user alone: install -d -m 700 {shown}");
            report.fault(Code::StateFolder, format!("{shown} can't be looked at: {error}"), fix);
            return false;
        }
    };
    let (owner, user) = (metadata.uid(), geteuid().as_raw());
    if owner != user && user != 0 {
        let what = format!("{shown} belongs to user {owner}, and this is user {user}");
        report.fault(
            Code::StateOwner,
            what,
            format!("run the node, and this, as user {owner}, or: chown -R {user} {shown}"),
        );
        return false;
    }
    permissions::owners(folder, owner, report);
    if user == 0 && owner == 0 {
        let fix = "run the node, and this, as a user of its own that may read its folder and nothing else";
        report.warning(Code::User, "this is root, and the state folder is root's", fix);
    }
    // The only way to know is to try, under a name that nothing else has.
    let probe = folder.join(format!(".check-{}", std::process::id()));
    let written = fs::write(&probe, b"").and_then(|()| fs::remove_file(&probe));
    if let Err(error) = written {
        let fix = "give the node's user the right to write there, and the file system space and no read-only mount";
        report.fault(Code::StateFolder, format!("{shown} can't be written: {error}"), fix);
        return false;
    }
    if metadata.permissions().mode() & 0o007 != 0 {
        let what = format!("{shown} can be entered by every user of this machine");
        report.warning(Code::StateFolder, what, format!("chmod 700 {shown}"));
    } else {
        report.good(Code::StateFolder, format!("{shown} can be written"));
    }
    true
}

fn space(folder: &Path, report: &mut Report) {
    let shown = folder.display();
    let Ok(found) = rustix::fs::statvfs(folder) else {
        report.warning(Code::StateSpace, format!("the free space of {shown} can't be told"), "look at it with df");
        return;
    };
    room(found.f_bavail.saturating_mul(found.f_frsize), &shown.to_string(), report);
}

fn room(free: u64, shown: &str, report: &mut Report) {
    let what = format!("{} MiB are free where {shown} is", free >> 20);
    let fix = "free some: without space for its log a node answers nothing; `meridian audit seal` moves old records elsewhere";
    if free < LEAST_SPACE {
        report.fault(Code::StateSpace, what, fix);
    } else if free < LITTLE_SPACE {
        report.warning(Code::StateSpace, what, fix);
    } else {
        report.good(Code::StateSpace, what);
    }
}

/// Files that only the node's user may read.
fn secrets(node: &NodeConfig, report: &mut Report) {
    let (code, secret) = (Code::StateSecret, node.state.join("secret.key"));
    let shown = secret.display();
    match fs::metadata(&secret) {
        Ok(metadata) if metadata.permissions().mode() & 0o077 != 0 => {
            let what = format!("{shown} can be read by others than its owner");
            report.fault(code, what, format!("find out who read it, and: chmod 600 {shown}"));
        }
        Ok(_) => {
            report.good(code, format!("{shown} is its owner's alone; keep a copy elsewhere: meridian node backup"))
        }
        Err(_) if node.state.join("audit").exists() => {
            let what = format!("{shown} is gone, and there is a log that was kept with it");
            let fix = "restore it from the backup: without it the log and every figure's noise change";
            report.fault(code, what, fix);
        }
        Err(_) => report.good(code, "none yet: the node makes it when it starts first"),
    }
}

fn memory(node: &NodeConfig, process: Option<u32>, report: &mut Report) {
    let wanted = node.limits.memory_mib as u64;
    let lower = "lower memory_mib in [limits] of node.toml";
    if let Some(all) = total_memory_mib() {
        let what = format!("queries may use {wanted} MiB of this machine's {all} MiB");
        if wanted > all * 4 / 5 {
            report.fault(Code::Memory, what, format!("{lower}, or give the machine more"));
        } else {
            report.good(Code::Memory, what);
        }
    }
    let Some(most) = memory_limit_mib(process) else {
        report.good(Code::MemoryLimit, "no limit is set on the memory of the process");
        return;
    };
    let what = format!("queries may use {wanted} MiB, and the process may have {most} MiB in all");
    if wanted + BESIDE_MIB > most {
        report.fault(
            Code::MemoryLimit,
            what,
            format!("{lower}, or raise the limit: MemoryMax of its unit, or ulimit -v"),
        );
    } else {
        report.good(Code::MemoryLimit, what);
    }
}

fn total_memory_mib() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    Some(line.trim().trim_end_matches("kB").trim().parse::<u64>().ok()? / 1024)
}

/// The most memory that the node's process may have, or this one where it does not run: of its control group, and its own.
fn memory_limit_mib(process: Option<u32>) -> Option<u64> {
    let of = process.map_or_else(|| "self".to_owned(), |process| process.to_string());
    let groups = fs::read_to_string(format!("/proc/{of}/cgroup")).unwrap_or_default();
    let group = of_groups(&groups, Path::new("/sys/fs/cgroup"));
    // Another process's own limit is another process's; this one's says how the node would be started from here.
    let own = if process.is_none() { getrlimit(Resource::As).current } else { None };
    [group, own].into_iter().flatten().min().map(|bytes| bytes >> 20)
}

/// The least limit of the control groups that a process is in (bytes), by the lines of its /proc/…/cgroup.
fn of_groups(lines: &str, root: &Path) -> Option<u64> {
    let of_line = |line: &str| {
        let mut parts = line.splitn(3, ':');
        let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
        let (root, file) = match controllers {
            "" => (root.to_path_buf(), "memory.max"),
            named if named.split(',').any(|name| name == "memory") => (root.join("memory"), "memory.limit_in_bytes"),
            _ => return None,
        };
        let own: PathBuf = root.join(path.trim_start_matches('/'));
        let above = own.ancestors().take_while(|folder| folder.starts_with(&root));
        above.filter_map(|folder| fs::read_to_string(folder.join(file)).ok()?.trim().parse::<u64>().ok()).min()
    };
    // The old kind says a number without meaning where there is no limit.
    lines.lines().filter_map(of_line).filter(|bytes| *bytes < 1 << 60).min()
}

fn files(process: Option<u32>, report: &mut Report) {
    let most = match process {
        Some(process) => files_of(process),
        None => getrlimit(Resource::Nofile).current,
    };
    match most {
        Some(most) if most < LEAST_FILES => {
            let what = format!("the process may have {most} files open");
            let fix = format!("raise it to {LEAST_FILES} or more: LimitNOFILE of its unit, or ulimit -n {LEAST_FILES}");
            report.warning(Code::Files, what, fix);
        }
        Some(most) => report.good(Code::Files, format!("the process may have {most} files open")),
        None => report.good(Code::Files, "the process may have any number of files open"),
    }
}

/// How many files another process may have open.
fn files_of(process: u32) -> Option<u64> {
    let limits = fs::read_to_string(format!("/proc/{process}/limits")).ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::report::Level;
    use super::*;

    #[test]
    fn the_least_limit_of_all_groups_counts() {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("system.slice/memory.max", "536870912\n");
        write("system.slice/node.service/memory.max", "max\n");
        write("memory/old/memory.limit_in_bytes", "9223372036854771712\n");
        write("memory/small/memory.limit_in_bytes", "1048576\n");
        let of = |lines: &str| of_groups(lines, root.path());
        assert_eq!(of("0::/system.slice/node.service\n"), Some(512 << 20));
        assert_eq!(of("0::/elsewhere\n"), None);
        assert_eq!(of("4:memory:/old\n1:name=systemd:/small\n"), None);
        assert_eq!(of("4:cpu,memory:/small\n"), Some(1 << 20));
    }

    #[test]
    fn little_space_is_told_before_there_is_none() {
        for (free, level) in [(3 * GIB, Level::Good), (GIB, Level::Warning), (GIB / 8, Level::Fault)] {
            let mut report = Report::default();
            room(free, "state", &mut report);
            assert_eq!(report.levels(), [level]);
        }
    }
}
