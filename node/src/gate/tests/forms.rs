//! Who gets which form, and the words for whoever gets none.

use chrono::{DateTime, TimeZone, Utc};
use datafusion::logical_expr::{col, lit};
use meridian_proto::Form;

use super::super::{Askers, Intent, PublishedTable, Terms, unknown_dataset};
use super::setup::{Body, Incident, alike, analyst, grant, loda, name, now, on_behalf_of, peer};

fn body() -> Body {
    Body::new(&alike(12, 1, &Incident { borough: Some("bexley"), ..Incident::default() }))
}

#[tokio::test]
async fn open_data_needs_neither_purpose_nor_agreement() {
    let (rows, facts) = body().run("SELECT * FROM boroughs WHERE people > 220", &peer("gla", None)).await.unwrap();
    assert_eq!(super::setup::lines(&rows), ["bexley 246"]);
    assert_eq!((facts.rules, facts.protected), (vec!["form.open".to_owned()], false));
    assert_eq!(facts.datasets[0].columns, ["people", "borough"]);
}

#[tokio::test]
async fn a_query_is_open_to_all_where_everything_in_it_is() {
    let body = body();
    let open = async |sql: &str| body.admit(sql, &analyst()).await.unwrap().facts().open_to_all();
    assert_eq!(open("SELECT people FROM boroughs").await, Some(vec!["london.lfb.boroughs".to_owned()]));
    assert_eq!(open("SELECT 1").await, Some(Vec::new()));
    let and_others = "SELECT people FROM boroughs WHERE people > (SELECT count(*) FROM";
    for sql in
        ["SELECT note FROM incidents".to_owned(), format!("{and_others} people)"), format!("{and_others} incidents)")]
    {
        assert_eq!(open(&sql).await, None, "{sql}");
    }
    // Nobody else knows that it exists.
    body.amend("boroughs", |terms| terms.listed = false);
    let unlisted = body.admit("SELECT people FROM boroughs", &analyst()).await.unwrap();
    assert_eq!((unlisted.facts().protected, unlisted.facts().open_to_all()), (false, None));
}

#[tokio::test]
async fn only_what_is_open_leaves_while_nobody_knows_who_is_out() {
    let body = body();
    let peer_of = peer("gla", Some("fire-risk"));
    let rows = "SELECT id, ward FROM people";
    let cells = "SELECT borough, count(*) FROM incidents GROUP BY borough";
    for (sql, caller) in [(rows, &loda()), (cells, &loda()), ("SELECT * FROM boroughs", &peer_of)] {
        assert!(body.decide_while(sql, caller, Intent::Release, false).await.is_ok(), "{sql}");
    }
    for intent in [Intent::Release, Intent::Check] {
        for sql in [rows, cells] {
            let refused = body.decide_while(sql, &loda(), intent, true).await.unwrap_err();
            assert_eq!(refused.rule, "membership.stale", "{sql}");
            assert!(refused.to_string().contains("96 hours"), "{refused}");
        }
        assert!(body.decide_while("SELECT * FROM boroughs", &peer_of, intent, true).await.is_ok());
        assert!(body.decide_while("SELECT note FROM incidents", &analyst(), intent, true).await.is_ok(), "their own");
    }
}

#[tokio::test]
async fn own_analysts_see_rows_by_default_and_what_the_configuration_says() {
    let body = body();
    assert_eq!(body.rows("SELECT note FROM incidents LIMIT 1", &analyst()).await.unwrap(), ["SECRET-NOTE"]);
    assert_eq!(body.rows("SELECT count(*) FROM vault", &analyst()).await.unwrap(), ["4"]);
    body.amend("incidents", |terms| terms.own = Form::Statistics);
    assert_eq!(body.refusal("SELECT note FROM incidents", &analyst()).await.rule, "statistics.shape");
    body.amend("incidents", |terms| terms.own = Form::None);
    assert_eq!(body.refusal("SELECT note FROM incidents", &analyst()).await.rule, "unknown");
}

