//! Generated questions: SELECTs with everything that the wire can say, each of which has one right answer whoever computes it.
//!
//! All relations have the columns of [`COLUMNS`](super::generated::COLUMNS). Whatever picks rows does so by all columns, so that only equal
//! rows could stand for each other.

use crate::tests::generated::Dice;

const ALL: [&str; 7] = ["k", "g", "x", "d", "f", "b", "t"];

/// What a question is about above all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Theme {
    Rows,
    Groups,
    Sets,
    Windows,
}

/// Writes questions over some tables.
pub(crate) struct Writer<'a> {
    dice: &'a mut Dice,
    tables: &'a [&'a str],
    /// How many derived tables may still be written.
    left: u32,
    named: u32,
}

/// Tables under these names, joined.
struct From {
    text: String,
    names: Vec<String>,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(dice: &'a mut Dice, tables: &'a [&'a str]) -> Self {
        Self { dice, tables, left: 2, named: 0 }
    }

    /// The question, and whether its rows are in an order.
    pub(crate) fn question(&mut self, theme: Theme) -> (String, bool) {
        let (sql, width) = match theme {
            Theme::Rows => self.rows(),
            Theme::Groups => self.groups(),
            Theme::Sets => self.sets(),
            Theme::Windows => self.windows(),
        };
        match self.dice.below(6) {
            0 | 1 => {
                let order: Vec<String> = (1..=width)
                    .map(|place| {
                        format!("{place}{}", self.dice.pick(&["", " DESC", " NULLS FIRST", " DESC NULLS LAST"]))
                    })
                    .collect();
                let skip = self.dice.pick(&["", "", " OFFSET 1", " OFFSET 3"]);
                let fetch = self.dice.below(6);
                (format!("SELECT * FROM ({sql}) ORDER BY {} LIMIT {fetch}{skip}", order.join(", ")), true)
            }
            2 if self.dice.one_in(2) => (format!("SELECT count(*) FROM ({sql} LIMIT {})", self.dice.below(5)), false),
            _ => (sql, false),
        }
    }

    fn rows(&mut self) -> (String, usize) {
        let from = self.from();
        let number = 1 + self.number(4);
        let outputs = (0..number).map(|_| self.output(&from.names)).collect();
        let distinct = if self.dice.one_in(4) { "DISTINCT " } else { "" };
        let filter = self.filter(&from.names);
        (format!("SELECT {distinct}{} FROM {}{filter}", listed(outputs), from.text), number)
    }

    fn groups(&mut self) -> (String, usize) {
        let from = self.from();
        let number = self.number(3);
        let keys: Vec<String> = (0..number).map(|_| self.scalar(&from.names)).collect();
        let calls = 1 + self.number(3);
        let mut outputs = keys.clone();
        outputs.extend((0..calls).map(|_| self.aggregate(&from.names)));
        let width = outputs.len();
        let filter = self.filter(&from.names);
        let mut sql = format!("SELECT {} FROM {}{filter}", listed(outputs), from.text);
        let by = match (keys.as_slice(), self.dice.below(6)) {
            ([], _) => String::new(),
            (keys, 0) => format!(" GROUP BY ROLLUP ({})", keys.join(", ")),
            (keys, 1) => format!(" GROUP BY CUBE ({})", keys.join(", ")),
            ([one, other], 2) if one != other => {
                format!(" GROUP BY GROUPING SETS (({other}), ({one}, {other}), ())")
            }
            (keys, _) => format!(" GROUP BY {}", keys.join(", ")),
        };
        sql.push_str(&by);
        if self.dice.one_in(4) {
            let call = self.aggregate(&from.names);
            let having = match self.dice.below(3) {
                0 => format!("{call} IS NOT NULL"),
                1 => "count(*) > 1".to_owned(),
                _ => format!("count(*) > (SELECT min(x) FROM {})", self.table()),
            };
            sql.push_str(&format!(" HAVING {having}"));
        }
        (sql, width)
    }

    fn sets(&mut self) -> (String, usize) {
        let number = 1 + self.number(3);
        let columns: Vec<&str> = (0..number).map(|_| self.dice.pick(&["k", "g", "x", "d", "b", "t"])).collect();
        let mut sql = self.branch(&columns);
        for _ in 0..=self.dice.below(2) {
            let how = self.dice.pick(&["UNION ALL", "UNION ALL", "UNION", "INTERSECT", "EXCEPT"]);
            sql = format!("({sql}) {how} ({})", self.branch(&columns));
        }
        if self.dice.one_in(3) {
            let first = columns.first().copied().unwrap_or("k");
            return (
                format!(
                    "SELECT o0, count(*) AS o1 FROM ({sql}) GROUP BY o0 HAVING min(o0) IS NOT NULL OR '{first}' = 'g'"
                ),
                2,
            );
        }
        (sql, number)
    }

    fn branch(&mut self, columns: &[&str]) -> String {
        let from = self.joined(1);
        let outputs = columns.iter().map(|column| format!("{}.{column}", self.name(&from.names))).collect();
        let distinct = if self.dice.one_in(4) { "DISTINCT " } else { "" };
        let filter = self.filter(&from.names);
        format!("SELECT {distinct}{} FROM {}{filter}", listed(outputs), from.text)
    }

    fn windows(&mut self) -> (String, usize) {
        let from = self.from();
        let number = 1 + self.number(2);
        let mut outputs: Vec<String> = (0..number).map(|_| self.window(&from.names)).collect();
        outputs.extend((0..self.dice.below(3)).map(|_| self.scalar(&from.names)));
        let width = outputs.len();
        let filter = self.filter(&from.names);
        let sql = format!("SELECT {} FROM {}{filter}", listed(outputs), from.text);
        match self.dice.below(3) {
            0 => (format!("SELECT * FROM ({sql}) WHERE o0 IS NOT NULL AND o0 <= 3"), width),
            1 => (format!("SELECT o0, count(*) AS o1 FROM ({sql}) GROUP BY o0"), 2),
            _ => (sql, width),
        }
    }

    fn from(&mut self) -> From {
        let more = if self.dice.one_in(3) { 2 } else { 1 };
        self.joined(more)
    }

    /// A relation and at most so many more, joined in any way.
    fn joined(&mut self, more: u64) -> From {
        let (first, name) = (self.relation(), self.fresh());
        let mut from = From { text: format!("{first} AS {name}"), names: vec![name] };
        for _ in 0..self.dice.below(more + 1) {
            let (next, name) = (self.relation(), self.fresh());
            let kinds = [
                "JOIN",
                "JOIN",
                "LEFT JOIN",
                "RIGHT JOIN",
                "FULL JOIN",
                "LEFT SEMI JOIN",
                "LEFT ANTI JOIN",
                "CROSS JOIN",
            ];
            let kind = self.dice.pick(&kinds);
            let condition = match kind {
                "CROSS JOIN" => String::new(),
                _ => format!(" ON {}", self.condition(&from.names, &name)),
            };
            from.text = format!("{} {kind} {next} AS {name}{condition}", from.text);
            if !matches!(kind, "LEFT SEMI JOIN" | "LEFT ANTI JOIN") {
                from.names.push(name);
            }
        }
        from
    }

    fn condition(&mut self, names: &[String], other: &str) -> String {
        let one = self.name(names);
        let mut all = vec![match self.dice.below(7) {
            0 => format!("({one}.k IS NOT DISTINCT FROM {other}.k)"),
            1 => format!("{one}.k + 1 = {other}.k"),
            2 => format!("{one}.g = {other}.g"),
            3 => format!("{one}.t = {other}.t"),
            _ => format!("{one}.k = {other}.k"),
        }];
        let both = [names, &[other.to_owned()]].concat();
        match self.dice.below(6) {
            0 => all.push(format!("{one}.g = {other}.g")),
            1 => all.push(format!("{one}.x < {other}.x")),
            2 => all.push(self.predicate(&both)),
            _ => {}
        }
        all.join(" AND ")
    }

    fn filter(&mut self, names: &[String]) -> String {
        let mut all = Vec::new();
        if self.dice.one_in(3) {
            all.push(self.predicate(names));
        }
        if self.dice.one_in(3) {
            all.push(self.subquery(names));
        }
        if self.dice.one_in(12) {
            all = vec![format!("({} OR {})", self.predicate(names), self.subquery(names))];
        }
        if all.is_empty() { String::new() } else { format!(" WHERE {}", all.join(" AND ")) }
    }

    fn predicate(&mut self, names: &[String]) -> String {
        let (one, other) = (self.name(names), self.name(names));
        let number = self.dice.below(4);
        match self.dice.below(18) {
            0 => format!("{one}.k = {number}"),
            1 => format!("{one}.x > {number}"),
            2 => format!("{one}.g IS NULL"),
            3 => format!("{one}.g <> 'b'"),
            4 => format!("{one}.b"),
            5 => format!("NOT {one}.b"),
            6 => format!("{one}.t >= DATE '2019-05-01'"),
            7 => format!("{one}.d > 0.5"),
            8 => format!("{one}.x < {other}.x"),
            9 => format!("{one}.k IN (0, {number}, NULL)"),
            10 => format!("{one}.k NOT IN (1, {number})"),
            11 => format!("coalesce({one}.b, {other}.g IS NOT NULL)"),
            12 => format!("{one}.g LIKE '%b%'"),
            13 => format!("{one}.f + {other}.x > 0"),
            14 => format!("CASE WHEN {one}.b THEN {other}.k ELSE {one}.x END > 0"),
            15 => format!("{one}.x BETWEEN -1 AND {number}"),
            16 => format!("({} OR {})", self.predicate(names), self.predicate(names)),
            _ => format!("NOT ({})", self.predicate(names)),
        }
    }

    fn subquery(&mut self, names: &[String]) -> String {
        let (one, z) = (self.name(names), self.fresh());
        let not = self.dice.pick(&["", "NOT "]);
        let (column, of) = (self.dice.pick(&["k", "x"]), self.dice.pick(&["k", "x"]));
        match self.dice.below(9) {
            0 | 1 => {
                let filter = if self.dice.one_in(2) {
                    format!(" WHERE {}", self.predicate(&[z.clone()]))
                } else {
                    String::new()
                };
                format!("{one}.{column} {not}IN (SELECT {z}.{of} FROM {} AS {z}{filter})", self.relation())
            }
            2 => format!(
                "{one}.g {not}IN (SELECT g FROM {} {} SELECT g FROM {})",
                self.table(),
                self.dice.pick(&["INTERSECT", "EXCEPT", "UNION"]),
                self.table()
            ),
            3 => {
                format!("{not}EXISTS (SELECT 1 FROM {} AS {z} WHERE {z}.k = {one}.k AND {z}.x > {one}.x)", self.table())
            }
            4 => format!("{not}EXISTS (SELECT 1 FROM {} AS {z} WHERE {z}.g = {one}.g)", self.relation()),
            5 => format!(
                "{one}.{column} >= (SELECT {}({z}.x) FROM {} AS {z})",
                self.dice.pick(&["max", "min", "avg"]),
                self.relation()
            ),
            6 => format!("{one}.d >= (SELECT avg({z}.d) FROM {} AS {z} WHERE {z}.k = {one}.k)", self.table()),
            7 => format!(
                "{one}.k = (SELECT {z}.k FROM {} AS {z} ORDER BY {} LIMIT 1)",
                self.table(),
                total(&[z.clone()])
            ),
            _ => format!(
                "{one}.x <> (SELECT count(*) FROM {} AS {z} WHERE {})",
                self.table(),
                self.predicate(&[z.clone()])
            ),
        }
    }

    fn output(&mut self, names: &[String]) -> String {
        match self.dice.below(12) {
            0 => format!("(SELECT {}(x) FROM {})", self.dice.pick(&["max", "sum", "count"]), self.table()),
            1 => format!("{}.x + (SELECT min(k) FROM {})", self.name(names), self.relation()),
            _ => self.scalar(names),
        }
    }

    fn scalar(&mut self, names: &[String]) -> String {
        let (one, other) = (self.name(names), self.name(names));
        match self.dice.below(20) {
            0 => format!("{one}.x * 2 - {other}.k"),
            1 => format!("length({one}.g)"),
            2 => format!("extract(month FROM {one}.t)"),
            3 => format!("coalesce({one}.g, 'none')"),
            4 => format!("{one}.g || {other}.g"),
            5 => format!("{one}.d + {other}.x"),
            6 => format!("date_trunc('month', {one}.t)"),
            7 => format!("{one}.f * 0.5"),
            8 => format!("{one}.x > {other}.x"),
            9 => format!("CASE WHEN {one}.b THEN {other}.d ELSE 0.25 END"),
            _ => format!("{one}.{}", self.dice.pick(&ALL)),
        }
    }

    fn aggregate(&mut self, names: &[String]) -> String {
        let (one, other) = (self.name(names), self.name(names));
        let column = self.dice.pick(&["x", "d", "f"]);
        let call = match self.dice.below(14) {
            0 | 1 => "count(*)".to_owned(),
            2 => format!("count({})", self.scalar(names)),
            3 | 4 => format!("sum({one}.{column})"),
            5 => format!("sum({one}.x + {other}.k)"),
            6 | 7 => format!("avg({one}.{column})"),
            8 => format!("min({})", self.scalar(names)),
            9 => format!("max({})", self.scalar(names)),
            10 => format!("count(DISTINCT {one}.{})", self.dice.pick(&ALL)),
            11 => format!("sum(DISTINCT {one}.x)"),
            12 => format!("bool_and({one}.b)"),
            _ => format!("sum(CASE WHEN {one}.b THEN {other}.x ELSE 1 END)"),
        };
        if self.dice.one_in(6) { format!("{call} FILTER (WHERE {})", self.predicate(names)) } else { call }
    }

    /// A whole number from a window.
    fn window(&mut self, names: &[String]) -> String {
        let (one, other) = (self.name(names), self.name(names));
        let (by, within) = (self.dice.pick(&["k", "g", "b"]), self.dice.pick(&["k", "x"]));
        let order = total(names);
        match self.dice.below(10) {
            0 => format!("row_number() OVER (PARTITION BY {one}.{by} ORDER BY {order})"),
            1 => format!("rank() OVER (PARTITION BY {one}.{by} ORDER BY {other}.{within} DESC)"),
            2 => format!("dense_rank() OVER (ORDER BY {other}.{within})"),
            3 => format!("sum({other}.x) OVER (PARTITION BY {one}.{by})"),
            4 => format!("sum({other}.x) OVER (PARTITION BY {one}.{by} ORDER BY {one}.{within})"),
            5 => format!("max({one}.x) OVER (ORDER BY {order} ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING)"),
            6 => format!("count({one}.x) OVER (ORDER BY {other}.k RANGE BETWEEN 1 PRECEDING AND CURRENT ROW)"),
            7 => format!("lag({one}.x) OVER (PARTITION BY {one}.{by} ORDER BY {order})"),
            8 => format!("first_value({one}.k) OVER (PARTITION BY {other}.{by} ORDER BY {order})"),
            _ => format!("count(*) FILTER (WHERE {one}.b) OVER (PARTITION BY {other}.{by})"),
        }
    }

    /// A table, or one that is derived from some.
    fn relation(&mut self) -> String {
        if self.left == 0 || !self.dice.one_in(3) {
            return self.table();
        }
        self.left -= 1;
        let (table, z) = (self.table(), self.fresh());
        let all = ALL.map(|column| format!("{z}.{column}")).join(", ");
        let name = [z.clone()];
        let filter = if self.dice.one_in(2) { format!(" WHERE {}", self.predicate(&name)) } else { String::new() };
        let query = match self.dice.below(8) {
            0 | 1 => format!("SELECT k, upper(g) AS g, x + 1 AS x, d, f, NOT b AS b, t FROM {table} AS {z}{filter}"),
            2 => format!("SELECT DISTINCT {all} FROM {table} AS {z}{filter}"),
            3 => format!(
                "SELECT k, g, CAST(sum(x) AS INT) AS x, CAST(max(d) AS DECIMAL(10,2)) AS d, sum(f) AS f, bool_or(b) AS b, min(t) AS t \
                 FROM {table} AS {z}{filter} GROUP BY k, g"
            ),
            4 => format!(
                "SELECT {all} FROM {table} AS {z}{filter} ORDER BY {} LIMIT {}",
                total(&name),
                self.dice.below(7)
            ),
            5 => {
                let how = self.dice.pick(&["UNION ALL", "UNION ALL", "UNION", "INTERSECT", "EXCEPT"]);
                format!(
                    "SELECT {all} FROM {table} AS {z}{filter} {how} SELECT {} FROM {}",
                    ALL.join(", "),
                    self.table()
                )
            }
            6 => format!(
                "SELECT k, g, CAST(row_number() OVER (PARTITION BY k ORDER BY {}) AS INT) AS x, d, f, b, t FROM {table} AS {z}{filter}",
                total(&name)
            ),
            _ => {
                let other = self.fresh();
                let kind = self.dice.pick(&["JOIN", "LEFT JOIN", "RIGHT JOIN"]);
                let second = self.table();
                format!(
                    "SELECT {z}.k, {other}.g, {z}.x, {other}.d, {z}.f, {other}.b, {z}.t FROM {table} AS {z} {kind} {second} AS {other} \
                     ON {}{filter}",
                    self.condition(&name, &other)
                )
            }
        };
        format!("({query})")
    }

    fn table(&mut self) -> String {
        self.dice.pick(self.tables).to_owned()
    }

    fn name(&mut self, names: &[String]) -> String {
        names[self.number(names.len())].clone()
    }

    fn number(&mut self, below: usize) -> usize {
        usize::try_from(self.dice.below(below as u64)).unwrap()
    }

    fn fresh(&mut self) -> String {
        self.named += 1;
        format!("a{}", self.named)
    }
}

fn listed(outputs: Vec<String>) -> String {
    let named: Vec<String> =
        outputs.into_iter().enumerate().map(|(index, output)| format!("{output} AS o{index}")).collect();
    named.join(", ")
}

/// By all columns.
fn total(names: &[String]) -> String {
    let keys: Vec<String> = names.iter().flat_map(|name| ALL.map(|column| format!("{name}.{column}"))).collect();
    keys.join(", ")
}
