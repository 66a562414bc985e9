//! What is said about a wrong node.toml.

use super::*;

#[test]
fn node_toml() {
    let node = "node.toml";
    check(node, "health", "helth", "node.toml:5: unknown key `helth`: did you mean `health`?");
    check(node, "state = \"state\"\n", "", "node.toml:1: `state` is missing: add it");
    check(node, "body = \"lfb\"", "body = \"LFB\"", "node.toml:2: body is \"LFB\", which is no name: write");
    check(node, "body = \"lfb\"", "body = \"every\"", "node.toml:2: body is `every`, which is reserved: choose");
    check(
        node,
        "\"127.0.0.1:50051\"",
        "\"localhost\"",
        "node.toml:4: listen is \"localhost\", which is no address: write",
    );
    check(
        node,
        "127.0.0.1:50052",
        "0.0.0.0:50052",
        "node.toml:5: health is 0.0.0.0:50052, which is no loopback address: write",
    );
    check(node, "127.0.0.1:50052", "127.0.0.1:50051", "node.toml:5: health is 127.0.0.1:50051, as is listen: choose");
    check(node, "tls/ca.pem", "tls/anchors.pem", "node.toml:9: tls.ca is tls/anchors.pem, which can't be read:");
    check(node, "streams = 8", "streams = 0", "node.toml:14: limits.streams is 0: write");
    check(node, "[limits]", "[audit]\nrecord_days = 0\n\n[limits]", "node.toml:14: audit.record_days is 0: write");
    check(node, "[limits]", "[audit]\nprivate_days = 0\n\n[limits]", "node.toml:14: audit.private_days is 0: write");
    check(node, "[limits]", "[audit]\nnear_alert = 0\n\n[limits]", "node.toml:14: audit.near_alert is 0: write");
    check(node, "[limits]", "[audit]\nprivat_days = 9\n\n[limits]", "node.toml:14: unknown key `privat_days`: did you");
    let telemetry = |lines: &str| format!("[telemetry]\n{lines}\n\n[limits]");
    for (lines, expected) in [
        (
            "otlp = \"https://127.0.0.1:4317\"",
            "node.toml:14: telemetry.otlp is \"https://127.0.0.1:4317\", which is no",
        ),
        ("otlp = \"http://collector.example:4317\"", "node.toml:14: telemetry.otlp is"),
        ("otlp = \"http://127.0.0.1:4317\"\npercent = 0", "node.toml:15: telemetry.percent is 0: write 1 to 100"),
        ("otlp = \"http://127.0.0.1:4317\"\npercent = 101", "node.toml:15: telemetry.percent is 101: write"),
    ] {
        check(node, "[limits]", &telemetry(lines), expected);
    }
    let public = |lines: &str| format!("[public]\n{lines}\n\n[limits]");
    for (lines, expected) in [
        (
            "listen = \"0.0.0.0:80\"",
            "node.toml:14: public.listen is 0.0.0.0:80, which is no loopback address, and there is no",
        ),
        ("listen = \"here\"", "node.toml:14: public.listen is \"here\", which is no address: write"),
        (
            "listen = \"127.0.0.1:50052\"",
            "node.toml:14: public.listen is 127.0.0.1:50052, as is listen or health: choose",
        ),
        ("listen = \"[::1]:80\"\nkey = \"tls/node.key\"", "node.toml:14: public has a key and no certificate: add"),
        (
            "listen = \"[::1]:80\"\ncertificate = \"tls/node.pem\"",
            "node.toml:14: public has a certificate and no key: add",
        ),
        ("listen = \"[::1]:80\"\nscripts = true", "node.toml:15: unknown key `scripts`: known"),
        ("counts = \"hourly\"", "node.toml:14: unknown value `hourly`: known here: daily, live"),
        ("certificate = \"tls/node.pem\"", "node.toml:14: public has a certificate or a key, and no listen: add"),
    ] {
        check(node, "[limits]", &public(lines), expected);
    }
    let workbench = |lines: &str| format!("[workbench]\n{lines}\n\n[limits]");
    for (lines, expected) in [
        ("listen = \"here\"", "node.toml:14: workbench.listen is \"here\", which is no address: write"),
        (
            "listen = \"127.0.0.1:50052\"",
            "node.toml:14: workbench.listen is 127.0.0.1:50052, as is another port of this node: choose",
        ),
        ("listen = \"0.0.0.0:8443\"", "node.toml:14: workbench.listen is 0.0.0.0:8443, and nothing says under which"),
        (
            "listen = \"0.0.0.0:8443\"\naddress = \"http://x\"",
            "node.toml:15: workbench.address is \"http://x\", which is no https address: write",
        ),
    ] {
        check(node, "[limits]", &workbench(lines), expected);
    }
    check(
        node,
        "https://",
        "http://",
        "node.toml:18: endpoint is \"http://127.0.0.1:50061\", which is no https address: write",
    );
    check(node, "50061\"", "50061/x\"", "node.toml:18: endpoint is");
    check(
        node,
        "state = ",
        "datasets = \"sets\"\nstate = ",
        "node.toml:6: datasets is sets, which is no folder: correct",
    );
    check(node, "[limits]", "[limits", "node.toml:13: ");
    let other = |rest: &str| format!("[[federations]]\nname = \"berlin\"\nca = \"tls/ca.pem\"\n{rest}\n\n[limits]");
    let authorities = "authorities = [\"https://a.example:7443\"]";
    let own = other(authorities).replace("berlin", "london");
    check(node, "[limits]", &own, "node.toml:14: federations.name is `london`, which is this node's own: remove it");
    let again = other(&format!("{authorities}\n\n{}", other(authorities).replace("\n\n[limits]", "")));
    check(node, "[limits]", &again, "node.toml:19: federation `berlin` stands twice: remove one");
    let silent = "node.toml:14: federation `berlin` has to say who its members are, in one way: give authorities";
    check(node, "[limits]", &other(""), silent);
    let member = "[[federations.members]]\nbody = \"feuerwehr\"\nendpoint = \"https://f.example:1\"";
    check(node, "[limits]", &other(&format!("{authorities}\n{member}")), silent);
    let missing = other(authorities).replace("tls/ca.pem", "berlin-ca.pem");
    check(node, "[limits]", &missing, "node.toml:15: federations.ca is berlin-ca.pem, which can't be read:");
    check(node, "[limits]", &other("authority = \"x\""), "node.toml:16: unknown key `authority`: did you mean");
    let twice = "[[members]]\nbody = \"loda\"\nendpoint = \"https://a.example:1\"\n\n[[members]]";
    check(node, "[[members]]", twice, "node.toml:21: member `loda` stands twice: remove one");
}

