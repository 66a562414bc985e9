//! What bodies pay to suppliers: three layouts in which they publish it, and invented suppliers.

use std::path::Path;

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::files::{fill, published, write_text};
use super::{Data, Error, stream};

/// Who pays.
pub(super) struct Payer<'a> {
    /// A number of its own, which decides its rows and its layout.
    pub(super) place: u32,
    /// Its name as a body.
    pub(super) slug: &'a str,
    /// Its name in a title.
    pub(super) name: &'a str,
}

/// How a body publishes its payments.
struct Layout {
    mapping: &'static str,
    heading: &'static str,
    row: fn(&Payment) -> String,
}

/// Every payment of a ledger, credits in brackets.
static LEDGER: Layout = Layout {
    mapping: include_str!("../../london/mappings/spend_ledger.sql"),
    heading: "Vendor Name,Expenditure Account Code Description,Amount,Clearing Date",
    row: |payment| {
        let amount = if payment.pence < 0 { format!("({})", pounds(-payment.pence)) } else { pounds(payment.pence) };
        let [month, day] = [payment.month, payment.day];
        format!("{},{},{amount},2025-{month:02}-{day:02}", payment.supplier, payment.subject)
    },
};

/// Totals by supplier, with commas in the thousands.
static TOTALS: Layout = Layout {
    mapping: include_str!("../../london/mappings/spend_totals.sql"),
    heading: "Supplier Name,Sum of Invoice Nett Amount",
    row: |payment| format!("{},\"{}\"", payment.supplier, with_commas(payment.pence)),
};

/// What was paid by card, dates as one writes them here.
static CARDS: Layout = Layout {
    mapping: include_str!("../../london/mappings/spend_cards.sql"),
    heading: "Account Description,Creditor,Journal Date,Total",
    row: |payment| {
        let [month, day] = [payment.month, payment.day];
        let amount = pounds(payment.pence);
        format!("{},{},{day:02}/{month:02}/2025,{amount}", payment.subject, payment.supplier)
    },
};

/// Invented suppliers, and what they supply. The last is how a person's name is published.
const SUPPLIERS: [[&str; 2]; 9] = [
    ["Northbank Cleaning Ltd", "Cleaning"],
    ["Beacon Street Energy plc", "Electricity"],
    ["Lark and Marsh Solicitors LLP", "Legal advice"],
    ["Tideway Road Repairs Ltd", "Highways"],
    ["Ninefields Software Ltd", "Software licences"],
    ["Halcyon Homecare Ltd", "Home care"],
    ["Fernhill Day Nurseries CIC", "Nursery places"],
    ["Oak Lane Printers Ltd", "Printing"],
    ["REDACTED PERSONAL DATA", "Foster care"],
];

/// A payment, or the total of a supplier.
struct Payment {
    supplier: String,
    subject: &'static str,
    pence: i64,
    month: u32,
    day: u32,
}

/// Writes what a body publishes about its payments; of the published files there are those of three bodies.
pub(super) fn write(payer: Payer<'_>, dir: &Path, data: &Data<'_>) -> Result<(), Error> {
    let (layout, path, what) = match data {
        Data::Published { folder } => {
            let (layout, file) = match payer.slug {
                "gla" => (&LEDGER, "spend/gla/2017-P01.csv"),
                "lambeth" => (&TOTALS, "spend/lambeth/2011-01-payments.csv"),
                "barnet" => (&CARDS, "spend/barnet/PCard_16-17.csv"),
                _ => return Ok(()),
            };
            (layout, published(folder, file)?, "Payments as published")
        }
        Data::Generated { seed } => {
            let layout = layout(payer.place);
            let path = "data/spend.csv".to_owned();
            write_text(&dir.join(&path), &rows(layout, payer.place, &mut stream(*seed, 200 + u64::from(payer.place))))?;
            (layout, path, "Payments of £500 and more in 2025. Synthetic")
        }
    };
    let values = [("name", payer.name), ("what", what), ("mapping", layout.mapping), ("path", &path)];
    write_text(&dir.join("datasets/spend.toml"), &fill(include_str!("../../london/datasets/spend.toml"), &values))
}

fn layout(place: u32) -> &'static Layout {
    match place % 3 {
        0 => &TOTALS,
        1 => &LEDGER,
        _ => &CARDS,
    }
}

/// A body pays most of the suppliers, each once or some times; every second one writes names in capitals.
fn rows(layout: &Layout, place: u32, random: &mut ChaCha8Rng) -> String {
    let mut csv = format!("{}\n", layout.heading);
    for [supplier, subject] in SUPPLIERS {
        if random.random_ratio(1, 5) {
            continue;
        }
        let name = if place % 2 == 0 { supplier.to_uppercase() } else { supplier.to_owned() };
        for _ in 0..random.random_range(1..=6) {
            let pence = random.random_range(50_000..5_000_000);
            let credited = random.random_ratio(1, 20);
            let payment = Payment {
                supplier: name.clone(),
                subject,
                pence: if credited { -pence } else { pence },
                month: random.random_range(1..=12),
                day: random.random_range(1..=28),
            };
            csv.push_str(&format!("{}\n", (layout.row)(&payment)));
        }
    }
    csv
}

/// An amount with two places.
fn pounds(pence: i64) -> String {
    let sign = if pence < 0 { "-" } else { "" };
    format!("{sign}{}.{:02}", pence.abs() / 100, pence.abs() % 100)
}

fn with_commas(pence: i64) -> String {
    let (sign, thousands) = (if pence < 0 { "-" } else { "" }, pence.abs() / 100_000);
    let rest = pence.abs() % 100_000;
    let (pounds, pence) = (rest / 100, rest % 100);
    if thousands > 0 {
        format!("{sign}{thousands},{pounds:03}.{pence:02}")
    } else {
        format!("{sign}{pounds}.{pence:02}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_written_as_people_write_them() {
        assert_eq!([pounds(25_000), pounds(-5)], ["250.00", "-0.05"]);
        let written = [with_commas(123_456_789), with_commas(99_999), with_commas(-100_005)];
        assert_eq!(written, ["1234,567.89", "999.99", "-1,000.05"]);
    }
}
