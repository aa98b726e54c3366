//! `datadiet --help`: the commands by what one wants to do, on one screen.

use clap::CommandFactory;
use clap::builder::Styles;

use crate::Cli;

/// What one wants to do, and the commands for it. Every command is in one group, which a test sees to:
/// a new one goes here too.
const GROUPS: [(&str, &[&str]); 9] = [
    ("look", &["tour", "explore", "scores", "suspects", "report"]),
    ("exchange", &["export", "marks"]),
    ("score", &["score", "ingest"]),
    ("choose", &["select"]),
    ("prove", &["train", "diet", "run"]),
    ("understand", &["ntk", "lmc"]),
    ("data", &["data", "noise"]),
    ("trainings", &["runs", "plan"]),
    ("set up", &["setup"]),
];
/// What needs no explanation here: for shells, and what `plan` prints lines of.
const OTHERS: [&str; 3] = ["worker", "completions", "man"];

/// The command line, whose help lists the commands by group.
pub fn command() -> clap::Command {
    let command = Cli::command();
    let (about, groups) = (about(&command), groups(&command));
    // The tag for the text would give the long one, too.
    let others = OTHERS.join(", ");
    command.help_template(format!(
        "{about}\n{{usage-heading}} {{usage}}\n{groups}\
         And {others}; --home DIR, --store DIR, --version; COMMAND --help"
    ))
}

/// The first sentence of a command's help.
fn about(command: &clap::Command) -> String {
    command.get_about().map(ToString::to_string).unwrap_or_default()
}

/// A line a command: its group at the first of it, its name, the first sentence of its help.
fn groups(command: &clap::Command) -> String {
    let styles: &Styles = command.get_styles();
    let (header, literal) = (styles.get_header(), styles.get_literal());
    let mut lines = String::new();
    for (group, names) in GROUPS {
        for (place, name) in names.iter().enumerate() {
            let group = if place == 0 { group } else { "" };
            let about = command.find_subcommand(name).map(about).unwrap_or_default();
            // Spaces stand outside of what may be underlined.
            let (after_group, after_name) = (12 - group.len(), 13 - name.len());
            lines += &format!(
                "{header}{group}{header:#}{:after_group$}{literal}{name}{literal:#}{:after_name$}{about}\n",
                "", ""
            );
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A terminal of 24 lines has one for the prompt.
    const LINES: usize = 23;
    const COLUMNS: usize = 80;

    #[test]
    fn every_command_is_in_one_group() {
        let grouped = GROUPS.iter().flat_map(|(_, names)| *names).chain(&OTHERS);
        let mut grouped: Vec<&str> = grouped.copied().collect();
        grouped.sort_unstable();
        let command = Cli::command();
        let mut all: Vec<&str> = command.get_subcommands().map(clap::Command::get_name).collect();
        all.sort_unstable();
        assert_eq!(grouped, all, "GROUPS of help.rs against the commands that there are");
    }

    #[test]
    fn help_is_one_screen() {
        let help = command().render_long_help().to_string();
        assert!(help.lines().count() <= LINES, "{} lines:\n{help}", help.lines().count());
        for line in help.lines() {
            assert!(
                line.chars().count() <= COLUMNS,
                "{} columns; shorten the first sentence of the command's help: {line}",
                line.chars().count()
            );
        }
        assert_eq!(help, command().render_help().to_string(), "-h and --help are the same");
        for option in Cli::command().get_arguments() {
            let name = format!("--{}", option.get_long().unwrap());
            assert!(help.contains(&name), "{name} is not in\n{help}");
        }
    }
}
