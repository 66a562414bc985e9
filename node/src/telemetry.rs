//! Tracing to standard error: text for people, JSON lines for machines, never a value of a row.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, set_hook};
use std::sync::atomic::{AtomicU64, Ordering};

use tracing::Metadata;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, fmt};

thread_local! {
    /// Whether what this thread does may panic, as one of several ways to have no value.
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Sets tracing up for the process, once: `filter` holds where MERIDIAN_LOG says nothing, `json` writes one object a
/// line in place of text.
pub fn init(filter: &str, json: bool) {
    let filter = EnvFilter::try_from_env("MERIDIAN_LOG").unwrap_or_else(|_| EnvFilter::new(filter));
    let lines = fmt::layer().with_writer(std::io::stderr).with_ansi(false);
    let lines = if json { lines.json().boxed() } else { lines.with_target(false).boxed() };
    // A second call, as from a test, keeps the first one's settings.
    let _ = tracing_subscriber::registry().with(filter).with(filter_fn(is_ours)).with(lines).try_init();
    // A panic's own words may hold a value of a row: only its place is told.
    report_panics(|panic| {
        tracing::error!(at = panic.location().map(tracing::field::display), "a fault of this program")
    });
}

/// Only this program speaks, whatever the filter asks for: its libraries log statements and plans, with the literals of an
/// asker's SQL and bounds that were taken from rows.
fn is_ours(said: &Metadata<'_>) -> bool {
    let library = said.target().split("::").next().unwrap_or_default();
    library == "meridian" || library.starts_with("meridian_")
}

/// Panics of this process that [`quietly`] did not keep to itself.
static PANICS: AtomicU64 = AtomicU64::new(0);

/// Has `report` told of every panic that [`quietly`] does not keep to itself.
pub(crate) fn report_panics(report: impl Fn(&PanicHookInfo<'_>) + Send + Sync + 'static) {
    set_hook(Box::new(move |panic| {
        if !QUIET.get() {
            // Before anything is dropped: whoever finds that a channel ends can know that it ends too early.
            PANICS.fetch_add(1, Ordering::SeqCst);
            report(panic);
        }
    }));
}

/// How many panics there were that were reported.
pub(crate) fn panics() -> u64 {
    PANICS.load(Ordering::SeqCst)
}

/// Does what may panic; `None` if it did.
pub(crate) fn quietly<T>(work: impl FnOnce() -> T) -> Option<T> {
    let before = QUIET.replace(true);
    let done = catch_unwind(AssertUnwindSafe(work));
    QUIET.set(before);
    done.ok()
}
