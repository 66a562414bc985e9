//! What to try next, once the mesh stands.

use std::path::Path;

use meridian_examples::london;

use super::mesh::{PURPOSE, Plan};

/// Commands and Python lines to paste, and files to look at.
pub(super) fn text(plan: &Plan, kept: bool) -> String {
    let program = program();
    let (profile, authority) = (quoted(&plan.profile_path()), quoted(&plan.authority_folder()));
    let queries = plan.dir.join("queries");
    let another = london::queries().get(1).map(|query| quoted(&queries.join(format!("{}.sql", query.name))));
    let another = another.unwrap_or_default();
    let (python, dir, public) = (python(plan), plan.dir.display(), plan.public);
    let workbench = workbench(plan);
    let end = if kept {
        "Ctrl-C ends all nodes; the folder is kept."
    } else {
        "Ctrl-C ends all nodes and removes the folder."
    };
    format!(
        "
Ask more, from another terminal:
  {program} shell --profile {profile}
  {program} query --profile {profile} -f {another}
  {program} explain --profile {profile} -f {another}
  {program} catalogue --profile {profile}

Shut a body out, and let it in again:
  {program} authority suspend hackney --dir {authority}
  {program} authority resume hackney --dir {authority}

From Python (pip install adbc-driver-flightsql adbc-driver-manager pyarrow):
{python}
{workbench}
Read in a browser what the bodies share and how often it was used: http://{public}/register/

Look at:
  {dir}/queries          more questions
  {dir}/lfb/datasets     what the fire brigade publishes, and on which terms
  {dir}/lfb/agreements   with whom it agreed on what
  {dir}/lfb/node.toml    its node: identity.pem is its key and certificate, renewed each day
  {dir}/lfb/state/audit  its log of every release and refusal
  {dir}/lfb/node.log     what its node says

{end}"
    )
}

/// How a browser gets the analyst's certificate: it takes key and certificate in one file.
fn workbench(plan: &Plan) -> String {
    let (address, analyst) = (plan.workbench, plan.analyst());
    let [key, certificate, both, ca] =
        ["analyst.key", "analyst.pem", "analyst.p12", "ca.pem"].map(|name| quoted(&absolute(&analyst.join(name))));
    format!(
        "In a browser, with completion, maps, charts and a picture of what left whom: https://{address}/
  openssl pkcs12 -export -name asha -inkey {key} -in {certificate} -out {both}
  Import that file among your own certificates, and {ca} among the authorities (Firefox: Settings,
  Certificates; Chromium: chrome://certificate-manager); remove both when you are done."
    )
}

fn python(plan: &Plan) -> String {
    let profile = plan.analyst_profile();
    let address = profile.node.replacen("https://", "grpc+tls://", 1);
    // Rust's escapes of a printable path are Python's too.
    let [cert, key, ca] =
        [&profile.cert, &profile.key, &profile.ca].map(|path| format!("{:?}", absolute(path).display().to_string()));
    format!(
        r#"  from pathlib import Path
  from adbc_driver_flightsql import dbapi
  option = "adbc.flight.sql.client_option."
  connection = dbapi.connect("{address}", autocommit=True, db_kwargs={{
      option + "mtls_cert_chain": Path({cert}).read_text(),
      option + "mtls_private_key": Path({key}).read_text(),
      option + "tls_root_certs": Path({ca}).read_text(),
      "adbc.flight.sql.rpc.call_header.meridian-purpose": "{PURPOSE}",
  }})
  cursor = connection.cursor()
  cursor.execute("SELECT year, COUNT(*) AS fires FROM london.lfb.incidents GROUP BY year ORDER BY year")
  print(cursor.fetch_arrow_table())
"#
    )
}

/// How this program is called from here.
fn program() -> String {
    let Ok(path) = std::env::current_exe() else { return "meridian".into() };
    let here = std::env::current_dir().ok();
    let short = here.and_then(|here| path.strip_prefix(here).map(|path| Path::new(".").join(path)).ok());
    quoted(&short.unwrap_or(path))
}

fn absolute(path: &Path) -> std::path::PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | '+' | ',' | ':' | '@');
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
    use super::*;

    #[test]
    fn a_path_can_be_pasted() {
        assert_eq!(quoted(Path::new("/tmp/a-b_1.toml")), "/tmp/a-b_1.toml");
        assert_eq!(quoted(Path::new("/tmp/it's here")), r"'/tmp/it'\''s here'");
    }
}
