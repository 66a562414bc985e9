//! Tests: who may connect to whom, over real connections on the loopback address.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::convert::Infallible;
use std::sync::Arc;

use rcgen::ExtendedKeyUsagePurpose::{ClientAuth, ServerAuth};
use rcgen::{Issuer, KeyPair};
use rustls::HandshakeKind;
use rustls::client::{ResolvesClientCert, Resumption};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tonic::body::Body;
use tonic::codegen::Service;
use tonic::codegen::http::{Request, Response};
use tonic::transport::{Channel, Server};

use crate::certificate::{self, EndEntity, Usage};
use crate::client::NodeStream;
use crate::credentials::{Current, Held, server_config};
use crate::testing::{ASHA, DAY, Federation, LFB, LODA, Pair, expired, forge_with, not_yet_valid};
use crate::trust::Trust;
use crate::{
    Acceptor, Connector, Credentials, Excluded, Identity, KeyAndRequest, Result, TlsConnection, Validity, Verified,
};

/// Accepts one connection on one side, makes it on the other; an accepted caller is greeted.
pub(crate) async fn meet(
    acceptor: &Acceptor,
    connector: &Connector,
    expected: Option<&str>,
) -> (Result<TlsConnection>, Result<NodeStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("https://{}", listener.local_addr().unwrap());
    let dial = connector.dial(&endpoint, expected.map(|id| id.parse().unwrap())).unwrap();
    tokio::join!(greet(acceptor, &listener), dial.connect())
}

async fn greet(acceptor: &Acceptor, listener: &TcpListener) -> Result<TlsConnection> {
    let (tcp, _) = listener.accept().await.unwrap();
    let mut accepted = acceptor.accept(tcp).await?;
    accepted.write_all(b"hello").await.unwrap();
    accepted.flush().await.unwrap();
    Ok(accepted)
}

pub(crate) async fn refused(acceptor: &Acceptor, connector: &Connector, expected: Option<&str>) -> (String, String) {
    let (accepted, connected) = meet(acceptor, connector, expected).await;
    let accepted = accepted.map(drop).expect_err("the server accepts nobody").to_string();
    (accepted, connected.map(drop).expect_err("the client is told").to_string())
}

/// Presents a certificate, whatever it says, and trusts the federation.
pub(crate) fn with_certificate(federation: &Federation, (chain, key): Pair) -> Connector {
    let anchors = federation.anchors();
    let key = CertifiedKey::from_der(chain, key, anchors.provider()).unwrap();
    let now = std::time::SystemTime::now();
    let own = EndEntity { identity: LODA.parse().unwrap(), not_before: now, not_after: now, serial: Vec::new() };
    Connector::new(anchors, Current::new(Held { own, key: Arc::new(key) }))
}

fn server_with(federation: &Federation, (chain, key): Pair) -> Acceptor {
    let anchors = federation.anchors();
    let key = CertifiedKey::from_der(chain, key, anchors.provider()).unwrap();
    let resolver = Arc::new(SingleCertAndKey::from(key));
    let trust = Trust::alone(anchors);
    Acceptor::new(Arc::new(server_config(&trust, resolver).unwrap()), trust)
}

fn assert_says(who: &str, case: &str, found: &str, expected: &str) {
    assert!(found.contains(expected), "{case}: the {who} says {found:?}, not {expected:?}");
}

#[tokio::test]
async fn both_sides_know_who_the_other_is() {
    let london = Federation::new("london");
    let (loda, asha) = (london.credentials(LODA), london.credentials(ASHA).client_connector());
    let acceptor = loda.server_acceptor();
    let (early, _) = refused(&acceptor, &asha, Some(LODA)).await;
    assert_says("server", "an analyst nobody vouched for", &early, "is not let in here");
    loda.trust(&london.analysts("loda")).unwrap();
    for caller in [LODA, ASHA, LFB] {
        let connector = if caller == ASHA { asha.clone() } else { london.credentials(caller).client_connector() };
        for expected in [Some(LODA), None] {
            let (accepted, connected) = meet(&acceptor, &connector, expected).await;
            assert_eq!(accepted.unwrap().peer().identity().to_string(), caller);
            let mut greeting = [0; 5];
            connected.unwrap().read_exact(&mut greeting).await.unwrap();
            assert_eq!(&greeting, b"hello");
        }
    }
}

