//! Two federations that trust each other: London and Berlin, each with an authority of its own, and what buildings use.

use std::fs;
use std::path::PathBuf;

use meridian_proto::{AGREEMENTS_ACTION, DESCRIBE_ACTION, Description, MEMBERSHIP_ACTION, Signed, WITNESS_ACTION};
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, Issuer, KeyPair, SanType};

use super::support::{Client, Pair, Ran, Running, Town, meridian, scratch, until};

/// What the cities' agreements are for.
const PURPOSE: &str = "energy";

/// What each kind of building uses at both, and what Berlin's has of London's.
const JOINT: &str = "SELECT o.kind, o.kwh AS london, b.kwh AS berlin \
    FROM (SELECT kind, SUM(kwh) AS kwh FROM lldc.energy GROUP BY kind) AS o \
    JOIN (SELECT kind, SUM(kwh) AS kwh FROM berlin.tempelhof.energy GROUP BY kind) AS b ON b.kind = o.kind ORDER BY o.kind";

/// London with the Olympic Park and the GLA, and Berlin with Tempelhof and a body of the same name as London's.
struct Cities {
    london: Town,
    berlin: Town,
}

impl Cities {
    fn new() -> Self {
        let cities = Self {
            london: Town::founded("london", &["lldc", "gla"]),
            berlin: Town::founded("berlin", &["tempelhof", "lldc"]),
        };
        publish(&cities.london, "lldc", "energy", "form = \"rows\"", &[("hall", 700), ("hall", 50), ("flats", 20)]);
        publish(
            &cities.berlin,
            "tempelhof",
            "energy",
            "form = \"rows\"",
            &[("hall", 400), ("hangar", 90), ("flats", 7)],
        );
        for (city, body) in [(&cities.london, "lldc"), (&cities.berlin, "lldc"), (&cities.berlin, "tempelhof")] {
            city.publish(body, "open", if std::ptr::eq(city, &cities.london) { 3 } else { 5 });
        }
        let members = "form = \"statistics\"\nrecipients = \"members\"\nthreshold = 10\n[unit]\nkind = \"building\"\n\
                       column = \"number\"\nunique = true";
        publish(&cities.london, "lldc", "counted", members, &[("hall", 1); 30]);
        cities
    }

    /// The command that a city's authority prints for the other's nodes, run for one of these.
    fn trust(&self, whom: &Town, by: &Town, body: &str) -> Ran {
        let printed = whom.run(&["authority", "anchors", "--authority", &whom.url()]);
        let words: Vec<String> = printed.ok().split_whitespace().skip(1).map(str::to_owned).collect();
        trust(by, body, &words)
    }

    fn all_trust_each_other(&self) {
        for body in ["lldc", "gla"] {
            self.trust(&self.berlin, &self.london, body).ok();
        }
        for body in ["tempelhof", "lldc"] {
            self.trust(&self.london, &self.berlin, body).ok();
        }
    }

    fn start(&self) {
        for city in [&self.london, &self.berlin] {
            city.mesh.start_each();
        }
        let of_berlin = ["berlin.tempelhof.energy", "berlin.lldc.open"];
        for (city, datasets) in [(&self.london, &of_berlin[..]), (&self.berlin, &["london.lldc.energy"])] {
            until("each knows what the other publishes", || {
                let listed = city.mesh.run(&["catalogue", "--format", "csv"]);
                datasets.iter().all(|dataset| listed.ok().contains(dataset)).then_some(())
            });
        }
    }

    /// Asks as Asha, of London's park, or as the one of Tempelhof.
    fn ask(&self, city: &Town, sql: &str) -> Ran {
        let other = if std::ptr::eq(city, &self.london) { &self.berlin } else { &self.london };
        let ca = other.mesh.ca();
        city.mesh.run(&[
            "query",
            "--purpose",
            PURPOSE,
            "--other-ca",
            ca.to_str().unwrap(),
            "--format",
            "csv",
            "--",
            sql,
        ])
    }
}

fn trust(city: &Town, body: &str, words: &[String]) -> Ran {
    Running::start(meridian().args(words).current_dir(city.mesh.folder(body))).end()
}