#[test]
fn the_machines_of_a_cluster() {
    let node = "node.toml";
    let cluster = |said: &str| format!("cluster = {said}\nstate = ");
    for (said, expected) in [
        ("{ workers = [] }", "node.toml:6: cluster.workers names no worker: name each"),
        ("{ workers = [\"10.0.0.2:7001\"] }", "node.toml:6: cluster.workers is \"10.0.0.2:7001\", which is no https"),
        (
            "{ workers = [\"https://10.0.0.2:7001\", \"https://10.0.0.2:7001/\"] }",
            "node.toml:6: the worker https://10.0.0.2:7001/ stands twice: remove one",
        ),
        ("{ workers = [\"https://10.0.0.2:7001\"], home = true }", "node.toml:6: unknown key `home`"),
    ] {
        check(node, "state = ", &cluster(said), expected);
    }
    let before = cluster("{ workers = [\"https://10.0.0.2:7001\"] }").replace("cluster", "engine");
    check(node, "state = ", &before, "node.toml:6: unknown key `engine`: did you mean `cluster` or `engines`?");
    let folder = baseline();
    let text = fs::read_to_string(folder.path().join(node)).unwrap();
    write(folder.path(), node, &text.replace("state = ", &cluster("{ workers = [\"https://10.0.0.2:7001/\"] }")));
    let found = load(folder.path()).unwrap().node.cluster.unwrap();
    assert_eq!((found.workers, found.at_home), (vec!["https://10.0.0.2:7001".to_owned()], false));

    let worker = "listen = \"127.0.0.1:7001\"\ndata = [\"tls\"]\n\n[tls]\nca = \"tls/ca.pem\"\ncert = \"tls/node.pem\"\nkey = \"tls/node.key\"\n";
    let of = |text: String| {
        write(folder.path(), "worker.toml", &text);
        WorkerConfig::load(&folder.path().join("worker.toml"))
    };
    let found = of(worker.to_owned()).unwrap();
    assert_eq!((found.data, found.memory_mib), (vec![folder.path().join("tls")], 1024));
    for (from, to, expected) in [
        ("127.0.0.1:7001", "here", "listen is \"here\", which is no address"),
        ("[\"tls\"]", "[\"tls/ca.pem\"]", "which is no folder: name the folder"),
        ("[\"tls\"]", "[\"rows\"]", "which can't be read"),
        ("data = ", "date = ", "unknown key `date`: did you mean `data`?"),
    ] {
        let error = of(worker.replace(from, to)).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}
