//! The same SQL over the federation and on one engine over all rows gives the same answer.

use crate::tests::keyed::Sent;
use crate::tests::world::{World, rows};

/// A query that starts with `=` has a total order and is compared in it, the others as multisets.
const CORPUS: &[&str] = &[
    // One body.
    "SELECT * FROM lfb.incidents",
    "SELECT note FROM lfb.incidents WHERE note = 'it''s here'",
    "SELECT note FROM lfb.incidents WHERE note LIKE '100\\%\\_%' OR note ILIKE 'A'",
    "SELECT year, cost FROM lfb.incidents WHERE year IN (2020, 2021, NULL) AND cost > 1.5",
    "SELECT year, cost FROM lfb.incidents WHERE year NOT IN (2020, 2019)",
    "SELECT borough_gss FROM lfb.incidents WHERE borough_gss IS NOT DISTINCT FROM NULL",
    "SELECT borough_gss FROM lfb.incidents WHERE borough_gss IS DISTINCT FROM 'E09000007'",
    "SELECT CASE WHEN cost IS NULL THEN 'none' WHEN cost < 0 THEN 'credit' ELSE 'debit' END AS k, households + 1 FROM lfb.incidents",
    "SELECT CASE year WHEN 2020 THEN 'a' WHEN 2021 THEN NULL END FROM lfb.incidents",
    "SELECT happened FROM lfb.incidents WHERE happened BETWEEN DATE '2020-02-01' AND DATE '2021-03-01'",
    "SELECT happened FROM lfb.incidents WHERE happened >= '2020-06-01'",
    "SELECT date_trunc('month', happened) AS m, count(*) FROM lfb.incidents GROUP BY m",
    "SELECT extract(year FROM happened) AS y, sum(cost), avg(cost), min(cost), max(happened) FROM lfb.incidents GROUP BY y",
    "SELECT count(*), count(cost), sum(households), avg(households), min(note), max(year) FROM lfb.incidents",
    "SELECT count(*) , sum(cost), avg(cost) FROM lfb.incidents WHERE year = 1066",
    "SELECT year, count(*) FROM lfb.incidents WHERE year = 1066 GROUP BY year",
    "SELECT borough_gss, year, count(*) FILTER (WHERE cost > 5), sum(cost) FILTER (WHERE year = 2020) FROM lfb.incidents GROUP BY borough_gss, year",
    "SELECT borough_gss, count(DISTINCT year), sum(DISTINCT households) FROM lfb.incidents GROUP BY borough_gss HAVING count(*) > 1",
    "SELECT DISTINCT year, borough_gss FROM lfb.incidents",
    "SELECT DISTINCT cost FROM lfb.incidents WHERE households >= 0",
    "=SELECT borough_gss, cost FROM lfb.incidents ORDER BY cost DESC NULLS LAST, borough_gss, note LIMIT 4",
    "=SELECT borough_gss, year FROM lfb.incidents ORDER BY borough_gss NULLS FIRST, year DESC, cost LIMIT 3 OFFSET 2",
    "=SELECT year, sum(cost) AS total FROM lfb.incidents GROUP BY year ORDER BY total DESC, year LIMIT 2",
    "SELECT count(*) FROM (SELECT year FROM lfb.incidents ORDER BY year, cost LIMIT 5) WHERE year > 2019",
    "SELECT count(*) FROM (SELECT 1 FROM lfb.incidents LIMIT 5)",
    "SELECT count(*) FROM (SELECT year FROM lfb.incidents LIMIT 100 OFFSET 3)",
    "SELECT sum(n), count(*) FROM (SELECT borough_gss, count(*) AS n FROM lfb.incidents GROUP BY borough_gss)",
    "SELECT upper(note) || '!' , -households, cost * 2, cost / 3, households % 2 FROM lfb.incidents",
    "SELECT CAST(cost AS DOUBLE), CAST(year AS VARCHAR), TRY_CAST(note AS INTEGER) FROM lfb.incidents",
    "SELECT year - -5, 2 - (year - 3), NOT (year > 2020 AND cost < 3) FROM lfb.incidents",
    "SELECT coalesce(note, borough_gss, 'x'), nullif(year, 2020), greatest(year, 2020) FROM lfb.incidents",
    "SELECT substr(borough_gss, 2, 3), length(note), round(CAST(cost AS DOUBLE) * 4) FROM lfb.incidents WHERE starts_with(borough_gss, 'E0900')",
    "SELECT (year > 2020) IS TRUE, (year > 2020) IS NOT FALSE, (cost > 1) IS UNKNOWN FROM lfb.incidents",
    "SELECT year, count(*) FROM lfb.incidents GROUP BY ROLLUP (year)",
    "SELECT borough_gss, row_number() OVER (PARTITION BY borough_gss ORDER BY cost, note) FROM lfb.incidents",
    "SELECT a.year FROM lfb.incidents a WHERE a.cost = (SELECT max(cost) FROM lfb.incidents)",
    "SELECT var_pop(households), stddev(households), bool_and(year > 2018), bit_or(households) FROM lfb.incidents WHERE year IS NOT NULL",
    // Bodies with each other: joined here.
    "SELECT b.name, i.cost FROM lfb.incidents i JOIN gla.boroughs b ON i.borough_gss = b.gss",
    "SELECT b.name, i.cost FROM gla.boroughs b LEFT JOIN lfb.incidents i ON i.borough_gss = b.gss AND i.year = 2020",
    "SELECT b.name, i.cost FROM gla.boroughs b RIGHT JOIN lfb.incidents i ON i.borough_gss = b.gss AND b.inner_london",
    "SELECT b.name, i.cost FROM gla.boroughs b FULL JOIN lfb.incidents i ON i.borough_gss = b.gss",
    "SELECT b.name, count(i.uprn), sum(i.cost) FROM gla.boroughs b LEFT JOIN lfb.incidents i ON i.borough_gss = b.gss GROUP BY b.name",
    "SELECT name FROM gla.boroughs WHERE gss IN (SELECT borough_gss FROM lfb.incidents WHERE cost > 5)",
    "SELECT name FROM gla.boroughs WHERE gss NOT IN (SELECT borough_gss FROM lfb.incidents)",
    "SELECT name FROM gla.boroughs WHERE gss NOT IN (SELECT borough_gss FROM lfb.incidents WHERE borough_gss IS NOT NULL)",
    "SELECT name FROM gla.boroughs b WHERE EXISTS (SELECT 1 FROM lfb.incidents i WHERE i.borough_gss = b.gss AND i.cost > b.area)",
    "SELECT name FROM gla.boroughs b WHERE NOT EXISTS (SELECT 1 FROM lfb.incidents i WHERE i.borough_gss = b.gss)",
    "SELECT b.name, 1.0 * n / b.population FROM gla.boroughs b JOIN (SELECT borough_gss, count(*) AS n FROM lfb.incidents GROUP BY 1) i ON b.gss = i.borough_gss",
    "SELECT name FROM gla.boroughs WHERE population > (SELECT avg(population) FROM gla.boroughs)",
    "SELECT name, (SELECT count(*) FROM lfb.incidents) FROM gla.boroughs WHERE area < (SELECT max(cost) FROM lfb.incidents)",
    "SELECT name, (SELECT sum(cost) FROM lfb.incidents i WHERE i.borough_gss = b.gss) FROM gla.boroughs b",
    "SELECT a.name, b.name FROM gla.boroughs a, gla.boroughs b WHERE a.area < b.area AND a.inner_london = b.inner_london",
    "SELECT gss FROM gla.boroughs UNION SELECT borough_gss FROM lfb.incidents",
    "SELECT gss FROM gla.boroughs UNION ALL SELECT borough_gss FROM lfb.incidents",
    "SELECT gss FROM gla.boroughs INTERSECT SELECT borough_gss FROM lfb.incidents",
    "SELECT gss FROM gla.boroughs EXCEPT SELECT borough_gss FROM lfb.incidents",
    "WITH t AS (SELECT borough_gss AS g, count(*) AS n FROM lfb.incidents GROUP BY 1) SELECT x.g, y.n FROM t x JOIN t y ON x.n = y.n",
    // Every body of a standard, groups of its own.
    "SELECT * FROM every.buildings",
    "SELECT _body, count(*) FROM every.buildings GROUP BY _body",
    "SELECT _body, kind, count(*), sum(value), avg(height), avg(value), avg(storeys) FROM every.buildings GROUP BY _body, kind",
    "SELECT borough_gss, count(*), count(DISTINCT uprn), stddev(storeys) FROM every.buildings GROUP BY borough_gss HAVING count(*) > 1",
    "SELECT _body, count(*) FROM every.spend GROUP BY _body",
    "SELECT DISTINCT _body FROM every.spend",
    "SELECT _body, supplier FROM every.spend WHERE _body <> 'camden'",
    "SELECT _body || ':' || supplier, length(_body) FROM every.spend",
    // Every body, groups across bodies: partial there, final here.
    "SELECT count(*) FROM every.buildings",
    "SELECT count(*), count(height), sum(storeys), sum(value), avg(value), avg(height), avg(storeys), min(built), max(kind) FROM every.buildings",
    "SELECT kind, count(*), sum(value), avg(value), min(height), max(built), bool_or(listed), bool_and(listed) FROM every.buildings GROUP BY kind",
    "SELECT kind, listed, count(*) FILTER (WHERE height > 9), avg(storeys) FILTER (WHERE listed) FROM every.buildings GROUP BY kind, listed",
    "SELECT kind, count(DISTINCT uprn), sum(DISTINCT storeys) FROM every.buildings GROUP BY kind",
    "SELECT count(*), sum(amount), avg(amount), avg(units), sum(rate), avg(rate), bit_xor(units) FROM every.spend",
    "SELECT count(*), sum(amount), avg(amount), avg(units) FROM every.spend WHERE supplier = 'nobody'",
    "SELECT supplier, count(*), sum(amount), avg(amount) FROM every.spend WHERE supplier = 'nobody' GROUP BY supplier",
    "SELECT supplier, avg(amount), avg(units), count(units), sum(amount) / count(*) FROM every.spend GROUP BY supplier HAVING sum(amount) > 0 OR supplier IS NULL",
    "SELECT department, count(*) AS n FROM every.spend GROUP BY department HAVING count(*) > 1",
    "SELECT DISTINCT department FROM every.spend",
    "SELECT date_trunc('month', paid) AS m, _body, sum(amount) FROM every.spend GROUP BY m, _body",
    "SELECT date_trunc('month', paid) AS m, max(amount) FROM every.spend GROUP BY m",
    "SELECT stddev(amount), var_samp(units) FROM every.spend",
    "SELECT sum(n), avg(n) FROM (SELECT supplier, count(*) AS n FROM every.spend GROUP BY supplier)",
    "SELECT min(DISTINCT units), max(DISTINCT units) FROM every.spend",
    "=SELECT supplier, amount, _body FROM every.spend ORDER BY amount DESC NULLS LAST, supplier, paid, _body LIMIT 3",
    "=SELECT supplier, amount FROM every.spend ORDER BY amount NULLS FIRST, supplier, _body LIMIT 3 OFFSET 2",
    "SELECT count(*) FROM (SELECT * FROM every.spend LIMIT 4)",
    "SELECT count(*) FROM (SELECT supplier FROM every.spend LIMIT 4 OFFSET 3)",
    "=SELECT supplier, sum(amount) AS s FROM every.spend GROUP BY supplier ORDER BY s DESC NULLS LAST, supplier LIMIT 2",
    // Pruned.
    "SELECT count(*), sum(value) FROM every.buildings WHERE borough_gss = 'E09000007'",
    "SELECT kind, count(*) FROM every.buildings WHERE borough_gss IN ('E09000007', 'E09000003') GROUP BY kind",
    "SELECT uprn FROM every.buildings WHERE _body = 'hackney' AND height > 5",
    "SELECT count(*) FROM every.buildings WHERE borough_gss = 'E09000033'",
    "SELECT _body, count(*) FROM every.spend WHERE _body = 'barnet' GROUP BY _body",
    "SELECT kind, count(*) FROM every.buildings WHERE _body = 'nobody' GROUP BY kind",
    "SELECT count(*) FROM every.spend WHERE _body LIKE '%e%' OR supplier = 'Bolt'",
    // Every body with others.
    "SELECT b.name, count(u.uprn), sum(u.value) FROM gla.boroughs b LEFT JOIN every.buildings u ON u.borough_gss = b.gss GROUP BY b.name",
    // Grouped below the join, at one side or both.
    "SELECT b.name, count(*), sum(i.cost), avg(i.cost), avg(i.households), min(i.year), max(b.area) FROM lfb.incidents i JOIN gla.boroughs b ON i.borough_gss = b.gss GROUP BY b.name",
    "SELECT b.name, count(*), count(i.cost), sum(b.population), count(b.area) FROM gla.boroughs b LEFT JOIN lfb.incidents i ON i.borough_gss = b.gss GROUP BY b.name",
    "SELECT b.inner_london, count(*), count(i.year), sum(i.cost) FROM gla.boroughs b FULL JOIN lfb.incidents i ON i.borough_gss = b.gss GROUP BY b.inner_london",
    "SELECT count(*), sum(u.storeys), sum(i.cost), avg(u.value) FROM lfb.incidents i JOIN every.buildings u ON i.borough_gss = u.borough_gss",
    "SELECT b.name, count(*), sum(u.storeys), avg(i.cost), sum(u.height) FROM lfb.incidents i JOIN every.buildings u ON u.borough_gss = i.borough_gss JOIN gla.boroughs b ON b.gss = i.borough_gss GROUP BY b.name",
    "SELECT u.kind, count(*) FILTER (WHERE i.year = 2020), sum(i.cost) FILTER (WHERE u.listed), count(DISTINCT i.year) FROM lfb.incidents i JOIN every.buildings u ON i.borough_gss = u.borough_gss GROUP BY u.kind",
    "SELECT u.kind, count(*), sum(i.cost) FROM lfb.incidents i JOIN every.buildings u ON i.borough_gss = u.borough_gss AND i.year > u.storeys GROUP BY u.kind",
    "SELECT u._body, count(*), sum(i.households) FROM lfb.incidents i JOIN every.buildings u ON i.uprn = u.uprn GROUP BY u._body",
    "SELECT date_trunc('year', i.happened) AS y, b.inner_london, count(*) FROM lfb.incidents i JOIN gla.boroughs b ON i.borough_gss = b.gss GROUP BY y, b.inner_london",
    "SELECT i.year, count(*) FROM lfb.incidents i WHERE i.borough_gss IN (SELECT gss FROM gla.boroughs WHERE inner_london) GROUP BY i.year",
    "SELECT i.year, count(*), sum(i.cost) FROM lfb.incidents i WHERE i.borough_gss NOT IN (SELECT gss FROM gla.boroughs WHERE gss IS NOT NULL) GROUP BY i.year",
    "SELECT DISTINCT b.name FROM lfb.incidents i JOIN gla.boroughs b ON i.borough_gss = b.gss",
    "SELECT count(*), sum(i.cost) FROM lfb.incidents i JOIN gla.boroughs b ON i.borough_gss = b.gss WHERE b.name = 'nobody'",
    "SELECT b.name, var_pop(i.households) FROM lfb.incidents i JOIN gla.boroughs b ON i.borough_gss = b.gss GROUP BY b.name",
    "SELECT b.name, sum(i.cost / i.households) FROM lfb.incidents i JOIN gla.boroughs b ON i.borough_gss = b.gss WHERE i.households > 0 GROUP BY b.name",
    "SELECT x.name, avg(x.n) FROM (SELECT b.name, i.year, count(*) AS n FROM lfb.incidents i JOIN gla.boroughs b ON i.borough_gss = b.gss GROUP BY 1, 2) x JOIN every.buildings u ON u.storeys = x.n GROUP BY x.name",
    "SELECT b.name, count(*) FROM lfb.incidents i CROSS JOIN gla.boroughs b GROUP BY b.name",
    "SELECT i.cost, u.height FROM lfb.incidents i JOIN every.buildings u ON i.uprn = u.uprn",
    "SELECT uprn FROM every.buildings u WHERE NOT EXISTS (SELECT 1 FROM lfb.incidents i WHERE i.uprn = u.uprn)",
    "SELECT x._body, y._body FROM every.buildings x JOIN every.buildings y ON x.value = y.value",
    "SELECT supplier FROM every.spend WHERE amount > (SELECT avg(amount) FROM every.spend)",
    "SELECT supplier FROM every.spend WHERE amount > (SELECT avg(amount) FROM every.spend) AND random() >= 0.0",
    "SELECT count(*) FROM every.spend WHERE random() >= 0.0",
    "SELECT kind FROM every.buildings UNION SELECT supplier FROM every.spend",
    "SELECT s.n, t.n FROM (SELECT count(*) AS n FROM every.spend) s CROSS JOIN (SELECT count(*) AS n FROM every.buildings) t",
];

#[tokio::test]
async fn the_federation_answers_like_one_engine() {
    answers_like_one_engine(&World::open()).await;
}

#[tokio::test]
async fn it_does_where_keys_are_sent() {
    answers_like_one_engine(&World { keyed: Some(Sent::default()), ..World::open() }).await;
}

async fn answers_like_one_engine(world: &World) {
    let (asker, central) = (world.asker(), world.central());
    let mut wrong = Vec::new();
    for query in CORPUS {
        let (ordered, sql) = query.strip_prefix('=').map_or((false, *query), |sql| (true, sql));
        let (mut here, mut there) = (rows(&asker, sql).await, rows(&central, sql).await);
        if !ordered {
            here.iter_mut().chain(there.iter_mut()).for_each(|rows| rows.sort());
        }
        if here != there || there.is_err() {
            wrong.push(format!("{sql}\n  federated {here:#?}\n  central {there:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), CORPUS.len(), wrong.join("\n"));
}