#[tokio::test]
async fn callers_without_a_right_certificate_are_refused_and_told_why() {
    let london = Federation::new("london");
    let other_london = Federation::new("london");
    let berlin = Federation::new("berlin");
    let acceptor = london.credentials(LFB).server_acceptor();
    let stolen = london.issue("stolen", LODA, Validity::from_now(DAY));
    let stolen_key = KeyPair::from_pem(&std::fs::read_to_string(london.path("stolen.key")).unwrap()).unwrap();
    let (mut sub_chain, sub_key) =
        forge_with(&Issuer::from_ca_cert_der(&stolen.0[0], stolen_key).unwrap(), &[LFB], &[ClientAuth]);
    sub_chain.extend(stolen.0);
    let berlin_node = "spiffe://berlin/body/feuerwehr/node";
    let log = "its log says why";
    for (case, pair, server_says, client_says) in [
        (
            "an authority of the same name",
            other_london.issue("a", LODA, Validity::from_now(DAY)),
            "not signed by this federation's authority",
            "another authority",
        ),
        (
            "another federation",
            berlin.issue("a", berlin_node, Validity::from_now(DAY)),
            "not signed by this federation's authority",
            "another authority",
        ),
        ("expired", london.issue("a", LODA, expired()), "expired on 20", "expired or not yet valid, valid from 20"),
        ("not yet valid", london.issue("b", LODA, not_yet_valid()), "valid from 20", "expired or not yet valid"),
        ("no URI", london.forge(&[], &[ClientAuth]), "has 0 URI names", log),
        ("two URIs", london.forge(&[LODA, LFB], &[ClientAuth]), "has 2 URI names", log),
        ("the same URI twice", london.forge(&[LODA, LODA], &[ClientAuth]), "has 2 URI names", log),
        ("some URI", london.forge(&["https://loda.example"], &[ClientAuth]), "is no identity", log),
        ("foreign name", london.forge(&[berlin_node], &[ClientAuth]), "of another federation than london", log),
        ("an analyst", london.forge(&[ASHA], &[ClientAuth]), "is not let in here", log),
        ("server use only", london.forge(&[LODA], &[ServerAuth]), "extended key usage", "extended key usage"),
        ("no use named", london.forge(&[LODA], &[]), "extended key usage", log),
        ("signed by a member", (sub_chain, sub_key), "EndEntityUsedAsCa", log),
    ] {
        let (accepted, connected) = refused(&acceptor, &with_certificate(&london, pair), Some(LFB)).await;
        assert_says("server", case, &accepted, server_says);
        assert_says("client", case, &connected, client_says);
    }
    // The forger's certificates are refused for what they say, not for being forged.
    let like_real = with_certificate(&london, london.forge(&[LODA], &[ClientAuth]));
    assert!(meet(&acceptor, &like_real, Some(LFB)).await.0.is_ok());
}

#[tokio::test]
async fn nodes_without_a_right_certificate_are_not_talked_to() {
    let london = Federation::new("london");
    let other_london = Federation::new("london");
    let connector = london.credentials(LODA).client_connector();
    let both = [ServerAuth, ClientAuth];
    for (case, pair, expected, client_says) in [
        (
            "an authority of the same name",
            other_london.issue("a", LFB, Validity::from_now(DAY)),
            Some(LFB),
            "not signed by this federation's authority",
        ),
        ("expired", london.issue("a", LFB, expired()), Some(LFB), "expired on 20"),
        ("not yet valid", london.issue("b", LFB, not_yet_valid()), Some(LFB), "valid from 20"),
        (
            "another body",
            london.issue("c", LODA, Validity::from_now(DAY)),
            Some(LFB),
            "names spiffe://london/body/loda/node, where spiffe://london/body/lfb/node was expected",
        ),
        ("an analyst", london.forge(&[ASHA], &[ClientAuth]), None, "extended key usage"),
        ("an analyst as server", london.forge(&[ASHA], &both), None, "where a node of london was expected"),
        ("no URI", london.forge(&[], &both), None, "has 0 URI names"),
        ("two URIs", london.forge(&[LFB, LODA], &both), Some(LFB), "has 2 URI names"),
        ("client use only", london.forge(&[LFB], &[ClientAuth]), Some(LFB), "extended key usage"),
        ("no use named", london.forge(&[LFB], &[]), Some(LFB), "extended key usage"),
    ] {
        let acceptor = server_with(&london, pair);
        let (accepted, connected) = refused(&acceptor, &connector, expected).await;
        assert_says("client", case, &connected, client_says);
        assert_says("server", case, &accepted, "the other side refused our certificate");
    }
    let like_real = server_with(&london, london.forge(&[LFB], &both));
    assert!(meet(&like_real, &connector, Some(LFB)).await.0.is_ok());
}

