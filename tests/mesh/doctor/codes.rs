//! The codes of findings, on which programs rely.

use std::collections::BTreeSet;

use super::super::support::{Running, meridian};

/// Those that were given so far: a new one is added here, and none goes.
const GIVEN: &str = "\
addresses agreement agreement.allowance analysts authority authority.root certificate certificate.identity certificate.issuer
certificate.key certificate.permissions certificate.renewal certificate.root certificate.time configuration configuration.agreement
configuration.algorithm configuration.dataset configuration.permissions configuration.standard configuration.view engine
federation.authority federation.members federation.membership federation.root federation.time log machine.clock machine.files
machine.memory machine.memory_limit machine.user members members.version membership membership.age membership.own
membership.version node.endpoint node.health node.listen node.ready public.certificate public.host public.key public.listen
public.time rights root.time snapshot source standard standard.unknown state.folder state.lock state.owner state.secret state.space
store telemetry witness witness.missing workers";

#[test]
fn every_code_is_listed_with_its_meaning_and_none_has_gone() {
    let list = |more: &[&str]| Running::start(meridian().args(["node", "check", "--list"]).args(more)).end();
    let text = list(&[]);
    let lines: Vec<(&str, &str)> = text.ok().lines().map(|line| line.split_once(' ').unwrap()).collect();
    assert!(lines.iter().all(|(_, meaning)| !meaning.trim().is_empty()));
    let listed: BTreeSet<&str> = lines.iter().map(|(code, _)| *code).collect();
    assert_eq!(listed, GIVEN.split_whitespace().collect());
    let json = list(&["--format", "json"]);
    let json: Vec<serde_json::Value> = serde_json::from_str(json.ok()).unwrap();
    let codes: BTreeSet<&str> = json.iter().map(|it| it["code"].as_str().unwrap()).collect();
    assert_eq!(codes, listed);
    assert!(json.iter().all(|it| !it["meaning"].as_str().unwrap().is_empty()));
    let both = list(&["--config", "node.toml"]);
    assert!(both.fails(2).contains("--list"), "{}", both.stderr);
}
