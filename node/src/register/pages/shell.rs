//! What stands around the content of every page for the public: heading, ways to other pages, foot.

use maud::{DOCTYPE, Markup, html};

/// The surroundings of a page.
pub(crate) struct Shell<'a> {
    /// The name of all pages together.
    pub(crate) site: String,
    /// Where their first is.
    pub(crate) home: String,
    /// The folder of style sheet and icon, with a slash at its end or empty.
    pub(crate) files: String,
    /// What the ways are, for those who don't see them.
    pub(crate) label: &'a str,
    /// To the parts.
    pub(crate) ways: Vec<Way<'a>>,
    /// What stands below each page.
    pub(crate) foot: Markup,
}

/// A way to another page.
pub(crate) struct Way<'a> {
    pub(crate) to: String,
    pub(crate) name: &'a str,
    /// Whether it leads to where one is.
    pub(crate) here: bool,
}

/// The whole page.
pub(crate) fn shell(Shell { site, home, files, label, ways, foot }: &Shell<'_>, title: &str, main: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en-GB" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " – " (site) }
                link rel="stylesheet" href={ (files) "style.css" };
                link rel="icon" type="image/svg+xml" href={ (files) "icon.svg" };
            }
            body {
                a.skip href="#main" { "Skip to main content" }
                header {
                    div.inside { a.name href=(home) { (site) } }
                }
                nav aria-label=(label) {
                    ul.inside {
                        @for Way { to, name, here } in ways {
                            li { a href=(to) aria-current=[here.then_some("page")] { (name) } }
                        }
                    }
                }
                main.inside id="main" tabindex="-1" { (main) }
                footer {
                    div.inside { (foot) }
                }
            }
        }
    };
    page.into_string()
}
