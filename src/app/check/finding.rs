//! One finding of the check. Takes what was looked at and the outcome; gives a line for people or an object in JSON. Must
//! not know how it was found.

use std::fmt::Display;

use serde_json::json;

/// The outcome of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CheckOutcome {
    /// It will work.
    Ok,
    /// The run will work, but not as one might expect.
    Warning,
    /// The run will not work.
    Failure,
}

impl CheckOutcome {
    const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failure => "failure",
        }
    }
}

/// A finding: what was looked at, how it stands, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CheckFinding {
    pub check: &'static str,
    pub outcome: CheckOutcome,
    /// The state, and after a semicolon the remedy.
    pub text: String,
}

impl CheckFinding {
    pub(super) fn ok(check: &'static str, text: impl Display) -> Self {
        Self { check, outcome: CheckOutcome::Ok, text: text.to_string() }
    }

    pub(super) fn warning(check: &'static str, text: impl Display) -> Self {
        Self { check, outcome: CheckOutcome::Warning, text: text.to_string() }
    }

    pub(super) fn failure(check: &'static str, text: impl Display) -> Self {
        Self { check, outcome: CheckOutcome::Failure, text: text.to_string() }
    }

    /// A line for people. Line breaks in the text become blanks.
    pub(super) fn line(&self) -> String {
        let text = self.text.split_whitespace().collect::<Vec<_>>().join(" ");
        format!("{:<8} {}: {text}\n", self.outcome.word(), self.check)
    }

    /// An object in a line.
    pub(super) fn json(&self) -> String {
        let object = json!({"type": "check", "check": self.check, "outcome": self.outcome.word(), "text": self.text});
        format!("{object}\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finding_is_one_line_however_it_is_written() {
        let finding = CheckFinding::failure("listen", "a\n  \"b\"");
        assert_eq!(finding.line(), "failure  listen: a \"b\"\n");
        let object: serde_json::Value = serde_json::from_str(finding.json().trim_end()).unwrap();
        assert_eq!(object, json!({"type": "check", "check": "listen", "outcome": "failure", "text": "a\n  \"b\""}));
        assert_eq!(CheckFinding::ok("clock", "in step").line(), "ok       clock: in step\n");
    }
}
