//! Text that no spreadsheet runs. Takes the text of a cell of comma-separated values; gives it with an apostrophe in front
//! if it begins like a formula (OWASP, CSV injection). Must not know the columns, nor how a cell is quoted.

/// Characters with which a spreadsheet begins a formula, those that end a cell or a line, and the full-width forms that
/// some spreadsheets take for the same.
const FORMULA_STARTS: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];
/// Quotes, which a spreadsheet may take off before it looks for a formula.
const QUOTES: [char; 6] = ['"', '\'', '`', '“', '”', '＂'];

/// The text, with an apostrophe in front if a spreadsheet would take it for a formula.
pub(crate) fn inert(text: &str) -> String {
    if begins_formula(text) { format!("'{text}") } else { text.to_owned() }
}

/// True if a spreadsheet may take the text for a formula, also after it has taken blanks and quotes off.
pub(crate) fn begins_formula(text: &str) -> bool {
    let is_taken_off = |letter: char| letter.is_whitespace() || QUOTES.contains(&letter);
    text.starts_with(FORMULA_STARTS) || text.trim_start_matches(is_taken_off).starts_with(FORMULA_STARTS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_like_a_formula_gets_an_apostrophe() {
        for text in [
            "=1+2",
            "+1",
            "-2",
            "@SUM(A1)",
            "\t=1",
            "\r=1",
            "\n=1",
            "\tx",
            "＝1",
            "＋1",
            "－1",
            "＠A1",
            " =1",
            "\u{3000}＝1",
            "\u{a0}=1",
            "\"=1\"",
            "' -1",
            "\" ＋1",
            "“=1",
        ] {
            assert_eq!(inert(text), format!("'{text}"));
        }
    }

    #[test]
    fn other_text_stays_as_it_is() {
        for text in ["", "nas.lan", "a=1", "10.0.0.1", "\"a\"", " a", "'", "fe80::1", "büro ＝"] {
            assert_eq!(inert(text), text);
        }
    }
}
