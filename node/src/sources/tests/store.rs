//! Objects of a real store: read as files are, never mixed with what takes their place, and what is said when they can't be.

#[path = "../../../../tests/store/mod.rs"]
mod server;

use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use datafusion::error::DataFusionError;
use datafusion::prelude::{DataFrame, col, lit};
use flate2::Compression;
use flate2::write::GzEncoder;
use futures::{StreamExt, stream};
use object_store::ObjectStoreExt;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path as Location;
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use server::{ACCESS_KEY, ObjectStore, REGION, SECRET};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::parquet::write_parquet;
use super::*;

/// A bucket of its own in a store that the tests share.
struct Bucket {
    server: Arc<ObjectStore>,
    folder: TempDir,
    config: StoreConfig,
    writer: AmazonS3,
}

impl Bucket {
    fn new() -> Self {
        static SHARED: Mutex<Weak<ObjectStore>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        let server = shared.upgrade().unwrap_or_else(|| Arc::new(started()));
        *shared = Arc::downgrade(&server);
        drop(shared);
        Self::on(server)
    }

    fn on(server: Arc<ObjectStore>) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let bucket = format!("bucket{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        server.bucket(&bucket).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let config = StoreConfig {
            bucket: bucket.clone(),
            endpoint: Some(server.endpoint()),
            region: REGION.into(),
            path_style: true,
            ca: None,
            key: key(folder.path(), SECRET),
            request_seconds: 20,
            refresh: Duration::from_millis(100),
            fetch_mib: 64,
        };
        let writer = AmazonS3Builder::new().with_endpoint(server.endpoint()).with_allow_http(true);
        let writer = writer.with_bucket_name(bucket).with_region(REGION);
        let writer = writer.with_access_key_id(ACCESS_KEY).with_secret_access_key(SECRET).build().unwrap();
        Self { server, folder, config, writer }
    }

    async fn put(&self, key: &str, bytes: impl Into<Bytes>) {
        self.writer.put(&Location::parse(key).unwrap(), bytes.into().into()).await.unwrap();
    }

    async fn put_parquet(&self, key: &str, batch: &RecordBatch) {
        let path = self.folder.path().join("made.parquet");
        write_parquet(&path, batch);
        self.put(key, fs::read(path).unwrap()).await;
    }

    /// A dataset of what is below a key.
    fn source(&self, kind: SourceKind, key: &str, columns: &[&str]) -> Source {
        self.reached(kind, key, columns, |_| ())
    }

    /// The same, the bucket reached in another way.
    fn reached(&self, kind: SourceKind, key: &str, columns: &[&str], change: impl FnOnce(&mut StoreConfig)) -> Source {
        let mut config = self.config.clone();
        change(&mut config);
        let store = InStore { store: Store::new(config), key: key.into() };
        let spec = SourceSpec::new(Arc::new(dataset(Form::Open, columns)), kind, store.place(), None);
        Source { folder: tempfile::tempdir().unwrap(), spec: SourceSpec { store: Some(store), ..spec } }
    }
}

fn started() -> ObjectStore {
    ObjectStore::start().unwrap_or_else(|why| panic!("{why}: run tests/run, which installs it"))
}

/// The tests' key with a secret, which nobody else may read.
fn key(folder: &Path, secret: &str) -> Key {
    let secret_key_file = folder.join(format!("secret-{}", secret.len()));
    fs::write(&secret_key_file, format!("{secret}\n")).unwrap();
    fs::set_permissions(&secret_key_file, fs::Permissions::from_mode(0o600)).unwrap();
    Key::File { access_key: ACCESS_KEY.into(), secret_key_file }
}

fn csv_kind() -> SourceKind {
    SourceKind::Csv(CsvFormat::default())
}

fn packed(text: &str) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(text.as_bytes()).unwrap();
    packed.finish().unwrap()
}

fn numbers(numbers: impl IntoIterator<Item = i64>) -> RecordBatch {
    let column: ArrayRef = Arc::new(Int64Array::from_iter_values(numbers));
    RecordBatch::try_from_iter_with_nullable([("n", column, true)]).unwrap()
}

async fn loaded(source: &Source) -> Result<Loaded, SourceError> {
    load(&source.spec, &context(), now()).await
}

async fn frame(loaded: &Loaded) -> DataFrame {
    context().execute_logical_plan(loaded.plan.clone()).await.unwrap()
}

async fn explained(frame: DataFrame, analyze: bool) -> String {
    pretty_format_batches(&frame.explain(false, analyze).unwrap().collect().await.unwrap()).unwrap().to_string()
}

