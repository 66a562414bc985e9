//! Faults of the configuration's files, of what they describe, and of who may change them.

use std::fs;

use super::*;

/// An agreement over people that ends on a day.
fn agreement(end: &str, allowance: &str) -> String {
    format!(
        "id = \"a\"\ntitle = \"A\"\npurpose = \"a\"\nbenefit = \"b\"\nlegal_power = \"c\"\nlawful_basis = \"d\"\n\
         recipients = [\"gla\"]\nstart = \"2020-01-01\"\nend = \"{end}\"\ncontact = \"e\"\n\
         [[grants]]\ndataset = \"people\"\nform = \"statistics\"\n{allowance}"
    )
}

#[test]
fn the_faults_of_files_are_found() {
    let patient = Patient::new();
    patient.town.mesh.stop("lfb");
    let view = "name = \"v\"\ntitle = \"V\"\ndescription = \"\"\nsql = \"SELECT colour FROM lines\"\n";
    for (file, code, words, text) in [
        ("datasets/bad.toml", "configuration.dataset", ["bad.toml:1:", "colour"], "colour = 1\n"),
        ("views/bad.toml", "configuration.view", ["bad.toml:4:", "colour"], view),
        ("agreements/bad.toml", "configuration.agreement", ["bad.toml:1:", "colour"], "colour = 1\n"),
        ("algorithms/bad.toml", "configuration.algorithm", ["bad.toml:1:", "colour"], "colour = 1\n"),
        ("standards/bad.toml", "configuration.standard", ["bad.toml:1:", "colour"], "colour = 1\n"),
    ] {
        patient.finds_in(file, "fault", code, &words, write(text));
    }
    patient.finds_in("node.toml", "fault", "configuration", &["colour", "node.toml:1:"], |path| {
        replaced(path, "federation", "colour = 1\nfederation")
    });
    for file in ["node.toml", "datasets", "datasets/lines.toml", "identity.pem", "ca.pem"] {
        let path = patient.at(file);
        let kept = fs::metadata(&path).unwrap().permissions();
        let open = || mode(&path, std::os::unix::fs::PermissionsExt::mode(&kept) | 0o002);
        // A key that others may change is told as what it is, first of all.
        let code = "configuration.permissions";
        if file == "identity.pem" {
            patient
                .finds("fault", code, &[file, "chmod o-w"], open, || fs::set_permissions(&path, kept.clone()).unwrap());
        } else {
            patient.finds_and_runs("fault", code, &[file, "chmod o-w"], open);
        }
    }
    let dataset = "datasets/lines.toml";
    patient.finds_in("lines.csv", "fault", "source", &["lines.csv", "lines.toml"], write("number,text\none,two\n"));
    patient.finds_in(dataset, "warning", "standard.unknown", &["bicycles", "folder standards"], |path| {
        replaced(path, "form = \"open\"", "form = \"open\"\nstandard = \"bicycles\"")
    });
    let bicycles = "name = \"bicycles\"\ntitle = \"B\"\nkeys = [\"number\"]\n\
                    [[columns]]\nname = \"number\"\ntype = \"bigint\"\nrequired = true\nfrom = 100\n";
    write(bicycles)(&patient.at("standards/bicycles.toml"));
    patient.finds_in(dataset, "warning", "standard", &["does not conform to bicycles", "standard check"], |path| {
        replaced(path, "form = \"open\"", "form = \"open\"\nstandard = \"bicycles\"")
    });
    let soon = (chrono::Utc::now().date_naive() + chrono::Days::new(10)).to_string();
    for (code, words, text) in [
        ("agreement", ["ended on 2021-01-01", "another end"], agreement("2021-01-01", "allowance = 10")),
        ("agreement", ["ends in 10 days", "another end"], agreement(&soon, "allowance = 10")),
        ("agreement.allowance", ["without end", "a.toml"], agreement("2099-01-01", "")),
    ] {
        patient.finds_in("agreements/a.toml", "warning", code, &words, write(text));
    }
}
