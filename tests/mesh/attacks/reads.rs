//! Direct reads: statements that ask for rows in one shape or another.

use arrow_flight::sql::{
    ActionCreatePreparedStatementRequest, ActionCreatePreparedStatementResult, Any, CommandPreparedStatementQuery,
    ProstMessageExt,
};
use prost::Message;

use super::attacker::Attacker;
use super::town::{self, Person, Published};

pub(super) fn datasets() -> Vec<Published> {
    vec![Published::people("read", &people())]
}

fn people() -> Vec<Person> {
    town::people(41, 600)
}

/// Gains nothing: no aggregate that hands a value of one person through is answered.
#[test]
fn minimum_and_maximum() {
    let mut attacker = Attacker::new();
    let mut statements = Vec::new();
    for aggregate in ["MIN", "MAX", "STDDEV", "VAR", "VAR_POP", "KURTOSIS_POP"] {
        for column in ["income", "age", "street", "person"] {
            statements.push(format!("SELECT {aggregate}({column}) AS x FROM lfb.read"));
        }
    }
    statements.extend([
        "SELECT MIN(income) FILTER (WHERE ward = 'w1') AS x FROM lfb.read".to_owned(),
        "SELECT percentile_cont(1.0) WITHIN GROUP (ORDER BY age) AS x FROM lfb.read".to_owned(),
        "SELECT greatest(income, 0) AS x FROM lfb.read".to_owned(),
        "SELECT corr(income, age) AS x, covar_pop(income, age) AS y FROM lfb.read".to_owned(),
        "SELECT regr_slope(income, age) AS x FROM lfb.read".to_owned(),
        "SELECT bool_and(ill) AS x, bit_and(person) AS y FROM lfb.read".to_owned(),
    ]);
    for column in ["age", "street", "person"] {
        statements.extend(["MEDIAN", "APPROX_MEDIAN"].map(|f| format!("SELECT {f}({column}) AS x FROM lfb.read")));
    }
    // Some are no function of the engine at all: also then there is no answer.
    for sql in statements {
        attacker.ask(&sql).expect_err(&sql);
    }
    // Of a measure with bands, percentiles are made of released counts, and the highest is nobody's own.
    let highest = "SELECT percentile_cont(0.999) WITHIN GROUP (ORDER BY income) AS x FROM lfb.read";
    let highest: Option<f64> = attacker.table(highest)[0][0].as_ref().map(|x| x.parse().unwrap());
    let most = people().iter().map(|person| person.income).max().unwrap().to_string();
    assert_ne!(highest, most.parse().ok());
    // Through an analyst's own node they are the same, group by group: the owner makes them of the same counts.
    for sql in [
        "SELECT 'all' AS ward, MEDIAN(income) AS x FROM lfb.read",
        "SELECT ward, percentile_cont(0.9) WITHIN GROUP (ORDER BY income) AS x FROM lfb.read GROUP BY ward ORDER BY ward",
    ] {
        let number = |text: &str| text.parse::<f64>().ok();
        let direct = attacker.table(sql).into_iter();
        let direct: Vec<_> = direct.map(|row| (row[0].clone().unwrap(), row[1].as_deref().and_then(number))).collect();
        let ran = super::mesh().ask(sql);
        let rows = ran.csv();
        let asked: Vec<_> = rows.iter().skip(1).map(|row| (row[0].to_string(), number(row[1]))).collect();
        assert_eq!(asked, direct, "{sql}");
        assert!(asked.iter().any(|(_, x)| x.is_some()), "{asked:?}");
    }
    // Above the release they are of cells.
    let shown = "SELECT MIN(n) AS a, MAX(ward) AS b FROM (SELECT ward, COUNT(*) AS n FROM lfb.read GROUP BY ward) AS t";
    assert_eq!(attacker.table(shown)[0][1].as_deref(), Some("w5"));
}

