//! The house rules that no compiler checks: layers, and what may not stand in the tree.

use std::fs;
use std::path::{Path, PathBuf};

/// The layers of `node`, top to bottom; a line is one layer. Imports go down only.
const LAYERS: [&[&str]; 16] = [
    // Tests of all of it together.
    &["proofs"],
    &["main"],
    &["cli"],
    &["app"],
    &["workbench"],
    &["config"],
    &["flight", "web"],
    &["downloads"],
    &["portal", "query"],
    &["catalogue", "cluster", "news", "standards"],
    &["agreements", "sources", "peers", "rights", "membership", "witness", "register"],
    &["format", "gate"],
    &["geometry"],
    &["audit", "authority", "clock", "history", "metrics", "secrets", "telemetry", "traces"],
    &["port", "portable", "printable", "seal", "spelling", "testing", "versions"],
    &["shares"],
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("target") {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

fn layer_of(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

#[test]
fn imports_go_down_the_layers_only() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = Vec::new();
    for file in rust_files(&source) {
        let relative = file.strip_prefix(&source).unwrap();
        let module = relative.components().next().unwrap().as_os_str().to_str().unwrap().trim_end_matches(".rs");
        if module == "lib" {
            continue;
        }
        let own = layer_of(module).unwrap_or_else(|| panic!("{module} is in no layer: add it to this test"));
        let text = fs::read_to_string(&file).unwrap();
        for (number, line) in text.lines().enumerate() {
            for prefix in ["crate::", "meridian::"] {
                let Some((_, rest)) = line.split_once(prefix) else { continue };
                let used: String = rest.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
                let Some(layer) = layer_of(&used) else { continue };
                if used != module && layer <= own {
                    wrong.push(format!("{}:{}: {}", relative.display(), number + 1, line.trim()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "imports that go up or sideways:\n{}", wrong.join("\n"));
}

#[test]
fn the_gate_is_pure() {
    let gate = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/gate");
    for file in rust_files(&gate) {
        if file.ends_with("tests.rs") || file.components().any(|part| part.as_os_str() == "tests") {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        let text = text.split("#[cfg(test)]").next().unwrap();
        for banned in ["tokio::", "tonic::", "std::fs", "std::net", "SystemTime", "Utc::now", "Instant::now"] {
            assert!(!text.contains(banned), "{} uses {banned}", file.display());
        }
    }
}

#[test]
fn files_open_with_a_sentence_that_says_what_they_are_for() {
    for folder in ["node/src", "federation/src", "certs/src", "proto/src", "examples/src", "tests"] {
        for file in rust_files(&root().join(folder)) {
            let text = fs::read_to_string(&file).unwrap();
            assert!(text.starts_with("//! "), "{} does not open with //!", file.display());
        }
    }
}

#[test]
fn nothing_is_left_half_done() {
    let marks =
        [["to", "do!("].concat(), ["unimplemen", "ted!("].concat(), ["#[ig", "nore"].concat(), ["FIX", "ME"].concat()];
    for folder in ["node/src", "federation/src", "certs/src", "proto/src", "examples/src", "tests"] {
        for file in rust_files(&root().join(folder)) {
            let text = fs::read_to_string(&file).unwrap();
            for mark in &marks {
                assert!(!text.contains(mark.as_str()), "{} has {mark}", file.display());
            }
        }
    }
}