#[tokio::test]
async fn granted_rows_and_columns_are_all_that_there_is() {
    let body = body();
    let (rows, facts) = body.run("SELECT id, ward FROM people ORDER BY id", &loda()).await.unwrap();
    assert_eq!(super::setup::lines(&rows), ["1 a", "2 a"]);
    assert_eq!(facts.agreements, ["wards-2026"]);
    assert_eq!(facts.rules, ["purpose.stated", "form.rows", "rows.filter", "agreement.active"]);
    assert_eq!(body.rows("SELECT count(*) FROM people p", &loda()).await.unwrap(), ["2"]);
    for sql in [
        "SELECT * FROM people",
        "SELECT salary FROM people",
        "SELECT id FROM people WHERE salary > 1",
        "SELECT count(p.salary) FROM people p",
        "SELECT id FROM people ORDER BY salary",
        "SELECT x.id FROM people x JOIN people y ON x.salary = y.salary",
        "SELECT borough FROM boroughs WHERE people IN (SELECT salary FROM people)",
        "SELECT id FROM people p WHERE EXISTS (SELECT 1 FROM boroughs b WHERE b.people = p.salary)",
        "SELECT ward FROM people UNION SELECT borough FROM boroughs WHERE people = (SELECT max(salary) FROM people)",
        "SELECT sum(id) OVER (PARTITION BY salary) FROM people",
    ] {
        let refused = body.refusal(sql, &loda()).await;
        assert_eq!((refused.rule, refused.column.as_deref()), ("rows.columns", Some("salary")), "{sql}\n{refused}");
        assert!(refused.remedy.contains("id, ward") && refused.reason.contains("wards-2026"), "{refused}");
    }
}

#[tokio::test]
async fn the_callers_conditions_meet_only_granted_rows() {
    // Rows 3 and 4 are not granted; a condition that fails on row 3 alone never sees it.
    let body = body();
    let sql = "SELECT id FROM people WHERE 10 / (id - 3) < 0 ORDER BY id";
    assert_eq!(body.rows(sql, &loda()).await.unwrap(), ["1", "2"]);
    let sql = "SELECT p.id FROM people p JOIN (VALUES (1), (3)) v(id) ON p.id = v.id WHERE 1 / (p.id - 3) < 5";
    assert_eq!(body.rows(sql, &loda()).await.unwrap(), ["1"]);
}

#[tokio::test]
async fn an_error_over_data_that_is_not_open_is_one_sentence() {
    let mut body = body();
    let open = body.rows("SELECT 1 / (people - 246) FROM boroughs", &loda()).await.unwrap_err();
    assert!(open.to_lowercase().contains("divide by"), "{open}");
    body.limit_memory(64);
    let sorted = "SELECT count(*), id FROM people GROUP BY id ORDER BY id";
    let error = body.rows(sorted, &loda()).await.unwrap_err();
    assert!(error.contains("could not be finished") && !error.contains(|c: char| c.is_ascii_digit()), "{error}");
    let other = body.rows("SELECT count(DISTINCT ward) FROM people GROUP BY id", &analyst()).await.unwrap_err();
    assert_eq!(error, other);
}

#[tokio::test]
async fn agreements_hold_for_their_recipients_purpose_and_days() {
    let body = body();
    let sql = "SELECT id FROM people";
    for (caller, expected) in [
        (peer("loda", None), "no purpose is stated"),
        (
            peer("loda", Some("curiosity")),
            "no agreement of loda over london.lfb.people is for the purpose 'curiosity'; state one that is agreed: fire-risk",
        ),
        (peer("gla", Some("fire-risk")), "leaves only under an agreement, and gla has none; ask lfb for an agreement"),
    ] {
        let refused = body.refusal(sql, &caller).await;
        assert!(refused.to_string().contains(expected), "{refused}");
    }
    let day = now().date_naive();
    for (start, end, admitted) in [(0, 1, true), (0, 0, false), (-1, 0, false), (1, 2, false), (-1, 1, true)] {
        body.amend("people", |terms| {
            terms.grants[0].start = day + chrono::Days::new(10) - chrono::Days::new(u64::try_from(10 - start).unwrap());
            terms.grants[0].end = day + chrono::Days::new(10) - chrono::Days::new(u64::try_from(10 - end).unwrap());
        });
        assert_eq!(body.admit(sql, &loda()).await.is_ok(), admitted, "{start} {end}");
    }
}

