//! Precision, bands and domains of columns.

use super::*;

#[test]
fn precision_is_read_or_follows_the_type() {
    let config = visits("", "");
    assert_eq!(config.precision.len(), 2, "measures have one, and nothing else");
    assert_eq!(config.precision[&name("cost")], Precision { decimals: 2, multiple: 5 });
    for (text, decimals, multiple) in [
        ("100", 0, 100),
        ("1", 0, 1),
        ("1.0", 0, 1),
        ("1e3", 0, 1000),
        ("0.5", 1, 5),
        ("2.50", 1, 25),
        ("0.01", 2, 1),
        ("0.1", 1, 1),
        ("1e-6", 6, 1),
        ("0.123456", 6, 123_456),
        ("1e15", 0, 1_000_000_000_000_000),
    ] {
        let config = visits("precision = 0.05", &format!("precision = {text}"));
        assert_eq!(config.precision[&name("cost")], Precision { decimals, multiple }, "{text}");
    }
    for (column_type, decimals) in
        [("integer", 0), ("bigint", 0), ("double", 2), ("decimal(8,2)", 2), ("decimal(20,8)", 8), ("decimal(8,0)", 0)]
    {
        let from = "type = \"decimal(8,2)\"\nrole = \"measure\"\nbounds = [-100, 5000]\nprecision = 0.05";
        let to = format!("type = \"{column_type}\"\nrole = \"measure\"\nbounds = [-100, 5000]");
        let config = visits(from, &to);
        assert_eq!(config.precision[&name("cost")], Precision { decimals, multiple: 1 }, "{column_type}");
    }
}

#[test]
fn precision() {
    for said in ["0", "-0.0", "-1", "1e-7", "0.1234567", "nan", "inf", "1e16", "1234567890.123456"] {
        let precision = said.parse::<f64>().unwrap();
        let expected =
            format!("58: column cost: precision is {precision}: write a number above 0, such as 0.05 or 100");
        refused("precision = 0.05", &format!("precision = {said}"), &expected);
    }
    refused("precision = 0.05", "precision = \"1\"", "58: invalid type: string \"1\", expected f64: correct");
    refused(
        "type = \"boolean\"\nrole = \"dimension\"",
        "type = \"boolean\"\nprecision = 1\nrole = \"dimension\"",
        "50: column hmo has a precision, but is no measure: leave it out, or set role",
    );
    check(
        "datasets/stations.toml",
        "type = \"date\"",
        "type = \"date\"\nprecision = 1",
        "datasets/stations.toml:19: precision of column opened stands in a dataset of form rows: leave",
    );
}

#[test]
fn sums_of_bounds_fit() {
    refused(
        "[-100, 5000]",
        "[-1e22, 5000]",
        "57: column cost: bounds with 2 decimals are too wide to be summed: write narrower bounds",
    );
    refused("[0, 120]", "[0, 1e24]", "44: column age: bounds with 0 decimals are too wide to be summed: write");
    visits("[-100, 5000]", "[-9.9e21, 9.9e21]");
    visits("[-100, 5000]\nprecision = 0.05", "[-1e22, 5000]\nprecision = 0.5");
    visits("[0, 120]", "[0, 9e23]");
}

#[test]
fn bands_are_numbers_or_days() {
    let config = visits("", "");
    assert_eq!(config.bands[&name("age")], [0.0, 18.0, 65.0]);
    assert_eq!(config.bands[&name("day")], [-1.0, 19_723.0]);
    let config = visits("precision = 0.05", "bands = [-0.5, 0, 2500.25]");
    assert_eq!(config.bands[&name("cost")], [-0.5, 0.0, 2500.25]);
    assert_eq!(config.precision[&name("cost")], Precision { decimals: 2, multiple: 1 });
}

