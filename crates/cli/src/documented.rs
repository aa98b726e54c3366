//! Every command that the documentation shows is one that the parser takes, and the pages for agents say
//! rightly which ones train.

#[path = "../tests/command/markdown.rs"]
mod markdown;

use clap::FromArgMatches;

use crate::{Cli, help};
use markdown::FOR_AGENTS;

#[test]
fn the_parser_takes_every_command_shown() {
    let (mut shown, mut wrong) = (0, Vec::new());
    for path in markdown::pages() {
        for command in markdown::commands(&path) {
            shown += 1;
            let arguments = [&["datadiet".to_owned()], &command.arguments[..]].concat();
            let parsed = help::command()
                .try_get_matches_from(arguments)
                .and_then(|matches| Cli::from_arg_matches(&matches));
            match parsed {
                Ok(cli) => {
                    if FOR_AGENTS.contains(&&*path)
                        && command.says("trains") != cli.command.needs_worker()
                    {
                        wrong.push(format!("{}\n  `# trains` is for those that do", command.place));
                    }
                }
                // A page may show the help.
                Err(error) if !error.use_stderr() => {}
                Err(error) => wrong.push(format!("{}\n{error}", command.place)),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(shown > 40, "only {shown} commands were found: are the blocks still read?");
}
