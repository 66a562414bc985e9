//! Open data as files: what anybody gets, what nobody does, and how little the log grows by it.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;

use arrow::array::Array;
use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use flate2::read::GzDecoder;
use serde_json::Value;

use super::support::{Mesh, Running, browser, free, get, meridian, python, scratch, until};

/// Names of trees that a page, a spreadsheet or CSV itself would take for something else.
const TREES: &str = "kind,note,owner,height\noak,<b>bold</b>,CANARY-OWNER,12.5\nash,=cmd|' /C calc'!A0,CANARY-OWNER,-3\n\
                     \"elm, old\",,CANARY-OWNER,\n";

const PARKS: &str = r#"{"type": "FeatureCollection", "features": [
{"type": "Feature", "properties": {"name": "square"}, "geometry": {"type": "Point", "coordinates": [0.5, 51.25]}},
{"type": "Feature", "properties": {"name": "nowhere"}, "geometry": null}
]}"#;

/// A dataset of a CSV file that lies beside it.
fn publish(folder: &Path, name: &str, head: &str, columns: &[&str]) {
    let columns = columns.iter().map(|column| {
        let words: Vec<&str> = column.split(' ').collect();
        let role = words.get(2).map(|role| format!("role = \"{role}\"\n")).unwrap_or_default();
        format!("\n[[columns]]\nname = \"{}\"\ntype = \"{}\"\n{role}", words[0], words[1])
    });
    let columns: String = columns.collect();
    let source = if head.contains("[source]") {
        String::new()
    } else {
        format!("[source]\nkind = \"csv\"\npath = \"{name}.csv\"\n")
    };
    let dataset = format!(
        "name = \"{name}\"\ntitle = \"About {name}\"\ndescription = \"\"\nlicence = \"OGL-UK-3.0\"\n{head}\n\n{source}{columns}"
    );
    fs::write(folder.join("datasets").join(format!("{name}.toml")), dataset).unwrap();
}

/// Has the GLA's node give files.
fn served(lines: &str) -> (Mesh, SocketAddr) {
    let (mesh, address) = (Mesh::prepared(), free());
    let folder = mesh.folder("gla");
    let file = fs::OpenOptions::new().append(true).open(folder.join("node.toml"));
    writeln!(file.unwrap(), "\n[public]\nlisten = \"{address}\"\ncounts = \"live\"\n{lines}").unwrap();
    fs::write(folder.join("trees.csv"), TREES).unwrap();
    // Who owns a tree is in the file, and not published.
    let source = "form = \"open\"\n\n[source]\nkind = \"csv\"\npath = \"trees.csv\"\n\n[mapping]\nsql = \"SELECT kind, note, \
                  CAST(height AS DOUBLE) AS height FROM source\"\n";
    publish(&folder, "trees", source, &["kind varchar", "note varchar", "height double"]);
    (mesh, address)
}

/// The whole answer to GET, with these headers beside the usual ones.
fn fetched(address: SocketAddr, path: &str, headers: &str) -> (String, Vec<u8>) {
    unless_cut(address, path, headers).expect("an answer that was not cut")
}

