//! What is known of the terminal: whether there is one, how large it is, and whether it may have colours.

use std::env;
use std::io::{self, IsTerminal};

use rustix::termios::tcgetwinsize;

/// The terminal that standard output is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Screen {
    /// Characters of a line; none where tables are not cut.
    pub(crate) width: Option<usize>,
    /// Lines.
    pub(crate) height: usize,
    /// Whether what is longer is shown in a pager.
    pub(crate) pages: bool,
}

impl Screen {
    /// None where standard output is a file or a program.
    pub(crate) fn of_stdout(wide: bool, no_pager: bool) -> Option<Self> {
        if !io::stdout().is_terminal() {
            return None;
        }
        let (width, height) = size();
        Some(Self { width: (!wide).then_some(width), height, pages: !no_pager })
    }
}

/// Characters and lines of the terminal; those of old where it does not tell.
fn size() -> (usize, usize) {
    match tcgetwinsize(io::stdout()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col.into(), size.ws_row.into()),
        _ => (80, 24),
    }
}

/// Characters of a line of the terminal that standard error is; none where it is none.
pub(crate) fn stderr_width() -> Option<usize> {
    if !io::stderr().is_terminal() {
        return None;
    }
    let width = tcgetwinsize(io::stderr()).map(|size| usize::from(size.ws_col)).unwrap_or_default();
    Some(if width > 0 { width } else { 80 })
}

/// Whether the terminal can move its cursor.
pub(crate) fn can_edit() -> bool {
    env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Whether NO_COLOR (no-color.org) and TERM leave colours.
pub(crate) fn has_colours() -> bool {
    let is_set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
    !is_set("NO_COLOR") && can_edit()
}
