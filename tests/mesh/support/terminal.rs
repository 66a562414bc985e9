//! A program at a terminal: keys are typed, and what is shown is waited for.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use super::{PATIENCE, client_script, python_program};

/// A terminal with one program.
pub(crate) struct Terminal {
    child: Child,
    keys: Option<ChildStdin>,
    shown: Arc<(Mutex<Shown>, Condvar)>,
    /// How much of what is shown has been waited for.
    read: usize,
}

#[derive(Default)]
struct Shown {
    bytes: Vec<u8>,
    has_ended: bool,
}

impl Terminal {
    /// Starts the program of a command, with its arguments and surroundings.
    pub(crate) fn start(command: &Command) -> Self {
        let mut python = Command::new(python_program());
        python.arg(client_script("terminal.py")).arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => python.env(name, value),
                None => python.env_remove(name),
            };
        }
        python.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = python.spawn().expect("Python");
        let (keys, mut output) = (child.stdin.take(), child.stdout.take().expect("a pipe"));
        let shown: Arc<(Mutex<Shown>, Condvar)> = Arc::default();
        let told = Arc::clone(&shown);
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            loop {
                let read = output.read(&mut buffer).unwrap_or_default();
                let mut shown = told.0.lock().unwrap_or_else(PoisonError::into_inner);
                shown.bytes.extend_from_slice(&buffer[..read]);
                shown.has_ended = read == 0;
                told.1.notify_all();
                if shown.has_ended {
                    return;
                }
            }
        });
        Self { child, keys, shown, read: 0 }
    }

    /// Types; a line ends with `\r`.
    pub(crate) fn type_keys(&mut self, keys: &str) {
        self.keys.as_mut().expect("a terminal").write_all(keys.as_bytes()).expect("a program that reads");
    }

    /// Waits until a text is shown behind what was waited for before, and gives what is shown up to its end.
    #[track_caller]
    pub(crate) fn until(&mut self, text: &str) -> String {
        let began = Instant::now();
        let (lock, told) = &*self.shown;
        let mut shown = lock.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let plain = plain(&shown.bytes);
            let rest = &plain[self.read..];
            if let Some(at) = rest.find(text) {
                self.read += at + text.len();
                return rest[..at + text.len()].to_owned();
            }
            let left = PATIENCE.checked_sub(began.elapsed()).filter(|_| !shown.has_ended);
            let Some(left) = left else { panic!("{text:?} is not shown, but: {rest}") };
            shown = told.wait_timeout(shown, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// All that was shown, with what moves the cursor and colours it.
    pub(crate) fn raw(&self) -> String {
        String::from_utf8_lossy(&self.shown.0.lock().unwrap_or_else(PoisonError::into_inner).bytes).into_owned()
    }

    /// Waits for the program's end: its exit code.
    #[track_caller]
    pub(crate) fn end(mut self) -> Option<i32> {
        super::until("the program at the terminal ends", || self.child.try_wait().expect("its status")).code()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        drop(self.keys.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Text without the sequences that move a cursor or colour; an unfinished one is left out.
fn plain(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\u{1b}' => match rest.next() {
                Some('[') => while rest.next().is_some_and(|c| !('@'..='~').contains(&c)) {},
                Some(']') => while rest.next().is_some_and(|c| c != '\u{7}') {},
                _ => {}
            },
            '\r' => {}
            c => plain.push(c),
        }
    }
    plain
}