/// Buildings of these kinds, each with what it uses.
fn publish(city: &Town, body: &str, name: &str, settings: &str, buildings: &[(&str, u32)]) {
    let folder = city.mesh.folder(body);
    let rows = buildings.iter().enumerate().map(|(number, (kind, kwh))| format!("{number},{kind},{kwh}\n"));
    fs::write(folder.join(format!("{name}.csv")), "number,kind,kwh\n".to_owned() + &rows.collect::<String>()).unwrap();
    let role = |role: &str| if settings.contains("[unit]") { format!("role = \"{role}\"\n") } else { String::new() };
    let dataset = format!(
        "name = \"{name}\"\ntitle = \"Energy use of buildings\"\ndescription = \"\"\nlicence = \"none\"\n{settings}\n[source]\n\
         kind = \"csv\"\npath = \"{name}.csv\"\n[[columns]]\nname = \"number\"\ntype = \"bigint\"\n{}[[columns]]\n\
         name = \"kind\"\ntype = \"varchar\"\n{}[[columns]]\nname = \"kwh\"\ntype = \"bigint\"\n{}",
        role("identifier"),
        role("dimension"),
        if settings.contains("[unit]") { "role = \"measure\"\nbounds = [0, 10]\n" } else { "" }
    );
    fs::write(folder.join("datasets").join(format!("{name}.toml")), dataset).unwrap();
}

/// Lets a body have another's energy use.
fn agree(city: &Town, body: &str, recipient: &str) -> PathBuf {
    let agreement = format!(
        "id = \"energy-2026\"\ntitle = \"Energy use of buildings\"\npurpose = \"{PURPOSE}\"\nbenefit = \"none\"\n\
         legal_power = \"none\"\nlawful_basis = \"none\"\nrecipients = [\"{recipient}\"]\nstart = \"2026-01-01\"\n\
         end = \"2027-12-31\"\ncontact = \"data@example.org\"\n[[grants]]\ndataset = \"energy\"\nform = \"rows\"\n"
    );
    let file = city.mesh.folder(body).join("agreements/energy.toml");
    fs::write(&file, agreement).unwrap();
    file
}

