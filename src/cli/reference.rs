//! The generated texts: docs/configuration.md, and the completion script of each shell.
//!
//! Takes every option that works and every setting; gives text. The man page is made in [`super::man`]. Must not know
//! how arguments are read.

use clap_complete::Shell;

use super::command::{PROGRAM, shown};
use super::complete;
use super::options::COMMAND;
use crate::config::declarations::{SECTIONS, settings};
use crate::config::{Arity, Declaration, Reload, Role};

const HEAD: &str = "\
# Configuration

This file is generated from the declarations of the settings.
[examples/trafficmonitor.yml](../examples/trafficmonitor.yml) is a complete configuration file with
all defaults.

A setting can be given in three places: as an option, as an environment variable, and under its key
in a YAML file that `-config FILE` names. An option overrides its variable, and both override the
file. A setting that is not given has its default.

    trafficmonitor -config trafficmonitor.yml -iface eth0
    TRAFFICMONITOR_IFACE=eth0 trafficmonitor
    trafficmonitor -config trafficmonitor.yml --config.check
    trafficmonitor config

`--config.check` only checks the configuration, with the files and directories that it names. It
locks none of them for long; one that another process uses is named, and is no fault. So is an
address that `--drop-packets` would cut off now
([kernel-path.md](kernel-path.md#staying-within-reach)). `trafficmonitor config` prints it as YAML,
with every value that would be used. An unknown key or option is an error, and the message suggests
the nearest known one.

- Long options take one dash or two. Their value follows after a space or `=`; that of a switch only
  after `=`.
- An empty option (`-filter=`), a blank variable and `null` in the file mean that the setting is not
  given.
- A list is a comma list in an option or a variable, and a comma list or a YAML list in the file. A
  list replaces the default. An option that may be repeated adds to its list each time; for others
  the last value counts.
- TrafficAlerted's configuration file can be used in place of a YAML file; each of its keys is the
  option of that name.

The column *reload* says what a reload does with a new value
([operating.md](operating.md#reload)): `live` is in force within a second, and `restart` refuses the
reload by name, so that the running configuration stays as a whole.
";

/// The document docs/configuration.md: every setting by its section in the file, then the other options.
pub fn configuration() -> String {
    let mut document = HEAD.to_owned();
    for (section, _) in SECTIONS {
        document += &format!("\n## Section `{section}`\n\n");
        document +=
            "| key | option | environment | default | values | reload | meaning |\n|---|---|---|---|---|---|---|\n";
        let of_section = settings().filter(|one| one.keys.first().is_some_and(|(name, _)| *name == section));
        of_section.for_each(|setting| document += &row(setting));
    }
    document += "\n## Other options\n\n| option | environment | default | meaning |\n|---|---|---|---|\n";
    for option in COMMAND {
        let cells = [spellings(option), variable(option), default(option), cell(option.help)];
        document += &format!("| {} |\n", cells.join(" | "));
    }
    document
}

fn row(setting: &Declaration) -> String {
    let keys: Vec<String> = setting.keys.iter().map(|(section, key)| code(&format!("{section}.{key}"))).collect();
    let reload = match setting.reload {
        Reload::Live => "live",
        Reload::Restart => "restart",
    };
    let cells = [
        keys.join(", "),
        spellings(setting),
        variable(setting),
        default(setting),
        values(setting),
        reload.to_owned(),
        cell(setting.help),
    ];
    format!("| {} |\n", cells.join(" | "))
}

fn spellings(declaration: &Declaration) -> String {
    let names: Vec<String> = declaration.spellings().iter().map(|name| code(name)).collect();
    if names.is_empty() {
        return ABSENT.to_owned();
    }
    format!("{} {}", names.join(", "), declaration.value).trim_end().to_owned()
}

fn variable(declaration: &Declaration) -> String {
    declaration.variable.map_or_else(|| ABSENT.to_owned(), code)
}

fn default(declaration: &Declaration) -> String {
    if declaration.default.is_empty() { ABSENT.to_owned() } else { code(declaration.default) }
}

/// The form of a value, with its range.
fn values(setting: &Declaration) -> String {
    let Role::Setting(access) = setting.role else { return ABSENT.to_owned() };
    let form = cell(&(access.form)());
    match setting.arity {
        Arity::Repeatable => format!("list, may be repeated; each {form}"),
        Arity::List => format!("list; each {form}"),
        _ => form,
    }
}

const ABSENT: &str = "–";

fn code(text: &str) -> String {
    format!("`{text}`")
}

/// A text in which no character ends the cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// The completion script of a shell.
pub(super) fn completions(shell: Shell, libpcap: &str) -> String {
    match shell {
        Shell::Bash => return complete::bash(),
        Shell::Fish => return complete::fish(),
        Shell::Zsh => return complete::zsh(),
        _ => {}
    }
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut shown(libpcap), PROGRAM, &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::command::SUBCOMMANDS;
    use crate::cli::options::all;

    const SHELLS: [Shell; 5] = [Shell::Bash, Shell::Elvish, Shell::Fish, Shell::PowerShell, Shell::Zsh];

    #[test]
    fn the_document_and_the_man_page_name_every_option_that_works_and_no_other() {
        let (table, page) = (configuration(), super::super::man::page());
        for name in all().flat_map(Declaration::spellings) {
            assert!(table.contains(&format!("`{name}`")), "{name}");
        }
        for name in all().flat_map(Declaration::long_names) {
            assert!(page.contains(&name.replace('-', "\\-")), "{name}");
        }
        for (name, about) in SUBCOMMANDS {
            assert!(
                page.contains(&format!("trafficmonitor {name}\\fR\n{}", about.split(' ').next().unwrap())),
                "{name}"
            );
        }
        assert!(page.is_ascii(), "groff would need to be told of the encoding");
        assert!(table.contains("web.config.file") && page.contains("web.config.file"));
    }

    #[test]
    fn each_shell_has_its_script() {
        for shell in SHELLS {
            let script = completions(shell, "libpcap version 1");
            assert!(script.contains("promHTTP") && script.contains("web.config.file"), "{shell}");
        }
    }
}
