//! A check of the program: its state, and a sentence. Takes what is checked; gives the check. Must not know what there is to
//! check.

use serde::Serialize;

use super::ApiInputs;
use crate::export::units::Units;

/// The state of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Status {
    Ok,
    /// It is not measured, or not yet.
    Unknown,
    Warning,
    Critical,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Check {
    pub(super) name: &'static str,
    pub(super) status: Status,
    pub(super) sentence: String,
}

pub(super) fn check(name: &'static str, status: Status, sentence: impl Into<String>) -> Check {
    Check { name, status, sentence: sentence.into() }
}

/// A warning for an hour after a counter of losses grew. `none` is the sentence about no loss, `some` begins that about so
/// many.
pub(super) fn growth(
    inputs: &ApiInputs<'_>,
    name: &'static str,
    count: u64,
    none: &str,
    some: impl Fn(&str) -> String,
) -> Check {
    let grew = inputs.memory.grew_lately(name, count, inputs.now);
    if count == 0 {
        return check(name, Status::Ok, none);
    }
    let (status, when) = if grew { (Status::Warning, "some") } else { (Status::Ok, "none") };
    check(name, status, format!("{} since the start, {when} within the last hour.", some(&Units::Human.count(count))))
}

/// The same for entries that were lost.
pub(super) fn lost_entries(inputs: &ApiInputs<'_>, name: &'static str, count: u64, what: &str) -> Check {
    growth(inputs, name, count, &format!("No {what} were lost."), |count| format!("{count} {what} were lost"))
}