#[tokio::test]
async fn agreements_may_hold_for_some_analysts_only() {
    let body = body();
    body.amend("incidents", |terms| {
        std::sync::Arc::make_mut(&mut terms.dataset).needs_agreement = true;
        let mut few = grant("few", Form::Statistics);
        few.askers = Some(Askers { analysts: vec![name("asha")], groups: vec![name("fire")] });
        terms.grants = vec![few];
    });
    let sql = "SELECT count(*) FROM incidents";
    const BEN: Option<&str> = Some("spiffe://london/body/loda/analyst/ben");
    const OF_GLA: Option<&str> = Some("spiffe://london/body/gla/analyst/asha");
    for (analyst, groups, admitted) in [
        (Some("spiffe://london/body/loda/analyst/asha"), &[][..], true),
        (BEN, &[], false),
        (BEN, &["planning"], false),
        (BEN, &["planning", "fire"], true),
        (OF_GLA, &[], false),
        (OF_GLA, &["fire"], false),
        (Some("asha"), &["fire"], false),
        (None, &["fire"], false),
    ] {
        let groups: Vec<_> = groups.iter().map(|group| name(group)).collect();
        let caller = on_behalf_of("loda", analyst).in_groups(groups.clone());
        assert_eq!(body.admit(sql, &caller).await.is_ok(), admitted, "{analyst:?} {groups:?}");
    }
    // Whoever is not in it is told of the group, and of nobody's name.
    let refused = body.refusal(sql, &on_behalf_of("loda", BEN)).await.to_string();
    assert!(refused.contains("put you into the group fire") && !refused.contains("asha"), "{refused}");
}

#[tokio::test]
async fn agreements_raise_thresholds_and_cut_columns_of_statistics() {
    let body = body();
    body.amend("incidents", |terms| {
        let mut dataset = terms.dataset.as_ref().clone();
        dataset.needs_agreement = true;
        terms.dataset = dataset.into();
        let mut narrow = grant("narrow", Form::Statistics);
        narrow.columns = Some(vec![name("borough")]);
        narrow.threshold = Some(12);
        terms.grants = vec![narrow];
    });
    let sql = "SELECT borough, count(*) FROM incidents GROUP BY borough";
    let (rows, facts) = body.run(sql, &loda()).await.unwrap();
    assert_eq!(super::setup::lines(&rows), ["bexley 12"]);
    assert_eq!(facts.agreements, ["narrow"]);
    let refused = body.refusal("SELECT year, count(*) FROM incidents GROUP BY year", &loda()).await;
    assert!(refused.to_string().contains("year of london.lfb.incidents is not granted by narrow"), "{refused}");
    assert_eq!(body.refusal(sql, &peer("gla", Some("fire-risk"))).await.rule, "agreement.active");
    body.amend("incidents", |terms| terms.grants[0].threshold = Some(13));
    assert!(body.rows(sql, &loda()).await.unwrap().is_empty());
    // Of several the one with the lower threshold; rows are never more than the dataset's own form.
    body.amend("incidents", |terms| {
        terms.grants.push(grant("wide", Form::Statistics));
        terms.grants.push(grant("rows-by-mistake", Form::Rows));
    });
    let (_, facts) = body.run(sql, &loda()).await.unwrap();
    assert_eq!(facts.agreements, ["rows-by-mistake"]);
    assert_eq!(body.refusal("SELECT borough FROM incidents", &loda()).await.rule, "statistics.shape");
}