#[test]
fn two_cities_compare_their_buildings_under_an_agreement() {
    let cities = Cities::new();
    let Cities { london, berlin } = &cities;
    london.mesh.start("lldc");
    let unknown = cities.ask(london, "SELECT * FROM berlin.tempelhof.energy");
    assert!(unknown.fails(1).contains("no federation 'berlin' here; this node is of london"), "{}", unknown.stderr);
    london.mesh.stop("lldc");

    // The anchor is taken by its fingerprint, and by that alone.
    let config = london.mesh.folder("lldc").join("node.toml");
    let before = fs::read(&config).unwrap();
    let words = ["node", "trust", "berlin", "--authority", &berlin.url(), "--fingerprint"].map(str::to_owned);
    let wrong: Vec<String> = words.into_iter().chain(["0".repeat(64), "--config".into(), "node.toml".into()]).collect();
    assert!(trust(london, "lldc", &wrong).fails(1).contains("has the fingerprint that was given"));
    // One's own federation is no other.
    assert!(cities.trust(london, london, "lldc").fails(1).contains("is of london, which is trusted already"));
    assert_eq!(fs::read(&config).unwrap(), before);
    assert!(!london.mesh.folder("lldc").join("berlin-ca.pem").exists());
    cities.all_trust_each_other();
    // Again fetches it again, and changes nothing.
    let after = fs::read(&config).unwrap();
    cities.trust(berlin, london, "lldc").ok();
    assert_eq!(fs::read(&config).unwrap(), after);
    cities.start();

    // Both catalogues are listed; one slug in two federations is two bodies.
    let listed = london.mesh.run(&["catalogue", "--format", "csv"]);
    for dataset in ["london.lldc.energy", "berlin.tempelhof.energy", "london.lldc.open", "berlin.lldc.open"] {
        assert!(listed.ok().contains(dataset), "{}", listed.ok());
    }
    for (sql, rows) in [("lldc.open", "3"), ("london.lldc.open", "3"), ("berlin.lldc.open", "5")] {
        let ran = cities.ask(london, &format!("SELECT COUNT(*) AS n FROM {sql}"));
        assert_eq!(ran.csv()[1], [rows], "{sql}");
    }
    let joined = "SELECT COUNT(*) AS n FROM lldc.open a JOIN berlin.lldc.open b ON a.number = b.number \
                  JOIN berlin.tempelhof.open c ON c.number = a.number";
    assert_eq!(cities.ask(london, joined).csv()[1], ["3"]);
    // At a third body's node both are others', and stay two.
    let ben = london.mesh.analyst("gla", "ben");
    let mut ben = london.mesh.client("gla", Some(&ben));
    for (sql, rows) in [
        ("SELECT number FROM lldc.open UNION ALL SELECT number FROM berlin.lldc.open", 8),
        ("SELECT a.number, b.text FROM lldc.open a JOIN berlin.lldc.open b ON a.number = b.number", 3),
        ("SELECT b.number FROM berlin.lldc.open b WHERE b.number NOT IN (SELECT number FROM lldc.open)", 2),
    ] {
        let answer = until("the GLA's node knows both", || ben.statement(sql).ok());
        assert_eq!(answer.rows(), rows, "{sql}");
    }
    let every = cities.ask(london, "SELECT * FROM berlin.every.energy");
    assert!(every.fails(1).contains("of one's own federation alone"), "{}", every.stderr);

    // Nothing without an agreement, and the refusal says of whom to ask for one.
    let refused = cities.ask(london, JOINT);
    let said = refused.fails(1);
    assert!(said.contains("london.lldc has none") && said.contains("ask berlin.tempelhof for an agreement"), "{said}");
    agree(berlin, "tempelhof", "london.lldc");
    let answered =
        until("the agreement is in force", || Some(cities.ask(london, JOINT)).filter(|ran| ran.code == Some(0)));
    assert_eq!(answered.csv(), [["kind", "london", "berlin"], ["flats", "20", "7"], ["hall", "750", "400"]]);
    assert!(
        answered.stderr.contains("all signatures hold") && answered.stderr.contains("berlin.tempelhof"),
        "{}",
        answered.stderr
    );
    let record = berlin.mesh.records("tempelhof").iter().map(|line| line.json.to_string()).collect::<String>();
    assert!(
        record.contains("spiffe://london/body/lldc/node") && record.contains("spiffe://london/body/lldc/analyst/asha")
    );

    // Both federations are named wherever the question is explained.
    let explain = london.mesh.run(&["explain", "--purpose", PURPOSE, "--", JOINT]);
    assert!(explain.ok().contains("berlin.tempelhof would be asked"), "{}", explain.ok());
    let check = london.mesh.run(&["check", "--purpose", PURPOSE, "--", JOINT]);
    assert!(check.ok().contains("berlin.tempelhof: yes"), "{}", check.ok());

    // A receipt needs the anchors of both.
    let file = scratch("receipt").join("receipt");
    let theirs = berlin.mesh.ca();
    let kept = ["query", "--purpose", PURPOSE, "--other-ca", theirs.to_str().unwrap(), "--receipt-file"];
    london.mesh.run(&[&kept[..], &[file.to_str().unwrap(), "--format", "csv", "--", JOINT]].concat()).ok();
    let verify = |cas: &[PathBuf]| {
        let mut command = meridian();
        command.args(["receipt", "verify"]).arg(&file);
        for ca in cas {
            command.arg("--ca").arg(ca);
        }
        Running::start(&mut command).end()
    };
    assert!(verify(&[london.mesh.ca(), berlin.mesh.ca()]).ok().contains("berlin.tempelhof"));
    assert_ne!(verify(&[london.mesh.ca()]).code, Some(0));

    // The other direction has its own agreement.
    let other = "SELECT SUM(kwh) AS kwh FROM london.lldc.energy";
    let refused = cities.ask(berlin, other);
    let said = refused.fails(1);
    assert!(said.contains("berlin.tempelhof has none") && said.contains("ask london.lldc for an agreement"), "{said}");
    let agreement = agree(london, "lldc", "berlin.tempelhof");
    let answered =
        until("the agreement is in force", || Some(cities.ask(berlin, other)).filter(|ran| ran.code == Some(0)));
    assert_eq!(answered.csv()[1], ["770"]);

    // Berlin's authority suspends its body, and London's node lets it in no more, nor asks it.
    let feuer = Client::new(&london.mesh.ca(), Some(&berlin.mesh.node_pair("tempelhof")), london.mesh.address("lldc"));
    let mut feuer = feuer;
    feuer.remote("SELECT COUNT(*) AS n FROM london.lldc.open").unwrap();
    berlin.run(&["authority", "suspend", "tempelhof"]).ok();
    until("its open connection is cut off", || feuer.remote("SELECT COUNT(*) AS n FROM london.lldc.open").err());
    let suspended = until("it is asked nothing", || {
        Some(cities.ask(london, JOINT)).filter(|ran| ran.code != Some(0) && ran.stderr.contains("suspended"))
    });
    assert!(suspended.stderr.contains("berlin.tempelhof"), "{}", suspended.stderr);
    assert_eq!(cities.ask(london, "SELECT COUNT(*) AS n FROM berlin.lldc.open").csv()[1], ["5"], "the other is in");
    berlin.run(&["authority", "resume", "tempelhof"]).ok();
    until("it is in again", || Some(cities.ask(london, JOINT)).filter(|ran| ran.code == Some(0)));
    let answered = until("and lets London in", || Some(cities.ask(berlin, other)).filter(|ran| ran.code == Some(0)));
    assert_eq!(answered.csv()[1], ["770"]);
    fs::remove_file(agreement).unwrap();
    until("the agreement has ended", || (cities.ask(berlin, other).code != Some(0)).then_some(()));
    for city in [london, berlin] {
        city.mesh.assert_sound();
    }
}

