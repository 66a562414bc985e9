//! A question as SQL.

use super::case::{
    Above, Call, Cell, Expr, From, Grouping, Joining, Key, Named, Op, Predicate, Projected, Question, Release, Select,
    Truth,
};
use super::value::{Type, Value, quoted};

/// The statement.
pub(super) fn statement(question: &Question) -> String {
    let ask = &question.ask;
    let mut ctes = Vec::new();
    collect(&ask.from, &mut ctes);
    let with = if ctes.is_empty() {
        String::new()
    } else {
        let each = ctes.iter().map(|(name, of)| format!("{name} AS ({})", projected(of)));
        format!("WITH {} ", each.collect::<Vec<_>>().join(", "))
    };
    with + &around(question)
}

/// Names of the answer's columns: keys, then cells.
pub(super) fn outputs(ask: &Release) -> Vec<String> {
    let keys = ask.keys.iter().map(|key| key.name.to_owned());
    keys.chain((0..ask.cells.len()).map(|cell| format!("c{cell}"))).collect()
}

fn around(question: &Question) -> String {
    let ask = &question.ask;
    let names = outputs(ask);
    let keys: Vec<String> = ask.keys.iter().map(|key| key.name.to_owned()).collect();
    match &question.above {
        Above::Nothing => release(ask, None),
        Above::Having(cell, op, than) => {
            release(ask, Some(format!("{} {} {than}", call(&ask.cells[*cell]), operator(*op))))
        }
        Above::Limited { by, descending, limit, offset } => {
            let by = format!("c{by}{}", if *descending { " DESC" } else { "" });
            let order: Vec<String> = std::iter::once(by).chain(keys).collect();
            format!("{} ORDER BY {} LIMIT {limit} OFFSET {offset}", release(ask, None), order.join(", "))
        }
        Above::Quotient(one, other) => {
            let quotient = format!("CAST(c{one} AS DOUBLE) / CAST(c{other} AS DOUBLE) AS q");
            let items: Vec<String> = keys.into_iter().chain([quotient]).collect();
            format!("SELECT {} FROM ({}) r", items.join(", "), release(ask, None))
        }
        Above::Kept(cell, null) => {
            let not = if *null { "" } else { "NOT " };
            format!("SELECT {} FROM ({}) r WHERE c{cell} IS {not}NULL", names.join(", "), release(ask, None))
        }
    }
}

fn release(ask: &Release, having: Option<String>) -> String {
    let keys = ask.keys.iter().map(|key| format!("{} AS {}", expr(&key.of), key.name));
    let cells = ask.cells.iter().enumerate().map(|(at, cell)| format!("{} AS c{at}", call(cell)));
    let items: Vec<String> = keys.chain(cells).collect();
    let distinct = if ask.distinct { "DISTINCT " } else { "" };
    let having = having.map_or_else(String::new, |having| format!(" HAVING {having}"));
    format!("SELECT {distinct}{} FROM {}{}{having}", items.join(", "), select(&ask.from), group_by(ask))
}

fn group_by(ask: &Release) -> String {
    let keys: Vec<String> = ask.keys.iter().map(|key| expr(&key.of)).collect();
    if keys.is_empty() || ask.distinct {
        return String::new();
    }
    let listed = keys.join(", ");
    match &ask.grouping {
        Grouping::Plain => format!(" GROUP BY {listed}"),
        Grouping::Rollup => format!(" GROUP BY ROLLUP ({listed})"),
        Grouping::Cube => format!(" GROUP BY CUBE ({listed})"),
        Grouping::Sets(sets) => {
            let of = |set: &Vec<usize>| set.iter().map(|key| keys[*key].clone()).collect::<Vec<_>>().join(", ");
            let sets: Vec<String> = sets.iter().map(|set| format!("({})", of(set))).collect();
            format!(" GROUP BY GROUPING SETS ({})", sets.join(", "))
        }
    }
}

