//! Configuration files: whatever stands in a dataset's and an agreement's file, it is read or said to be wrong.
#![no_main]
#![allow(clippy::unwrap_used)]

use std::fs;

use libfuzzer_sys::fuzz_target;
use meridian::config::Config;
use tempfile::TempDir;

/// Stands between the dataset's file and the agreement's.
const BETWEEN: &str = "\n=====\n";

const NODE: &str = r#"
federation = "london"
body = "lfb"
title = "London Fire Brigade"
listen = "127.0.0.1:7411"
state = "state"
datasets = "datasets"
agreements = "agreements"

[tls]
ca = "ca.pem"
cert = "node.pem"
key = "node.key"

[[members]]
body = "loda"
endpoint = "https://127.0.0.1:7412"
"#;

fuzz_target!(|files: &str| {
    let (dataset, agreement) = files.split_once(BETWEEN).unwrap_or((files, ""));
    let folder = TempDir::new().unwrap();
    let write = |file: &str, text: &str| fs::write(folder.path().join(file), text).unwrap();
    for name in ["datasets", "agreements"] {
        fs::create_dir(folder.path().join(name)).unwrap();
    }
    write("node.toml", NODE);
    for file in ["ca.pem", "node.pem", "node.key", "incidents.csv"] {
        write(file, "");
    }
    write("datasets/incidents.toml", dataset);
    if !agreement.is_empty() {
        write("agreements/fire-risk.toml", agreement);
    }
    if let Err(wrong) = Config::load(&folder.path().join("node.toml")) {
        assert!(!wrong.to_string().is_empty());
    }
});
