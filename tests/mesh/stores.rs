//! Datasets over an object store: noticed when they change, out of order when it is away, and all else goes on.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use object_store::ObjectStoreExt;
use object_store::aws::AmazonS3Builder;
use object_store::path::Path as Location;
use tokio::runtime::Runtime;

use super::support::{Mesh, know, node_check, publish_source, until};

#[path = "../store/mod.rs"]
mod store;

use store::{ACCESS_KEY, ObjectStore, REGION, SECRET};

const BUCKET: &str = "open-data";

fn put(store: &ObjectStore, key: &str, text: &str) {
    let client = AmazonS3Builder::new().with_endpoint(store.endpoint()).with_allow_http(true).with_region(REGION);
    let client = client.with_bucket_name(BUCKET).with_access_key_id(ACCESS_KEY).with_secret_access_key(SECRET);
    let client = client.build().unwrap();
    let (location, bytes) = (Location::parse(key).unwrap(), bytes::Bytes::copy_from_slice(text.as_bytes()));
    Runtime::new().unwrap().block_on(client.put(&location, bytes.into())).unwrap();
}

/// Tells a node of a bucket.
fn know_store(folder: &Path, bucket: &str, endpoint: &str, more: &str) {
    let secret = folder.join("store.key");
    fs::write(&secret, SECRET).unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    let said = format!(
        "[[stores]]\nbucket = \"{bucket}\"\nendpoint = \"{endpoint}\"\nregion = \"{REGION}\"\naccess_key = \"{ACCESS_KEY}\"\n\
         secret_key_file = \"store.key\"\nrefresh = \"1s\"\n{more}"
    );
    know(folder, &said);
}

/// An open dataset of trees from a path.
fn publish(folder: &Path, name: &str, path: &str) {
    publish_source(folder, name, &format!("kind = \"csv\"\npath = \"{path}\""), &["kind varchar"]);
}

#[test]
fn objects_are_a_dataset_and_a_store_that_is_away_is_told_and_keeps_nobody_waiting() {
    let mut store = ObjectStore::start().unwrap_or_else(|why| panic!("{why}: run tests/run, which installs it"));
    store.bucket(BUCKET).unwrap();
    put(&store, "trees/2024.csv", "kind\noak\n");
    // A store that takes connections and never answers.
    let deaf = TcpListener::bind("127.0.0.1:0").unwrap();
    let mesh = Mesh::prepared();
    let folder = mesh.folder("gla");
    know_store(&folder, BUCKET, &store.endpoint(), "");
    know_store(&folder, "deaf", &format!("http://{}", deaf.local_addr().unwrap()), "request_seconds = 3600\n");
    publish(&folder, "trees", &format!("s3://{BUCKET}/trees"));
    publish(&folder, "lost", "s3://deaf/trees");
    fs::write(folder.join("data/planted.csv"), "kind\nelm\n").unwrap();
    publish(&folder, "planted", "data/planted.csv");
    mesh.start_each();

    let sql = "SELECT kind FROM gla.trees ORDER BY kind";
    mesh.answers(sql, "kind\noak\n");
    put(&store, "trees/2025.csv", "kind\nash\n");
    mesh.answers(sql, "kind\nash\noak\n");

    // Loading from the deaf one goes on for an hour: what is on this machine's disk is noticed all the same.
    fs::write(folder.join("data/planted.csv"), "kind\nelm\nfir\n").unwrap();
    mesh.answers("SELECT kind FROM gla.planted ORDER BY kind", "kind\nelm\nfir\n");
    assert_eq!(mesh.ask("SELECT kind FROM gla.lost").code, Some(1));

    // Held rows are there without their store; after a restart they are not, and the node is.
    store.kill();
    mesh.answers(sql, "kind\nash\noak\n");
    mesh.stop("gla");
    mesh.start("gla");
    assert_eq!(mesh.ask(sql).code, Some(1));
    mesh.answers("SELECT kind FROM gla.planted ORDER BY kind", "kind\nelm\nfir\n");
    let told = |line: &str| line.contains("trees") && line.contains("can't be reached") && line.contains("[[stores]]");
    let log = until("the operator is told", || Some(mesh.log("gla")).filter(|log| log.lines().any(told)));
    assert!(!log.contains(SECRET), "{log}");
}

#[test]
fn the_check_of_a_node_says_whether_its_stores_can_be_reached() {
    let store = ObjectStore::start().unwrap_or_else(|why| panic!("{why}: run tests/run, which installs it"));
    store.bucket(BUCKET).unwrap();
    put(&store, "trees.csv", "kind\noak\n");
    let mesh = Mesh::prepared();
    let folder = mesh.folder("gla");
    know_store(&folder, BUCKET, &store.endpoint(), "");
    publish(&folder, "trees", &format!("s3://{BUCKET}/trees.csv"));
    let look = || node_check(&folder);
    let found = look();
    assert!(found.contains("the bucket open-data can be listed") && found.contains("trees can be read"), "{found}");
    let key = fs::read_to_string(folder.join("store.key")).unwrap();
    fs::write(folder.join("store.key"), "another4712").unwrap();
    let found = look();
    assert!(found.contains("does not accept the key (SignatureDoesNotMatch)"), "{found}");
    assert!(found.contains("correct [[stores]] in node.toml") && !found.contains("another4712"), "{found}");
    fs::write(folder.join("store.key"), key).unwrap();
    let node = fs::read_to_string(folder.join("node.toml")).unwrap();
    fs::write(folder.join("node.toml"), node.replace("bucket = \"open-data\"", "bucket = \"nothing\"")).unwrap();
    publish(&folder, "trees", "s3://nothing/trees.csv");
    let found = look();
    assert!(found.contains("the bucket nothing: there is no such bucket"), "{found}");
}
