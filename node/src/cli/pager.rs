//! The pager: the program that PAGER names, as a shell reads it, or `less`.

use std::env;
use std::io::{self, Write};
use std::process::{Command, Stdio};

/// What a shell ends with that knows no such program.
const UNKNOWN_PROGRAM: i32 = 127;

/// Shows a text; false where there is no pager, so that it is still to be shown.
pub(crate) fn show(text: &[u8]) -> bool {
    let mut command = match env::var_os("PAGER") {
        Some(pager) if pager.is_empty() || pager == "cat" => return false,
        Some(pager) => {
            let mut shell = Command::new("sh");
            shell.arg("-c").arg(pager);
            shell
        }
        None => {
            let mut less = Command::new("less");
            // To the side in place of broken lines; not at all for what fits; colours as they are.
            less.args(["-S", "-F", "-R"]);
            less
        }
    };
    if env::var_os("LESSCHARSET").is_none() {
        command.env("LESSCHARSET", "utf-8");
    }
    run(&mut command, text).unwrap_or(false)
}

fn run(command: &mut Command, text: &[u8]) -> io::Result<bool> {
    let mut pager = command.stdin(Stdio::piped()).spawn()?;
    if let Some(mut stdin) = pager.stdin.take() {
        // Whoever has read enough closes it.
        let _ = stdin.write_all(text);
    }
    Ok(pager.wait()?.code() != Some(UNKNOWN_PROGRAM))
}
