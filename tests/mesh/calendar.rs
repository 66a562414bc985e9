//! What happens on a day: agreements that end, and snapshots that are renewed, in a node that runs by a clock of the test's.

use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use chrono::{DateTime, TimeDelta, Utc};
use meridian::clock::Clock;
use meridian::config::Config;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tonic::Code;

use super::support::{Client, PURPOSE, free, get, remote_ticket, until};
use super::terms::Brigade;

/// The brigade's node in this process.
struct Calendar {
    brigade: Brigade,
    now: Arc<Mutex<DateTime<Utc>>>,
    end: Option<oneshot::Sender<()>>,
    served: Option<JoinHandle<()>>,
}

impl Calendar {
    fn new(brigade: Brigade, now: &str) -> Self {
        // An error means that it is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let now = Arc::new(Mutex::new(now.parse().unwrap()));
        let file = brigade.path("node.toml");
        let config = Config::load(&file).unwrap();
        let (clock, (end, ended)) = (Arc::clone(&now), oneshot::channel());
        let clock = Clock::by(move || *clock.lock().unwrap());
        let serve = move || {
            let mut runtime = tokio::runtime::Builder::new_multi_thread();
            let runtime = runtime.worker_threads(2).thread_stack_size(16 << 20).enable_all().build().unwrap();
            let shutdown = async { drop(ended.await) };
            runtime.block_on(meridian::app::serve(&file, config, clock, shutdown)).unwrap();
        };
        let served = Some(std::thread::spawn(serve));
        let calendar = Self { brigade, now, end: Some(end), served };
        until("the node answers", || calendar.loda().remote("SELECT 1 AS one").ok());
        calendar
    }

    fn set(&self, now: &str) {
        *self.now.lock().unwrap() = now.parse().unwrap();
    }

    fn loda(&self) -> Client {
        self.brigade.loda()
    }

    /// Waits until the node has looked at all files since now: terms that are changed now are in force, twice.
    fn until_looked(&self) {
        let agreed = "agreements/houses.toml";
        for (from, to, gives) in
            [("\"street\"]", "\"street\", \"note\"]", true), ("\"street\", \"note\"]", "\"street\"]", false)]
        {
            self.brigade.edit(agreed, from, to);
            let mut loda = self.loda();
            until("the terms are in force", || {
                (loda.remote("SELECT note FROM lfb.houses").is_ok() == gives).then_some(())
            });
        }
    }
}

impl Drop for Calendar {
    fn drop(&mut self) {
        drop(self.end.take());
        let served = self.served.take().map(JoinHandle::join);
        assert!(std::thread::panicking() || matches!(served, Some(Ok(()))));
    }
}

/// Counts by year, as the answer gives them.
fn by_year(client: &mut Client) -> String {
    client.remote("SELECT year, COUNT(*) AS n FROM lfb.incidents GROUP BY year ORDER BY year").unwrap().text()
}

#[test]
fn a_month_sees_the_same_rows_and_noise_and_the_next_one_new_ones() {
    let calendar = Calendar::new(Brigade::prepared(8), "2026-06-10T12:00:00Z");
    let brigade = &calendar.brigade;
    let mut loda = calendar.loda();
    let june = by_year(&mut loda);
    // A year that never was, and other noise: both wait.
    let fires = "data/dwelling_fires.csv";
    let rows = std::fs::read_to_string(brigade.path(fires)).unwrap();
    let like = rows.lines().last().unwrap();
    let (_, rest) = like.split_once(',').unwrap();
    let added: String = (0..500).map(|_| format!("1901-02-03,{rest}\n")).collect();
    brigade.write(fires, &(rows.clone() + &added));
    let noise = "form = \"statistics\"\nnoise = { largest = 6, variance = 4.0 }";
    brigade.edit("datasets/incidents.toml", "form = \"statistics\"", noise);
    calendar.until_looked();
    calendar.set("2026-06-30T23:59:59Z");
    calendar.until_looked();
    assert_eq!(by_year(&mut loda), june);

    calendar.set("2026-07-01T00:00:00Z");
    let july = until("the snapshot is renewed", || Some(by_year(&mut loda)).filter(|text| text.contains("1901")));
    let without = |text: &str| text.lines().filter(|line| line.contains("| 20")).map(str::to_owned).collect::<Vec<_>>();
    assert_ne!(without(&june), without(&july), "the noise is another");
    assert_eq!(by_year(&mut loda), july);
    // Back in its month, the source as it was changes nothing.
    brigade.write(fires, &rows);
    calendar.until_looked();
    assert_eq!(by_year(&mut loda), july);
}

