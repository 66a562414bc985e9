//! What to try next, once the mesh stands.

use meridian_examples::london;

use super::super::local::Plan;
use super::super::local::paste::{absolute, program, quoted, workbench};
use super::PURPOSE;

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