/// The same, or nothing where it was cut off: that is what becomes of one whose terms change on its way.
fn unless_cut(address: SocketAddr, path: &str, headers: &str) -> Option<(String, Vec<u8>)> {
    let mut stream = TcpStream::connect(address).unwrap();
    let request =
        format!("GET /catalogue/datasets/{path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    Some((String::from_utf8(answer[..end].to_vec()).unwrap(), answer[end + 4..].to_vec()))
}

/// The body of a file that is there.
fn file(address: SocketAddr, path: &str) -> Vec<u8> {
    let (head, body) = fetched(address, path, "");
    assert!(head.starts_with("HTTP/1.1 200 OK"), "{path}: {head}");
    body
}

fn text(address: SocketAddr, path: &str) -> String {
    String::from_utf8(file(address, path)).unwrap()
}

/// The page of a dataset, as soon as it shows these words.
fn page(address: SocketAddr, name: &str, words: &str) -> String {
    until(&format!("the page of {name} shows {words}"), || {
        Some(get(address, &format!("/catalogue/datasets/gla/{name}"))).filter(|page| page.contains(words))
    })
}

/// The questions that the GLA's node asked itself for the public, as its log has them.
fn releases(mesh: &Mesh) -> Vec<Value> {
    let records = mesh.records("gla").into_iter().map(|line| line.json["release"].clone());
    records.filter(|release| release["on_behalf_of"] == "the public").collect()
}

#[test]
fn many_readers_are_one_release_until_the_data_changes() {
    let (mesh, address) = served("downloads = true");
    mesh.start("gla");
    let csv = text(address, "gla/trees.csv");
    let rows: Vec<&str> = csv.split("\r\n").collect();
    assert_eq!(rows[0], "kind,note,height", "{csv}");
    for row in ["oak,<b>bold</b>,12.5", "ash,\"'=cmd|' /C calc'!A0\",-3.0", "\"elm, old\",,"] {
        assert!(rows.contains(&row), "{row}: {csv}");
    }
    for _ in 0..20 {
        assert_eq!(text(address, "gla/trees.csv"), csv);
    }
    let recorded = releases(&mesh);
    assert_eq!(recorded.len(), 1, "{recorded:?}");
    assert_eq!(recorded[0]["caller"], "spiffe://london/body/gla/node");
    assert_eq!(recorded[0]["purpose"], "open-data");
    assert_eq!(recorded[0]["datasets"][0]["form"], "open");
    assert!(!recorded[0].to_string().contains("owner"), "{}", recorded[0]);

    // Whoever has it already is told so, and whoever takes gzip gets it packed.
    let (head, _) = fetched(address, "gla/trees.csv", "");
    let header = |head: &str, name: &str| {
        let line = head.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
        line.unwrap_or_else(|| panic!("no {name}: {head}")).to_owned()
    };
    let tag = header(&head, "etag");
    assert_eq!(header(&head, "content-length"), csv.len().to_string());
    assert_eq!(header(&head, "content-type"), "text/csv");
    assert!(header(&head, "content-disposition").contains("gla-trees.csv"), "{head}");
    let (head, body) = fetched(address, "gla/trees.csv", &format!("If-None-Match: W/\"x\", {tag}\r\n"));
    assert!(head.starts_with("HTTP/1.1 304") && body.is_empty(), "{head}");
    let (head, packed) = fetched(address, "gla/trees.csv", "Accept-Encoding: br, gzip\r\n");
    assert_eq!(header(&head, "content-encoding"), "gzip");
    let mut unpacked = String::new();
    GzDecoder::new(packed.as_slice()).read_to_string(&mut unpacked).unwrap();
    assert_eq!(unpacked, csv);
    let (head, _) = fetched(address, "gla/trees.csv", "Accept-Encoding: gzip;q=0\r\n");
    assert!(!head.contains("content-encoding"), "{head}");

    // The page shows the first rows and how often files were fetched, and nothing of it acts.
    let shown = page(address, "trees", "Fetched 24 times");
    assert!(shown.contains("&lt;b&gt;bold&lt;/b&gt;") && !shown.contains("<b>bold"), "{shown}");
    assert!(shown.contains("elm, old") && !shown.contains("CANARY-OWNER"), "{shown}");

    // After a restart it is there, and so are the counts.
    until("the counts are kept", || {
        fs::read_to_string(mesh.folder("gla").join("state/downloads/readers.json"))
            .is_ok_and(|kept| kept.contains(":24"))
            .then_some(())
    });
    mesh.stop("gla");
    mesh.start("gla");
    let (head, _) = fetched(address, "gla/trees.csv", "");
    assert_eq!(header(&head, "etag"), tag);
    page(address, "trees", "Fetched 25 times");
    assert_eq!(releases(&mesh).len(), 1);

    // Another file: another version, once.
    fs::write(mesh.folder("gla").join("trees.csv"), TREES.replace("oak", "yew")).unwrap();
    let changed =
        until("the file has the new rows", || Some(text(address, "gla/trees.csv")).filter(|csv| csv.contains("yew")));
    assert!(!changed.contains("oak"), "{changed}");
    assert_ne!(header(&fetched(address, "gla/trees.csv", "").0, "etag"), tag);
    assert_eq!(releases(&mesh).len(), 2);
    // The old one goes.
    until("the old files are gone", || {
        let files = fs::read_dir(mesh.folder("gla").join("state/downloads")).unwrap().flatten();
        let csv = files.filter(|file| file.file_name().to_string_lossy().ends_with(".csv"));
        (csv.count() == 1).then_some(())
    });
    mesh.assert_sound();
}

/// Gains nothing: the file of before is given no more, and its name is no proof that it is the one of now.
#[test]
fn another_mapping_of_the_same_file_is_another_version() {
    let (mesh, address) = served("downloads = true");
    mesh.start("gla");
    assert!(text(address, "gla/trees.csv").contains("<b>bold</b>"));
    let toml = mesh.folder("gla").join("datasets/trees.toml");
    let said = fs::read_to_string(&toml).unwrap();
    // Columns and the number of rows stay, and nobody touches the file: what was published by mistake is given no more.
    fs::write(&toml, said.replace("SELECT kind, note,", "SELECT kind, 'withdrawn' AS note,")).unwrap();
    let csv = until("the file has the other rows", || {
        let (head, body) = unless_cut(address, "gla/trees.csv", "")?;
        let body = String::from_utf8(body).unwrap();
        (head.starts_with("HTTP/1.1 200") && body.contains("withdrawn")).then_some(body)
    });
    assert!(!csv.contains("bold") && csv.contains("oak,withdrawn,12.5"), "{csv}");
    assert!(!page(address, "trees", "withdrawn").contains("bold"));
    mesh.assert_sound();
}

/// Gains nothing: neither the file nor the page nor the node's folder has a row of theirs.
#[test]
fn who_objects_is_in_no_file_and_no_sample_any_more() {
    let (mesh, address) = served("downloads = true");
    let folder = mesh.folder("gla");
    fs::write(folder.join("visits.csv"), "person,place\n1,library\n77,CANARY-PLACE\n3,pool\n").unwrap();
    let unit = "[unit]\nkind = \"person\"\ncolumn = \"person\"\n\n[source]\nkind = \"csv\"\npath = \"visits.csv\"\n";
    let columns = ["person bigint identifier", "place varchar dimension"];
    publish(&folder, "visits", &format!("form = \"open\"\n\n{unit}"), &columns);
    mesh.start("gla");
    let (head, before) = fetched(address, "gla/visits.csv", "");
    assert!(String::from_utf8_lossy(&before).contains("CANARY-PLACE"), "{head}");
    page(address, "visits", "CANARY-PLACE");
    let tag = head.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap();
    let mut object = meridian();
    object.args(["rights", "object", "--kind", "person", "--unit", "77", "--reference", "CASE-1", "--reason", "asked"]);
    Running::start(object.arg("--config").arg(folder.join("node.toml"))).end().ok();
    // Whoever holds the old file is not told that it still is the one.
    until("the file is without whoever objects", || {
        let (head, body) = unless_cut(address, "gla/visits.csv", &format!("If-None-Match: {tag}\r\n"))?;
        (head.starts_with("HTTP/1.1 200") && !String::from_utf8_lossy(&body).contains("CANARY")).then_some(())
    });
    let shown = page(address, "visits", "The first 2 rows");
    assert!(shown.contains("library") && !shown.contains("CANARY"), "{shown}");
    until("nothing of it is kept", || {
        let files = fs::read_dir(folder.join("state/downloads")).unwrap().flatten();
        let kept: Vec<_> = files.filter_map(|file| fs::read(file.path()).ok()).collect();
        let holds = |bytes: &Vec<u8>| bytes.windows(12).any(|part| part == b"CANARY-PLACE");
        (!kept.iter().any(holds)).then_some(())
    });
    mesh.assert_sound();
}

/// Gains nothing: what needs an agreement, is for members alone, is counted only or does not leave is as what is not there.
#[test]
fn what_is_not_open_to_all_has_no_file() {
    let (mesh, address) = served("downloads = true");
    let folder = mesh.folder("gla");
    let unit = "[unit]\nkind = \"person\"\ncolumn = \"id\"\n\n[source]\nkind = \"csv\"\npath = \"people.csv\"\n";
    fs::write(folder.join("people.csv"), "id,town\n1,CANARY-TOWN\n").unwrap();
    let columns = ["id bigint identifier", "town varchar dimension"];
    publish(&folder, "people", &format!("form = \"rows\"\n\n{unit}"), &columns);
    publish(&folder, "counts", &format!("form = \"statistics\"\nrecipients = \"members\"\n\n{unit}"), &columns);
    fs::write(folder.join("inner.csv"), "town\nCANARY-TOWN\n").unwrap();
    publish(&folder, "inner", "form = \"open\"\nmembers_only = true", &["town varchar"]);
    fs::write(folder.join("nothing.csv"), "town\nCANARY-TOWN\n").unwrap();
    publish(&folder, "nothing", "form = \"none\"", &["town varchar"]);
    fs::write(folder.join("data/parks.geojson"), PARKS).unwrap();
    let source = "form = \"open\"\n\n[source]\nkind = \"geojson\"\npath = \"data/parks.geojson\"\n";
    publish(&folder, "parks", source, &["name varchar", "geometry bytea"]);
    mesh.start("gla");
    let absent = |path: &str| {
        let (head, body) = fetched(address, path, "");
        assert!(head.starts_with("HTTP/1.1 404"), "{path}: {head}");
        assert!(!String::from_utf8_lossy(&body).contains("CANARY"), "{path}");
    };
    for name in ["people", "counts", "inner", "nothing", "no_such"] {
        ["csv", "geojson", "parquet"].iter().for_each(|ending| absent(&format!("gla/{name}.{ending}")));
    }
    // There is no geometry; of other bodies this node gives nothing; these are no addresses.
    for path in ["gla/trees.geojson", "lfb/stations.csv", "gla/trees.xlsx", "gla/../gla/trees.csv", "gla/trees.csv/x"] {
        absent(path);
    }
    assert!(releases(&mesh).is_empty());

    let told: Value = serde_json::from_str(&text(address, "gla/parks.geojson")).unwrap();
    let features = told["features"].as_array().unwrap();
    let of = |name: &str| features.iter().find(|feature| feature["properties"]["name"] == name).unwrap();
    assert_eq!(of("square")["geometry"], serde_json::json!({ "type": "Point", "coordinates": [0.5, 51.25] }));
    assert_eq!((features.len(), &of("nowhere")["geometry"]), (2, &Value::Null));
    assert!(text(address, "gla/parks.csv").contains("square,POINT"));
    let map = page(address, "parks", "On a map");
    assert!(map.contains("1 row of 2: the others have no shape") && map.contains("<path class=\"dots\""), "{map}");
    let parquet = scratch("downloads").join("trees.parquet");
    fs::write(&parquet, file(address, "gla/trees.parquet")).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(fs::File::open(&parquet).unwrap()).unwrap().build().unwrap();
    let batches: Vec<_> = reader.map(Result::unwrap).collect();
    assert_eq!(batches.iter().map(|batch| batch.num_rows()).sum::<usize>(), 3);
    assert_eq!(batches[0].num_columns(), 3);
    assert!(batches[0].column_by_name("owner").is_none_or(|column| column.is_empty()));

    // Terms that change take the file away at once.
    let toml = folder.join("datasets/trees.toml");
    let open = fs::read_to_string(&toml).unwrap();
    fs::write(&toml, open.replace("form = \"open\"", "form = \"open\"\nmembers_only = true")).unwrap();
    until("the file is not given any more", || {
        fetched(address, "gla/trees.parquet", "").0.starts_with("HTTP/1.1 404").then_some(())
    });
    mesh.assert_sound();
}

#[test]
fn the_page_and_the_catalogue_tell_of_the_files() {
    let (mesh, address) = served("downloads = true\ndownload_mib = 1");
    let folder = mesh.folder("gla");
    super::support::publish(&folder, "many", 60_000);
    fs::create_dir_all(folder.join("datasets")).unwrap();
    mesh.start("gla");
    let csv = text(address, "gla/trees.csv");
    // What can't be drawn has no map; boroughs are tiles, each with its name, and the same is a table.
    assert!(!page(address, "trees", "The first 3 rows").contains("On a map"));
    let map = page(address, "boroughs", "On a map");
    assert!(map.contains("<title>Camden: 1</title>") && map.contains("London's boroughs as tiles, by rows"), "{map}");
    let (head, _) = fetched(address, "gla/many.csv", "");
    assert!(head.starts_with("HTTP/1.1 404"), "{head}");
    let large = page(address, "many", "It is larger than 1 MiB");
    assert!(!large.contains("many.csv"), "{large}");
    let told = get(address, "/catalogue/catalogue.jsonld");
    let told = told.split_once("\r\n\r\n").unwrap().1;
    let at = format!("http://{address}/catalogue/catalogue.jsonld");
    let written = scratch("downloads").join("catalogue.jsonld");
    fs::write(&written, told).unwrap();
    python("catalogue.py", &["dcat", written.to_str().unwrap(), &at]).ok();
    let told: Value = serde_json::from_str(told).unwrap();
    let datasets = told["dcat:dataset"].as_array().unwrap();
    let of = |name: &str| datasets.iter().find(|told| told["dct:identifier"] == format!("london.gla.{name}")).unwrap();
    let distributions = of("trees")["dcat:distribution"].as_array().unwrap();
    let [_, told, parquet] = distributions.as_slice() else { panic!("{distributions:?}") };
    assert_eq!(told["dcat:downloadURL"]["@id"], "datasets/gla/trees.csv");
    assert_eq!(told["dcat:byteSize"]["@value"], csv.len().to_string());
    assert!(parquet["dcat:byteSize"].is_null(), "nobody has asked for it yet");
    assert_eq!(of("many")["dcat:distribution"].as_array().unwrap().len(), 1);

    let root = format!("http://{address}/catalogue/");
    for task in ["look", "keyboard"] {
        let ran =
            browser("public.mjs", task, &[&root, "datasets/gla/trees", "datasets/gla/many", "datasets/gla/boroughs"]);
        assert_eq!(ran.ok().trim(), format!("ok {task}"), "{}", ran.stderr);
    }
    mesh.assert_sound();
}

#[test]
fn files_are_given_where_the_configuration_says_so_alone() {
    let (mesh, address) = served("");
    mesh.start("gla");
    assert!(fetched(address, "gla/trees.csv", "").0.starts_with("HTTP/1.1 404"));
    assert!(page(address, "trees", "This page gives no file of it").contains("Ask"));
    assert!(!mesh.folder("gla").join("state/downloads").exists() && releases(&mesh).is_empty());
}
