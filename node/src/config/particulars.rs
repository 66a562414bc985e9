//! What an agreement tells the public beside its terms: the fields of the ICO's data sharing code (2021, "data sharing agreements") and of the
//! register under the Digital Economy Act 2017, part 5.

use chrono::NaiveDate;
use toml::Spanned;

use super::problem::{File, Report};
use super::raw;

/// Empty or `None` where the file does not say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Particulars {
    /// Who decides on the processing.
    pub controllers: Vec<String>,
    /// Who processes on their behalf.
    pub processors: Vec<String>,
    /// The condition of UK GDPR article 9 or 10, for special categories and criminal offences.
    pub special_category: Option<String>,
    /// How the data travels and how it is secured.
    pub method: Option<String>,
    /// Why less would not do.
    pub necessity: Option<String>,
    /// The data protection impact assessment: a reference, or a link.
    pub dpia: Option<String>,
    /// What the data protection officers think of it.
    pub dpo_view: Option<String>,
    /// How long recipients keep what they get.
    pub retention: Option<String>,
    /// When it is looked at again.
    pub review: Option<NaiveDate>,
    /// Where the people live, or the things are, that it is about.
    pub area: Option<String>,
    /// Where people turn to with their rights.
    pub rights_contact: Option<String>,
}

/// `start` is the agreement's, where it has one.
pub(super) fn check(file: &File, raw: &raw::Agreement, start: Option<NaiveDate>, report: &mut Report) -> Particulars {
    let mut text =
        |key: &str, said: &Option<Spanned<String>>| said.as_ref().and_then(|said| file.text(report, key, said));
    let special_category = text("special_category", &raw.special_category);
    let method = text("method", &raw.method);
    let necessity = text("necessity", &raw.necessity);
    let dpia = text("dpia", &raw.dpia);
    let dpo_view = text("dpo_view", &raw.dpo_view);
    let retention = text("retention", &raw.retention);
    let area = text("area", &raw.area);
    let rights_contact = text("rights_contact", &raw.rights_contact);
    if let (Some(said), Some(link)) = (&raw.dpia, &dpia)
        && link.contains("://")
        && !is_link(link)
    {
        let what = format!("dpia is {link:?}, which is no link that the public can follow");
        file.problem(report, said.span(), what, "write an https address, or a reference in words");
    }
    Particulars {
        controllers: texts(file, "controllers", &raw.controllers, report),
        processors: texts(file, "processors", &raw.processors, report),
        special_category,
        method,
        necessity,
        dpia,
        dpo_view,
        retention,
        review: review(file, raw, start, report),
        area,
        rights_contact,
    }
}

/// An https address and nothing else.
fn is_link(text: &str) -> bool {
    text.parse::<http::Uri>().is_ok_and(|uri| uri.scheme_str() == Some("https") && uri.host().is_some())
}

fn texts(file: &File, key: &str, said: &[Spanned<String>], report: &mut Report) -> Vec<String> {
    said.iter().filter_map(|text| file.text(report, key, text)).collect()
}

fn review(file: &File, raw: &raw::Agreement, start: Option<NaiveDate>, report: &mut Report) -> Option<NaiveDate> {
    let said = raw.review.as_ref()?;
    let review = file.date("review", said, report)?;
    // After the end is no mistake: whoever ends an agreement early is not to be held up by this.
    if let Some(start) = start.filter(|start| review < *start) {
        let what = format!("review is {review}, before the start on {start}");
        file.problem(report, said.span(), what, "write a day on which the agreement is in force");
    }
    Some(review)
}
