//! `meridian sprint`: the same questions on made rows, under the terms of the real ones, without a real row and for a time.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use chrono::{Days, NaiveDate, Utc};
use meridian_examples::london::FIRE_RISK;

use super::support::{Mesh, Ran, Running, meridian, nodes_below, scratch, send_signal, until};

const DATASETS: &str = "lfb.incidents,every.dwellings,gla.boroughs,gla.wards";
/// What the gate refuses of the real rows, and why it would.
const ROWS: &str = "SELECT year, property_type FROM lfb.incidents";
const BY_LABEL: &str = "SELECT w.deprivation_decile, COUNT(*) AS fires FROM lfb.incidents i \
                        JOIN gla.wards w ON i.ward_gss = w.gss GROUP BY w.deprivation_decile ORDER BY 1";

fn in_a_week() -> String {
    Utc::now().date_naive().checked_add_days(Days::new(7)).unwrap().to_string()
}

/// Runs `meridian sprint new` as LODA's analyst.
fn new(mesh: &Mesh, dir: &Path, options: &[&str]) -> Ran {
    let mut command = meridian();
    command.args(["sprint", "new", "homes", "--dir"]).arg(dir).arg("--profile").arg(mesh.profile()).args(options);
    Running::start(&mut command).end()
}

fn serve(dir: &Path) -> Running {
    Running::start(meridian().args(["sprint", "serve"]).arg(dir))
}

/// Asks in the sprint.
fn ask(dir: &Path, sql: &str) -> Ran {
    let mut command = meridian();
    command.args(["query", "--format", "csv", "--profile"]).arg(dir.join("the-analyst/profile.toml"));
    Running::start(command.args(["--", sql])).end()
}

/// Asks in a sprint that is coming up, until there is an answer.
fn first(served: &Running, dir: &Path, sql: &str) -> Ran {
    until("the sprint answers", || {
        assert!(
            served.is_running(),
            "the sprint ended too early: {}",
            fs::read_to_string(dir.join("lfb/node.log")).unwrap()
        );
        Some(ask(dir, sql)).filter(|ran| ran.code == Some(0))
    })
}