#[test]
fn an_agreement_that_ends_while_rows_stream_ends_them() {
    let brigade = Brigade::prepared(20_000);
    brigade.edit("agreements/houses.toml", "2099-12-31", "2026-07-01");
    let calendar = Calendar::new(brigade, "2026-06-30T23:59:59Z");
    let mut loda = calendar.loda();
    let sql = "SELECT a.id, a.street, b.street AS other FROM lfb.houses a JOIN lfb.houses b ON a.street = b.street";
    let answer = loda.read_with(remote_ticket(sql, "", PURPOSE), |count| {
        if count == 3 {
            calendar.set("2026-07-01T00:00:00Z");
        }
    });
    let status = answer.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied, "{status}");
    assert!(status.message().contains("houses-2026"), "{status}");
    let status = loda.remote("SELECT id FROM lfb.houses").unwrap_err();
    assert!(status.message().contains("houses-2026") && status.message().contains("not in force"), "{status}");
    // Until it is renewed, while the node runs.
    calendar.brigade.edit("agreements/houses.toml", "2026-07-01", "2027-07-01");
    until("it is renewed", || loda.remote("SELECT id FROM lfb.houses").ok());
}

#[test]
fn the_register_shows_what_was_asked_when_the_day_is_over() {
    let brigade = Brigade::prepared(8);
    let public = free();
    brigade.edit("node.toml", "[tls]", &format!("[public]\nlisten = \"{public}\"\n\n[tls]"));
    let calendar = Calendar::new(brigade, &Utc::now().to_rfc3339());
    let brigade = &calendar.brigade;
    let page = || -> Value {
        let answer = get(public, "/register/bodies/lfb.json");
        serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
    };
    let retitled = |from: &str, to: &str| {
        brigade.edit("agreements/houses.toml", &format!("title = \"{from}\""), &format!("title = \"{to}\""));
        until("the register is of now", || Some(page()).filter(|register| register.to_string().contains(to)))
    };
    let mut loda = calendar.loda();
    let quiet = retitled("Houses visited", "Asked nothing");
    for _ in 0..3 {
        loda.remote("SELECT id FROM lfb.houses").unwrap();
    }
    loda.remote("SELECT note FROM lfb.houses").unwrap_err();
    let ended = || brigade.mesh.records("lfb").iter().filter(|line| line.json["outcome"].is_object()).count() >= 3;
    until("all have ended", || ended().then_some(()));
    let asked = retitled("Asked nothing", "Asked something");
    let same = asked.to_string().replace("Asked something", "Asked nothing");
    assert_eq!(same, quiet.to_string(), "who looks all day sees nothing of it");
    assert_eq!((&quiet["agreements"][0]["months"], &quiet["refused"]), (&json!([]), &json!([])));

    // The questions may fall on both sides of midnight.
    let later = Utc::now() + TimeDelta::days(2);
    calendar.set(&later.to_rfc3339());
    let of = |list: &Value| list.as_array().unwrap().iter().map(|it| it["questions"].as_u64().unwrap()).sum::<u64>();
    let told = until("the day is over", || Some(page()).filter(|told| told["counted"] != quiet["counted"]));
    let agreements = told["agreements"].as_array().unwrap();
    let houses = agreements.iter().find(|agreement| agreement["id"] == "houses-2026").unwrap();
    assert_eq!((of(&houses["months"]), of(&told["refused"])), (3, 1));
    assert_eq!(told["counted"], json!((later - TimeDelta::days(1)).date_naive().to_string()));
}
