//! Files that look like what bodies publish and are none of them: other words, orders, signs, days and delimiters.

use super::*;

/// The file's columns for supplier, paid and amount, and the pence and days that come of it.
#[track_caller]
fn check(text: &str, columns: [Option<&str>; 3], amounts: &[i128], expected_days: &[&str]) -> Proposal {
    let (_folder, path) = file(text);
    let (proposal, draft) = proposed(&path, "spend");
    let found = ["supplier", "paid", "amount"].map(|column| from(&proposal, column).map(|(name, _)| name));
    assert_eq!(found, columns, "{proposal:#?}");
    let (_, rows) = loaded(&draft);
    assert_eq!(pence(&rows), amounts, "{draft}");
    let days: Vec<String> = days(&rows).into_iter().flatten().collect();
    assert_eq!(days, expected_days, "{draft}");
    proposal
}

#[test]
fn an_accountant_s_brackets_are_below_zero() {
    let text = "Payee,Date paid,Net amount\nAcme Ltd,01/04/2024,(250.00)\nBeta plc,15/04/2024,\"£1,250.50\"\n";
    let columns = [Some("Payee"), Some("Date paid"), Some("Net amount")];
    let proposal = check(text, columns, &[-25_000, 125_050], &["2024-04-01", "2024-04-15"]);
    for column in ["supplier", "paid", "amount"] {
        assert_eq!(from(&proposal, column).unwrap().1, Confidence::High, "{proposal:#?}");
    }
}

#[test]
fn other_words_orders_and_delimiters_are_no_obstacle() {
    let text = "Gross £;VAT £;Net £;Beneficiary;Invoice Dt;Directorate\n12.00;2.00;10.00;Acme Ltd;2-Apr-24;Adults\n\
                24.00;4.00;20.00;Beta Housing Trust;30-Apr-24;Adults\n";
    let columns = [Some("Beneficiary"), Some("Invoice Dt"), Some("Net £")];
    check(text, columns, &[1_000, 2_000], &["2024-04-02", "2024-04-30"]);

    let text = "TransactionDate\tSupplierName\tAmountExclVAT\n2024-04-01T00:00:00\tAcme Ltd\t1.00-\n\
                2024-04-02T09:30:00\tBeta Ltd\t-\n2024-04-03T00:00:00\tGamma Ltd\t£ 3.00\n";
    let (_folder, path) = file(text);
    let (proposal, draft) = proposed(&path, "spend");
    assert_eq!(from(&proposal, "amount").unwrap(), ("AmountExclVAT", Confidence::High), "{proposal:#?}");
    let said = proposal.found.iter().find(|found| found.column.as_str() == "amount").unwrap();
    assert!(said.reason.ends_with("; a dash alone is read as 0"), "{}", said.reason);
    // A dash is no amount, and a payment without one is none of the standard's.
    let draft = draft.replace("FROM source\n", "FROM source WHERE \"AmountExclVAT\" <> '-'\n");
    let (_, rows) = loaded(&draft);
    assert_eq!(pence(&rows), [-100, 300]);
    assert_eq!(days(&rows)[0].as_deref(), Some("2024-04-01"));
}

#[test]
fn titles_totals_and_empty_rows_are_no_payments() {
    let text = "Payments over £500,,\nApril 2024,,\n,,\nSupplier,Paid,Amount (£)\nAcme Ltd,01/04/24,600.00\n,,\n\
                Beta Ltd,02/04/24,700.00\nTotal,,\"1,300.00\"\n";
    let columns = [Some("Supplier"), Some("Paid"), Some("Amount (£)")];
    check(text, columns, &[60_000, 70_000], &["2024-04-01", "2024-04-02"]);
}

#[test]
fn american_days_are_told_by_the_column_as_a_whole() {
    let text = "vendor,posting date,amount\nAcme Ltd,04/01/2024,1.50\nBeta Ltd,04/30/2024,2.50\n";
    let columns = [Some("vendor"), Some("posting date"), Some("amount")];
    check(text, columns, &[150, 250], &["2024-04-01", "2024-04-30"]);
}

#[test]
fn headings_that_repeat_or_hold_quotes_are_read_by_place_or_name() {
    let text = "Supplier,Amount,Amount,Date\nAcme Ltd,1.00,Revenue,01/04/2024\nBeta Ltd,2.00,Capital,02/04/2024\n";
    let columns = [Some("column_1"), Some("column_4"), Some("column_2")];
    check(text, columns, &[100, 200], &["2024-04-01", "2024-04-02"]);

    let text = "\"Supplier \"\"A\"\"\",\"Amount, net\",'Date'\nAcme Ltd,1.00,01/04/2024\nBeta Ltd,2.00,02/04/2024\n";
    let columns = [Some("Supplier \"A\""), Some("'Date'"), Some("Amount, net")];
    check(text, columns, &[100, 200], &["2024-04-01", "2024-04-02"]);
}

#[test]
fn a_number_that_is_no_amount_is_not_proposed_for_one() {
    let text = "Supplier,Reference,Paid\nAcme Ltd,5107789349,01/04/2024\nBeta Ltd,5107841602,02/04/2024\n";
    let (_folder, path) = file(text);
    let (proposal, draft) = proposed(&path, "spend");
    assert_eq!(from(&proposal, "amount"), None, "{proposal:#?}");
    assert_eq!(proposal.lacks().len(), 1);
    assert!(draft.contains("CAST(NULL AS DECIMAL(14,2)) AS \"amount\""), "{draft}");
}

#[test]
fn other_standards_are_found_as_well() {
    let text = "Lamp No,Asset Type,Road Name,Authority,X,Y,Date Installed\nLC001,Lamp column,High Street,Camden,530000.5,\
                180000.1,01/02/2010\nLC002,Lamp column,Mill Lane,Camden,530010.0,180020.0,15/02/2010\n";
    let (_folder, path) = file(text);
    let (proposal, draft) = proposed(&path, "street_assets");
    let found: Vec<Option<&str>> =
        proposal.found.iter().map(|found| found.from.as_ref().map(|from| from.name.as_str())).collect();
    let expected = ["Lamp No", "Asset Type", "Road Name", "-", "Authority", "X", "Y", "Date Installed"];
    assert_eq!(found, expected.map(|name| (name != "-").then_some(name)), "{proposal:#?}");
    let (_, rows) = loaded(&draft);
    assert_eq!(texts(&rows, "borough_gss"), [Some("E09000007".to_owned()), Some("E09000007".to_owned())]);

    let text = "Property ref,HMO,House type,No. of households,LA code\n100021234567,None,Flat,1,00AG\n\
                100021234568,Small,Terraced,2,00AG\n100021234569,Large,Terraced,1,00AG\n";
    let (_folder, path) = file(text);
    let (proposal, draft) = proposed(&path, "dwellings");
    assert!(proposal.lacks().is_empty(), "{proposal:#?}");
    let (_, rows) = loaded(&draft);
    assert_eq!(texts(&rows, "hmo"), ["none", "small", "large"].map(|text| Some(text.to_owned())));
    assert_eq!(texts(&rows, "borough_gss")[0].as_deref(), Some("E09000007"));
}

#[test]
fn nothing_is_proposed_for_nothing() {
    for text in ["", "Supplier,Amount\n", "\n\n", "a\n\"\n"] {
        let (_folder, path) = file(text);
        if let Ok(sheet) = Sheet::open(&path, None, None) {
            let proposal = propose(&sheet, &standard("spend"));
            assert_eq!(from(&proposal, "amount"), None, "{text:?}");
        }
    }
}
