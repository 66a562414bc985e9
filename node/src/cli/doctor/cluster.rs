//! Whether the machines of the body's own cluster can be reached, and run the same version.

use super::code::Code;
use super::report::Report;
use crate::app;
use crate::config::NodeConfig;

/// Looks at each worker.
pub(super) async fn look(node: &NodeConfig, report: &mut Report) {
    const FIX: &str = "add the workers with `meridian node worker add`, or correct cluster in node.toml";
    let workers = match app::workers(node) {
        Ok(Some(workers)) => workers,
        Ok(None) => return,
        Err(error) => return report.fault(Code::Workers, format!("the node has no way to its workers: {error}"), FIX),
    };
    for (url, found) in workers.look().await {
        match found {
            Ok(_) => report.good(Code::Workers, format!("the worker at {url} answers")),
            // The others, or the node, do its work.
            Err(why) => {
                let (what, fix) = why.told();
                report.warning(Code::Workers, format!("the worker at {url}: {what}"), fix);
            }
        }
    }
}