/// Gains nothing: aggregates that keep values are refused, with an order, a filter or none.
#[test]
fn first_last_array_agg_and_string_agg() {
    Attacker::new().all_refused(&[
        "SELECT FIRST_VALUE(income ORDER BY age) FROM lfb.read",
        "SELECT FIRST_VALUE(street) FROM lfb.read",
        "SELECT LAST_VALUE(person ORDER BY income) FROM lfb.read",
        "SELECT NTH_VALUE(income, 3 ORDER BY income) FROM lfb.read",
        "SELECT ARRAY_AGG(income) FROM lfb.read",
        "SELECT ARRAY_AGG(DISTINCT street) FROM lfb.read",
        "SELECT ARRAY_AGG(person ORDER BY income) FILTER (WHERE ill) FROM lfb.read",
        "SELECT STRING_AGG(street, ',') FROM lfb.read",
        "SELECT unnest(ARRAY_AGG(street)) FROM lfb.read",
        "SELECT cardinality(ARRAY_AGG(street)) FROM lfb.read",
        "SELECT ward, ARRAY_AGG(income) FROM lfb.read GROUP BY ward",
    ]);
}

/// Gains nothing: windows over rows are refused; over released cells they see released cells.
#[test]
fn windows() {
    let mut attacker = Attacker::new();
    attacker.all_refused(&[
        "SELECT ROW_NUMBER() OVER () FROM lfb.read",
        "SELECT RANK() OVER (ORDER BY income) FROM lfb.read",
        "SELECT LAG(income) OVER (ORDER BY person) FROM lfb.read",
        "SELECT SUM(income) OVER (PARTITION BY street, age) FROM lfb.read",
        "SELECT ward, COUNT(*) OVER (PARTITION BY ward) FROM lfb.read",
        "SELECT COUNT(*) FROM (SELECT ROW_NUMBER() OVER (ORDER BY income) AS r FROM lfb.read) AS t WHERE r = 1",
        "SELECT SUM(x) FROM (SELECT FIRST_VALUE(income) OVER (ORDER BY income) AS x FROM lfb.read) AS t",
        "SELECT ward FROM lfb.read QUALIFY ROW_NUMBER() OVER (PARTITION BY ward ORDER BY income) = 1",
    ]);
    let over_cells = "SELECT ward, n, SUM(n) OVER (ORDER BY ward) AS s FROM (SELECT ward, COUNT(*) AS n FROM lfb.read GROUP BY ward) AS t";
    let table = attacker.table(over_cells);
    let number = |cell: &Option<String>| cell.as_ref().unwrap().parse::<i64>().unwrap();
    let mut sum = 0;
    for row in &table {
        sum += number(&row[1]);
        assert_eq!(number(&row[2]), sum);
    }
}

/// Gains nothing: a guessed row can't be put beside protected ones; beside released cells it says what the cells say.
#[test]
fn union_intersect_and_except_with_guessed_rows() {
    let mut attacker = Attacker::new();
    let person = &people()[7];
    let guess = format!("SELECT 's{:02}' AS street, {} AS age", person.street, person.age);
    let rows = "SELECT street, age FROM lfb.read";
    attacker.all_refused(&[
        format!("{rows} UNION {guess}"),
        format!("{guess} EXCEPT {rows}"),
        format!("{guess} EXCEPT ALL {rows}"),
        format!("SELECT COUNT(*) FROM ({rows} UNION ALL {guess}) AS t"),
        format!("SELECT COUNT(*) FROM lfb.read r JOIN ({guess}) AS g ON r.street = g.street AND r.age = g.age"),
        format!("SELECT COUNT(*) FROM lfb.read WHERE (street, age) IN ({guess})"),
        "SELECT COUNT(*) FROM lfb.read r JOIN (VALUES ('s01', 33)) AS g(street, age) ON r.street = g.street".to_owned(),
        "SELECT COUNT(*) FROM lfb.read WHERE street IN (SELECT column1 FROM (VALUES ('s01')) AS v)".to_owned(),
        "SELECT gss FROM (VALUES ('s01')) AS b(gss) WHERE EXISTS (SELECT 1 FROM lfb.read i WHERE i.street = b.gss)"
            .to_owned(),
    ]);
    // The labels of released cells: what is not shown is not found.
    let few = format!("SELECT 's{:02}' AS street, {} AS age", person.street, person.age);
    let labels = "SELECT street, age FROM (SELECT street, age, COUNT(*) AS n FROM lfb.read GROUP BY street, age) AS t";
    for sql in [format!("{few} INTERSECT {labels}"), format!("{rows} INTERSECT {guess}")] {
        assert_eq!(attacker.table(&sql), Vec::<Vec<_>>::new(), "{sql}");
    }
}

