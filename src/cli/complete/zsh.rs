//! The script for zsh, by its function `_arguments`. Takes the options by subcommand; gives the script. Must not know
//! what an option sets.

use super::{
    Choices, SHELLS, SUBCOMMANDS, choices, is_list, modes, quoted, spellings, subcommands, taking_values, used,
};
use crate::config::Declaration;

const HEAD: &str = r"#compdef trafficmonitor
# zsh completion for trafficmonitor. Long options may stand behind one dash or two.

_trafficmonitor_interfaces() {
    _sequence compadd - $@ /sys/class/net/*(-/N:t)
}
";

const TAIL: &str = r#"
_trafficmonitor() {
    setopt localoptions extendedglob
TABLES
    local mode=exporter word previous=
    for word in "${(@)words[2,CURRENT-1]}"; do
        if [[ $previous == -* && -n ${taking_values[(r)${previous##-(#c1,2)}]} ]]; then
            previous=
            continue
        fi
        previous=$word
        if [[ $word != -* ]]; then
            [[ -n ${subcommand_names[(r)$word]} ]] && mode=$word || mode=filter
            break
        fi
    done
    case $mode in
CASES
    esac
}

# Autoloaded by its file's name, or read as a whole.
if [[ $funcstack[1] == _trafficmonitor ]]; then
    _trafficmonitor "$@"
else
    compdef _trafficmonitor trafficmonitor
fi
"#;

/// The script.
pub fn script() -> String {
    let tables = format!(
        "    local -a subcommand_names=({})\n    local -a taking_values=({})\n{}",
        subcommands(),
        taking_values(),
        described_subcommands()
    );
    let cases: Vec<String> = modes().map(|(name, subcommand)| case(name, subcommand)).collect();
    HEAD.to_owned() + &TAIL.replace("TABLES", &tables).replace("CASES", &cases.join("\n"))
}

fn described_subcommands() -> String {
    let entry = |(name, about): &(&str, &str)| format!("        {}", quoted(&format!("{name}:{about}"), "'\\''"));
    let entries: Vec<String> = SUBCOMMANDS.iter().map(entry).collect();
    format!("    local -a subcommands=(\n{}\n    )", entries.join("\n"))
}

/// The branch for one mode. Behind words of a filter the options are those of the exporter.
fn case(name: &str, subcommand: Option<&'static str>) -> String {
    let pattern = if subcommand.is_none() { format!("{name}|filter") } else { name.to_owned() };
    let options: Vec<String> =
        used(subcommand).map(|declaration| format!("            {}", option(declaration))).collect();
    let words = match name {
        super::EXPORTER => "'1: :{ _describe subcommand subcommands || _files }' '*:word:_files'",
        "replay" => "'1: : ' '*:capture file:_files'",
        "test" => "'1: : ' '*:file of test cases:_files'",
        "analyze" => "'1: : ' '*:event log:_files'",
        "completions" => &format!("'1: : ' '2:shell:({SHELLS})'"),
        _ => "'1: : '",
    };
    format!("    {pattern})\n        _arguments \\\n{} \\\n            {words}\n        ;;", options.join(" \\\n"))
}

/// One specification for all spellings of an option.
fn option(declaration: &Declaration) -> String {
    let help = declaration.help.replace('\\', "\\\\").replace('[', "\\[").replace(']', "\\]");
    let action = match choices(declaration) {
        Choices::Words(words) if is_list(declaration) => format!("_sequence compadd - {}", words.join(" ")),
        Choices::Words(words) => format!("({})", words.join(" ")),
        Choices::Interfaces(words) => format!("_trafficmonitor_interfaces {}", words.join(" ")),
        Choices::Files => "_files".to_owned(),
        Choices::Free => " ".to_owned(),
    };
    let (attaches, value) = match declaration.value {
        "" if declaration.default.is_empty() => ("", String::new()),
        _ if !declaration.arity.takes_next() => ("=-", format!("::truth:{action}")),
        value => ("=", format!(":{}:{action}", value.replace(':', "\\:"))),
    };
    let rest = quoted(&format!("{attaches}[{help}]{value}"), "'\\''");
    match spellings(declaration).as_slice() {
        // Braces around one alternative are not expanded.
        [one] => format!("'*{one}'{rest}"),
        several => format!("'*'{{{}}}{rest}", several.join(",")),
    }
}
