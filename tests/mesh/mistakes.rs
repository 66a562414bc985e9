//! What a newcomer gets wrong on the command line: each time it is said what is wrong, where, and what to do.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use meridian_certs::{Authority, Validity};

use super::support::{Mesh, Pair, Ran, certify_analyst, free, meridian, scratch};

const DAY: Duration = Duration::from_secs(24 * 3600);
const OPEN: &str = "SELECT gss FROM gla.boroughs";

/// A mistake, the exit code, and words of what is said: what is wrong, where, what to do.
struct Mistake {
    name: &'static str,
    command: Command,
    stdin: &'static str,
    code: i32,
    words: Vec<String>,
}

/// A profile in a folder of its own, made from Asha's by changing lines.
struct Bench<'a> {
    mesh: &'a Mesh,
    folder: PathBuf,
}

impl Bench<'_> {
    fn profile(&self, name: &str, changes: &[(&str, Option<&Path>)]) -> PathBuf {
        let text = fs::read_to_string(self.mesh.profile()).unwrap();
        let mut profile: toml::Table = text.parse().unwrap();
        for key in ["cert", "key", "ca"] {
            let file = self.mesh.dir.join("asha").join(profile[key].as_str().unwrap());
            profile.insert(key.into(), file.to_str().unwrap().into());
        }
        for (key, value) in changes {
            match value {
                Some(value) => profile.insert((*key).into(), value.to_str().unwrap().into()),
                None => profile.remove(*key),
            };
        }
        let path = self.folder.join(format!("{name}.toml"));
        fs::write(&path, toml::to_string(&profile).unwrap()).unwrap();
        path
    }

    /// `meridian query` of something open by a profile.
    fn by(&self, name: &'static str, changes: &[(&str, Option<&Path>)], words: &[&str]) -> Mistake {
        let profile = self.profile(&name.replace(' ', "-"), changes);
        let mut command = meridian();
        command.args(["query", "--profile"]).arg(profile).arg(OPEN);
        mistake(name, command, 1, words)
    }

    /// A question as Asha.
    fn asks(&self, name: &'static str, sql: &str, code: i32, words: &[&str]) -> Mistake {
        mistake(name, self.mesh.command(&["query", "--", sql]), code, words)
    }

    /// A command as Asha.
    fn runs(&self, name: &'static str, arguments: &[&str], code: i32, words: &[&str]) -> Mistake {
        mistake(name, self.mesh.command(arguments), code, words)
    }
}

fn mistake(name: &'static str, command: Command, code: i32, words: &[&str]) -> Mistake {
    Mistake { name, command, stdin: "", code, words: words.iter().map(|word| (*word).to_owned()).collect() }
}

fn run(mistake: &mut Mistake) -> Ran {
    let command = &mut mistake.command;
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Whoever has seen enough closes it.
    let _ = child.stdin.take().unwrap().write_all(mistake.stdin.as_bytes());
    Ran::of(child.wait_with_output().unwrap())
}

