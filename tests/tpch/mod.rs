//! The 22 queries of TPC-H and its tables, spread over four bodies: for tests and benchmarks, which include this file.

use arrow::array::RecordBatchReader;
use tpchgen::generators::{
    CustomerGenerator, LineItemGenerator, NationGenerator, OrderGenerator, PartGenerator, PartSuppGenerator,
    RegionGenerator, SupplierGenerator,
};
use tpchgen_arrow::{
    CustomerArrow, LineItemArrow, NationArrow, OrderArrow, PartArrow, PartSuppArrow, RegionArrow, SupplierArrow,
};

macro_rules! queries {
    ($($number:literal)*) => {
        [$(include_str!(concat!("q", $number, ".sql"))),*]
    };
}

/// The queries in their order; a table's name stands in braces.
const QUERIES: [&str; 22] = queries!("01" "02" "03" "04" "05" "06" "07" "08" "09" "10" "11" "12" "13" "14" "15" "16"
    "17" "18" "19" "20" "21" "22");

/// Each table, and what it is asked by: a body, or a standard over several.
const TABLES: [(&str, &str); 8] = [
    ("nation", "loda"),
    ("region", "loda"),
    ("customer", "camden"),
    ("supplier", "hackney"),
    ("part", "hackney"),
    ("partsupp", "barnet"),
    ("orders", "every"),
    ("lineitem", "every"),
];

/// Rows of a table at a body.
pub(crate) struct Holding {
    pub(crate) body: &'static str,
    pub(crate) table: &'static str,
    /// Whether other bodies hold rows of it too: it conforms to a standard of its own name.
    pub(crate) shared: bool,
    /// Which orders it has the rows of, where others have those of others.
    pub(crate) orders: Option<Orders>,
    pub(crate) rows: Box<dyn RecordBatchReader>,
}

/// Rows of the orders from one to another, both included; of all before or behind where an end is not given.
#[derive(Clone, Copy)]
pub(crate) struct Orders {
    /// The column that says which order.
    pub(crate) column: &'static str,
    pub(crate) from: Option<i64>,
    pub(crate) to: Option<i64>,
}

/// All tables, the two largest in one part or in two.
pub(crate) fn holdings(scale: f64, parts: i32) -> Vec<Holding> {
    let mut held = Vec::new();
    let mut hold = |body, table, shared, rows| held.push(Holding { body, table, shared, orders: None, rows });
    hold("loda", "nation", false, Box::new(NationArrow::new(NationGenerator::new(scale, 1, 1))) as _);
    hold("loda", "region", false, Box::new(RegionArrow::new(RegionGenerator::new(scale, 1, 1))));
    hold("camden", "customer", false, Box::new(CustomerArrow::new(CustomerGenerator::new(scale, 1, 1))));
    hold("hackney", "supplier", false, Box::new(SupplierArrow::new(SupplierGenerator::new(scale, 1, 1))));
    hold("hackney", "part", false, Box::new(PartArrow::new(PartGenerator::new(scale, 1, 1))));
    hold("barnet", "partsupp", false, Box::new(PartSuppArrow::new(PartSuppGenerator::new(scale, 1, 1))));
    let first = |part| OrderGenerator::new(scale, part, parts).iter().next().map(|order| order.o_orderkey);
    for (part, body) in (1..=parts).zip(["camden", "barnet"]) {
        let from = if part > 1 { first(part) } else { None };
        let to = if part < parts { first(part + 1).map(|next| next - 1) } else { None };
        let orders = |column| (parts > 1).then_some(Orders { column, from, to });
        let mut hold =
            |table, column, rows| held.push(Holding { body, table, shared: true, orders: orders(column), rows });
        hold("orders", "o_orderkey", Box::new(OrderArrow::new(OrderGenerator::new(scale, part, parts))) as _);
        hold("lineitem", "l_orderkey", Box::new(LineItemArrow::new(LineItemGenerator::new(scale, part, parts))));
    }
    held
}

/// The queries with their numbers, over tables by these names: the second argument is the body, or `every`.
pub(crate) fn queries(named: impl Fn(&str, &str) -> String) -> Vec<(usize, String)> {
    let tables: Vec<_> = TABLES.iter().map(|(table, of)| (format!("{{{table}}}"), named(table, of))).collect();
    let over = |sql: &str| tables.iter().fold(sql.to_owned(), |sql, (blank, table)| sql.replace(blank, table));
    (1..).zip(QUERIES.map(over)).collect()
}
