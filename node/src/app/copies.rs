//! A copy of what only the running node can copy, for whoever may write into its state folder and asks for one: the history, as it
//! is at one moment.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::history::History;

/// The history in a state folder.
pub(crate) const HISTORY: &str = "history.redb";
/// Where this file is, a copy is wanted.
pub(crate) const WANTED: &str = "history.wanted";
/// The copy.
pub(crate) const COPY: &str = "history.copy";
/// Time between looks.
const LOOK: Duration = Duration::from_millis(500);

/// Makes copies when they are wanted, for as long as the node runs.
pub(super) async fn keep(state: PathBuf, history: Arc<History>) {
    let (wanted, copy, made) = (state.join(WANTED), state.join(COPY), state.join("history.copy.new"));
    loop {
        tokio::time::sleep(LOOK).await;
        if !wanted.exists() {
            continue;
        }
        let (history, made, copy) = (Arc::clone(&history), made.clone(), copy.clone());
        let copied = tokio::task::spawn_blocking(move || {
            let _ = fs::remove_file(&made);
            history.copy(&made).map_err(|error| error.to_string())?;
            fs::rename(&made, &copy).map_err(|error| error.to_string())
        });
        match copied.await {
            Ok(Ok(())) => tracing::info!("the history was copied for a backup"),
            Ok(Err(why)) => tracing::error!(why, "the history can't be copied for a backup"),
            Err(error) => tracing::error!(%error, "the history can't be copied for a backup"),
        }
        // One that can't be made is not tried for ever.
        let _ = fs::remove_file(&wanted);
    }
}
