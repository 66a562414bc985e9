//! Agreements: those that have ended or end soon, and those that let statistics be asked without end.

use chrono::Utc;
use meridian_proto::Form;

use super::code::Code;
use super::report::Report;
use crate::config::{AgreementConfig, Config};

/// An agreement that ends within so many days is told.
const SOON: i64 = 30;

/// Looks at each.
pub(super) fn look(config: &Config, report: &mut Report) {
    for agreement in &config.agreements {
        self::agreement(config, agreement, report);
    }
}

fn agreement(config: &Config, agreement: &AgreementConfig, report: &mut Report) {
    let (code, id, today) = (Code::Agreement, &agreement.id, Utc::now().date_naive());
    let left = (agreement.end - today).num_days();
    let file = agreement.file.display();
    if today < agreement.start {
        report.good(code, format!("{id} is in force from {}", agreement.start));
    } else if left <= 0 {
        let what = format!("{id} ended on {}, and gives nothing any more", agreement.end);
        report.warning(code, what, format!("agree on another end, or remove {file}"));
    } else if left <= SOON {
        report.warning(code, format!("{id} ends in {left} days"), "agree on another end, or tell those who use it");
    } else {
        report.good(code, format!("{id} is in force until {}", agreement.end));
    }
    let endless = |grant: &&crate::config::GrantConfig| {
        let dataset = config.dataset(grant.dataset.as_str());
        grant.form == Form::Statistics && grant.allowance.is_none() && dataset.is_some_and(|it| it.tables.is_empty())
    };
    for grant in agreement.grants.iter().filter(endless) {
        let what = format!("{id} lets statistics of {} be asked without end", grant.dataset);
        report.warning(Code::Allowance, what, format!("add an allowance to the grant in {file}"));
    }
}
