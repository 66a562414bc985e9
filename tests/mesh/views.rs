//! Views of a body: a name for a query over its datasets, which gives nobody more than these do.

use std::fs;

use super::support::{Client, Mesh, until};
use super::terms::Brigade;

const FIRES: &str = r#"name = "fires"
title = "Fires and the stations of their boroughs"
description = "Dwelling fires, beside each station of the borough"
sql = """
SELECT i.year, i.hmo, i.borough_gss, s.name AS station
FROM incidents i JOIN stations s ON s.borough_gss = i.borough_gss AND s.name LIKE 'B%'
"""
"#;
const FIRES_SQL: &str = "(SELECT i.year, i.hmo, i.borough_gss, s.name AS station FROM lfb.incidents i JOIN lfb.stations s \
                         ON s.borough_gss = i.borough_gss AND s.name LIKE 'B%')";

const COVER: &str = r#"name = "cover"
title = "Stations by borough"
description = ""
sql = "SELECT borough_gss, COUNT(*) AS stations FROM stations GROUP BY borough_gss"
"#;
const COVER_SQL: &str = "(SELECT borough_gss, COUNT(*) AS stations FROM lfb.stations GROUP BY borough_gss)";

const STREETS: &str = r#"name = "streets"
title = "Streets of the houses"
description = ""
sql = "SELECT id, upper(street) AS street FROM houses WHERE id < 20"
"#;

/// The brigade and LODA, up; the brigade's node has views.
fn brigade() -> Brigade {
    let brigade = Brigade::prepared(40);
    fs::create_dir_all(brigade.path("views")).unwrap();
    for (name, view) in [("fires", FIRES), ("cover", COVER), ("streets", STREETS)] {
        brigade.write(&format!("views/{name}.toml"), view);
    }
    brigade.mesh.start("lfb");
    brigade.mesh.start("loda");
    until("LODA's node knows the view", || listed(&brigade.mesh).contains("lfb.cover").then_some(()));
    brigade
}

fn listed(mesh: &Mesh) -> String {
    mesh.run(&["catalogue", "--format", "csv"]).ok().to_owned()
}

/// What is said where there is no such dataset.
fn unknown(client: &mut Client, sql: &str) -> bool {
    let status = client.remote(sql).unwrap_err();
    let dataset = sql.rsplit("lfb.").next().unwrap();
    let none = client.remote(&sql.replace(&format!("lfb.{dataset}"), "lfb.nothing")).unwrap_err();
    status.message().replace(dataset, "nothing") == none.message()
}

