//! `[workbench]`: where this body's analysts open their workbench in a browser.

use std::net::SocketAddr;

use super::WorkbenchConfig;
use super::node::{address, endpoint};
use super::problem::{File, Report};
use super::raw;

/// Checks it; `others` are the ports that the node has beside it.
pub(super) fn check(
    file: &File,
    raw: &raw::Workbench,
    others: &[Option<SocketAddr>],
    report: &mut Report,
) -> Option<WorkbenchConfig> {
    let listen = address(file, "workbench.listen", &raw.listen, report)?;
    let form = ("workbench.address", "https://node.camden.example:8443");
    let address = match &raw.address {
        Some(text) => Some(endpoint(file, form, text, report)?),
        None => None,
    };
    if listen.port() != 0 && others.contains(&Some(listen)) {
        let what = format!("workbench.listen is {listen}, as is another port of this node");
        file.problem(report, raw.listen.span(), what, "choose another port");
        return None;
    }
    if listen.ip().is_unspecified() && address.is_none() {
        let what = format!("workbench.listen is {listen}, and nothing says under which name browsers find it");
        let fix = "add address, such as \"https://node.camden.example:8443\": requests for other names are refused";
        file.problem(report, raw.listen.span(), what, fix);
        return None;
    }
    Some(WorkbenchConfig { listen, address })
}
