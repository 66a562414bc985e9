//! What a dataset's file tells people beside its terms: keywords, whom to ask, and the day of its last change.

use chrono::NaiveDate;
use meridian_proto::{About, Contact, LONGEST_WORDS, MOST_KEYWORDS, is_mail};

use super::super::NodeConfig;
use super::super::problem::{File, Report};
use super::super::raw;

pub(super) fn check(file: &File, raw: &raw::Dataset, node: Option<&NodeConfig>, report: &mut Report) -> About {
    let own = raw.contact.as_ref().map(|raw| contact(file, raw, report));
    About {
        keywords: keywords(file, raw, report),
        contact: own.unwrap_or_else(|| node.and_then(|node| node.contact.clone())),
        last_change: raw.last_change.as_ref().and_then(|text| file.date("last_change", text, report)).map(days),
        quality: None,
        members_only: raw.members_only,
    }
}

/// Whom to ask, or a problem.
pub(in crate::config) fn contact(file: &File, raw: &raw::Contact, report: &mut Report) -> Option<Contact> {
    let name = file.text(report, "contact.name", &raw.name);
    let email = raw.email.get_ref().trim();
    if !is_mail(email) {
        let what = format!("contact.email is {:?}, which is no address of mail", raw.email.get_ref());
        file.problem(report, raw.email.span(), what, "write it as \"data@lfb.example\"");
        return None;
    }
    let name = name?;
    if !is_line(&name) {
        let what = format!("contact.name has more than {LONGEST_WORDS} characters, or more than one line");
        file.problem(report, raw.name.span(), what, "shorten it");
        return None;
    }
    Some(Contact { name, email: email.to_owned() })
}

fn keywords(file: &File, raw: &raw::Dataset, report: &mut Report) -> Vec<String> {
    let mut keywords: Vec<String> = Vec::with_capacity(raw.keywords.len());
    for said in &raw.keywords {
        let Some(keyword) = file.text(report, "a keyword", said) else { continue };
        let (what, fix) = if !is_line(&keyword) {
            (format!("a keyword has more than {LONGEST_WORDS} characters, or more than one line"), "shorten it")
        } else if keywords.contains(&keyword) {
            (format!("the keyword {keyword:?} stands twice"), "remove one")
        } else if keywords.len() == MOST_KEYWORDS {
            (format!("there are more than {MOST_KEYWORDS} keywords"), "remove some")
        } else {
            keywords.push(keyword);
            continue;
        };
        file.problem(report, said.span(), what, fix);
    }
    keywords
}

fn is_line(text: &str) -> bool {
    text.chars().count() <= LONGEST_WORDS && !text.chars().any(char::is_control)
}

/// As nodes tell each other of days.
fn days(date: NaiveDate) -> i32 {
    i32::try_from(date.signed_duration_since(NaiveDate::default()).num_days()).unwrap_or(i32::MAX)
}
