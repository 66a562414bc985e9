//! Descriptions come back as they were sent, and those that break a rule do not.

use super::*;

fn description() -> Description {
    Description {
        federation: "london".parse().unwrap(),
        body: "lfb".parse().unwrap(),
        version: 7,
        title: "London Fire Brigade".into(),
        log_keys: Some(LogKeys {
            federation: "london".parse().unwrap(),
            body: "lfb".parse().unwrap(),
            log: "london/lfb/log+00000000+AQ==".into(),
            witness: "london/lfb/witness+00000000+BA==".into(),
        }),
        datasets: vec![Dataset {
            name: "incidents".parse().unwrap(),
            title: "Fires".into(),
            description: String::new(),
            licence: "OGL-UK-3.0".into(),
            form: Form::Statistics,
            needs_agreement: true,
            columns: vec![Column {
                name: "borough_gss".parse().unwrap(),
                column_type: ColumnType::Varchar,
                role: Role::Dimension,
                required: true,
                ranges: false,
                concept: "gss:borough".into(),
                unit: String::new(),
                description: String::new(),
            }],
            unit_kind: "incident".into(),
            threshold: 10,
            standard: None,
            coverage: vec![],
            size_class: 5,
            update_frequency: String::new(),
            references: vec![Reference {
                body: "gla".parse().unwrap(),
                dataset: "property_wards".parse().unwrap(),
                key: "uprn".parse().unwrap(),
                labels: vec!["ward_gss".parse().unwrap()],
            }],
            about: About::default(),
        }],
    }
}

#[test]
fn a_description_comes_back_as_it_was_sent() {
    let sent = description();
    assert_eq!(Description::decode(&sent.encode()).unwrap(), sent);
}

#[test]
fn a_range_comes_back_as_it_was_sent() {
    let mut sent = description();
    let year = Column {
        name: "year".parse().unwrap(),
        column_type: ColumnType::Integer,
        ..sent.datasets[0].columns[0].clone()
    };
    sent.datasets[0].columns.push(year);
    let end = |text: &str| Some(text.to_owned());
    for covers in [
        Covers::Range { from: end("2020"), to: end("2024") },
        Covers::Range { from: end("2020"), to: None },
        Covers::Range { from: None, to: end("2024") },
        Covers::Value("2024".into()),
        Covers::Value(String::new()),
    ] {
        sent.datasets[0].coverage = vec![Coverage { column: "year".parse().unwrap(), covers }];
        assert_eq!(Description::decode(&sent.encode()).unwrap(), sent);
    }

    let mut both = wire::Description::from(&sent);
    let coverage = wire::Coverage { column: "year".into(), value: "2024".into(), from: end("2020"), to: None };
    both.datasets[0].coverage = vec![coverage.clone()];
    assert!(Description::try_from(both.clone()).is_err());
    let ranged = wire::Coverage { value: String::new(), ..coverage };
    both.datasets[0].coverage = vec![ranged.clone()];
    assert!(Description::try_from(both.clone()).is_ok());
    for no_range in ["boolean", "double", "varchar"] {
        both.datasets[0].columns[1].r#type = no_range.into();
        assert!(Description::try_from(both.clone()).is_err(), "{no_range}");
    }
}

#[test]
fn hidden_columns_of_statistics_are_not_told() {
    let mut sent = description();
    let hidden =
        |name: &str| Column { name: name.parse().unwrap(), role: Role::Hidden, ..sent.datasets[0].columns[0].clone() };
    let columns = vec![sent.datasets[0].columns[0].clone(), hidden("easting")];
    let coverage = vec![Coverage { column: "easting".parse().unwrap(), covers: Covers::Value("1".into()) }];
    let told = sent.clone();
    sent.datasets[0] = Dataset { columns, coverage, ..sent.datasets[0].clone() };
    assert_eq!(Description::decode(&sent.encode()).unwrap(), told);
    sent.datasets[0].columns.remove(0);
    assert!(Description::decode(&sent.encode()).unwrap().datasets[0].columns.is_empty());
    sent.datasets[0].form = Form::Rows;
    assert_eq!(Description::decode(&sent.encode()).unwrap().datasets[0].columns.len(), 1);
}

#[test]
fn a_message_that_parses_but_breaks_a_rule_is_refused() {
    let mut message = wire::Description::from(&description());
    message.body = "LFB; DROP TABLE".into();
    assert!(Description::try_from(message).is_err());

    let mut message = wire::Description::from(&description());
    let twice = message.datasets[0].columns[0].clone();
    message.datasets[0].columns.push(twice);
    assert!(Description::try_from(message).is_err());

    let mut message = wire::Description::from(&description());
    message.datasets[0].form = 0;
    assert!(Description::try_from(message).is_err());

    let mut message = wire::Description::from(&description());
    message.datasets[0].columns[0].r#type = "decimal(39,2)".into();
    assert!(Description::try_from(message).is_err());

    assert!(Description::decode(b"\xff\xff\xff").is_err());
}

#[test]
fn column_types_are_written_as_they_are_read() {
    for text in ["boolean", "integer", "bigint", "double", "decimal(12,2)", "varchar", "date", "timestamp"] {
        assert_eq!(text.parse::<ColumnType>().unwrap().to_string(), text);
    }
}