#[test]
fn a_view_is_asked_as_its_text_is() {
    let brigade = brigade();
    let mesh = &brigade.mesh;
    let listed = listed(mesh);
    for line in
        ["cover,Stations by borough,\"borough_gss varchar, stations bigint\"", "fires,Fires and the stations of their"]
    {
        assert!(listed.contains(&format!("london.lfb.{line}")), "{listed}");
    }

    // From another node: what is counted, what is open, and both in one question.
    for question in [
        "SELECT year, COUNT(*) AS n FROM {fires} f GROUP BY year ORDER BY year",
        "SELECT station, COUNT(*) AS n FROM {fires} f WHERE hmo GROUP BY station ORDER BY station",
        "SELECT * FROM {cover} c ORDER BY borough_gss",
        "SELECT c.stations, SUM(f.n) AS n FROM (SELECT borough_gss, COUNT(*) AS n FROM {fires} x GROUP BY borough_gss) f \
         JOIN {cover} c ON c.borough_gss = f.borough_gss GROUP BY c.stations ORDER BY c.stations",
    ] {
        let ask = |fires: &str, cover: &str| mesh.ask(&question.replace("{fires}", fires).replace("{cover}", cover));
        let (view, text) = (ask("lfb.fires", "lfb.cover"), ask(FIRES_SQL, COVER_SQL));
        assert_eq!(view.ok(), text.ok(), "{question}");
        assert!(view.ok().lines().count() > 2, "{}", view.ok());
    }

    // The record is of the datasets, as the gate met them.
    let mut asha = mesh.client("loda", Some(&mesh.asha()));
    let answer = asha.statement("SELECT year, COUNT(*) AS n FROM lfb.fires GROUP BY year").unwrap();
    let records = answer.records();
    let record = records.iter().find(|record| record.body == "lfb").unwrap();
    let used: Vec<&str> = record.datasets.iter().map(|used| used.name.as_str()).collect();
    assert_eq!(used, ["london.lfb.incidents", "london.lfb.stations"], "{record:?}");

    // No more leaves than of the datasets.
    let rows = mesh.ask("SELECT * FROM lfb.fires");
    assert!(rows.stderr.contains("statistics"), "{}", rows.stderr);
    let mut loda = brigade.loda();
    let refused = loda.remote("SELECT station FROM lfb.fires").unwrap_err();
    assert!(refused.message().contains("london.lfb.incidents"), "{}", refused.message());
    let streets = loda.remote("SELECT id, street FROM lfb.streets").unwrap();
    assert_eq!(streets.rows(), 15, "the grant's filter holds");
    assert!(!streets.text().contains("HIDDEN"), "{}", streets.text());

    // The body's own analysts ask by the same names, though they see more of the datasets.
    let li = mesh.analyst("lfb", "li");
    let mut li = mesh.client("lfb", Some(&li));
    assert!(li.statement("SELECT COUNT(*) AS n FROM fires").is_ok());
}

#[test]
fn a_view_follows_what_it_is_over() {
    let brigade = brigade();
    let mesh = &brigade.mesh;
    let mut loda = brigade.loda();
    loda.remote("SELECT id FROM lfb.streets").unwrap();

    // An agreement that ends, ends for the view.
    brigade.amend("agreements/houses.toml", "end = \"2099-12-31\"", "end = \"2026-01-02\"");
    let refused = loda.remote("SELECT id FROM lfb.streets").unwrap_err();
    assert!(refused.message().contains("houses-2026"), "{}", refused.message());

    // A column that becomes hidden puts the view out of order, and its name is one of many that are not there.
    let hmo = |role: &str| format!("name = \"hmo\"\ntype = \"boolean\"\nrole = \"{role}\"");
    let incidents = "datasets/incidents.toml";
    brigade.until_said("its SQL can't be planned", || brigade.edit(incidents, &hmo("dimension"), &hmo("hidden")));
    until("the view is gone", || unknown(&mut loda, "SELECT year FROM lfb.fires").then_some(()));
    until("LODA's node is told", || (!listed(mesh).contains("lfb.fires")).then_some(()));
    brigade.edit(incidents, &hmo("hidden"), &hmo("dimension"));
    until("the view is back", || listed(mesh).contains("lfb.fires").then_some(()));

    // Rows that are no longer open: what was counted of them can't be told any more.
    brigade.until_said("stations is not open", || {
        brigade.edit("datasets/stations.toml", "form = \"open\"", "form = \"rows\"");
    });
    until("the view is gone", || unknown(&mut loda, "SELECT stations FROM lfb.cover").then_some(()));

    // A dataset that is not to be known of hides what is over it.
    brigade.edit("datasets/stations.toml", "form = \"rows\"", "form = \"open\"");
    until("the view is back", || listed(mesh).contains("lfb.cover").then_some(()));
    brigade.amend("datasets/stations.toml", "form = \"open\"", "form = \"open\"\nlisted = false");
    until("LODA's node is told", || (!listed(mesh).contains("lfb.cover")).then_some(()));
    assert!(unknown(&mut loda, "SELECT stations FROM lfb.cover"));

    // A view that is withdrawn is gone.
    assert!(loda.remote("SELECT id FROM lfb.streets").unwrap_err().message().contains("houses-2026"));
    brigade.remove("views/streets.toml");
    until("the view is gone", || unknown(&mut loda, "SELECT id FROM lfb.streets").then_some(()));
}