#[derive(Debug)]
struct NoCertificate;

impl ResolvesClientCert for NoCertificate {
    fn resolve(&self, _: &[&[u8]], _: &[rustls::SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        None
    }

    fn has_certs(&self) -> bool {
        false
    }
}

#[tokio::test]
async fn callers_without_any_certificate_are_refused() {
    let london = Federation::new("london");
    let acceptor = london.credentials(LFB).server_acceptor();
    let connector = london.credentials(LODA).client_connector();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut dial = connector.dial(&format!("https://{}", listener.local_addr().unwrap()), None).unwrap();
    let mut config = connector.config(None).unwrap();
    config.client_auth_cert_resolver = Arc::new(NoCertificate);
    dial.tls = Arc::new(config).into();
    let (accepted, connected) = tokio::join!(greet(&acceptor, &listener), dial.connect());
    assert_says("server", "none", &accepted.err().unwrap().to_string(), "presented no certificate");
    assert_says("client", "none", &connected.err().unwrap().to_string(), "because we presented none");
}

#[tokio::test]
async fn every_connection_shows_certificates_anew() {
    let london = Federation::new("london");
    let acceptor = london.credentials(LFB).server_acceptor();
    let connector = london.credentials(LODA).client_connector();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut dial = connector.dial(&format!("https://{}", listener.local_addr().unwrap()), None).unwrap();
    let mut config = connector.config(None).unwrap();
    config.resumption = Resumption::in_memory_sessions(8);
    dial.tls = Arc::new(config).into();
    for _ in 0..2 {
        let (accepted, connected) = tokio::join!(greet(&acceptor, &listener), dial.clone().connect());
        assert_eq!(accepted.unwrap().peer().identity().to_string(), LODA);
        assert_eq!(connected.unwrap().get_ref().get_ref().get_ref().1.handshake_kind(), Some(HandshakeKind::Full));
    }
}

/// A ClientHello of TLS 1.2, written by hand so that no library has to be able to speak it.
fn tls12_hello() -> Vec<u8> {
    let extensions: &[u8] = &[
        0, 10, 0, 4, 0, 2, 0, 23, // supported_groups: secp256r1
        0, 11, 0, 2, 1, 0, // ec_point_formats: uncompressed
        0, 13, 0, 4, 0, 2, 4, 3, // signature_algorithms: ecdsa_secp256r1_sha256
    ];
    let mut body = vec![3, 3];
    body.extend([7; 32]); // random
    body.push(0); // no session
    body.extend([0, 2, 0xc0, 0x2b]); // TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
    body.extend([1, 0]); // no compression
    body.extend([0, u8::try_from(extensions.len()).unwrap()]);
    body.extend(extensions);
    let length = u8::try_from(body.len()).unwrap();
    [&[22, 3, 1, 0, length + 4, 1, 0, 0, length], body.as_slice()].concat()
}

#[tokio::test]
async fn older_tls_and_plain_text_are_refused() {
    let london = Federation::new("london");
    let acceptor = london.credentials(LFB).server_acceptor();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let tls12 = tls12_hello();
    for (hello, says) in [(tls12.as_slice(), "TLS 1.3"), (b"GET / HTTP/1.1\r\n\r\n".as_slice(), "does not speak TLS")] {
        let caller = async {
            let mut tcp = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            tcp.write_all(hello).await.unwrap();
            let mut answer = Vec::new();
            tcp.read_to_end(&mut answer).await.unwrap();
            answer
        };
        let (accepted, answer) = tokio::join!(greet(&acceptor, &listener), caller);
        assert_says("server", says, &accepted.err().unwrap().to_string(), says);
        // An alert, fatal; for TLS 1.2: protocol_version.
        assert_eq!((answer[0], answer[5]), (21, 2));
        if says == "TLS 1.3" {
            assert_eq!(answer[6], 70);
        }
    }
}

/// Answers every request with the caller's identity, as tonic found it in the connection.
async fn whoami(request: Request<Body>) -> Result<Response<Body>, Infallible> {
    let caller = request.extensions().get::<Verified>().unwrap().identity().to_string();
    Ok(Response::builder().header("caller", caller).body(Body::empty()).unwrap())
}

async fn ask(channel: &mut Channel) -> Result<String, String> {
    std::future::poll_fn(|cx| channel.poll_ready(cx)).await.unwrap();
    let request = Request::builder().uri("/whoami").body(Body::empty()).unwrap();
    // As the clients that tonic generates do it.
    let answer = channel
        .call(request)
        .await
        .map_err(|error| tonic::Status::from_error(error.into()))
        .map_err(|status| format!("{:?}: {}", status.code(), status.message()))?;
    Ok(answer.headers()["caller"].to_str().unwrap().to_owned())
}

#[tokio::test]
async fn requests_carry_the_verified_caller_beside_callers_who_say_nothing() {
    let london = Federation::new("london");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (lfb, li) = (london.credentials(LFB), "spiffe://london/body/lfb/analyst/li");
    let of_li = london.credentials(li).client_connector();
    lfb.trust(&london.analysts("lfb")).unwrap();
    let incoming = lfb.server_acceptor().incoming(listener);
    let server = tokio::spawn(Server::builder().serve_with_incoming(tower::service_fn(whoami), incoming));
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    let mut rude = TcpStream::connect(address).await.unwrap();
    rude.write_all(b"PRI * HTTP/2.0\r\n\r\n").await.unwrap();
    let endpoint = format!("https://{address}");
    let loda = london.credentials(LODA).client_connector();
    for (caller, connector) in [(LODA, &loda), (li, &of_li)] {
        let expected: Identity = LFB.parse().unwrap();
        let mut channel = connector.channel(&endpoint, Some(expected)).unwrap();
        assert_eq!(ask(&mut channel).await.unwrap(), caller);
    }
    let stale = with_certificate(&london, london.issue("stale", LODA, expired()));
    let error = ask(&mut stale.channel(&endpoint, None).unwrap()).await.unwrap_err();
    assert_says("client", "stale", &error, "the other side refused our certificate as expired or not yet valid");
    let wrong = LODA.parse().unwrap();
    let error = ask(&mut loda.channel(&endpoint, Some(wrong)).unwrap()).await.unwrap_err();
    assert_says("client", "wrong", &error, "where spiffe://london/body/loda/node was expected");
    assert!(!server.is_finished());
    server.abort();
    assert!(server.await.unwrap_err().is_cancelled());
    let error = ask(&mut loda.channel(&endpoint, None).unwrap()).await.unwrap_err();
    assert_says("client", "gone", &error, "Unavailable: connection with https://127.0.0.1");
}

#[test]
fn endpoints_are_https_with_host_and_port() {
    let london = Federation::new("london");
    let connector = london.credentials(LODA).client_connector();
    for good in ["https://127.0.0.1:50051", "https://lfb.example:1/", "https://[::1]:50051"] {
        assert!(connector.dial(good, None).is_ok(), "{good}");
    }
    for (bad, says) in [
        ("http://127.0.0.1:50051", "over TLS only"),
        ("127.0.0.1:50051", "https://HOST:PORT"),
        ("https://127.0.0.1", "names no port"),
        ("https://127.0.0.1:50051/flight", "has no path"),
        ("https://:50051", "https://HOST:PORT"),
        ("", "https://HOST:PORT"),
    ] {
        let error = connector.dial(bad, None).err().unwrap().to_string();
        assert_says("connector", bad, &error, says);
    }
}

#[tokio::test]
async fn whoever_is_shut_out_is_cut_off_and_let_in_again_when_they_are_not() {
    let london = Federation::new("london");
    let (lfb, loda) = (london.credentials(LFB), london.credentials(LODA));
    let (acceptor, connector) = (lfb.server_acceptor(), loda.client_connector());
    let members = |names: &[&str]| Some(names.iter().map(|name| name.parse().unwrap()).collect());
    let suspended = Excluded { suspended: ["loda".parse().unwrap()].into(), ..Excluded::default() };
    let no_member = Excluded { members: members(&["lfb"]), ..Excluded::default() };
    let from_now = std::time::SystemTime::now();
    let revoked = Excluded { revoked: [("loda".parse().unwrap(), from_now)].into(), ..Excluded::default() };
    for (excluded, says) in
        [(suspended, "loda is suspended"), (no_member, "loda is no member"), (revoked, "node was revoked")]
    {
        let (accepted, connected) = meet(&acceptor, &connector, Some(LFB)).await;
        let (mut accepted, mut connected) = (accepted.unwrap(), connected.unwrap());
        let who = accepted.peer().clone();
        let mut buffer = [0; 100];
        // What waits for the other side is woken.
        let waiting = tokio::spawn(async move { accepted.read(&mut buffer).await });
        lfb.exclude(excluded);
        let error = waiting.await.unwrap().unwrap_err().to_string();
        assert!(error.contains(says), "{error:?} does not say {says:?}");
        assert!(!lfb.home().admits(&who));
        let mut rest = Vec::new();
        let _ = connected.read_to_end(&mut rest).await;
        assert_eq!(rest, b"hello", "nothing comes after the cut");
        let (log, told) = refused(&acceptor, &connector, Some(LFB)).await;
        assert_says("server", says, &log, says);
        assert!(!told.contains("suspended") && !told.contains("member"), "{told}");
        assert!(lfb.verify(&loda.sign(vec![]).unwrap(), std::time::SystemTime::now()).is_err());
        lfb.exclude(Excluded::default());
        assert!(meet(&acceptor, &connector, Some(LFB)).await.0.is_ok());
    }
}

#[tokio::test]
async fn whoever_calls_cuts_off_whom_it_shuts_out() {
    let london = Federation::new("london");
    let (lfb, loda) = (london.credentials(LFB), london.credentials(LODA));
    let (accepted, connected) = meet(&lfb.server_acceptor(), &loda.client_connector(), Some(LFB)).await;
    let (_accepted, mut connected) = (accepted.unwrap(), connected.unwrap());
    let mut greeting = [0; 5];
    connected.read_exact(&mut greeting).await.unwrap();
    let waiting = tokio::spawn(async move { connected.read(&mut [0; 5]).await });
    loda.exclude(Excluded { suspended: ["lfb".parse().unwrap()].into(), ..Excluded::default() });
    assert!(waiting.await.unwrap().unwrap_err().to_string().contains("lfb is suspended"));
    let (_, told) = refused(&lfb.server_acceptor(), &loda.client_connector(), Some(LFB)).await;
    assert!(told.contains("lfb is suspended"), "{told}");
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_on_new_connections_and_open_ones_go_on() {
    let london = Federation::new("london");
    london.issue("first", LFB, Validity::from_now(DAY));
    let path = london.path("one.pem");
    let of = |name: &str| std::fs::read_to_string(london.path(name)).unwrap();
    Credentials::begin(&path, &of("first.pem"), &of("first.key")).unwrap();
    let lfb = Credentials::load(&london.path("ca.pem"), &path, &path).unwrap();
    let (acceptor, caller) = (lfb.server_acceptor(), london.credentials(LODA).client_connector());
    let (accepted, connected) = meet(&acceptor, &caller, Some(LFB)).await;
    let (mut accepted, mut connected) = (accepted.unwrap(), connected.unwrap());
    let before = (lfb.valid_until(), lfb.serial());

    let (key, request) = KeyAndRequest::generate().unwrap();
    let sign = |identity: &str, days: u32| {
        let request = crate::Request::from_pem(&request).unwrap();
        let hosts = ["localhost".to_owned()];
        london.authority.sign(&request, &identity.parse().unwrap(), &hosts, Validity::from_now(DAY * days)).unwrap()
    };
    assert!(lfb.renew(&sign(LODA, 7), &key, &path).unwrap_err().to_string().contains("this is"));
    assert!(lfb.renew(&of("first.pem"), &key, &path).is_err(), "a certificate of another key");
    assert_eq!((lfb.valid_until(), lfb.serial()), before);
    lfb.renew(&sign(LFB, 7), &key, &path).unwrap();
    assert!(lfb.valid_until() > before.0 && lfb.serial() != before.1);

    accepted.write_all(b" again").await.unwrap();
    accepted.flush().await.unwrap();
    let mut text = [0; 11];
    connected.read_exact(&mut text).await.unwrap();
    assert_eq!(&text, b"hello again");
    let (_, connected) = meet(&acceptor, &caller, Some(LFB)).await;
    let connected = connected.unwrap();
    let shown = connected.get_ref().get_ref().get_ref().1.peer_certificates().unwrap()[0].clone();
    let shown = certificate::end_entity(&shown, Usage::Server, &"london".parse().unwrap()).unwrap();
    assert_eq!(shown.serial, lfb.serial());
    let other = Credentials::load(&london.path("ca.pem"), &path, &path).unwrap();
    assert_eq!(other.serial(), lfb.serial(), "the file holds it");
    assert!(!other.reload(&path, &path).unwrap());
}
