//! Whom an answer waits for, a line per body on standard error while it runs; where that is no terminal there is none.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use meridian_proto::{BodyName, Progress, State};
use tokio::time::sleep;

use super::client::Follow;
use super::format::printable;
use super::terminal;

/// Time before anything is shown: most answers are there by then.
const QUIET: Duration = Duration::from_millis(400);
/// Time between two looks.
const PAUSE: Duration = Duration::from_millis(200);
/// Most lines of bodies.
const LINES: usize = 12;

/// The lines that stand on the terminal.
pub(crate) struct Board {
    follow: Follow,
    begun: Instant,
    /// Lines that stand there now.
    lines: usize,
    /// Characters of a line; none where nothing is shown.
    width: Option<usize>,
}

impl Board {
    /// Nothing is shown yet.
    pub(crate) fn new(follow: Follow) -> Self {
        let width = terminal::stderr_width().filter(|_| terminal::can_edit());
        Self { follow, begun: Instant::now(), lines: 0, width }
    }

    /// Waits for something, and shows meanwhile whom it waits for.
    pub(crate) async fn during<T>(&mut self, work: impl Future<Output = T>) -> T {
        if self.width.is_none() {
            return work.await;
        }
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return done,
                () = self.step() => {}
            }
        }
    }

    async fn step(&mut self) {
        sleep(QUIET.saturating_sub(self.begun.elapsed()).max(PAUSE)).await;
        // Who can't be asked for it is asked for the answer all the same, and that will say why.
        let progress = self.follow.progress().await.unwrap_or_default();
        self.show(&progress);
    }

    fn show(&mut self, progress: &Progress) {
        let Some(width) = self.width else { return };
        let lines = lines(progress, self.begun.elapsed(), LINES);
        let mut text = self.cleared();
        for line in &lines {
            text.extend(line.chars().take(width.saturating_sub(1)));
            text.push('\n');
        }
        self.lines = lines.len();
        let _ = io::stderr().write_all(text.as_bytes());
    }

    /// Takes the lines away.
    pub(crate) fn clear(&mut self) {
        let text = self.cleared();
        self.lines = 0;
        let _ = io::stderr().write_all(text.as_bytes());
    }

    /// Takes them away for good: what comes now is the answer.
    pub(crate) fn end(&mut self) {
        self.clear();
        self.width = None;
    }

    /// What takes away the lines that stand there.
    fn cleared(&self) -> String {
        if self.lines == 0 { String::new() } else { format!("\r\u{1b}[{}A\u{1b}[J", self.lines) }
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Those that are not done first, and as many of the others as there is room for.
fn lines(progress: &Progress, elapsed: Duration, most: usize) -> Vec<String> {
    let seconds = elapsed.as_secs_f64();
    let mut bodies: Vec<(&BodyName, State)> = Vec::new();
    for (body, state) in &progress.0 {
        // A body with several parts is as far as the one that is least far.
        match bodies.iter_mut().find(|(known, _)| *known == body) {
            Some((_, least)) => *least = (*least).min(*state),
            None => bodies.push((body, *state)),
        }
    }
    if bodies.is_empty() {
        return vec![format!("Planning and deciding, {seconds:.1} s")];
    }
    let done = bodies.iter().filter(|(_, state)| *state == State::Whole).count();
    let mut lines = vec![format!("{done} of {} bodies done, {seconds:.1} s", bodies.len())];
    bodies.sort_by_key(|(_, state)| *state);
    for (body, state) in bodies.iter().take(most) {
        let mut line = String::new();
        let word = match state {
            State::Asked => "running",
            State::Arriving => "streaming",
            State::Whole => "done",
        };
        let _ = write!(line, "  {:<24} {word}", printable(&body.to_string()));
        lines.push(line);
    }
    if let Some(more) = bodies.len().checked_sub(most).filter(|more| *more > 0) {
        lines.push(format!("  and {more} more"));
    }
    lines
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
    use super::*;

    #[test]
    fn those_that_are_waited_for_stand_first() {
        let part = |body: &str, state| (body.parse().unwrap(), state);
        let progress = Progress(vec![
            part("camden", State::Whole),
            part("lfb", State::Arriving),
            part("gla", State::Whole),
            part("gla", State::Asked),
        ]);
        let elapsed = Duration::from_millis(1250);
        let expected = "1 of 3 bodies done, 1.2 s\n  gla                      running\n  lfb                      streaming\n  and 1 more";
        assert_eq!(lines(&progress, elapsed, 2).join("\n"), expected);
        assert_eq!(lines(&Progress::default(), elapsed, 2), ["Planning and deciding, 1.2 s"]);
    }
}
