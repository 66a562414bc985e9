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
    ] {
        check(node, "[limits]", &public(lines), expected);
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
    let twice = "[[members]]\nbody = \"loda\"\nendpoint = \"https://a.example:1\"\n\n[[members]]";
    check(node, "[[members]]", twice, "node.toml:21: member `loda` stands twice: remove one");
}