/// Gains nothing: a label that comes in as a parameter goes out only beside a cell that ten people are in; the answer to
/// a guess that is right and to one that is wrong are the same.
#[test]
fn labels_through_prepared_parameters() {
    let mut attacker = Attacker::new();
    let client = &mut attacker.client;
    let sql = "SELECT street, COUNT(*) AS n FROM lfb.read WHERE street = $1 AND age = 33 GROUP BY street";
    let request = ActionCreatePreparedStatementRequest { query: sql.into(), transaction_id: None };
    let made = client.action("CreatePreparedStatement", request.as_any().encode_to_vec());
    // A node asks its peers by ticket; what it prepares is refused or goes through the same gate.
    if let Ok(made) = made {
        let made = Any::decode(made[0].as_slice()).unwrap();
        let made = made.unpack::<ActionCreatePreparedStatementResult>().unwrap().expect("a prepared statement");
        let query = CommandPreparedStatementQuery { prepared_statement_handle: made.prepared_statement_handle };
        client.info(query.as_any()).expect_err("without its parameters bound it is not run");
    }
    for street in ["s01", "s17", "nowhere"] {
        let bound = sql.replace("$1", &format!("'{street}'"));
        assert_eq!(attacker.table(&bound), Vec::<Vec<_>>::new(), "{street}");
        let label = format!(
            "SELECT 'x-{street}' AS label, COUNT(*) AS n FROM lfb.read WHERE street = '{street}' AND age = 33 GROUP BY 1"
        );
        assert_eq!(attacker.table(&label), Vec::<Vec<_>>::new(), "{street}");
    }
}

/// Gains nothing: keys that tell people apart make cells of one, which are not there.
#[test]
fn group_by_a_near_unique_expression() {
    let mut attacker = Attacker::new();
    attacker.all_refused(&[
        "SELECT person, COUNT(*) FROM lfb.read GROUP BY person",
        "SELECT note, COUNT(*) FROM lfb.read GROUP BY note",
        "SELECT income, COUNT(*) FROM lfb.read GROUP BY income",
        "SELECT concat(street, age, sex), COUNT(*) FROM lfb.read GROUP BY 1",
        "SELECT street || sex, COUNT(*) FROM lfb.read GROUP BY 1",
        "SELECT age * 100, COUNT(*) FROM lfb.read GROUP BY 1",
        "SELECT uuid(), COUNT(*) FROM lfb.read GROUP BY 1",
        "SELECT random(), COUNT(*) FROM lfb.read GROUP BY 1",
    ]);
    for keys in ["street, age, sex", "ROLLUP (street, age, sex)", "GROUPING SETS ((street, age, sex), (street, age))"] {
        let table = attacker.table(&format!("SELECT street, age, sex, COUNT(*) AS n FROM lfb.read GROUP BY {keys}"));
        assert!(table.iter().all(|row| row[1].is_none()), "{keys}: {table:?}");
    }
    let labels = attacker.table("SELECT DISTINCT street, age, sex FROM lfb.read");
    assert!(labels.is_empty(), "{labels:?}");
}

/// Gains nothing: rows are not picked below an aggregate.
#[test]
fn limit_and_tablesample_below_the_aggregate() {
    let mut attacker = Attacker::new();
    for sql in [
        "SELECT COUNT(*) FROM (SELECT * FROM lfb.read LIMIT 10) AS t",
        "SELECT SUM(income) FROM (SELECT income FROM lfb.read ORDER BY age LIMIT 11) AS t",
        "SELECT SUM(income) FROM (SELECT income FROM lfb.read OFFSET 5) AS t",
        "SELECT SUM(income) FROM (SELECT income FROM lfb.read FETCH FIRST 12 ROWS ONLY) AS t",
        "SELECT COUNT(*) FROM lfb.read TABLESAMPLE BERNOULLI (10)",
        "SELECT COUNT(*) FROM lfb.read TABLESAMPLE SYSTEM (1)",
        "SELECT COUNT(*) FROM (SELECT DISTINCT ON (ward) ward, income FROM lfb.read ORDER BY ward, income) AS t",
        "SELECT * FROM lfb.read LIMIT 1",
        "TABLE lfb.read",
        "SELECT street FROM lfb.read ORDER BY income LIMIT 1",
    ] {
        attacker.ask(sql).expect_err(sql);
    }
    let limited = "SELECT ward, COUNT(*) AS n FROM lfb.read GROUP BY ward ORDER BY ward LIMIT 2";
    assert_eq!(attacker.table(limited).len(), 2, "above it they are of cells");
}