fn call(cell: &Cell) -> String {
    let (function, argument) = match &cell.call {
        Call::Rows => ("count", "*".to_owned()),
        Call::Count(of) => ("count", expr(of)),
        Call::Units(of) | Call::Labels(of) => ("count", format!("DISTINCT {}", expr(of))),
        Call::Approximate(of) => ("approx_distinct", expr(of)),
        Call::Sum(of) => ("sum", expr(of)),
        Call::Ones => ("sum", "1".to_owned()),
        Call::Average(of) => ("avg", expr(of)),
        Call::Never(function, of) => (*function, expr(of)),
    };
    match &cell.filter {
        None => format!("{function}({argument})"),
        Some(filter) if cell.as_case => {
            let argument = if argument == "*" { "1".to_owned() } else { argument };
            format!("{function}(CASE WHEN {} THEN {argument} END)", predicate(filter))
        }
        Some(filter) => format!("{function}({argument}) FILTER (WHERE {})", predicate(filter)),
    }
}

fn select(of: &Select) -> String {
    let within = of.within.iter().map(|w| format!("{} IN ({})", named(&w.column), projected(&w.of)));
    let conditions: Vec<String> = of.conditions.iter().map(nested).chain(within).collect();
    let condition = if conditions.is_empty() { String::new() } else { format!(" WHERE {}", conditions.join(" AND ")) };
    format!("{}{condition}", from(&of.from[0]))
}

fn projected(of: &Projected) -> String {
    let items: Vec<String> = of.items.iter().map(item).collect();
    format!("SELECT {} FROM {}", items.join(", "), select(&of.from))
}

fn item(item: &Key) -> String {
    format!("{} AS {}", expr(&item.of), item.name)
}

fn from(of: &From) -> String {
    match of {
        From::Scan { dataset, alias } => format!("{dataset} {alias}"),
        From::Derived { alias, cte: true, .. } => (*alias).to_owned(),
        From::Derived { of, alias, cte: false } => format!("({}) {alias}", projected(of)),
        From::Joined { sides, kind, on, rest } => {
            let word = match kind {
                Joining::Inner => "JOIN",
                Joining::LeftOuter => "LEFT JOIN",
                Joining::RightOuter => "RIGHT JOIN",
                Joining::FullOuter => "FULL JOIN",
            };
            let on = on.iter().map(|(left, right)| format!("{} = {}", named(left), named(right)));
            let on: Vec<String> = on.chain(rest.iter().map(nested)).collect();
            let on = if on.is_empty() { "true".to_owned() } else { on.join(" AND ") };
            format!("{} {word} {} ON {on}", from(&sides[0]), from(&sides[1]))
        }
        From::United { branches, alias } => {
            let branches: Vec<String> = branches.iter().map(projected).collect();
            format!("({}) {alias}", branches.join(" UNION ALL "))
        }
    }
}

/// Common table expressions, inner ones first.
fn collect<'a>(of: &'a Select, into: &mut Vec<(&'static str, &'a Projected)>) {
    for within in &of.within {
        collect(&within.of.from, into);
    }
    of.from.iter().for_each(|from| collect_from(from, into));
}

fn collect_from<'a>(of: &'a From, into: &mut Vec<(&'static str, &'a Projected)>) {
    match of {
        From::Scan { .. } => {}
        From::Derived { of, alias, cte } => {
            collect(&of.from, into);
            if *cte {
                into.push((alias, of));
            }
        }
        From::Joined { sides, .. } => sides.iter().for_each(|side| collect_from(side, into)),
        From::United { branches, .. } => branches.iter().for_each(|branch| collect(&branch.from, into)),
    }
}

fn named(of: &Named) -> String {
    format!("{}.{}", of.relation, of.column)
}

fn only(of: &[Expr]) -> String {
    expr(&of[0])
}