#[tokio::test]
async fn of_several_agreements_the_first_that_admits_the_query_is_relied_on() {
    let body = body();
    body.amend("incidents", |terms| {
        std::sync::Arc::make_mut(&mut terms.dataset).needs_agreement = true;
        let of = |agreement: &str, columns: &[&str], threshold| {
            let columns = Some(columns.iter().map(|column| name(column)).collect());
            super::super::Grant { columns, threshold, ..grant(agreement, Form::Statistics) }
        };
        let other = super::super::Grant { purpose: "planning".into(), ..of("other", &["alarm"], None) };
        let past = super::super::Grant { end: now().date_naive(), ..of("past", &["alarm"], None) };
        terms.grants = vec![of("b", &["borough", "year"], Some(4)), of("a", &["borough"], None), other, past];
    });
    let relied = |sql: &'static str| {
        let body = &body;
        async move { body.admit(sql, &loda()).await.map(|admitted| admitted.facts().agreements.clone()) }
    };
    assert_eq!(relied("SELECT borough, count(*) FROM incidents GROUP BY 1").await.unwrap(), ["a"]);
    assert_eq!(relied("SELECT year, count(*) FROM incidents GROUP BY 1").await.unwrap(), ["b"]);
    // Both scans go by one agreement.
    let twice = "SELECT count(*) FROM incidents WHERE borough = 'bexley' UNION ALL \
                 SELECT count(*) FROM incidents WHERE year = 2020";
    assert_eq!(relied(twice).await.unwrap(), ["b"]);
    // No two are joined, and the words are those of the preferred one.
    let refused = relied("SELECT alarm, count(*) FROM incidents GROUP BY 1").await.unwrap_err();
    assert!(refused.to_string().contains("alarm of london.lfb.incidents is not granted by a"), "{refused}");
    body.amend("incidents", |terms| terms.grants[0].columns = Some(vec![name("year")]));
    assert!(relied("SELECT borough, year, count(*) FROM incidents GROUP BY 1, 2").await.is_err());
    assert!(relied(twice).await.is_err(), "one for each scan would join them");
}

#[tokio::test]
async fn of_rows_and_statistics_whichever_admits_the_query() {
    let body = body();
    body.give_units("people", "id");
    body.amend("people", |terms| {
        let rows = super::super::Grant { columns: Some(vec![name("id")]), ..grant("rows", Form::Rows) };
        terms.grants = vec![rows, grant("counts", Form::Statistics)];
    });
    for (sql, agreement) in [
        ("SELECT count(*) FROM people", "rows"),
        ("SELECT id FROM people", "rows"),
        ("SELECT ward, count(*) FROM people GROUP BY ward", "counts"),
    ] {
        assert_eq!(body.admit(sql, &loda()).await.unwrap().facts().agreements, [agreement], "{sql}");
    }
    assert_eq!(body.refusal("SELECT id, ward FROM people", &loda()).await.rule, "rows.columns");
}

#[tokio::test]
async fn statistics_over_a_rows_dataset_need_a_unit() {
    let body = body();
    let statistics = |terms: &mut Terms| terms.grants = vec![grant("counts", Form::Statistics)];
    body.amend("people", statistics);
    let sql = "SELECT ward, count(*) FROM people GROUP BY ward";
    assert_eq!(body.refusal(sql, &loda()).await.rule, "statistics.unit");
    body.give_units("people", "id");
    // Threshold 10 where nobody names one.
    assert!(body.rows(sql, &loda()).await.unwrap().is_empty());
    // Rows come before statistics.
    body.amend("people", |terms| terms.grants.push(grant("rows", Form::Rows)));
    assert_eq!(body.run(sql, &loda()).await.unwrap().1.agreements, ["rows"]);
}

