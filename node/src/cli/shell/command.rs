//! The commands of the shell: what begins with a backslash.

use crate::spelling;

/// A command, as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Command {
    /// Datasets, or what is known of those that a name stands for.
    Describe(Option<String>),
    Bodies,
    Agreements,
    /// The receipt of the last answer.
    Receipt,
    /// Whether times are told; the other way round where it does not say.
    Timing(Option<bool>),
    Explain(Option<String>),
    Check(Option<String>),
    /// The purpose of what follows.
    Purpose(Option<String>),
    Format(Option<String>),
    Pager(Option<bool>),
    /// Runs a file.
    Include(String),
    /// Where answers go; without a file to the terminal again.
    Output(Option<String>),
    Edit,
    Quit,
    Help,
}

/// Name, arguments and meaning of each command.
pub(super) const COMMANDS: [(&str, &str, &str); 15] = [
    ("d", "[NAME]", "the datasets that you may see, those of a body, or the columns of one"),
    ("bodies", "", "who publishes what, and when it last changed"),
    ("agreements", "", "what is had by an agreement alone, and which agreements have stood behind your answers"),
    ("receipt", "", "the whole receipt of the last answer"),
    ("check", "[SQL]", "would every body release its part? Nothing runs; without SQL, of the last question"),
    ("explain", "[SQL]", "what is asked of which body, and under which terms; without SQL, of the last question"),
    ("purpose", "[PURPOSE]", "what the next questions are for; - for none"),
    ("format", "[FORMAT]", "table, csv, json, jsonl, markdown, geojson, parquet, arrow"),
    ("o", "[FILE]", "the next answers go into this file, as its ending says; without one to the terminal again"),
    ("i", "FILE", "run the statements and commands of a file"),
    ("e", "", "write the last question anew in your editor"),
    ("timing", "[on|off]", "say how long each answer took"),
    ("pager", "[on|off]", "show what is longer than the terminal in a pager"),
    ("?", "", "this list"),
    ("q", "", "leave, as Ctrl-D does"),
];

impl Command {
    /// Reads a command without its backslash; an error says what to write.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (name, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let rest = rest.trim().trim_end_matches(';').trim_end();
        let some = Some(rest.to_owned()).filter(|rest| !rest.is_empty());
        Ok(match name.trim_end_matches(';') {
            "d" | "dt" | "d+" => Self::Describe(some),
            "bodies" | "dn" => Self::Bodies,
            "agreements" => Self::Agreements,
            "receipt" => Self::Receipt,
            "timing" => Self::Timing(switch(name, some)?),
            "explain" => Self::Explain(some),
            "check" => Self::Check(some),
            "purpose" => Self::Purpose(some.map(|purpose| purpose.trim_matches('\'').to_owned())),
            "format" => Self::Format(some),
            "pager" => Self::Pager(switch(name, some)?),
            "i" => Self::Include(some.ok_or("\\i needs a file: \\i questions.sql")?),
            "o" => Self::Output(some),
            "e" => Self::Edit,
            "q" | "quit" | "exit" => Self::Quit,
            "?" | "h" | "help" => Self::Help,
            other => {
                let names = COMMANDS.map(|(name, _, _)| name);
                let near = spelling::nearest(other, names).map(|near| format!("did you mean \\{near}? "));
                return Err(format!("there is no command \\{other}: {}\\? lists them", near.unwrap_or_default()));
            }
        })
    }
}

fn switch(name: &str, word: Option<String>) -> Result<Option<bool>, String> {
    match word.as_deref() {
        None => Ok(None),
        Some("on") => Ok(Some(true)),
        Some("off") => Ok(Some(false)),
        Some(other) => Err(format!("\\{name} {other} can't be meant: write \\{name} on or \\{name} off")),
    }
}

/// The list of commands.
pub(super) fn help() -> String {
    let mut text = String::from("SQL ends with a semicolon. Beside it there are:\n");
    for (name, arguments, meaning) in COMMANDS {
        let head = format!("\\{name} {arguments}");
        text.push_str(&format!("  {head:<20} {meaning}\n"));
    }
    text.push_str(
        "Tab completes keywords, functions, bodies, datasets and columns; Ctrl-R searches the history, in which no line is \
         kept that begins with a blank; Ctrl-C ends the question that runs.",
    );
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
    use super::*;

    #[test]
    fn commands_are_read() {
        for (text, expected) in [
            ("d", Command::Describe(None)),
            ("d  lfb.incidents;", Command::Describe(Some("lfb.incidents".into()))),
            ("timing", Command::Timing(None)),
            ("pager off", Command::Pager(Some(false))),
            ("purpose 'fire-risk'", Command::Purpose(Some("fire-risk".into()))),
            ("explain SELECT 1;", Command::Explain(Some("SELECT 1".into()))),
            ("q;", Command::Quit),
        ] {
            assert_eq!(Command::parse(text).unwrap(), expected, "{text}");
        }
        assert!(Command::parse("timing maybe").unwrap_err().contains("on or"));
        assert!(Command::parse("i").unwrap_err().contains("file"));
        assert!(Command::parse("bodys").unwrap_err().contains("\\bodies"));
        for (name, _, _) in COMMANDS {
            assert!(name == "i" || Command::parse(name).is_ok(), "{name}");
            assert!(help().contains(&format!("\\{name}")));
        }
    }
}