fn expr(of: &Expr) -> String {
    match of {
        Expr::Reference(column) => named(column),
        Expr::Constant(value) => value.sql(),
        Expr::Truncated(part, of) => format!("date_trunc('{part}', {})", only(of)),
        Expr::Part(part, of) => format!("extract({part} FROM {})", only(of)),
        Expr::Left(of, length) => format!("left({}, {length})", only(of)),
        Expr::Start(of, length) => format!("substr({}, 1, {length})", only(of)),
        Expr::Spelling(function, of) => format!("{function}({})", only(of)),
        Expr::Coalesce(of) => format!("coalesce({})", of.iter().map(expr).collect::<Vec<_>>().join(", ")),
        Expr::Nullif(of, value) => format!("nullif({}, {})", only(of), value.sql()),
        Expr::Choice(whens, otherwise) => {
            let whens = whens.iter().map(|(when, then)| format!("WHEN {} THEN {}", predicate(when), expr(then)));
            let otherwise = otherwise.iter().map(|otherwise| format!("ELSE {}", expr(otherwise)));
            format!("CASE {} END", whens.chain(otherwise).collect::<Vec<_>>().join(" "))
        }
        Expr::Casted(of, to) => format!("CAST({} AS {})", only(of), type_name(*to)),
        Expr::Plus(of, n) => format!("{} + {n}", only(of)),
        Expr::Length(of) => format!("length({})", only(of)),
    }
}

fn type_name(of: Type) -> String {
    match of {
        Type::Bool => "BOOLEAN".into(),
        Type::Int => "INTEGER".into(),
        Type::Big => "BIGINT".into(),
        Type::Float => "DOUBLE".into(),
        Type::Fixed(precision, scale) => format!("DECIMAL({precision}, {scale})"),
        Type::Text => "VARCHAR".into(),
        Type::Day => "DATE".into(),
    }
}

fn nested(of: &Predicate) -> String {
    format!("({})", predicate(of))
}

fn list(of: &[Predicate], word: &str) -> String {
    of.iter().map(nested).collect::<Vec<_>>().join(word)
}

fn values(of: &[Value]) -> String {
    of.iter().map(Value::sql).collect::<Vec<_>>().join(", ")
}

fn not(negated: bool) -> &'static str {
    if negated { "NOT " } else { "" }
}

/// A condition.
pub(super) fn predicate(of: &Predicate) -> String {
    match of {
        Predicate::Compare(of, op, value) => format!("{} {} {}", expr(of), operator(*op), value.sql()),
        Predicate::Among(of, among, negated) => format!("{} {}IN ({})", expr(of), not(*negated), values(among)),
        Predicate::Missing(of, negated) => format!("{} IS {}NULL", expr(of), not(*negated)),
        Predicate::Between(of, low, high, negated) => {
            format!("{} {}BETWEEN {} AND {}", expr(of), not(*negated), low.sql(), high.sql())
        }
        Predicate::Prefix(of, prefix, negated) => {
            format!("{} {}LIKE {}", expr(of), not(*negated), quoted(&format!("{prefix}%")))
        }
        Predicate::StartsWith(of, prefix) => format!("starts_with({}, {})", expr(of), quoted(prefix)),
        Predicate::Contains(of, text) => format!("{} LIKE {}", expr(of), quoted(&format!("%{text}%"))),
        Predicate::Distinct(of, value, negated) => {
            format!("{} IS {}DISTINCT FROM {}", expr(of), not(*negated), value.sql())
        }
        Predicate::Holds(of) => expr(of),
        Predicate::Not(of) => format!("NOT ({})", predicate(&of[0])),
        Predicate::All(of) => list(of, " AND "),
        Predicate::Any(of) => list(of, " OR "),
        Predicate::Is(of, truth, negated) => {
            let truth = match truth {
                Truth::Yes => "TRUE",
                Truth::No => "FALSE",
                Truth::Unknown => "UNKNOWN",
            };
            format!("({}) IS {}{truth}", predicate(&of[0]), not(*negated))
        }
        Predicate::Always(truth) => truth.to_string(),
        Predicate::Same(one, other) => format!("{} = {}", expr(one), expr(other)),
    }
}

fn operator(of: Op) -> &'static str {
    match of {
        Op::Equal => "=",
        Op::Unequal => "<>",
        Op::Less => "<",
        Op::LessOrEqual => "<=",
        Op::Greater => ">",
        Op::GreaterOrEqual => ">=",
    }
}
