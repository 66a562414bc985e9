//! Callers of another federation: nobody's namesakes, and no members.

use meridian_certs::Identity;
use meridian_proto::{BodyName, Form};

use super::admitted::data;
use super::setup::{Body, grant, name, on_behalf_of};
use crate::gate::{Askers, Caller, Grant};

const PEOPLE: &str = "SELECT id FROM people ORDER BY id";
const COUNTED: &str = "SELECT borough, COUNT(*) AS n FROM incidents GROUP BY borough";

/// The node of a body of Berlin, at that of London's brigade.
fn berlin(body: &str, analyst: Option<&str>) -> Caller {
    let identity = Identity::Node { federation: name("berlin"), body: name(body) };
    let analyst = analyst.map(Into::into);
    Caller::known(identity, (&name("london"), &name("lfb")), Some("fire-risk".into()), analyst).unwrap()
}

fn body(recipients: &[&str]) -> Body {
    let body = Body::new(&data());
    body.amend("people", |terms| {
        let recipients = recipients.iter().map(|body| body.parse().unwrap()).collect();
        terms.grants = vec![Grant { recipients, ..grant("shared", Form::Rows) }];
    });
    body
}

#[tokio::test]
async fn an_agreement_names_one_body_of_one_federation() {
    let own = body(&["gla"]);
    assert_eq!(own.rows(PEOPLE, &on_behalf_of("gla", None)).await.unwrap().len(), 4);
    let refused = own.refusal(PEOPLE, &berlin("gla", None)).await;
    assert_eq!(
        refused.to_string(),
        "london.lfb.people leaves only under an agreement, and berlin.gla has none; ask london.lfb for an agreement"
    );
    let abroad = body(&["berlin.gla"]);
    assert_eq!(abroad.rows(PEOPLE, &berlin("gla", None)).await.unwrap().len(), 4);
    assert_eq!(abroad.refusal(PEOPLE, &on_behalf_of("gla", None)).await.rule, "agreement.active");
    assert_eq!(abroad.refusal(PEOPLE, &berlin("feuerwehr", None)).await.rule, "agreement.active");
    // Analysts are those of the body that is named.
    abroad.amend("people", |terms| {
        terms.grants[0].askers = Some(Askers { analysts: vec![name("asha")], ..Askers::default() })
    });
    for (asker, admitted) in [
        (Some("spiffe://berlin/body/gla/analyst/asha"), true),
        (Some("spiffe://london/body/gla/analyst/asha"), false),
        (Some("spiffe://berlin/body/gla/analyst/ben"), false),
        (None, false),
    ] {
        assert_eq!(abroad.admit(PEOPLE, &berlin("gla", asker)).await.is_ok(), admitted, "{asker:?}");
    }
}

#[tokio::test]
async fn what_members_may_have_is_for_one_s_own_federation() {
    let body = body(&[]);
    let asker = "spiffe://london/body/gla/analyst/bo";
    for caller in [on_behalf_of("gla", Some(asker)), on_behalf_of("gla", None)] {
        body.admit(COUNTED, &caller).await.unwrap();
    }
    for caller in [
        berlin("gla", None),
        berlin("gla", Some("spiffe://berlin/body/gla/analyst/bo")),
        // Whom a node says that it asks for makes nobody a member, and takes it from who is one.
        berlin("gla", Some(asker)),
        on_behalf_of("gla", Some("spiffe://berlin/body/gla/analyst/bo")),
        on_behalf_of("gla", Some(asker)).by_way_of(vec!["berlin.gla".parse().unwrap()], &name("lfb")).unwrap(),
    ] {
        assert_eq!(body.refusal(COUNTED, &caller).await.rule, "agreement.active");
    }
}

#[tokio::test]
async fn what_was_granted_to_one_is_not_fetched_for_its_namesake() {
    let body = body(&["gla"]);
    let namesake = "spiffe://berlin/body/gla/analyst/bo";
    let refused = body.refusal(PEOPLE, &on_behalf_of("gla", Some(namesake))).await;
    assert_eq!(refused.rule, "agreement.onward");
    assert!(refused.to_string().contains("gla asks for berlin.gla"), "{refused}");
    body.amend("people", |terms| terms.grants[0].recipients.push("berlin.gla".parse().unwrap()));
    assert_eq!(body.rows(PEOPLE, &on_behalf_of("gla", Some(namesake))).await.unwrap().len(), 4);
}

#[test]
fn the_way_of_a_question_is_told_in_the_names_of_who_tells_it() {
    let way = |caller: Caller, via: &[&str]| {
        let via: Vec<BodyName> = via.iter().map(|body| body.parse().unwrap()).collect();
        caller.by_way_of(via, &name("lfb")).map(|caller| caller.onward().via.iter().map(ToString::to_string).collect())
    };
    let of = |names: &[&str]| -> Vec<String> { names.iter().map(|name| (*name).to_owned()).collect() };
    assert_eq!(
        way(berlin("gla", None), &["feuerwehr", "london.loda"]),
        Ok(of(&["berlin.feuerwehr", "loda", "berlin.gla"]))
    );
    assert_eq!(way(berlin("gla", None), &["lfb"]), Ok(of(&["berlin.lfb", "berlin.gla"])), "another's of this name");
    assert_eq!(way(on_behalf_of("gla", None), &["berlin.lfb"]), Ok(of(&["berlin.lfb", "gla"])));
    for (caller, via) in [
        (berlin("gla", None), "london.lfb"),
        (berlin("gla", None), "gla"),
        (berlin("gla", None), "berlin.gla"),
        (on_behalf_of("gla", None), "london.gla"),
        (on_behalf_of("gla", None), "london.lfb"),
    ] {
        assert_eq!(way(caller, &[via]).unwrap_err().rule, "via.cycle", "{via}");
    }
}

#[test]
fn analysts_of_another_federation_ask_their_own_node() {
    for body in ["lfb", "gla"] {
        let identity = Identity::Analyst { federation: name("berlin"), body: name(body), name: name("li") };
        let refused = Caller::known(identity, (&name("london"), &name("lfb")), None, None).unwrap_err();
        assert_eq!(refused.rule, "caller.federation");
    }
}
