//! What the words and figures mean, and what is said to whoever asks for what is not there.

use maud::html;

use super::Frame;
use super::parts::beside;

/// The page.
pub(in crate::register) fn about(frame: &Frame<'_>) -> String {
    let main = html! {
        h1 { "About this register" }
        p.lead {
            "Public bodies answer joint questions without handing over their data: each body's node works out its own share at home, \
             and only what its terms allow leaves it. This register shows those terms and what was done with them."
        }
        h2 { "Where it comes from" }
        p {
            "Each body's node makes its part from the files by which it decides and from its log, in which every answer is written \
             down before it leaves. It signs its part and tells it to the other nodes, so that each node can show all of them. A body \
             can only speak for itself. Where a body has not been heard of for more than a day, its page says as of when it is."
        }
        h2 { "The forms in which data leaves" }
        dl.facts {
            dt { "Statistics" }
            dd {
                "Counts, sums and averages of groups. A figure of a group that is smaller than the agreement says is withheld, and the \
                 figures may carry a little noise, so that they tell nothing about a single person. No record leaves."
            }
            dt { "Single records" }
            dd { "Rows of the dataset, with the columns that the agreement names and nothing else, for its recipients alone." }
            dt { "Open data" }
            dd { "Published for anybody; no agreement is needed." }
        }
        h2 { "How use is counted" }
        p {
            "Use is counted to the end of the last whole day, so that the figures do not show when somebody asks; the page of each body \
             names that day, unless the body has chosen to count as it happens. An answer counts in the month in which it began. How much left is told in powers of ten (10 to 99, 100 to 999), so that one \
             use does not show the size of one answer. An answer that was cut off counts with all that may have left; where that is not \
             known, “and more” stands beside the figure. What was refused counts too: there, nothing left."
        }
        h2 { "Using these pages" }
        p {
            "They are made to meet WCAG 2.2 at level AA: they work without a mouse, with a screen reader, on a phone and without scripts. \
             All of it can be had as JSON and CSV at the same addresses with these endings. Addresses stay. What is long comes in \
             parts: with a part of a table comes a header Link that names the next one, as in agreements.csv?part=2."
        }
    };
    frame.page("About this register", &main)
}

/// What the bodies tell would make the page too long.
pub(in crate::register) fn too_long(frame: &Frame<'_>) -> String {
    let main = html! {
        h1 { "This page is too long" }
        p { "What the bodies tell here is more than a page can show. All of it can be had in parts." }
        (beside(frame))
    };
    frame.page("This page is too long", &main)
}

/// There is no such page.
pub(in crate::register) fn missing(frame: &Frame<'_>) -> String {
    let main = html! {
        h1 { "Page not found" }
        p { "There is no such page in the register. What was withdrawn and never used leaves no page behind." }
        p { a href=(frame.to("")) { "Go to the overview" } }
    };
    frame.page("Page not found", &main)
}
