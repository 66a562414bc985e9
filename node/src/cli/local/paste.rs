//! What people paste: this program's name, paths as a shell takes them, and the way into the workbench.

use std::path::{Path, PathBuf};

use super::Plan;

/// How this program is called from here.
pub(crate) fn program() -> String {
    let Ok(path) = std::env::current_exe() else { return "meridian".into() };
    let here = std::env::current_dir().ok();
    let short = here.and_then(|here| path.strip_prefix(here).map(|path| Path::new(".").join(path)).ok());
    quoted(&short.unwrap_or(path))
}

/// A path that holds wherever it is pasted.
pub(crate) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// A path as a shell takes it.
pub(crate) fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | '+' | ',' | ':' | '@');
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// How a browser gets the analyst's certificate: it takes key and certificate in one file.
pub(crate) fn workbench(plan: &Plan) -> String {
    let (address, name, analyst) = (plan.workbench, &plan.asker.analyst, plan.analyst());
    let [key, certificate, both, ca] =
        ["analyst.key", "analyst.pem", "analyst.p12", "ca.pem"].map(|name| quoted(&absolute(&analyst.join(name))));
    format!(
        "In a browser, with completion, maps, charts and a picture of what left whom: https://{address}/
  openssl pkcs12 -export -name {name} -inkey {key} -in {certificate} -out {both}
  Import that file among your own certificates, and {ca} among the authorities (Firefox: Settings,
  Certificates; Chromium: chrome://certificate-manager); remove both when you are done."
    )
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