#[test]
fn bands() {
    refused("[0, 18, 65]", "[]", "45: column age: bands is empty: write");
    refused("[0, 18, 65]", "[0, 65, 18]", "45: column age: the edge 18 in bands is not above the one before: write");
    refused("[0, 18, 65]", "[0, 18,\n18]", "46: column age: the edge 18 in bands is not above the one before: write");
    refused("[0, 18, 65]", "[0, 18.5]", "45: column age: the edge 18.5 in bands is no integer: write");
    refused("[0, 18, 65]", "[0, \"18\"]", "45: column age: the edge \"18\" in bands is no integer: write");
    refused("[0, 18, 65]", "[3000000000]", "45: column age: the edge 3000000000 in bands is no integer: write");
    refused("[0, 18, 65]", "[inf]", "45: column age: the edge inf in bands is no integer: write");
    refused("[0, 18, 65]", "65", "45: invalid type: integer `65`, expected a sequence: correct");
    let days = "[\"1969-12-31\", \"2024-01-01\"]";
    refused(days, "[\"2024-02-30\"]", "38: column day: the edge \"2024-02-30\" in bands is no date: write");
    refused(days, "[19723]", "38: column day: the edge 19723 in bands is no date: write");
    refused(days, "[2024-01-01]", "38: column day: the edge 2024-01-01 in bands is no date: write");
    refused(days, "[\"2024-01-01\", \"2023-01-01\"]", "38: column day: the edge \"2023-01-01\" in bands is not above");
    refused("domain = [true, false]", "bands = [0]", "51: column hmo has bands, but the type boolean: leave");
    refused(
        "role = \"identifier\"",
        "role = \"identifier\"\nbands = [0]",
        "33: column uprn has bands, but the role identifier: leave them out, or set role",
    );
    check(
        "datasets/stations.toml",
        "type = \"date\"",
        "type = \"date\"\nbands = [\"2024-01-01\"]",
        "datasets/stations.toml:19: bands of column opened stands in a dataset of form rows: leave",
    );
}

#[test]
fn edges_of_bigints_are_exact() {
    let said = "type = \"integer\"\nrole = \"measure\"\nbounds = [0, 120]\nbands = [0, 18, 65]";
    let with = |edge: u64| said.replace("integer", "bigint").replace("65", &edge.to_string());
    assert_eq!(visits(said, &with(1 << 53)).bands[&name("age")][2], 9_007_199_254_740_992.0);
    refused(said, &with((1 << 53) + 1), "45: column age: the edge 9007199254740993 in bands is no bigint: write");
}

#[test]
fn domains_are_texts_of_the_type() {
    let config = visits("", "");
    assert_eq!(config.domains.len(), 1);
    assert_eq!(config.domains[&name("hmo")], ["true", "false"]);
    let days = "bands = [\"1969-12-31\", \"2024-01-01\"]";
    assert_eq!(visits(days, "domain = [\"2024-01-01\"]").domains[&name("day")], ["2024-01-01"]);
    let hmo = "type = \"boolean\"\nrole = \"dimension\"\ndomain = [true, false]";
    let text = "type = \"varchar\"\nrole = \"dimension\"\ndomain = [\"none\", 3, 2.5, true]";
    let folder = baseline();
    write(folder.path(), "datasets/visits.toml", &VISITS.replace(hmo, text));
    let config = load(folder.path()).unwrap();
    assert_eq!(config.dataset("visits").unwrap().domains[&name("hmo")], ["none", "3", "2.5", "true"]);
}

#[test]
fn domains() {
    let said = "[true, false]";
    refused(said, "[]", "51: column hmo: domain holds 0 values: write 1 to 10000");
    refused(said, &format!("[{}]", "true,".repeat(10_001)), "51: column hmo: domain holds 10001 values: write");
    refused(said, "[true, \"perhaps\"]", "51: column hmo: \"perhaps\" in domain is no boolean: write");
    refused(said, "[true, [false]]", "51: column hmo: [false] in domain is no boolean: write");
    refused(said, "[true,\n\"true\"]", "52: column hmo: \"true\" stands twice in domain: remove");
    refused("precision = 0.05", "domain = [1]", "58: column cost has a domain, but is no dimension: leave");
    check(
        "datasets/stations.toml",
        "type = \"date\"",
        "type = \"date\"\ndomain = [\"2024-01-01\"]",
        "datasets/stations.toml:19: domain of column opened stands in a dataset of form rows: leave",
    );
}

#[test]
fn a_domain_may_be_large() {
    let values: Vec<String> = (0..10_000).map(|value| format!("\"E{value}\"")).collect();
    let hmo = "type = \"boolean\"\nrole = \"dimension\"\ndomain = [true, false]";
    let wards = format!("type = \"varchar\"\nrole = \"dimension\"\ndomain = [{}]", values.join(","));
    assert_eq!(visits(hmo, &wards).domains[&name("hmo")].len(), 10_000);
}
