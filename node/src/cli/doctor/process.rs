//! The process that has the state folder: whether there is one, and whether it is the node.

use std::fs::{self, File, TryLockError};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::code::Code;
use super::report::Report;
use crate::audit;
use crate::config::NodeConfig;

/// Looks who has the state folder; returns the process, where it can be told.
pub(super) fn look(node: &NodeConfig, running: bool, report: &mut Report) -> Option<u32> {
    let path = node.state.join("audit").join(audit::LOCK);
    let Ok(file) = File::open(&path) else {
        report.good(Code::StateLock, "no process has the state folder");
        return None;
    };
    match file.try_lock() {
        // It is let go at once, when the file is closed; a node that starts now waits for that.
        Ok(()) if running => {
            let what = format!("what answers at this node's ports has not locked {}", path.display());
            let fix = "stop it, and start the node with this configuration: it runs with another state folder";
            report.fault(Code::StateLock, what, fix);
            None
        }
        Ok(()) => {
            report.good(Code::StateLock, "no process has the state folder");
            None
        }
        Err(TryLockError::WouldBlock) => held(&path, running, report),
        Err(TryLockError::Error(error)) => {
            let fix = "keep the state folder on a file system with locks (flock)";
            report.fault(Code::StateLock, format!("{} can't be locked: {error}", path.display()), fix);
            None
        }
    }
}

fn held(path: &Path, running: bool, report: &mut Report) -> Option<u32> {
    let process = holder(path);
    let who = process.map_or_else(|| "a process".to_owned(), |process| format!("process {process}"));
    if running {
        report.good(Code::StateLock, format!("the node ({who}) has the state folder"));
    } else {
        let end = process.map_or_else(|| "it".to_owned(), |process| process.to_string());
        let what = format!("{who} has locked {}, and no node answers", path.display());
        let fix = format!(
            "end it if it is another node of this body, or wait for a command that exercises rights: kill {end}"
        );
        report.fault(Code::StateLock, what, fix);
    }
    process
}

/// Who has locked a file, as the kernel says.
fn holder(path: &Path) -> Option<u32> {
    let inode = fs::metadata(path).ok()?.ino().to_string();
    let locks = fs::read_to_string("/proc/locks").ok()?;
    locks.lines().find_map(|line| holds(line, &inode))
}

/// The process of a line of /proc/locks, where that is about a lock of this file.
fn holds(line: &str, inode: &str) -> Option<u32> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [_, "FLOCK", _, _, process, file, ..] = words.as_slice() else { return None };
    let is_it = file.rsplit(':').next() == Some(inode);
    process.parse().ok().filter(|process| is_it && *process > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_locked_a_file_is_read_from_the_kernels_list() {
        let line = "1: FLOCK  ADVISORY  WRITE 1234 08:02:5678 0 EOF";
        assert_eq!(holds(line, "5678"), Some(1234));
        for other in
            [line.replace("FLOCK", "POSIX"), line.replace("5678", "15678"), line.replace("1: FLOCK", "1: -> FLOCK")]
        {
            assert_eq!(holds(&other, "5678"), None, "{other}");
        }
    }
}
