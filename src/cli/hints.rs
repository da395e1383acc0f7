//! A hint for a filter that does not compile: it may be meant as a subcommand or as a file.
//!
//! Takes the text of a filter that libpcap refused, and checks whether it names files; gives a sentence for the user.
//! Must not know the grammar of filters.

use std::path::Path;

use super::command;
use crate::config::nearest::nearest;

/// Endings of the names of capture files, as capture programs choose them.
const CAPTURE_ENDINGS: [&str; 6] = ["pcap", "pcapng", "cap", "dmp", "dump", "ntar"];
/// Endings of compressed files, before which the name has its own ending.
const COMPRESSED_ENDINGS: [&str; 4] = ["gz", "zst", "xz", "bz2"];
/// Endings of the names of configuration files. A word that ends in `.conf` was read as one before.
const CONFIGURATION_ENDINGS: [&str; 3] = ["yml", "yaml", "json"];

/// Adds advice to the `reason` why `filter` does not compile, if its first words name a file or are near to a
/// subcommand.
pub fn explain(filter: &str, reason: &mut String) {
    let first = filter.split_whitespace().next().unwrap_or_default();
    if let Some(hint) = instead_of_files(filter) {
        *reason = hint;
    } else if let Some(subcommand) = nearest_subcommand(first) {
        reason.push_str(&format!("; did you mean the subcommand `{subcommand}`?"));
    }
}

/// The subcommand that is probably meant by `word`.
pub(super) fn nearest_subcommand(word: &str) -> Option<&'static str> {
    nearest(word, command::SUBCOMMANDS.iter().map(|(name, _)| *name))
}

/// The command lines for files that were named in place of a filter: `replay`, or `-r`, which serves a file. `None` if
/// no file was named.
fn instead_of_files(filter: &str) -> Option<String> {
    let configuration = filter.split_whitespace().next().filter(|word| is_configuration(word));
    if let Some(file) = configuration {
        return Some(format!("{file} is a configuration file: name it with -c {file}"));
    }
    // The shell passes a quoted name with blanks as one word.
    let files = if is_file(filter) {
        vec![filter]
    } else {
        filter.split_whitespace().take_while(|word| is_file(word) || is_named_as_capture(word)).collect()
    };
    let first = files.first()?;
    let is_there = if is_file(first) { "is a file" } else { "looks like a capture file (there is none of that name)" };
    let all = files.join(" ");
    Some(format!(
        "{first} {is_there}: read it with `trafficmonitor replay {all}`, or with `trafficmonitor -r {first}`, \
         which serves /metrics of it"
    ))
}

fn is_file(word: &str) -> bool {
    Path::new(word).is_file()
}

fn is_configuration(word: &str) -> bool {
    is_file(word) && ends_in(word, &CONFIGURATION_ENDINGS)
}

fn is_named_as_capture(word: &str) -> bool {
    let path = Path::new(word);
    let is_compressed = ends_in(word, &COMPRESSED_ENDINGS);
    let inner = if is_compressed { path.file_stem().map(Path::new).unwrap_or(path) } else { path };
    ends_in(&inner.to_string_lossy(), &CAPTURE_ENDINGS)
}

fn ends_in(name: &str, endings: &[&str]) -> bool {
    let extension = Path::new(name).extension().map(|extension| extension.to_string_lossy().to_lowercase());
    extension.is_some_and(|extension| endings.contains(&extension.as_str()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn names_of_capture_files_are_known_by_their_ending() {
        for name in ["office.pcap", "a/b.PCAPNG", "x.cap", "x.pcap.gz", "x.pcapng.zst", "./x.dmp", "y.pcap.xz"] {
            let hint = instead_of_files(name).unwrap();
            assert!(hint.contains(&format!("`trafficmonitor replay {name}`")), "{hint}");
            assert!(hint.contains(&format!("-r {name}")) && hint.contains("none of that name"), "{hint}");
        }
        for word in ["tcp", "x.gz", "pcap", "host", "10.0.0.1", "", ".pcap"] {
            assert_eq!(instead_of_files(word), None, "{word}");
        }
    }

    #[test]
    fn a_file_that_exists_is_known_whatever_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        for name in ["trace.1", "noending", "with blank.bin"] {
            fs::write(path(name), "x").unwrap();
            let hint = instead_of_files(&path(name)).unwrap();
            assert!(hint.contains("is a file: read it with `trafficmonitor replay"), "{hint}");
        }
        fs::write(path("t.yml"), "log: {}\n").unwrap();
        assert!(instead_of_files(&path("t.yml")).unwrap().ends_with(&format!("name it with -c {}", path("t.yml"))));
        // A folder is not a file.
        assert_eq!(instead_of_files(folder.path().to_str().unwrap()), None);
    }

    #[test]
    fn several_files_are_named_together_and_words_behind_them_are_left_out() {
        let hint = instead_of_files("a.pcap b.pcap tcp port 80").unwrap();
        assert!(hint.contains("`trafficmonitor replay a.pcap b.pcap`"), "{hint}");
    }
}
