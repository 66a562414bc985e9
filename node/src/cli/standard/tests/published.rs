//! The payments that four bodies published in nine layouts: nobody has mapped them before.

use std::collections::BTreeSet;

use super::*;

/// A published file: the columns that are right, and what is in it.
struct Published {
    file: &'static str,
    /// What a mapping calls supplier, amount and, where there is one, the day of the payment.
    columns: (&'static str, &'static str, Option<&'static str>),
    rows: usize,
    /// Figures of these files by Python's modules csv and decimal, with brackets as a minus. That of Lambeth's February and
    /// April is also the "Grand Total" that stands in the file.
    pence: i128,
    credits: usize,
    suppliers: usize,
    days: Option<(&'static str, &'static str)>,
}

const PUBLISHED: [Published; 9] = [
    Published {
        file: "lambeth/2011-01-payments.csv",
        columns: ("Supplier Name", "Sum of Invoice Nett Amount", None),
        rows: 1072,
        pence: 3_844_761_814,
        credits: 0,
        suppliers: 1072,
        days: None,
    },
    Published {
        file: "lambeth/2011-02-payments.csv",
        columns: ("Supplier Name", "Total", None),
        rows: 1138,
        pence: 4_035_408_784,
        credits: 0,
        suppliers: 1138,
        days: None,
    },
    Published {
        file: "lambeth/2011-04-payments.csv",
        columns: ("Supplier Name", "Total", None),
        rows: 965,
        pence: 3_736_128_482,
        credits: 0,
        suppliers: 965,
        days: None,
    },
    Published {
        file: "lambeth/2011-06-payments.csv",
        columns: ("Supplier Name", "Total", None),
        rows: 1040,
        pence: 4_338_585_797,
        credits: 0,
        suppliers: 1040,
        days: None,
    },
    Published {
        file: "gla/2013-P01.csv",
        columns: ("Vendor Name", "Amount", Some("Clearing Date")),
        rows: 1202,
        pence: 22_467_891_500,
        credits: 53,
        suppliers: 363,
        days: Some(("2013-04-02", "2013-04-26")),
    },
    Published {
        file: "gla/2017-P01.csv",
        columns: ("Vendor Name", "Amount", Some("Clearing Date")),
        rows: 917,
        pence: 5_311_635_938,
        credits: 24,
        suppliers: 320,
        days: Some(("2017-04-03", "2017-04-28")),
    },
    Published {
        file: "tfl/2021-P02.csv",
        columns: ("Vendor Name", "Amount", Some("Clearing Date")),
        rows: 20_014,
        pence: 37_739_793_484,
        credits: 234,
        suppliers: 1114,
        days: Some(("2020-05-04", "2020-05-30")),
    },
    Published {
        file: "barnet/PCard_16-17.csv",
        columns: ("Creditor", "Total", Some("Journal Date")),
        rows: 1604,
        pence: 18_180_358,
        credits: 57,
        suppliers: 411,
        days: Some(("2015-06-17", "2016-09-02")),
    },
    Published {
        file: "barnet/Purchasing_Card_Data_2014.csv",
        columns: ("Creditor", "JV Value", Some("Transaction Date")),
        rows: 4562,
        pence: 44_712_066,
        credits: 157,
        suppliers: 828,
        days: Some(("2014-04-02", "2015-03-02")),
    },
];

/// Where they are: where `MERIDIAN_PUBLISHED` says, which must be true then, or beside the checkout if they are there.
fn folder() -> Option<PathBuf> {
    let said = std::env::var_os("MERIDIAN_PUBLISHED").map(PathBuf::from);
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let folder = said.clone().unwrap_or(beside);
    assert!(said.is_none() || folder.is_dir(), "MERIDIAN_PUBLISHED names {}, which is not there", folder.display());
    if !folder.is_dir() {
        eprintln!("not compared: set MERIDIAN_PUBLISHED to the folder of published data");
    }
    folder.is_dir().then_some(folder)
}

impl Published {
    /// Loads what is proposed and compares it with what is in the file.
    fn compare(&self, text: &str) {
        let (_, rows) = loaded(text);
        let name = self.file;
        let amounts = pence(&rows);
        assert_eq!(rows.num_rows(), self.rows, "{name}\n{text}");
        assert_eq!(amounts.iter().sum::<i128>(), self.pence, "{name}");
        assert_eq!(amounts.iter().filter(|pence| **pence < 0).count(), self.credits, "{name}");
        let suppliers: BTreeSet<Option<String>> = texts(&rows, "supplier").into_iter().collect();
        assert_eq!(suppliers.len(), self.suppliers, "{name}");
        let days: BTreeSet<Option<String>> = days(&rows).into_iter().collect();
        let ends = days.first().cloned().flatten().zip(days.last().cloned().flatten());
        assert_eq!(ends, self.days.map(|(from, to)| (from.to_owned(), to.to_owned())), "{name}");
    }
}

#[test]
fn supplier_amount_and_day_are_found_in_what_four_bodies_publish() {
    let Some(folder) = folder() else { return };
    for published in &PUBLISHED {
        let (proposal, text) = proposed(&folder.join("spend").join(published.file), "spend");
        let name = published.file;
        let (supplier, amount, paid) = published.columns;
        let column = |column| from(&proposal, column).map(|(name, _)| name);
        assert_eq!(
            (column("supplier"), column("amount"), column("paid")),
            (Some(supplier), Some(amount), paid),
            "{name}"
        );
        for (_, confidence) in [from(&proposal, "supplier"), from(&proposal, "amount")].into_iter().flatten() {
            assert!(confidence >= Confidence::Medium, "{name}: {proposal:#?}");
        }
        assert!(proposal.lacks().is_empty(), "{name}");
        let sql = text.split("'''").nth(1).unwrap();
        assert!(sql.trim().lines().count() <= 20, "{sql}");
        published.compare(&text);
    }
}

/// The rows of a file below its heading, columns from the last to the first.
fn without_headings(rows: &[Vec<Option<String>>], heading: usize) -> String {
    let quoted = |cell: &Option<String>| format!("\"{}\"", cell.clone().unwrap_or_default().replace('"', "\"\""));
    let line = |row: &Vec<Option<String>>| row.iter().rev().map(quoted).collect::<Vec<_>>().join(",");
    rows.iter().skip(heading).map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn they_are_found_without_any_heading_by_what_the_values_are() {
    let Some(folder) = folder() else { return };
    for published in &PUBLISHED {
        let original = folder.join("spend").join(published.file);
        let mut kind = sources::layout(&original, None, None).unwrap();
        let records = sources::records(&original, &mut kind, usize::MAX).unwrap();
        let titled = published.columns.1 == "Total" && published.columns.2.is_none();
        let (_folder, path) = file(&without_headings(&records.rows, if titled { 2 } else { 1 }));
        let (proposal, text) = proposed(&path, "spend");
        // Which of two columns of days is that of the payment no value says.
        if published.file == "barnet/Purchasing_Card_Data_2014.csv" {
            assert_eq!(from(&proposal, "paid").unwrap().1, Confidence::Low, "{proposal:#?}");
            assert!(["column_2", "column_4"].contains(&from(&proposal, "paid").unwrap().0));
            let (_, rows) = loaded(&text);
            assert_eq!(pence(&rows).iter().sum::<i128>(), published.pence);
            continue;
        }
        published.compare(&text);
        assert!(from(&proposal, "amount").unwrap().1 == Confidence::Medium, "{}: {proposal:#?}", published.file);
    }
}

#[test]
fn a_file_of_another_subject_is_said_to_lack_what_is_required() {
    let Some(folder) = folder() else { return };
    for file in ["fire/lfb_dwelling_fires_2009_2024.csv", "environment/lad21-2019-NO2.csv"] {
        let (proposal, _) = proposed(&folder.join(file), "spend");
        let lacks: Vec<&str> = proposal.lacks().iter().map(|name| name.as_str()).collect();
        assert_eq!(lacks, ["amount"], "{file}: {proposal:#?}");
    }
    let (proposal, _) = proposed(&folder.join("spend/gla/2013-P01.csv"), "buildings");
    assert_eq!(proposal.lacks().len(), 1, "{proposal:#?}");
}

#[test]
fn regions_among_boroughs_are_left_out() {
    let Some(folder) = folder() else { return };
    let (proposal, text) = proposed(&folder.join("profiles/gla_london_borough_profiles_2015_original.csv"), "boroughs");
    assert_eq!(from(&proposal, "name").unwrap(), ("Area_name", Confidence::High), "{proposal:#?}");
    let (_, rows) = loaded(&text);
    let codes: BTreeSet<Option<String>> = texts(&rows, "gss").into_iter().collect();
    assert_eq!((rows.num_rows(), codes.len(), codes.contains(&None)), (33, 33, false));
}

#[test]
fn three_systems_of_borough_codes_side_by_side_are_told_apart_and_are_of_the_same_boroughs() {
    let Some(folder) = folder() else { return };
    let file = folder.join("housing/dclg_long_term_empty_london_2004_2015.csv");
    let (proposal, _) = proposed(&file, "boroughs");
    for (column, expected) in [("gss", "New_ONS"), ("ons", "ONS"), ("dclg", "DCLG"), ("name", "Local_Authority.Name")] {
        assert_eq!(from(&proposal, column).unwrap().0, expected, "{proposal:#?}");
    }
    let sql = ["DCLG", "ONS", "Local_Authority.Name", "New_ONS"].map(|column| {
        let names = [("gss", "New_ONS"), ("by_other", column)];
        let columns = names.map(|(name, column)| format!("borough_gss(\"{column}\") AS {name}"));
        format!("SELECT {} FROM source", columns.join(", "))
    });
    for sql in sql {
        let column = |name: &str| format!("[[columns]]\nname = \"{name}\"\ntype = \"varchar\"\nrequired = true\n");
        let text = format!(
            "name = \"homes\"\ntitle = \"Homes\"\ndescription = \"\"\nlicence = \"OGL\"\nform = \"open\"\n[source]\nkind = \"csv\"\n\
             path = \"{}\"\n[mapping]\nsql = '''{sql}'''\n{}{}",
            file.display(),
            column("gss"),
            column("by_other"),
        );
        let (_, rows) = loaded(&text);
        assert_eq!(rows.num_rows(), 396);
        assert_eq!(texts(&rows, "gss"), texts(&rows, "by_other"), "{sql}");
    }
}
