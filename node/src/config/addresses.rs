//! Checks the address lists of node.toml, and which of them a mapping looks into.

use std::path::Path;
use std::sync::Arc;

use super::problem::{File, Report};
use super::{NodeConfig, node, raw};
use crate::sources::{AddressList, AddressListConfig, Addresses};

const DEFAULT_MEMORY_MIB: u32 = 1024;

/// The lists, each name once.
pub(super) fn lists(file: &File, base: &Path, raw: &[raw::AddressList], report: &mut Report) -> Vec<Arc<AddressList>> {
    let mut lists: Vec<Arc<AddressList>> = Vec::with_capacity(raw.len());
    for said in raw {
        let name = file.name(report, "addresses.name", &said.name);
        let path = file.existing(report, base, "addresses.path", &said.path);
        let memory = said.memory_mib.as_ref();
        let memory_mib = node::number(file, "addresses.memory_mib", memory, DEFAULT_MEMORY_MIB, report);
        let memory_mib = usize::try_from(memory_mib).unwrap_or(usize::MAX).min(usize::MAX >> 20);
        let (Some(name), Some(path)) = (name, path) else { continue };
        if lists.iter().any(|known| known.config().name == name) {
            let what = format!("address list `{name}` stands twice");
            file.problem(report, said.name.span(), what, "rename or remove one");
            continue;
        }
        lists.push(AddressList::new(AddressListConfig { name, path, memory_mib }));
    }
    lists
}

/// The list that a mapping names. Where node.toml is bad, that is what is reported.
pub(super) fn of_mapping(
    file: &File,
    raw: &raw::Mapping,
    node: Option<&NodeConfig>,
    report: &mut Report,
) -> Option<Addresses> {
    let least_score = raw.least_score.as_ref();
    if let Some(said) = least_score.filter(|said| !(0.0..=1.0).contains(said.get_ref())) {
        let what = format!("mapping.least_score is {}", said.get_ref());
        file.problem(report, said.span(), what, "write a score from 0 to 1, such as 0.85");
    }
    let Some(name) = &raw.addresses else {
        if let Some(said) = least_score {
            let what = "mapping.least_score stands without addresses";
            file.problem(report, said.span(), what, "add addresses, the name of an address list, or leave it out");
        }
        return None;
    };
    let node = node?;
    let found = node.addresses.iter().find(|list| list.config().name.as_str() == name.get_ref());
    if found.is_none() {
        let known: Vec<&str> = node.addresses.iter().map(|list| list.config().name.as_str()).collect();
        let what = format!("mapping.addresses is {:?}, which is no address list of node.toml", name.get_ref());
        let fix = match known.as_slice() {
            [] => "add [[addresses]] with this name to node.toml, and restart the node".to_owned(),
            known => format!("write one of {}, or add it under [[addresses]]", known.join(", ")),
        };
        file.problem(report, name.span(), what, fix);
    }
    let least_score = least_score.map_or(meridian_addresses::LEAST_SCORE, |said| *said.get_ref());
    Some(Addresses::new(Arc::clone(found?), least_score))
}
