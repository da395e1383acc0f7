//! The script for bash. It needs no other package. Takes the options by subcommand; gives the script. Must not know
//! what an option sets.

use std::fmt::Write as _;

use super::{Choices, SHELLS, choices, is_list, modes, names, subcommands, used};
use crate::cli::options::all;
use crate::config::Declaration;

const HEAD: &str = r#"# bash completion for trafficmonitor. Long options may stand behind one dash or two.

_trafficmonitor_interfaces() {
    local path
    for path in /sys/class/net/*; do
        [ -d "$path" ] && printf '%q\n' "${path##*/}"
    done
}
"#;

const TAIL: &str = r#"
# The words before the cursor as they were typed: bash takes = and : for words of their own.
_trafficmonitor_typed() {
    local i word glue=
    typed=()
    for ((i = 1; i <= COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if [[ ${#typed[@]} -gt 0 && ($glue || $word == [=:]*) ]]; then
            typed[${#typed[@]}-1]+=$word
        else
            typed+=("$word")
        fi
        [[ $word == *[=:] ]] && glue=1 || glue=
    done
}

# Offers the lines of standard input that begin with $2, behind $1.
_trafficmonitor_offer() {
    local line
    while IFS= read -r line; do
        [[ $line == "$2"* ]] && COMPREPLY+=("$1$line")
    done
}

# Offers files that begin with $2, behind $1.
_trafficmonitor_files() {
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -P "$1" -- "$2")
}

# Offers values of the option $1 that begin with $2.
_trafficmonitor_value() {
    local name=$1 value=$2 before=
    name=${name#-}
    name=${name#-}
    # Where = does not part words, it stands in the word that is completed.
    [[ $3 && $COMP_WORDBREAKS != *=* ]] && before=$1=
    if _trafficmonitor_takes_files "$name"; then
        _trafficmonitor_files "$before" "$value"
        return
    fi
    if _trafficmonitor_takes_list "$name" && [[ $value == *,* ]]; then
        before+=${value%,*},
        value=${value##*,}
    fi
    _trafficmonitor_offer "$before" "$value" < <(_trafficmonitor_values "$name")
}

_trafficmonitor() {
    local typed word previous= mode=exporter name
    COMPREPLY=()
    _trafficmonitor_typed
    local current=${typed[${#typed[@]}-1]}
    for word in "${typed[@]:0:${#typed[@]}-1}"; do
        name=${previous#-}
        if [[ $previous == -* ]] && _trafficmonitor_takes_value "${name#-}"; then
            previous=
            continue
        fi
        previous=$word
        if [[ $word != -* ]]; then
            [[ $mode == exporter ]] && _trafficmonitor_is_subcommand "$word" && mode=$word
            [[ $mode == exporter ]] && mode=filter
        fi
    done
    name=${previous#-}
    if [[ $current == -*=* ]]; then
        _trafficmonitor_value "${current%%=*}" "${current#*=}" attached
    elif [[ $previous == -* ]] && _trafficmonitor_takes_value "${name#-}"; then
        _trafficmonitor_value "$previous" "$current"
    elif [[ $current == --* ]]; then
        _trafficmonitor_offer -- "${current#--}" < <(_trafficmonitor_options "$mode" | grep ..)
    elif [[ $current == -* ]]; then
        _trafficmonitor_offer - "${current#-}" < <(_trafficmonitor_options "$mode")
    elif [[ $mode == exporter ]]; then
        _trafficmonitor_offer '' "$current" < <(_trafficmonitor_subcommands)
        [[ ${#COMPREPLY[@]} -gt 0 ]] || _trafficmonitor_files '' "$current"
    elif [[ $mode == replay || $mode == test || $mode == analyze ]]; then
        _trafficmonitor_files '' "$current"
    elif [[ $mode == completions ]]; then
        _trafficmonitor_offer '' "$current" < <(_trafficmonitor_shells)
    fi
}

complete -F _trafficmonitor trafficmonitor
"#;

/// The script.
pub fn script() -> String {
    let mut script = HEAD.to_owned();
    predicate(&mut script, "takes_value", |declaration| declaration.arity.takes_next());
    predicate(&mut script, "takes_list", is_list);
    predicate(&mut script, "takes_files", |declaration| choices(declaration) == Choices::Files);
    function(&mut script, "is_subcommand", &format!("    [[ ' {} ' == *\" $1 \"* ]]", subcommands()));
    function(&mut script, "subcommands", &printing(&subcommands()));
    function(&mut script, "shells", &printing(SHELLS));
    function(&mut script, "options", &options());
    function(&mut script, "values", &values());
    script + TAIL
}

fn function(script: &mut String, name: &str, body: &str) {
    // Writing to a string cannot fail.
    writeln!(script, "\n_trafficmonitor_{name}() {{\n{body}\n}}").unwrap_or_default();
}

/// A function that succeeds for the names of the options that `holds` chooses.
fn predicate(script: &mut String, name: &str, holds: impl Fn(&Declaration) -> bool) {
    let chosen: Vec<String> = all().filter(|declaration| holds(declaration)).flat_map(names).collect();
    let body = format!("    case $1 in\n    {}) return 0 ;;\n    esac\n    return 1", chosen.join(" | "));
    function(script, name, &body);
}

/// Prints each word in a line.
fn printing(words: &str) -> String {
    format!("    printf '%s\\n' {words}")
}

/// The names of the options of a mode, one per line. After the words of a filter the exporter's options follow.
fn options() -> String {
    let case = |(name, subcommand): (&str, Option<&'static str>)| {
        let pattern = subcommand.map_or("*", |_| name);
        let options: Vec<String> = used(subcommand).flat_map(names).collect();
        format!("    {pattern})\n    {}\n        ;;", printing(&options.join(" ")))
    };
    let (exporter, others): (Vec<_>, Vec<_>) = modes().partition(|(_, subcommand)| subcommand.is_none());
    let cases: Vec<String> = others.into_iter().chain(exporter).map(case).collect();
    format!("    case $1 in\n{}\n    esac", cases.join("\n"))
}

fn values() -> String {
    let case = |declaration: &'static Declaration| {
        let body = match choices(declaration) {
            Choices::Words(words) => printing(&words.join(" ")),
            Choices::Interfaces(words) if words.is_empty() => "    _trafficmonitor_interfaces".to_owned(),
            Choices::Interfaces(words) => format!("{}\n        _trafficmonitor_interfaces", printing(&words.join(" "))),
            Choices::Free | Choices::Files => return None,
        };
        Some(format!("    {})\n    {body}\n        ;;", names(declaration).join(" | ")))
    };
    let cases: Vec<String> = all().filter_map(case).collect();
    format!("    case $1 in\n{}\n    esac", cases.join("\n"))
}
