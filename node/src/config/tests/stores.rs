//! Object stores, and their objects as sources.

use std::time::Duration;

use super::*;
use crate::sources::{Key, SourceKind};

const STORE: &str = r#"
[[stores]]
bucket = "borough-files"
endpoint = "https://s3.example.org:9000/"
region = "eu-west-2"
access_key = "AKIA4711"
secret_key_file = "tls/s3.key"
ca = "tls/ca.pem"
"#;
const FILE: &str = "path = \"data/stations.parquet\"";
const OBJECT: &str = "path = \"s3://borough-files/fire/stations.parquet\"";

/// The valid configuration with a store and an object of it, changed so.
fn changed(store: impl Fn(&str) -> String, source: impl Fn(&str) -> String) -> Result<Config, Vec<String>> {
    elsewhere(&store(STORE), &["tls/s3.key"], (FILE, &source(OBJECT)))
}

#[test]
fn an_object_of_a_store_is_a_source() {
    let config = changed(str::to_owned, str::to_owned).unwrap();
    let source = &config.dataset("stations").unwrap().source;
    assert_eq!(
        (&source.kind, source.path.to_str()),
        (&SourceKind::Parquet, Some("s3://borough-files/fire/stations.parquet"))
    );
    let place = source.store.as_ref().unwrap();
    let store = place.store.config();
    assert_eq!(place.key, "fire/stations.parquet");
    assert_eq!((store.bucket.as_str(), store.region.as_str()), ("borough-files", "eu-west-2"));
    assert_eq!((store.endpoint.as_deref(), store.path_style), (Some("https://s3.example.org:9000"), true));
    assert!(matches!(&store.key, Key::File { access_key, .. } if access_key == "AKIA4711"), "{store:?}");
    assert_eq!((store.request_seconds, store.refresh, store.fetch_mib), (30, Duration::from_secs(30), 1024));

    let bare = |_: &str| "\n[[stores]]\nbucket = \"borough-files\"\nrefresh = \"5m\"\n".to_owned();
    let config = changed(bare, str::to_owned).unwrap();
    let store = config.node.stores[0].config();
    assert_eq!((&store.endpoint, store.path_style, &store.key), (&None, false, &Key::Public));
    assert_eq!((store.region.as_str(), store.refresh), ("us-east-1", Duration::from_secs(300)));
    let here = |text: &str| text.replace("https://s3.example.org:9000/", "http://127.0.0.1:9000");
    assert!(changed(here, str::to_owned).is_ok());
}

#[test]
fn what_is_wrong_with_a_store_names_line_and_fix() {
    for (from, to, expected) in [
        (
            "https://s3.example.org",
            "http://s3.example.org",
            "node.toml:22: stores.endpoint is \"http://s3.example.org:9000/\", which is another machine, without TLS: write https",
        ),
        (
            "https://s3.example.org:9000/",
            "https://AKIA:secret@s3.example.org",
            "node.toml:22: stores.endpoint has something before an @: write the server's address alone",
        ),
        ("bucket = \"borough-files\"", "bucket = \"a/b\"", "node.toml:21: stores.bucket is \"a/b\", which is no name"),
        ("access_key = \"AKIA4711\"\n", "", "node.toml:24: access_key and secret_key_file belong together"),
        (
            "ca = \"tls/ca.pem\"",
            "environment = true",
            "node.toml:26: stores.environment stands beside a key of its own: remove",
        ),
        ("tls/ca.pem", "tls/gone.pem", "node.toml:26: stores.ca is tls/gone.pem, which can't be read"),
        ("tls/s3.key", "tls/gone", "node.toml:25: stores.secret_key_file is tls/gone, which can't be read"),
        (
            "ca = \"tls/ca.pem\"",
            "refresh = \"often\"",
            "node.toml:26: stores.refresh is \"often\", which is no length of time: write",
        ),
        ("ca = \"tls/ca.pem\"", "secret_key = \"x\"", "node.toml:26: unknown key `secret_key`: known here:"),
        ("ca = \"tls/ca.pem\"", "fetch_mib = 0", "node.toml:26: stores.fetch_mib is 0: write"),
    ] {
        complains(changed(|text| text.replace(from, to), |_| FILE.to_owned()), expected);
    }
    let twice = changed(|text| format!("{text}{text}"), |_| FILE.to_owned()).expect_err("twice");
    assert_eq!(twice, ["node.toml:29: the bucket `borough-files` stands twice: remove one"]);
}

#[test]
fn what_is_wrong_with_an_object_names_line_and_fix() {
    for (from, to, expected) in [
        (
            "borough-files",
            "borough-file",
            "source.path names the bucket \"borough-file\", which is none of node.toml: write one of borough-files, or",
        ),
        (
            "fire/",
            "fire//",
            "source.path is \"s3://borough-files/fire//stations.parquet\", whose key has an empty part",
        ),
        (
            "fire/",
            "../",
            "source.path is \"s3://borough-files/../stations.parquet\", whose key has an empty part or dots",
        ),
    ] {
        let problems = changed(str::to_owned, |text| text.replace(from, to)).expect_err(to);
        assert_eq!(problems.len(), 1, "{problems:#?}");
        assert!(problems[0].starts_with("datasets/stations.toml:") && problems[0].contains(expected), "{problems:?}");
    }
    let problems = changed(|_| String::new(), str::to_owned).expect_err("no store");
    assert!(
        problems.len() == 1 && problems[0].contains("add [[stores]] with this bucket to node.toml"),
        "{problems:?}"
    );
}

#[test]
fn a_sqlite_file_is_read_where_it_lies_and_not_from_a_store() {
    let sqlite = "kind = \"sqlite\"\ntable = \"stations\"";
    let source = ("kind = \"parquet\"\npath = \"data/stations.parquet\"", &*format!("{sqlite}\n{OBJECT}"));
    let problems = elsewhere(STORE, &["tls/s3.key"], source).expect_err("an object");
    assert_eq!(problems.len(), 1, "{problems:#?}");
    let said =
        "source.path names an object, and SQLite reads a file of this machine alone: copy the file to this machine";
    assert!(problems[0].starts_with("datasets/stations.toml:") && problems[0].contains(said), "{problems:?}");
}
