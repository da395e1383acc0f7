//! The script for fish, whose old-style options stand behind one dash. Takes the options by subcommand; gives the
//! script. Must not know what an option sets.

use std::fmt::Write as _;

use super::{Choices, SHELLS, SUBCOMMANDS, choices, is_list, modes, quoted, subcommands, taking_values, uses};
use crate::cli::options::all;
use crate::config::Declaration;

const HEAD: &str = r#"# fish completion for trafficmonitor. Long options may stand behind one dash or two.

function __trafficmonitor_interfaces
    for path in /sys/class/net/*
        test -d $path; and string replace -r '.*/' '' -- $path
    end
end

# The values of a comma list, each behind those that are typed already.
function __trafficmonitor_list
    set -l typed (commandline -ct | string replace -r -- '^--?[^=]*=' '')
    set -l before (string replace -rf -- '^(.*,)[^,]*$' '$1' "$typed")
    for value in $argv
        echo "$before$value"
    end
end

# Whether the first word behind the command is one of these; exporter where there is none.
function __trafficmonitor_in
    set -l tokens (commandline -opc)
    set -l mode exporter
    set -l previous ''
    for token in $tokens[2..-1]
        set -l name (string replace -r -- '^--?' '' "$previous")
        if string match -q -- '-*' "$previous"; and contains -- "$name" $__trafficmonitor_taking_values
            set previous ''
            continue
        end
        set previous $token
        if not string match -q -- '-*' "$token"
            set mode filter
            contains -- $token $__trafficmonitor_subcommands; and set mode $token
            break
        end
    end
    contains -- $mode $argv
end
"#;

/// The script.
pub fn script() -> String {
    let mut script = HEAD.to_owned();
    let mut line = |text: String| writeln!(script, "{text}").unwrap_or_default();
    line(format!("\nset -g __trafficmonitor_subcommands {}", subcommands()));
    line(format!("set -g __trafficmonitor_taking_values {}", taking_values()));
    line("\ncomplete -c trafficmonitor -e\ncomplete -c trafficmonitor -f".to_owned());
    for (name, about) in SUBCOMMANDS {
        line(format!("{} -a {name} -d {}", condition(&[super::EXPORTER]), quoted(about, "\\'")));
    }
    line(format!("{} -F", condition(&["replay", "test", "analyze"])));
    line(format!("{} -a '{SHELLS}'", condition(&["completions"])));
    all().for_each(|declaration| line(option(declaration)));
    script
}

fn condition(of: &[&str]) -> String {
    format!("complete -c trafficmonitor -n '__trafficmonitor_in {}'", of.join(" "))
}

fn option(declaration: &Declaration) -> String {
    let mut using: Vec<&str> = modes().filter(|(_, name)| uses(*name, declaration)).map(|(name, _)| name).collect();
    if using.contains(&super::EXPORTER) {
        using.push("filter");
    }
    let long = declaration.long_names().map(|name| format!(" -o {name} -l {name}"));
    // Old style too: of a letter with a value fish would take -iface for -i face.
    let short = declaration.short.map(|letter| format!(" -o {letter}"));
    let help = quoted(&declaration.help.replace('\\', "\\\\"), "\\'");
    format!("{}{}{} -d {help}", condition(&using), long.chain(short).collect::<String>(), values(declaration))
}

fn values(declaration: &Declaration) -> String {
    match choices(declaration) {
        _ if !declaration.arity.takes_next() => String::new(),
        Choices::Free => " -x".to_owned(),
        Choices::Files => " -r -F".to_owned(),
        Choices::Words(words) if is_list(declaration) => {
            format!(" -x -a '(__trafficmonitor_list {})'", words.join(" "))
        }
        Choices::Words(words) => format!(" -x -a '{}'", words.join(" ")),
        Choices::Interfaces(words) => {
            format!(" -x -a '(__trafficmonitor_list {} (__trafficmonitor_interfaces))'", words.join(" "))
        }
    }
}
