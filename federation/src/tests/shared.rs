//! What a question names twice is asked once.

use crate::tests::keyed::Sent;
use crate::tests::world::{World, asked, both};

const QUESTIONS: [&str; 3] = [
    // A common table expression that is read twice.
    "WITH c AS (SELECT borough_gss, COUNT(*) AS n FROM lfb.incidents GROUP BY borough_gss)
     SELECT g.name, c.n, (SELECT MAX(n) FROM c) AS most FROM gla.boroughs g JOIN c ON c.n > g.area / 100",
    "SELECT a.station, b.station, g.name FROM lfb.stations a, gla.boroughs g, lfb.stations b
     WHERE a.engines < g.area / 10 AND b.engines < g.area / 20",
    "SELECT gss FROM gla.boroughs WHERE population > (SELECT AVG(population) FROM gla.boroughs)
     UNION ALL SELECT station FROM lfb.stations WHERE engines > 1 UNION ALL SELECT station FROM lfb.stations WHERE engines > 1",
];

#[tokio::test]
async fn equal_parts_of_a_question_are_asked_once() {
    for sql in QUESTIONS {
        let sent = Sent::default();
        let world = World { keyed: Some(sent.clone()), ..World::open() };
        let (here, there) = both(&world, sql).await;
        assert_eq!(here, there, "{sql}");
        let mut texts = sent.new_ones();
        let number = texts.len();
        texts.sort();
        texts.dedup();
        assert_eq!(texts.len(), number, "{sql}: {texts:#?}");
        // EXPLAIN tells of each as often as it is asked.
        assert_eq!(asked(&world, sql).await.len(), number, "{sql}");
    }
}
