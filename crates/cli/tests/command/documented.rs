//! The commands of the pages for agents do what they say there, one after the other.

use crate::ingest::write_run;
use crate::markdown::{FOR_AGENTS, commands};
use crate::support::{Home, errors};

#[test]
fn the_commands_of_the_pages_for_agents_work() {
    for path in FOR_AGENTS {
        // What these pages take for given: a folder of pictures, and the logits of a training.
        let home = Home::scored();
        home.ok(&["select", "out", "--keep", "1", "--export", "birds"]);
        write_run(&home.path().join("run0"), 0, None);
        let mut run = 0;
        for command in commands(path) {
            if command.says("trains") || command.says("downloads") {
                continue;
            }
            let arguments: Vec<&str> = command.arguments.iter().map(String::as_str).collect();
            let output = home.command(&arguments).output().unwrap();
            assert!(output.status.success(), "{}\n{}", command.place, errors(&output));
            run += 1;
        }
        assert!(run > 3, "only {run} commands of {path} were run");
    }
}