/// Wrong addresses, certificates and keys.
fn connections(bench: &Bench<'_>) -> Vec<Mistake> {
    let mesh = bench.mesh;
    let nobody = free();
    let at = |address: String| PathBuf::from(format!("https://{address}"));
    let (silent, health) = (at(nobody.to_string()), at(mesh.health_address("loda").to_string()));
    let now = SystemTime::now();
    let expired = Validity { not_before: now - 2 * DAY, not_after: now - DAY };
    let expired = certify_analyst(&mesh.analysts("loda"), "asha", expired);
    let bola = certify_analyst(&mesh.analysts("gla"), "bola", Validity::from_now(DAY));
    let berlin = scratch("berlin");
    Authority::create(&"berlin".parse().unwrap(), &berlin).unwrap();
    let (asha, elsewhere) = (mesh.asha(), berlin.join("ca.pem"));
    let readable = bench.folder.join("readable.key");
    fs::copy(&asha.key, &readable).unwrap();
    fs::set_permissions(&readable, fs::Permissions::from_mode(0o644)).unwrap();
    fn pair(pair: &Pair) -> [(&'static str, Option<&Path>); 2] {
        [("cert", Some(&pair.cert)), ("key", Some(&pair.key))]
    }
    let gone = bench.folder.join("gone.pem");
    vec![
        bench.by("nothing listens", &[("node", Some(&silent))], &[nobody.to_string().as_str(), "is the node running"]),
        bench.by("the health port", &[("node", Some(&health))], &["does not speak TLS", "plain HTTP", "another port"]),
        bench
            .by("no port", &[("node", Some(Path::new("https://127.0.0.1")))], &["no port", "https://host:port"])
            .ends(2),
        bench.by("plain HTTP", &[("node", Some(Path::new("http://127.0.0.1:1")))], &["mutual TLS", "https://"]).ends(2),
        bench.by("an expired certificate", &pair(&expired), &["pair.pem", "expired on", "meridian analyst add"]),
        bench.by(
            "the certificate of another body",
            &pair(&bola),
            &["refused our certificate", "bola of gla", "ask the node of gla"],
        ),
        bench.by("the anchor of another federation", &[("ca", Some(&elsewhere))], &["not signed by", "authority"]),
        bench.by(
            "the key of another certificate",
            &[("key", Some(&bola.key))],
            &["does not belong to", "analyst.pem", "request"],
        ),
        bench.by("a key that all may read", &[("key", Some(&readable))], &["readable.key", "chmod 600"]),
        bench.by("a certificate that is not there", &[("cert", Some(&gone))], &["gone.pem", "check the path"]),
    ]
}

/// Profiles that are not there or say what none may say.
fn profiles(bench: &Bench<'_>) -> Vec<Mistake> {
    let by = |profile: &Path| {
        let mut command = meridian();
        command.args(["query", "--profile"]).arg(profile).arg(OPEN);
        command
    };
    let config = bench.folder.join("config");
    fs::create_dir_all(config.join("meridian/profiles")).unwrap();
    fs::copy(bench.profile("asha", &[]), config.join("meridian/profiles/asha.toml")).unwrap();
    let mut named = by(Path::new("ahsa"));
    named.env("XDG_CONFIG_HOME", &config);
    let mut none = meridian();
    none.args(["query", OPEN]);
    let missing = bench.folder.join("missing.toml");
    let key = bench.profile("key", &[("purpos", Some(Path::new("fire-risk")))]);
    let no_key = bench.by("a profile without a key", &[("key", None)], &["lacks --key", "give it"]).ends(2);
    vec![
        mistake("a profile that is not there", by(&missing), 1, &["missing.toml", "No such file", "check the path"]),
        mistake("a name that is misspelled", named, 2, &["no profile ahsa", "did you mean asha", "profile list"]),
        mistake("no profile at all", none, 2, &["lacks --node", "--profile", "meridian profile use", "analyst add"]),
        mistake(
            "an unknown key in a profile",
            by(&key),
            1,
            &["key.toml", "purpos", "did you mean `purpose`", "key.toml:"],
        ),
        no_key,
    ]
}

/// SQL that can't be meant.
fn statements(bench: &Bench<'_>) -> Vec<Mistake> {
    let fires = "SELECT borough_gss, COUNT(*) FROM lfb.incidents GROUP BY borough_gss";
    let without = bench.profile("without", &[("purpose", None)]);
    let mut no_purpose = meridian();
    no_purpose.args(["query", "--profile"]).arg(without).arg(fires);
    let other =
        bench.runs("another purpose", &["query", "--purpose", "curiosity", fires], 1, &["curiosity", "purpose", "lfb"]);
    let mut blank = bench.runs("nothing on standard input", &["query"], 2, &["the SQL is empty", "write one query"]);
    blank.stdin = "  -- nothing yet\n";
    let mut half = bench.runs("an open quote in a script", &["shell"], 2, &["quote '", "close it", "line 1"]);
    half.stdin = "SELECT 'Camden;\n";
    vec![
        bench.asks(
            "a dataset that is misspelled",
            "SELECT 1 FROM gla.borough",
            1,
            &["gla.borough", "boroughs", "line 1", "^"],
        ),
        bench.asks("a body that is misspelled", "SELECT 1 FROM gal.boroughs", 1, &["no body 'gal'", "gla"]),
        bench.asks(
            "a standard that is misspelled",
            "SELECT COUNT(*) FROM every.dwelling",
            1,
            &["dwelling", "dwellings"],
        ),
        bench.asks(
            "a column that is misspelled",
            "SELECT nam\nFROM gla.boroughs",
            1,
            &["nam", "name", "line 1, column 8", "^"],
        ),
        mistake("no purpose", no_purpose, 1, &["no purpose is stated", "lfb.incidents", "SET purpose"]),
        other,
        bench.asks(
            "single records",
            "SELECT * FROM lfb.incidents",
            1,
            &["lfb.incidents leaves as statistics", "aggregate it (COUNT"],
        ),
        bench.asks("a hidden column", "SELECT easting FROM lfb.incidents", 1, &["easting", "lfb.incidents"]),
        bench.asks(
            "an open quote",
            "SELECT gss FROM gla.boroughs WHERE name = 'Camden",
            1,
            &["quote", "line 1", "close it"],
        ),
        bench.asks("two statements", "SELECT 1; SELECT 2", 1, &["2 statements", "send one", "meridian shell"]),
        bench.asks(
            "a missing comma",
            "SELECT gss name FROM gla.boroughs GROUP gss",
            1,
            &["line 1, column 35", "found: GROUP"],
        ),
        bench.asks("no query", "DROP TABLE gla.boroughs", 1, &["only a query", "EXPLAIN"]),
        blank,
        half,
    ]
}

/// Files, formats and words that are not there.
fn commands(bench: &Bench<'_>) -> Vec<Mistake> {
    let empty = bench.folder.join("empty.sql");
    fs::write(&empty, "").unwrap();
    let (empty, folder) = (empty.to_str().unwrap(), bench.folder.join("none/fires.csv"));
    let mut verb = meridian();
    verb.args(["qeury", OPEN]);
    let folder = folder.to_str().unwrap();
    vec![
        bench.runs(
            "a file that is not there",
            &["query", "-f", "nothing.sql"],
            1,
            &["nothing.sql", "No such file", "check the path"],
        ),
        bench.runs("an empty file", &["query", "-f", empty], 2, &["the SQL is empty", "write one query"]),
        bench.runs(
            "a format that is unknown",
            &["query", "--format", "xlsx", OPEN],
            2,
            &["xlsx", "csv", "parquet", "geojson"],
        ),
        bench.runs(
            "an ending that is unknown",
            &["query", "-o", "fires.xlsx", OPEN],
            2,
            &["fires.xlsx", ".csv", "--format"],
        ),
        bench.runs("a folder that is not there", &["query", "-o", folder, OPEN], 2, &["none", "mkdir -p"]),
        bench.runs("no geometry", &["query", "--format", "geojson", OPEN], 1, &["bytea", "st_point", "--format json"]),
        mistake("a command that is misspelled", verb, 2, &["qeury", "query"]),
    ]
}

impl Mistake {
    fn ends(mut self, code: i32) -> Self {
        self.code = code;
        self
    }
}

#[test]
fn each_mistake_is_told_with_what_to_do() {
    let mesh = Mesh::small();
    let bench = Bench { mesh: &mesh, folder: scratch("mistakes") };
    let all = [connections(&bench), profiles(&bench), statements(&bench), commands(&bench)];
    let mut wrong = Vec::new();
    for mut mistake in all.into_iter().flatten() {
        let ran = run(&mut mistake);
        // JSON begins before a geometry is missed.
        let lacks: Vec<&String> = mistake.words.iter().filter(|word| !ran.stderr.contains(*word)).collect();
        if ran.code != Some(mistake.code) || !lacks.is_empty() || !ran.stdout.is_empty() {
            wrong.push(format!("{} ({:?}, lacks {lacks:?}):\n{}", mistake.name, ran.code, ran.stderr));
        }
        assert!(!ran.stderr.contains("defect") && !ran.stderr.contains("panicked"), "{}", ran.stderr);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    mesh.assert_sound();
}
