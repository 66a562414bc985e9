//! Tracing to standard error: text for people, JSON lines for machines, never a value of a row.

use tracing_subscriber::EnvFilter;

/// Sets tracing up for the process, once: `filter` holds where MERIDIAN_LOG says nothing, `json` writes one object a
/// line in place of text.
pub fn init(filter: &str, json: bool) {
    let filter = EnvFilter::try_from_env("MERIDIAN_LOG").unwrap_or_else(|_| EnvFilter::new(filter));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false);
    // A second call, as from a test, keeps the first one's settings.
    let _ = if json { builder.json().try_init() } else { builder.with_target(false).try_init() };
}
