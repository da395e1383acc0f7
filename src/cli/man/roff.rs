//! Writes roff, with the macros of man(7).
//!
//! Takes titles, names and paragraphs; gives lines of roff. Must not know what they are about.

/// The longest line of the source, as man(7) recommends.
const WIDTH: usize = 78;

/// A page, to which parts are added.
#[derive(Debug)]
pub(super) struct Page {
    text: String,
}

impl Page {
    pub(super) fn new(title: &str, section: &str, date: &str, version: &str) -> Self {
        Self { text: format!(".TH {title} {section} \"{date}\" \"{title} {version}\" \"System Administration\"\n") }
    }

    pub(super) fn text(self) -> String {
        self.text
    }

    pub(super) fn section(&mut self, title: &str) -> &mut Self {
        self.line(&format!(".SH {title}"))
    }

    pub(super) fn subsection(&mut self, title: &str) -> &mut Self {
        self.line(&format!(".SS {title}"))
    }

    /// A line of roff as it is.
    pub(super) fn line(&mut self, line: &str) -> &mut Self {
        self.text.push_str(line);
        self.text.push('\n');
        self
    }

    pub(super) fn paragraph(&mut self, text: &str) {
        self.part(".PP");
        self.wrapped(text);
    }

    /// A name, and texts about it, each in a paragraph of its own.
    pub(super) fn entry(&mut self, name: &str, texts: &[&str]) {
        self.line(".TP").line(&format!("\\fB{}\\fR", escaped(name)));
        for (number, text) in texts.iter().enumerate() {
            if number > 0 {
                self.line(".br");
            }
            self.wrapped(text);
        }
    }

    /// A command line with the program.
    pub(super) fn usage(&mut self, program: &str, words: &str) {
        self.part(".br");
        self.line(&format!("\\fB{}\\fR {}", escaped(program), escaped(words)));
    }

    /// Parts what follows from what is before. Behind a title that would be an empty paragraph.
    fn part(&mut self, command: &str) {
        if !self.text.lines().last().is_some_and(|line| line.starts_with(".S")) {
            self.line(command);
        }
    }

    fn wrapped(&mut self, text: &str) {
        let mut line = String::new();
        for word in text.split_whitespace().map(escaped) {
            if !line.is_empty() && line.len() + 1 + word.len() > WIDTH {
                self.line(&protected(&line));
                line.clear();
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(&word);
        }
        self.line(&protected(&line));
    }
}

/// A word without commands of roff; a hyphen is printed as it is typed.
fn escaped(word: &str) -> String {
    word.replace('\\', "\\e").replace('-', "\\-").replace('`', "\\(ga").replace('\'', "\\(aq")
}

/// A line that begins with a dot would be a command.
fn protected(line: &str) -> String {
    if line.starts_with('.') { format!("\\&{line}") } else { line.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_becomes_a_command_of_roff() {
        let mut page = Page::new("t", "8", "", "1");
        page.entry("-x", &[".conf is 'it' \\n"]);
        assert!(page.text().ends_with(".TP\n\\fB\\-x\\fR\n\\&.conf is \\(aqit\\(aq \\en\n"));
    }

    #[test]
    fn lines_are_wrapped() {
        let mut page = Page::new("t", "8", "", "1");
        page.paragraph(&"word ".repeat(100));
        assert!(page.text().lines().all(|line| line.len() <= WIDTH));
    }
}
