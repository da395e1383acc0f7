//! The option table → what people read beside `--help`: the README's table, completions. The man page is made in [`super::man`].

use clap_complete::Shell;

use super::command::{PROGRAM, shown};
use super::complete;
use super::options::available;
use crate::config::Declaration;

/// The options as a Markdown table, as README.md holds it.
#[must_use]
pub fn markdown() -> String {
    let head = "| option | default | in the file | environment | meaning |\n|---|---|---|---|---|\n";
    available().fold(head.to_owned(), |table, declaration| table + &row(declaration))
}

fn row(declaration: &Declaration) -> String {
    let spellings: Vec<_> = declaration.spellings().iter().map(|name| code(name)).collect();
    let value = if declaration.value.is_empty() { String::new() } else { format!(" {}", declaration.value) };
    let keys: Vec<_> = declaration.keys.iter().map(|(section, key)| code(&format!("{section}.{key}"))).collect();
    let key = keys.join(", ");
    let variable = declaration.variable.map(code).unwrap_or_default();
    let default = if declaration.default.is_empty() { "–".to_owned() } else { code(declaration.default) };
    let help = declaration.help.replace('|', "\\|");
    format!("| {}{value} | {default} | {key} | {variable} | {help} |\n", spellings.join(", "))
}

fn code(text: &str) -> String {
    format!("`{text}`")
}

/// The completion script of a shell.
#[must_use]
pub fn completions(shell: Shell, libpcap: &str) -> String {
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

    const SHELLS: [Shell; 5] = [Shell::Bash, Shell::Elvish, Shell::Fish, Shell::PowerShell, Shell::Zsh];

    #[test]
    fn the_table_and_the_man_page_name_every_option_that_works_and_no_other() {
        let (table, page) = (markdown(), super::super::man::page());
        for name in available().flat_map(Declaration::spellings) {
            assert!(table.contains(&format!("`{name}`")), "{name}");
        }
        for name in available().flat_map(Declaration::long_names) {
            assert!(page.contains(&name.replace('-', "\\-")), "{name}");
        }
        for (name, about) in SUBCOMMANDS {
            assert!(
                page.contains(&format!("trafficmonitor {name}\\fR\n{}", about.split(' ').next().unwrap())),
                "{name}"
            );
        }
        assert!(page.is_ascii(), "groff would need to be told of the encoding");
        for absent in ["slack_url", "archive_dir"] {
            assert!(!table.contains(absent) && !page.contains(absent), "{absent}");
        }
    }

    #[test]
    fn each_shell_has_its_script() {
        for shell in SHELLS {
            let script = completions(shell, "libpcap version 1");
            assert!(script.contains("promHTTP") && !script.contains("slack_url"), "{shell}");
        }
    }
}
