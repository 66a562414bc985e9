//! The register as one page: plain HTML, no script, nothing from elsewhere, readable by keyboard and screen reader.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{Entry, Month, Register};

/// Dark text on white, one column, visible focus, tables that scroll by themselves.
const STYLE: &str = "body{font:1.1875rem/1.4 system-ui,sans-serif;color:#0b0c0c;background:#fff;max-width:60rem;margin:0 auto;\
padding:1rem}a{color:#1a65a6}a:focus,[tabindex]:focus{outline:3px solid #0b0c0c;outline-offset:2px;background:#fd0}h1{font-size:2rem}\
h2{font-size:1.5rem;margin-top:3rem;border-top:2px solid #b1b4b6;padding-top:1rem}h3{font-size:1.1875rem}dt{font-weight:bold;margin-top:.75rem}\
dd{margin:0}.skip{position:absolute;left:-999rem}.skip:focus{position:static}.wide{overflow-x:auto}table{border-collapse:collapse;width:100%}\
caption{text-align:left;font-weight:bold;padding:.5rem 0}th,td{text-align:left;vertical-align:top;padding:.4rem 1rem .4rem 0;\
border-bottom:1px solid #b1b4b6}";

/// The page; every text is escaped by the library.
pub(super) fn html(register: &Register) -> String {
    let title = format!("What {} shares", register.title);
    let page = html! {
        (DOCTYPE)
        html lang="en-GB" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                a.skip href="#agreements" { "Skip to the agreements" }
                header {
                    h1 { (title) }
                    p {
                        "The agreements under which " (register.title) " (" (register.body) ", in the federation "
                        (register.federation) ") lets other public bodies have data, what for, and how often they were used. \
                         Made on " (register.made) ". Also as "
                        a href="register.json" { "JSON" } ", " a href="agreements.csv" { "CSV of agreements" } " and "
                        a href="usage.csv" { "CSV of use" } "."
                    }
                    p {
                        "Volumes are published in classes, so that one use does not show the size of one answer. An answer that \
                         was interrupted counts with all that may have left."
                        @if register.counts_are_recent { " Older records are archived, and not counted here." }
                    }
                }
                main id="agreements" {
                    @if register.agreements.is_empty() { p { "There is no agreement." } }
                    @else { (contents(&register.agreements)) }
                    @for entry in &register.agreements { (agreement(entry)) }
                    @if !register.ended.is_empty() {
                        section aria-labelledby="ended" {
                            h2 id="ended" { "Agreements that were withdrawn" }
                            @for ended in &register.ended { (months(&format!("Use of {}", ended.id), &ended.months)) }
                        }
                    }
                    section aria-labelledby="open" {
                        h2 id="open" { "Open data" }
                        p { "Anybody may have it, without an agreement." }
                        (months("Use by other bodies", &register.open))
                    }
                    section aria-labelledby="refused" {
                        h2 id="refused" { "What was refused" }
                        @if register.refused.is_empty() { p { "Nothing so far." } }
                        @else {
                            div.wide tabindex="0" role="region" aria-label="Refused questions" {
                                table {
                                    caption { "Questions that were refused" }
                                    thead { tr { th scope="col" { "Month" } th scope="col" { "Questions" } } }
                                    tbody {
                                        @for refused in &register.refused {
                                            tr { th scope="row" { (refused.month) } td { (refused.questions) } }
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    };
    page.into_string()
}

fn contents(agreements: &[Entry]) -> Markup {
    html! {
        nav aria-label="Agreements" {
            ul { @for entry in agreements { li { a href={ "#" (entry.id) } { (entry.title) } } } }
        }
    }
}

fn agreement(entry: &Entry) -> Markup {
    let state = if entry.in_force { "In force" } else { "Not in force" };
    html! {
        section aria-labelledby=(entry.id) {
            h2 id=(entry.id) { (entry.title) }
            dl {
                dt { "Benefit" } dd { (entry.benefit) }
                dt { "Who gets it" } dd { (entry.recipients.join(", ")) }
                dt { "Parties" } dd { (entry.parties.join(", ")) }
                dt { "Purpose" } dd { (entry.purpose) }
                dt { "Legal power" } dd { (entry.legal_power) }
                dt { "Lawful basis" } dd { (entry.lawful_basis) }
                dt { "When" } dd { (state) ", from " (entry.start) " until the end of the day before " (entry.end) }
                dt { "Whom to ask" } dd { (entry.contact) }
                dt { "Name in the log" } dd { (entry.id) }
            }
            h3 { "What is shared" }
            ul {
                @for item in &entry.items {
                    li {
                        strong { (item.title) } " (" (item.dataset) "): "
                        @if item.form == "statistics" { "statistics of groups of at least " (item.smallest_group) ", by " }
                        @else { "rows with " }
                        (item.columns.join(", "))
                        @if item.onward { ". May be passed on." }
                    }
                }
            }
            (months(&format!("Use of {}", entry.title), &entry.months))
        }
    }
}

fn months(caption: &str, months: &[Month]) -> Markup {
    html! {
        @if months.is_empty() { p { (caption) ": not used so far." } }
        @else {
            div.wide tabindex="0" role="region" aria-label=(caption) {
                table {
                    caption { (caption) }
                    thead {
                        tr {
                            th scope="col" { "Month" }
                            th scope="col" { "Questions" }
                            th scope="col" { "Interrupted" }
                            th scope="col" { "Rows that left" }
                            th scope="col" { "Bytes that left" }
                        }
                    }
                    tbody {
                        @for month in months {
                            tr {
                                th scope="row" { (month.month) }
                                td { (month.questions) }
                                td { (month.interrupted) }
                                td { (month.rows) }
                                td { (month.bytes) }
                            }
                        }
                    }
                }
            }
        }
    }
}