/// Gains nothing: what members may have is not for another federation's nodes, an agreement with a body is not with the body of
/// that name elsewhere, and no certificate of one federation names somebody of the other.
#[test]
fn a_body_of_another_federation_gets_what_is_open_and_what_it_is_named_for() {
    let cities = Cities::new();
    let Cities { london, berlin } = &cities;
    cities.all_trust_each_other();
    // London's park lets Tempelhof have its energy use, and Tempelhof London's park, not Berlin's body of that name.
    agree(london, "lldc", "berlin.tempelhof");
    agree(berlin, "tempelhof", "london.lldc");
    // Berlin's park follows no authority of London's, and lists whom it trusts.
    let config = berlin.mesh.folder("lldc").join("node.toml");
    let text = fs::read_to_string(&config).unwrap();
    let (own, other) = text.split_once("[[federations]]").unwrap();
    let listed =
        format!("[[federations.members]]\nbody = \"lldc\"\nendpoint = \"https://{}\"", london.mesh.address("lldc"));
    let followed = format!("authorities = [\"{}\"]", london.url());
    assert!(other.contains(&followed), "{other}");
    fs::write(&config, format!("{own}[[federations]]{}", other.replace(&followed, &listed))).unwrap();
    cities.start();
    let of_london = |body: &str| {
        let pair = london.mesh.node_pair(body);
        let mut client = Client::new(&berlin.mesh.ca(), Some(&pair), berlin.mesh.address("lldc"));
        client.remote("SELECT number FROM berlin.lldc.open").map(|answer| answer.rows())
    };
    assert_eq!(of_london("lldc").unwrap(), 5);
    assert!(of_london("gla").is_err(), "it is not listed");
    let energy = "SELECT kind, kwh FROM london.lldc.energy";
    let counted = "SELECT kind, COUNT(*) AS n FROM london.lldc.counted GROUP BY kind";
    let open = "SELECT number FROM london.lldc.open";
    let of_berlin = |body: &str| {
        let pair = berlin.mesh.node_pair(body);
        Client::new(&london.mesh.ca(), Some(&pair), london.mesh.address("lldc"))
    };
    let mut tempelhof = of_berlin("tempelhof");
    let asha = "spiffe://berlin/body/tempelhof/analyst/asha";
    assert_eq!(tempelhof.remote_for(energy, asha, PURPOSE).unwrap().rows(), 3);
    // Whoever asks for others gets no more than they, and claims of London's names make nobody a member.
    for behalf in [
        "spiffe://berlin/body/lldc/analyst/x",
        "spiffe://london/body/gla/analyst/x",
        "spiffe://london/body/tempelhof/analyst/x",
    ] {
        let refused = tempelhof.remote_for(energy, behalf, PURPOSE).unwrap_err();
        assert!(refused.message().contains("not to be passed on"), "{behalf}: {refused}");
    }
    let mut namesake = of_berlin("lldc");
    for behalf in ["spiffe://berlin/body/lldc/analyst/x", "spiffe://london/body/lldc/analyst/asha", asha] {
        for client in [&mut namesake, &mut tempelhof] {
            let refused = client.remote_for(counted, behalf, PURPOSE).unwrap_err();
            assert!(refused.message().contains("leaves only under an agreement"), "{behalf}: {refused}");
            assert_eq!(client.remote_for(open, behalf, PURPOSE).unwrap().rows(), 3);
        }
        let refused = namesake.remote_for(energy, behalf, PURPOSE).unwrap_err();
        assert!(refused.message().contains("berlin.lldc has none"), "{behalf}: {refused}");
    }
    // A member may have the counts, and may not fetch them for another federation's.
    let gla = || Client::new(&london.mesh.ca(), Some(&london.mesh.node_pair("gla")), london.mesh.address("lldc"));
    assert_eq!(gla().remote_for(counted, "spiffe://london/body/gla/analyst/x", PURPOSE).unwrap().rows(), 1);
    assert!(gla().remote_for(counted, asha, PURPOSE).is_err());
    // At Tempelhof the agreement with London's park is none with Berlin's body of that name.
    let theirs = "SELECT kind FROM berlin.tempelhof.energy";
    let pair = berlin.mesh.node_pair("lldc");
    let mut own = Client::new(&berlin.mesh.ca(), Some(&pair), berlin.mesh.address("tempelhof"));
    assert!(own.remote_for(theirs, "spiffe://berlin/body/lldc/analyst/x", PURPOSE).is_err());
    assert!(own.remote_for(theirs, "spiffe://london/body/lldc/analyst/asha", PURPOSE).is_err());

    // What others of London publish it asks of them.
    let described = |client: &mut Client| -> Vec<String> {
        let told = client.action(DESCRIBE_ACTION, Vec::new()).unwrap().into_iter();
        let told = told.map(|bytes| Description::decode(&Signed::decode(&bytes).unwrap().payload).unwrap());
        told.map(|description| description.body.to_string()).collect()
    };
    until("London's park knows the GLA's", || (described(&mut gla()) == ["gla", "lldc"]).then_some(()));
    assert_eq!(described(&mut tempelhof), ["lldc"]);

    // It witnesses nothing for anybody, and no other federation's membership comes from it.
    assert!(tempelhof.action(WITNESS_ACTION, Vec::new()).is_err());
    // Agreements are told by bodies of one federation: a slug may be there in both.
    let told = tempelhof.action(AGREEMENTS_ACTION, Vec::new()).unwrap_err();
    assert!(told.message().contains("one federation"), "{told}");
    let listed = tempelhof.action(MEMBERSHIP_ACTION, Vec::new()).unwrap();
    assert_eq!(listed.len(), 1, "London's own, signed by London's authority");
    // Analysts ask their own node, and certificates that one root signs for the other's names open nothing.
    let ada = berlin.mesh.asha();
    let client_use = [ExtendedKeyUsagePurpose::ClientAuth];
    let strangers = [
        ada,
        forged(berlin, "spiffe://london/body/gla/node", &client_use),
        forged(berlin, "spiffe://london/body/lldc/analyst/asha", &client_use),
        forged(berlin, "spiffe://berlin/body/lldc/analyst/asha", &client_use),
        forged(london, "spiffe://berlin/body/tempelhof/node", &client_use),
    ];
    for pair in &strangers {
        let mut client = Client::new(&london.mesh.ca(), Some(pair), london.mesh.address("lldc"));
        assert!(client.remote_for(open, asha, PURPOSE).is_err(), "{}", pair.cert.display());
        assert!(client.statement("SELECT 1 AS one").is_err());
    }
    // Who was never a member of Berlin is none here, though its root signed for them.
    let stranger = forged(berlin, "spiffe://berlin/body/stranger/node", &client_use);
    assert!(Client::new(&london.mesh.ca(), Some(&stranger), london.mesh.address("lldc")).remote(open).is_err());
    for city in [london, berlin] {
        city.mesh.assert_sound();
    }
}

/// A certificate that a city's root signs for whomever it likes.
fn forged(city: &Town, uri: &str, usages: &[ExtendedKeyUsagePurpose]) -> Pair {
    let read = |name: &str| fs::read_to_string(city.folder().join(name)).unwrap();
    let key = KeyPair::from_pem(&read("ca.key")).unwrap();
    let issuer = Issuer::from_ca_cert_pem(&read("ca.pem"), key).unwrap();
    let own = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![SanType::URI(uri.try_into().unwrap())];
    params.extended_key_usages = usages.to_vec();
    let dir = scratch("forged");
    let pair = Pair { cert: dir.join("pair.pem"), key: dir.join("pair.key") };
    fs::write(&pair.cert, params.signed_by(&own, &issuer).unwrap().pem()).unwrap();
    fs::write(&pair.key, own.serialize_pem()).unwrap();
    pair
}
