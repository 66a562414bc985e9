//! Files that change while a node runs: what is in force afterwards, and what is said.

use super::*;

/// A configuration in force, and its files.
struct Watched {
    folder: tempfile::TempDir,
    reader: Reader,
}

impl Watched {
    fn new() -> Self {
        let folder = baseline();
        let path = folder.path().join("node.toml");
        let mut reader = Reader::new(&path, Config::load(&path).unwrap());
        assert!(reader.look().is_none());
        Self { folder, reader }
    }

    fn edit(&self, file: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.folder.path().join(file)).unwrap();
        assert!(text.contains(from), "{file} holds no {from:?}");
        write(self.folder.path(), file, &text.replacen(from, to, 1));
    }

    fn remove(&self, file: &str) {
        fs::remove_file(self.folder.path().join(file)).unwrap();
    }

    fn look(&mut self) -> News {
        let news = self.reader.look().expect("news");
        assert!(self.reader.look().is_none(), "said once");
        news
    }

    /// What is in force where it is another than before, and what is wrong, from the file's name on.
    fn changed(&mut self) -> (Config, Vec<String>) {
        let News { changed, problems, .. } = self.look();
        let prefix = format!("{}/", self.folder.path().display());
        (changed.expect("a change"), problems.iter().map(|problem| problem.to_string().replace(&prefix, "")).collect())
    }

    /// What is wrong where nothing else is in force than before.
    fn wrong(&mut self) -> String {
        let News { changed, problems, .. } = self.look();
        assert!(changed.is_none(), "{problems:?}");
        problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }
}

const AGREED: &str = "agreements/fire-risk.toml";

#[test]
fn what_is_good_takes_effect() {
    let mut watched = Watched::new();
    watched.edit(AGREED, "threshold = 20", "threshold = 30");
    assert_eq!(watched.changed().0.agreements[0].grants[0].threshold, Some(30));
    watched.edit("datasets/stations.toml", "title = ", "listed = false\ntitle = ");
    let (config, _) = watched.changed();
    assert!(!config.dataset("stations").unwrap().listed);
    write(watched.folder.path(), "agreements/second.toml", &AGREEMENT.replace("fire-risk-2026", "second"));
    assert_eq!(watched.changed().0.agreements.len(), 2);
}

#[test]
fn what_is_removed_is_withdrawn_or_revoked() {
    let mut watched = Watched::new();
    watched.remove("datasets/visits.toml");
    let (config, problems) = watched.changed();
    assert!(config.dataset("visits").is_none() && problems.is_empty(), "{problems:?}");
    watched.remove(AGREED);
    assert!(watched.changed().0.agreements.is_empty());
    fs::remove_dir_all(watched.folder.path().join("datasets")).unwrap();
    assert!(watched.changed().0.datasets.is_empty());
}

#[test]
fn an_agreement_that_is_bad_stays_as_it_was() {
    let mut watched = Watched::new();
    for (from, to) in [("threshold = 20", "threshold = "), ("recipients", "recipeints"), ("[\"loda\"]", "[\"nobody\"]")]
    {
        watched.edit(AGREED, from, to);
        let said = watched.wrong();
        assert!(said.contains("fire-risk.toml:") && said.contains(": "), "{said}");
        watched.edit(AGREED, to, from);
        assert!(watched.look().recovered);
    }
    // It never became wider than it was, nor when it is both wider and bad.
    watched.edit(AGREED, "columns = [\"borough_gss\", \"year\"]\nthreshold = 20", "threshold = 1");
    assert!(watched.wrong().contains("threshold is 1"));
}

#[test]
fn a_new_file_that_is_bad_gives_nothing_and_takes_no_name() {
    let mut watched = Watched::new();
    write(watched.folder.path(), "agreements/a.toml", "id = 1");
    assert!(watched.wrong().contains("a.toml:1"));
    write(watched.folder.path(), "agreements/a.toml", &AGREEMENT.replace("threshold = 20", ""));
    assert!(watched.wrong().contains("agreement `fire-risk-2026` stands in"), "it would be the first by name");
    write(watched.folder.path(), "datasets/a.toml", STATIONS);
    assert!(watched.wrong().contains("dataset `stations` stands in"));
    watched.remove("agreements/a.toml");
    watched.remove("datasets/a.toml");
    assert!(watched.look().recovered);
}

#[test]
fn a_dataset_that_is_bad_stays_and_so_does_what_is_agreed_over_it() {
    let mut watched = Watched::new();
    watched.edit("datasets/incidents.toml", "threshold = 12", "threshold = 1");
    let said = watched.wrong();
    assert!(said.contains("incidents.toml:7") && said.lines().count() == 1, "{said}");
    // A dataset that is good and does not fit what is agreed: the agreement is bad, and stays as it was.
    watched.edit("datasets/incidents.toml", "threshold = 1", "threshold = 25");
    let (config, problems) = watched.changed();
    assert_eq!(config.dataset("incidents").unwrap().dataset.threshold, 25);
    assert!(problems[0].starts_with("agreements/fire-risk.toml:") && problems.len() == 1, "{problems:?}");
    assert_eq!(config.agreements.len(), 1);
}

#[test]
fn an_agreement_that_cannot_be_read_is_not_in_force_and_a_dataset_stays() {
    let mut watched = Watched::new();
    // A folder in the file's place can't be read by anybody, whatever their rights.
    for file in [AGREED, "datasets/visits.toml"] {
        let path = watched.folder.path().join(file);
        fs::rename(&path, path.with_extension("aside")).unwrap();
        fs::create_dir(&path).unwrap();
    }
    let (config, problems) = watched.changed();
    assert!(config.agreements.is_empty() && config.dataset("visits").is_some(), "{problems:?}");
    assert_eq!(problems.len(), 2, "{problems:?}");
    let path = watched.folder.path().join(AGREED);
    fs::remove_dir(&path).unwrap();
    fs::rename(path.with_extension("aside"), &path).unwrap();
    assert_eq!(watched.changed().0.agreements.len(), 1);
}

#[test]
fn node_toml_waits_for_a_restart() {
    let mut watched = Watched::new();
    watched.edit("node.toml", "streams = 8", "streams = 9");
    let news = watched.look();
    assert_eq!((news.restart, news.changed.is_none()), (vec!["[limits]"], true));
    watched.edit("node.toml", "streams = 9", "streams = 0");
    assert!(watched.wrong().contains("limits.streams is 0"));
}