#[tokio::test]
async fn unknown_and_forbidden_look_alike() {
    let body = body();
    for dataset in ["registry", "vault"] {
        let refused = body.refusal(&format!("SELECT id FROM {dataset}"), &loda()).await;
        assert_eq!(refused.to_string(), unknown_dataset(&format!("london.lfb.{dataset}")));
        assert_eq!(refused.rule, "unknown");
    }
    body.amend("registry", |terms| terms.grants = vec![grant("secret", Form::Rows)]);
    assert_eq!(body.rows("SELECT count(*) FROM registry", &loda()).await.unwrap(), ["4"]);
    assert_eq!(body.refusal("SELECT count(*) FROM registry", &peer("gla", Some("fire-risk"))).await.rule, "unknown");
}

#[tokio::test]
async fn a_caller_sees_the_columns_that_exist_for_them() {
    let body = body();
    let table = |dataset: &str| {
        let catalog = body.state.catalog_list().catalog("london").unwrap();
        let schema = catalog.schema("lfb").unwrap();
        let table = futures::executor::block_on(schema.table(dataset)).unwrap().unwrap();
        table.downcast_ref::<PublishedTable>().unwrap().clone()
    };
    let columns = |table: Option<PublishedTable>| {
        use datafusion::catalog::TableProvider;
        table.map(|table| table.schema().fields().iter().map(|f| f.name().clone()).collect::<Vec<_>>())
    };
    assert!(table("vault").seen_by(&loda(), now()).is_none());
    assert!(table("registry").seen_by(&loda(), now()).is_none());
    assert!(columns(table("incidents").seen_by(&analyst(), now())).unwrap().contains(&"note".to_owned()));
    assert!(!columns(table("incidents").seen_by(&loda(), now())).unwrap().contains(&"note".to_owned()));
    let later: DateTime<Utc> = Utc.with_ymd_and_hms(2030, 1, 1, 0, 0, 0).unwrap();
    assert!(table("people").seen_by(&loda(), later).is_some());
}

#[tokio::test]
async fn a_narrowed_table_still_counts_by_its_hidden_unit() {
    let body = body();
    body.amend("incidents", |terms| {
        let mut dataset = terms.dataset.as_ref().clone();
        for column in &mut dataset.columns {
            if column.name.as_str() == "uprn" {
                column.role = meridian_proto::Role::Hidden;
            }
        }
        terms.dataset = dataset.into();
    });
    assert_eq!(body.rows("SELECT borough, count(*) FROM incidents GROUP BY 1", &loda()).await.unwrap(), ["bexley 12"]);
    let refused = body.refusal("SELECT count(DISTINCT uprn) FROM incidents", &loda()).await;
    assert_eq!(refused.rule, "statistics.column", "{refused}");
    body.show("incidents", &loda());
    assert_eq!(body.rows("SELECT borough, count(*) FROM incidents GROUP BY 1", &loda()).await.unwrap(), ["bexley 12"]);
    assert_eq!(body.rows("SELECT count(*) FROM (SELECT * FROM incidents) t", &loda()).await.unwrap(), ["12"]);
    let error = body.state.create_logical_plan("SELECT count(*) FROM incidents WHERE __unit = 3").await.unwrap_err();
    assert!(error.to_string().contains("__unit"), "{error}");
    // A column of the caller's that takes the unit's name does not become it.
    let sql = "SELECT count(DISTINCT __unit) FROM (SELECT borough AS __unit FROM incidents) t";
    assert!(body.admit(sql, &loda()).await.is_err());
}

#[tokio::test]
async fn a_peer_may_not_reach_through_to_third_bodies() {
    let body = body();
    assert_eq!(body.refusal("SELECT x FROM elsewhere", &loda()).await.rule, "foreign.delegation");
    let admitted = body.admit("SELECT x FROM elsewhere WHERE x > 3", &analyst()).await.unwrap();
    assert_eq!(admitted.facts().foreign, ["london.gla.elsewhere"]);
}

#[tokio::test]
async fn a_row_filter_of_another_type_is_coerced() {
    let body = body();
    body.amend("people", |terms| terms.grants[0].filter = Some(col("id").gt(lit(1_i64))));
    assert_eq!(body.rows("SELECT id FROM people ORDER BY id", &loda()).await.unwrap(), ["2", "3", "4"]);
}