fn end(served: Running, dir: &Path) -> Ran {
    send_signal(served.id(), "INT");
    let ran = served.end();
    assert_eq!(nodes_below(dir), [0; 0]);
    ran
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

/// The distinct values of a column of a CSV file with a heading, in which no column but the last has commas.
fn values(file: &Path, column: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(file).unwrap();
    let headings: Vec<&str> = text.lines().next().unwrap().split(',').collect();
    let place = headings.iter().position(|heading| *heading == column).unwrap();
    let of = |line: &str| line.splitn(headings.len(), ',').nth(place).unwrap().trim_matches('"').to_owned();
    text.lines().skip(1).map(of).filter(|value| !value.is_empty()).collect()
}

#[test]
fn the_same_questions_run_on_made_rows_and_no_real_row_is_there() {
    let mesh = Mesh::small();
    let (dir, questions) = (scratch("sprint").join("homes"), scratch("questions"));
    let question = questions.join("fire_risk.sql");
    fs::write(&question, FIRE_RISK).unwrap();
    mistakes(&mesh, &question);

    let until_day = in_a_week();
    let asked = ["--datasets", DATASETS, "--until", &until_day, "--queries", question.to_str().unwrap()];
    let made = new(&mesh, &dir, &asked);
    made.ok();
    assert!(made.stderr.contains("6 bodies") && made.stderr.contains("sprint serve"), "{}", made.stderr);
    let again = scratch("again");
    new(&mesh, &again, &asked).ok();
    let rows = |dir: &Path| fs::read(dir.join("lfb/data/incidents.csv")).unwrap();
    assert_eq!(rows(&dir), rows(&again));
    nothing_real(&mesh, &dir, &until_day);

    let served = serve(&dir);
    let answer = first(&served, &dir, FIRE_RISK);
    assert_eq!(answer.csv()[0], mesh.ask(FIRE_RISK).csv()[0], "the same columns");
    assert_eq!(answer.csv().len(), 4, "{}", answer.ok());
    assert!(
        answer.stderr.contains("all signatures hold") && answer.stderr.contains("sprint-homes-1"),
        "{}",
        answer.stderr
    );
    // Bodies' rows join, at home as well, and the same is refused for the same reason.
    assert_eq!(ask(&dir, BY_LABEL).csv().len(), 11, "ten deciles");
    let (here, there) = (ask(&dir, ROWS), mesh.ask(ROWS));
    assert_eq!(here.fails(1), there.fails(1));
    let said = end(served, &dir).stderr;
    for words in ["london.lfb.incidents", "queries/fire_risk.sql", "agreement draft --profile", "--purpose fire-risk"] {
        assert!(said.contains(words), "{words}: {said}");
    }

    // Rows can be changed, and the sprint be run again, with keys of its own.
    let key = fs::read(dir.join("lfb/identity.pem")).unwrap();
    let rows = dir.join("camden/data/dwellings.csv");
    let text = fs::read_to_string(&rows).unwrap();
    fs::write(&rows, text.lines().take(101).map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    let served = serve(&dir);
    let count = "SELECT COUNT(*) AS homes FROM camden.dwellings";
    let homes = first(&served, &dir, count).csv()[1][0].parse::<u32>().unwrap();
    assert!((90..=110).contains(&homes), "{homes}");
    assert_ne!(fs::read(dir.join("lfb/identity.pem")).unwrap(), key);
    let twice = serve(&dir).end();
    assert!(twice.fails(1).contains("is being served already"), "{}", twice.stderr);
    end(served, &dir);

    over(&dir, &until_day);
}

/// Nobody gave a row of what is not open, and none is in the folder.
fn nothing_real(mesh: &Mesh, dir: &Path, until_day: &str) {
    for body in mesh.bodies().filter(|body| !["loda", "gla"].contains(body)) {
        let released: Vec<_> = mesh.records(body).into_iter().filter(|line| line.released().is_some()).collect();
        assert!(released.is_empty(), "{body}: {released:?}");
    }
    let all = files_below(dir);
    let copied: Vec<&PathBuf> =
        all.iter().filter(|path| path.extension().is_some_and(|ending| ending == "parquet")).collect();
    assert_eq!(copied.len(), 2, "{copied:?}");
    let real = values(&mesh.folder("lfb").join("data/dwelling_fires.csv"), "property_type");
    assert!(real.len() > 5, "{real:?}");
    for path in &all {
        let bytes = String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
        let found: Vec<&String> = real.iter().filter(|value| bytes.contains(value.as_str())).collect();
        assert!(found.is_empty(), "{}: {found:?}", path.display());
    }
    for borough in mesh.boroughs() {
        let made = values(&dir.join(borough).join("data/dwellings.csv"), "uprn");
        assert!(made.iter().all(|uprn| uprn.len() < 12), "those of the real rows have twelve digits");
        assert_eq!(made.len(), 20_000);
    }
    // What is hidden is not even named; codes are the known ones; and what is told stands as it is told.
    let incidents = fs::read_to_string(dir.join("lfb/datasets/incidents.toml")).unwrap();
    let file: toml::Table = incidents.parse().unwrap();
    assert!(!incidents.contains("easting") && incidents.contains("SYNTHETIC"), "{incidents}");
    assert_eq!((file["form"].as_str(), file["threshold"].as_integer()), (Some("statistics"), Some(10)));
    assert_eq!((file["unit"]["kind"].as_str(), file["recipients"].as_str()), (Some("incident"), Some("agreement")));
    assert_eq!(file["references"][0]["dataset"].as_str(), Some("wards"));
    let boroughs = values(&dir.join("lfb/data/incidents.csv"), "borough_gss");
    assert_eq!(boroughs, meridian_examples::london::boroughs().iter().map(|borough| borough.gss.to_owned()).collect());
    assert_eq!(values(&dir.join("camden/data/dwellings.csv"), "borough_gss"), ["E09000007".to_owned()].into());
    let agreement = fs::read_to_string(dir.join("lfb/agreements/sprint-1.toml")).unwrap();
    let end = until_day.parse::<NaiveDate>().unwrap().succ_opt().unwrap();
    assert!(agreement.contains(&format!("end = \"{end}\"")), "{agreement}");
}

fn over(dir: &Path, until_day: &str) {
    let file = dir.join("sprint.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace(until_day, "2020-01-31")).unwrap();
    let ran = serve(dir).end();
    let said = ran.fails(1);
    assert!(said.contains("the sprint homes has ended") && said.contains("2020-01-31"), "{said}");
    assert_eq!(nodes_below(dir), [0; 0]);
}

/// What is wrong is said before anything is made.
fn mistakes(mesh: &Mesh, question: &Path) {
    let (day, full, question) = (in_a_week(), scratch("full"), question.to_str().unwrap());
    fs::write(full.join("mine"), "x").unwrap();
    let wrong: [(&[&str], i32, &[&str]); 7] = [
        (
            &["--datasets", "lfb.incident", "--until", &day],
            2,
            &["no dataset lfb.incident", "did you mean lfb.incidents"],
        ),
        (&["--datasets", "every.homes", "--until", &day], 2, &["no dataset every.homes", "meridian catalogue"]),
        (&["--datasets", "gla.boroughs", "--until", "2020-01-31"], 2, &["--until 2020-01-31 is past", "later day"]),
        (&["--datasets", "gla.boroughs", "--until", "soon"], 2, &["--until", "2026-12-11"]),
        (&["--datasets", "gla.boroughs"], 2, &["--until"]),
        (
            &["--datasets", "gla.boroughs", "--until", &day, "--queries", question],
            2,
            &["fire_risk.sql", "london.lfb.incidents", "--datasets"],
        ),
        (&["--datasets", "gla.boroughs", "--until", &day, "--queries", "/nowhere.sql"], 1, &["reading /nowhere.sql"]),
    ];
    for (options, code, words) in wrong {
        let dir = scratch("wrong").join("sprint");
        let ran = new(mesh, &dir, options);
        let said = ran.fails(code);
        assert!(words.iter().all(|word| said.contains(word)), "{options:?}: {said}");
        assert!(!dir.join("sprint.toml").exists());
    }
    let ran = new(mesh, &full, &["--datasets", "gla.boroughs", "--until", &day]);
    assert!(ran.fails(2).contains("is not empty"), "{}", ran.stderr);
    assert_eq!(fs::read_to_string(full.join("mine")).unwrap(), "x");
    let ran = serve(&full).end();
    assert!(ran.fails(2).contains("is no folder of a sprint"), "{}", ran.stderr);
}
