//! The line that is typed: history, completion, colours, entries of several lines; and the editor for longer ones.

use std::borrow::Cow;
use std::env;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::process::Command;

use nu_ansi_term::{Color, Style};
use reedline::{
    ColumnarMenu, DefaultHinter, EditCommand, Emacs, FileBackedHistory, Highlighter, KeyCode, KeyModifiers,
    MenuBuilder, Prompt, PromptEditMode, PromptHistorySearch, PromptHistorySearchStatus, Reedline, ReedlineEvent,
    ReedlineMenu, Signal, StyledText, ValidationResult, Validator, default_emacs_keybindings,
};

use super::super::{Error, say, terminal};
use super::complete::{Completion, KEYWORDS, Shared};
use super::history;
use super::lex::{Kind, is_complete, tokens};

const MENU: &str = "completion";

/// What was entered.
pub(super) enum Line {
    Text(String),
    /// Ctrl-C.
    GivenUp,
    /// Ctrl-D.
    End,
}

/// Reads entries from the terminal.
pub(super) struct Editor(Reedline);

impl Editor {
    /// With what was entered before, and completion of these names.
    pub(super) fn new(names: Shared) -> Self {
        let history = history::open().or_else(|why| {
            say(format_args!("What you enter is not kept, since the history can't be opened: {why}"));
            FileBackedHistory::new(1_000).map_err(|_| why)
        });
        let mut keys = default_emacs_keybindings();
        let complete = ReedlineEvent::UntilFound(vec![ReedlineEvent::Menu(MENU.into()), ReedlineEvent::MenuNext]);
        keys.add_binding(KeyModifiers::NONE, KeyCode::Tab, complete);
        let newline = ReedlineEvent::Edit(vec![EditCommand::InsertNewline]);
        keys.add_binding(KeyModifiers::ALT, KeyCode::Enter, newline);
        let colours = terminal::has_colours();
        let mut line = Reedline::create()
            .with_completer(Box::new(Completion::new(names)))
            .with_menu(ReedlineMenu::EngineCompleter(Box::new(ColumnarMenu::default().with_name(MENU))))
            .with_quick_completions(true)
            .with_partial_completions(true)
            .with_edit_mode(Box::new(Emacs::new(keys)))
            .with_validator(Box::new(UntilSemicolon))
            .with_highlighter(Box::new(Colours { on: colours }))
            .with_ansi_colors(colours)
            .use_bracketed_paste(true)
            .with_history_exclusion_prefix(Some(" ".into()));
        if let Ok(history) = history {
            line = line.with_history(Box::new(history));
        }
        if colours {
            line = line.with_hinter(Box::new(DefaultHinter::default().with_style(Style::new().fg(Color::DarkGray))));
        }
        Self(line)
    }

    /// Reads one entry.
    pub(super) fn read(&mut self, who: &str) -> io::Result<Line> {
        let signal = self.0.read_line(&Words(who)).map_err(io::Error::other)?;
        // What was entered is there after a crash too.
        self.0.sync_history()?;
        Ok(match signal {
            Signal::Success(text) => Line::Text(text),
            Signal::CtrlD => Line::End,
            _ => Line::GivenUp,
        })
    }

    /// Begins the next entry with a text.
    pub(super) fn fill(&mut self, text: &str) {
        self.0.run_edit_commands(&[EditCommand::Clear, EditCommand::InsertString(text.to_owned())]);
    }
}

/// The prompt.
struct Words<'a>(&'a str);

impl Prompt for Words<'_> {
    fn render_prompt_left(&self) -> Cow<'_, str> {
        Cow::Borrowed(self.0)
    }

    fn render_prompt_right(&self) -> Cow<'_, str> {
        Cow::Borrowed("")
    }

    fn render_prompt_indicator(&self, _: PromptEditMode) -> Cow<'_, str> {
        Cow::Borrowed("> ")
    }

    fn render_prompt_multiline_indicator(&self) -> Cow<'_, str> {
        Cow::Borrowed("  … ")
    }

    fn render_prompt_history_search_indicator(&self, search: PromptHistorySearch) -> Cow<'_, str> {
        let found = match search.status {
            PromptHistorySearchStatus::Passing => "",
            PromptHistorySearchStatus::Failing => "nothing ",
        };
        Cow::Owned(format!("({found}found for {}) ", search.term))
    }
}

/// An entry goes on until its semicolon.
struct UntilSemicolon;

impl Validator for UntilSemicolon {
    fn validate(&self, line: &str) -> ValidationResult {
        if is_complete(line) { ValidationResult::Complete } else { ValidationResult::Incomplete }
    }
}

/// SQL in colours.
struct Colours {
    on: bool,
}

impl Highlighter for Colours {
    fn highlight(&self, line: &str, _cursor: usize) -> StyledText {
        let mut text = StyledText::new();
        for token in tokens(line) {
            let piece = line.get(token.at.clone()).unwrap_or_default();
            let style = match token.kind {
                _ if !self.on => Style::new(),
                _ if !token.is_closed => Style::new().fg(Color::Red),
                Kind::Word if KEYWORDS.iter().any(|word| piece.eq_ignore_ascii_case(word)) => {
                    Style::new().fg(Color::Blue).bold()
                }
                Kind::Text => Style::new().fg(Color::Green),
                Kind::Number => Style::new().fg(Color::Cyan),
                Kind::Comment => Style::new().fg(Color::DarkGray),
                _ => Style::new(),
            };
            text.push((style, piece.to_owned()));
        }
        text
    }
}

/// A text as it comes back from the editor that VISUAL or EDITOR names.
pub(super) fn edited(text: &str) -> Result<String, Error> {
    let path = env::temp_dir().join(format!("meridian-{}.sql", std::process::id()));
    let failed = |source| Error::Write { path: path.clone(), source };
    // Nobody else's file is written to, or read.
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
    file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(failed)?;
    let editor = ["VISUAL", "EDITOR"].into_iter().find_map(env::var_os).unwrap_or_else(|| "vi".into());
    // The name may come with options, as shells read it.
    let ran = Command::new("sh").arg("-c").arg("$0 \"$1\"").arg(&editor).arg(&path).status();
    let read = fs::read_to_string(&path);
    let _ = fs::remove_file(&path);
    match ran {
        Ok(status) if status.success() => {
            let text = read.map_err(|source| Error::Read { path: path.clone(), source })?;
            Ok(text.trim_end().to_owned())
        }
        _ => Err(Error::Usage(format!(
            "the editor {} did not end well: name one in VISUAL or EDITOR, such as EDITOR=nano",
            editor.display()
        ))),
    }
}