/// Bytes that were read, as a plan that was run says.
fn scanned(plan: &str) -> f64 {
    let said = plan.split("bytes_scanned=").nth(1).unwrap().split([',', ']', '|']).next().unwrap().trim();
    let (number, unit) = said.split_once(' ').unwrap_or((said, ""));
    let unit = match unit.chars().next() {
        Some('K') => 1e3,
        Some('M') => 1e6,
        _ => 1.0,
    };
    number.parse::<f64>().unwrap() * unit
}

fn told(error: &DataFusionError) -> (StoreFault, String) {
    match unanswered::cause(error) {
        Some(cause @ Cause::Store(found)) => {
            let words = Unanswered { datasets: "people".into(), cause: cause.clone() }.to_string();
            (found.fault.clone(), words)
        }
        other => panic!("{error}: {other:?}"),
    }
}

/// Waits until it is so.
async fn until(what: &str, holds: impl Fn() -> bool) {
    let waited = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), waited).await.unwrap_or_else(|_| panic!("never: {what}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn objects_of_every_format_are_read_as_files_are() {
    let bucket = Bucket::new();
    bucket.put("spend/all.csv", "name,paid\nann,1\n").await;
    let found = rows(&bucket.source(csv_kind(), "spend/all.csv", &["name varchar", "paid integer"])).await;
    assert_rows(&found, &["|ann|1|"]);
    bucket.put("packed/all.csv.gz", packed("name\nann\nbob\n")).await;
    assert_rows(&rows(&bucket.source(csv_kind(), "packed", &["name varchar"])).await, &["|ann|", "|bob|"]);
    bucket.put("lines.jsonl", "{\"name\": \"ann\"}\n{\"name\": null}\n").await;
    let found = rows(&bucket.source(SourceKind::JsonLines, "lines.jsonl", &["name varchar"])).await;
    assert_rows(&found, &["|ann|", "||"]);
    let mut workbook = rust_xlsxwriter::Workbook::new();
    let sheet = workbook.add_worksheet();
    sheet.write_string(0, 0, "name").unwrap();
    sheet.write_string(1, 0, "cem").unwrap();
    bucket.put("book.xlsx", workbook.save_to_buffer().unwrap()).await;
    let excel = SourceKind::Excel(ExcelFormat::default());
    assert_rows(&rows(&bucket.source(excel, "book.xlsx", &["name varchar"])).await, &["|cem|"]);
    bucket.put_parquet("numbers [1] 100%.parquet", &numbers([7, 8])).await;
    let parquet = bucket.source(SourceKind::Parquet, "numbers [1] 100%.parquet", &["n bigint"]);
    assert_rows(&rows(&parquet).await, &["|7|", "|8|"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_objects_below_a_prefix_are_one_source_with_the_columns_of_their_folders() {
    let bucket = Bucket::new();
    bucket.put("in/year=2024/b.csv", "name\nbob\n").await;
    bucket.put("in/year=2024/a.CSV", "name\nann\n").await;
    bucket.put("in/year=2025/c.csv", "name\ncem\n").await;
    bucket.put("in/year=2025/notes.txt", "nothing").await;
    bucket.put("in/year=2025/.hidden.csv", "x\n").await;
    bucket.put("input/other.csv", "other\n1\n").await;
    for prefix in ["in", "in/"] {
        let source = bucket.source(csv_kind(), prefix, &["name varchar", "year integer"]);
        assert_rows(&rows(&source).await, &["|ann|2024|", "|bob|2024|", "|cem|2025|"]);
    }
    bucket.put("in/d.csv", "name\ndee\n").await;
    let found = refused(&bucket.source(csv_kind(), "in", &["name varchar", "year integer"]), &[SECRET]).await;
    assert!(found.contains(&format!("s3://{}/in/year=2024/a.CSV", bucket.config.bucket)), "{found}");
    assert!(found.contains("named for other columns"), "{found}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_value_that_is_none_names_object_and_line() {
    let bucket = Bucket::new();
    bucket.put("a.csv", "n\n1\noops4711\n").await;
    let found = refused(&bucket.source(csv_kind(), "a.csv", &["n integer"]), &["oops4711", SECRET]).await;
    assert!(found.contains(&format!("s3://{}/a.csv line 3: column n", bucket.config.bucket)), "{found}");
    bucket.put("b.parquet", "this is no parquet").await;
    let found = refused(&bucket.source(SourceKind::Parquet, "b.parquet", &["n bigint"]), &[SECRET]).await;
    assert!(found.contains(&format!("s3://{}/b.parquet can't be read", bucket.config.bucket)), "{found}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listing_of_several_pages_is_read_to_its_end() {
    const OBJECTS: usize = 1_100;
    let bucket = Bucket::new();
    let puts = (0..OBJECTS).map(|number| bucket.put_owned(format!("many/{number:05}.csv"), format!("n\n{number}\n")));
    stream::iter(puts).buffer_unordered(16).collect::<Vec<_>>().await;
    let loaded = loaded(&bucket.source(csv_kind(), "many", &["n integer"])).await.unwrap();
    assert_eq!(loaded.rows, OBJECTS as u64);
}

impl Bucket {
    async fn put_owned(&self, key: String, text: String) {
        self.put(&key, text).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parquet_is_read_by_ranges_and_only_from_folders_that_can_hold_rows() {
    let bucket = Bucket::new();
    for year in [2023, 2024, 2025] {
        bucket.put_parquet(&format!("in/year={year}/all.parquet"), &numbers((0..200_000).map(|n| n * year))).await;
    }
    let columns = ["n bigint", "year varchar"];
    let loaded = loaded(&bucket.source(SourceKind::Parquet, "in", &columns)).await.unwrap();
    assert_eq!(loaded.rows, 600_000);
    let year = frame(&loaded).await.filter(col("year").eq(lit("2024"))).unwrap();
    let plan = explained(year.clone(), false).await;
    assert!(plan.contains("year=2024") && !plan.contains("year=2023") && !plan.contains("FilterExec"), "{plan}");
    assert_eq!(year.count().await.unwrap(), 200_000);
    let none = frame(&loaded).await.filter(col("year").eq(lit("1999"))).unwrap();
    assert_eq!(none.count().await.unwrap(), 0);
    // Of a file with pages in order only some are fetched.
    bucket.put_parquet("sorted.parquet", &numbers(0..500_000)).await;
    let sorted = self::loaded(&bucket.source(SourceKind::Parquet, "sorted.parquet", &["n bigint"])).await.unwrap();
    let all = scanned(&explained(frame(&sorted).await, true).await);
    let few = frame(&sorted).await.filter(col("n").lt(lit(100_i64))).unwrap();
    let some = scanned(&explained(few.clone(), true).await);
    assert!(some * 2.0 < all, "{some} of {all} bytes");
    assert_eq!(few.count().await.unwrap(), 100);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_object_is_noticed_and_never_mixed_with_what_it_was() {
    let bucket = Bucket::new();
    bucket.put_parquet("in/a.parquet", &numbers(0..1000)).await;
    let source = bucket.reached(SourceKind::Parquet, "in", &["n bigint"], |config| {
        config.refresh = Duration::from_secs(3600);
    });
    let before = loaded(&source).await.unwrap();
    assert!(!before.is_stale(&RightsSpec::default(), now()));
    bucket.put_parquet("in/a.parquet", &numbers(5000..6000)).await;
    let error = frame(&before).await.collect().await.unwrap_err();
    let (fault, words) = told(&error);
    assert_eq!(fault, StoreFault::Changed);
    assert!(words.contains("people") && words.contains("have changed") && !words.contains("s3://"), "{words}");
    // Nobody had looked yet: whoever read it has told.
    assert!(before.is_stale(&RightsSpec::default(), now()));
    let after = loaded(&source).await.unwrap();
    assert_eq!(frame(&after).await.filter(col("n").gt_eq(lit(5000))).unwrap().count().await.unwrap(), 1000);
    bucket.writer.delete(&Location::from("in/a.parquet")).await.unwrap();
    assert_eq!(told(&frame(&after).await.collect().await.unwrap_err()).0, StoreFault::Gone);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_and_goes_is_noticed_without_a_query() {
    let bucket = Bucket::new();
    bucket.put("in/a.csv", "n\n1\n").await;
    let source = bucket.source(csv_kind(), "in", &["n integer"]);
    for (change, rows) in [("in/b.csv", 2), ("in/a.csv", 3)] {
        let before = loaded(&source).await.unwrap();
        let text = if change == "in/a.csv" { "n\n1\n2\n" } else { "n\n1\n" };
        bucket.put(change, text).await;
        until("a change is noticed", || before.is_stale(&RightsSpec::default(), now())).await;
        assert_eq!(loaded(&source).await.unwrap().rows, rows);
    }
    let before = loaded(&source).await.unwrap();
    bucket.writer.delete(&Location::from("in/b.csv")).await.unwrap();
    until("an end is noticed", || before.is_stale(&RightsSpec::default(), now())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_with_bucket_key_or_path_is_said_and_no_key_with_it() {
    let bucket = Bucket::new();
    bucket.put("a.csv", "n\n1\n").await;
    type Change = fn(&mut StoreConfig);
    let cases: [(&str, Change, &str); 6] = [
        ("a.csv", |config| config.bucket = "nothing".into(), "there is no such bucket; correct `bucket` in [[stores]]"),
        ("gone", |_| (), "there is no such object, and none below it; correct `path`"),
        ("a.csv", |config| config.fetch_mib = 0, "it has more than 0 MiB"),
        (
            "a.csv",
            |config| config.region = "elsewhere".into(),
            "does not accept the key (AuthorizationHeaderMalformed)",
        ),
        ("a.csv", |config| config.key = Key::Public, "the object store answers with"),
        (
            "a.csv",
            |config| {
                if let Key::File { access_key, .. } = &mut config.key {
                    *access_key = "borough:nobody".into();
                }
            },
            "does not accept the key (SignatureDoesNotMatch)",
        ),
    ];
    for (path, change, expected) in cases {
        let found = refused(&bucket.reached(csv_kind(), path, &["n integer"], change), &[SECRET]).await;
        assert!(found.starts_with("dataset people: s3://") && found.contains(expected), "{found}");
    }
    let wrong = key(bucket.folder.path(), "another4712");
    let source = bucket.reached(csv_kind(), "a.csv", &["n integer"], |config| config.key = wrong.clone());
    let found = refused(&source, &[SECRET, "another4712"]).await;
    assert!(found.contains("does not accept the key (SignatureDoesNotMatch)"), "{found}");
    let Key::File { secret_key_file, .. } = &wrong else { panic!("no file") };
    fs::set_permissions(secret_key_file, fs::Permissions::from_mode(0o640)).unwrap();
    let found = refused(&source, &[SECRET, "another4712"]).await;
    assert!(found.contains("has the mode 640, so that others can read the secret key: chmod 600 it"), "{found}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_away_late_or_goes_away_is_said() {
    let own = Bucket::on(Arc::new(started()));
    own.put_parquet("a.parquet", &numbers(0..10)).await;
    let source = own.source(SourceKind::Parquet, "a.parquet", &["n bigint"]);
    let before = loaded(&source).await.unwrap();
    let Bucket { server, config, .. } = own;
    let mut server = Arc::into_inner(server).expect("nobody else has it");
    server.kill();
    let (fault, words) = told(&frame(&before).await.collect().await.unwrap_err());
    assert!(matches!(fault, StoreFault::Unreachable(_)), "{fault:?}");
    assert!(words.contains("node's log") && !words.contains("127.0.0.1"), "{words}");
    assert!(!before.is_stale(&RightsSpec::default(), now()), "it may come back as it was");
    let found = refused(&source, &[SECRET]).await;
    assert!(found.contains("the object store can't be reached") && found.contains("check `endpoint`"), "{found}");

    // It takes connections, and never answers.
    let deaf = TcpListener::bind("127.0.0.1:0").unwrap();
    let late =
        StoreConfig { endpoint: Some(format!("http://{}", deaf.local_addr().unwrap())), request_seconds: 1, ..config };
    let store = InStore { store: Store::new(late), key: "a.parquet".into() };
    let source = Source { spec: SourceSpec { store: Some(store), ..source.spec }, ..source };
    let found = refused(&source, &[SECRET]).await;
    assert!(found.contains("does not answer within 1 s; set `request_seconds` in [[stores]] higher"), "{found}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_is_spoken_with_a_server_that_an_own_authority_has_signed() {
    let bucket = Bucket::new();
    bucket.put("a.csv", "n\n1\n").await;
    let signed = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let ca = bucket.folder.path().join("ca.pem");
    fs::write(&ca, signed.cert.pem()).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(signed.signing_key.serialize_der()));
    let tls = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![signed.cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(tls));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (own, behind) = (listener.local_addr().unwrap().port(), bucket.server.port());
    let passing = tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let mut outer = acceptor.accept(tcp).await?;
                let mut inner = TcpStream::connect(("127.0.0.1", behind)).await?;
                tokio::io::copy_bidirectional(&mut outer, &mut inner).await
            });
        }
    });
    let reached = |ca: Option<PathBuf>| {
        bucket.reached(csv_kind(), "a.csv", &["n integer"], |config| {
            config.endpoint = Some(format!("https://localhost:{own}"));
            config.ca = ca;
        })
    };
    assert_rows(&rows(&reached(Some(ca))).await, &["|1|"]);
    let found = refused(&reached(None), &[SECRET]).await;
    assert!(found.contains("TLS: ") && found.contains("`ca` in [[stores]]"), "{found}");
    let broken = bucket.folder.path().join("broken.pem");
    fs::write(&broken, "no certificate").unwrap();
    let found = refused(&reached(Some(broken)), &[SECRET]).await;
    assert!(found.contains("it holds no certificate") || found.contains("it is no PEM file"), "{found}");
    passing.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dataset_about_people_keeps_its_rows_while_its_store_is_away() {
    let own = Bucket::on(Arc::new(started()));
    own.put_parquet("people.parquet", &numbers([1, 2, 3])).await;
    let mut source = own.source(SourceKind::Parquet, "people.parquet", &["n bigint"]);
    source.spec.unit = Some(unit("n", true));
    let held = loaded(&source).await.unwrap();
    let Bucket { server, .. } = own;
    Arc::into_inner(server).expect("nobody else has it").kill();
    assert_eq!(frame(&held).await.count().await.unwrap(), 3);
}
