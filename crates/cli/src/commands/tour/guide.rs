//! What the tour says: numbered steps, each with the command line that does it.

use std::io::{ErrorKind, Write};
use std::path::Path;

use anyhow::{Context, Result};
use clap::{Args, Parser};

use crate::home::HomeArgs;

/// Says the steps, unless one JSON object is to say it all.
pub struct Guide {
    silent: bool,
    program: String,
    commands: Vec<String>,
}

/// A command line as it is read when it is typed.
#[derive(Parser)]
struct Typed<A: Args> {
    #[command(flatten)]
    home: HomeArgs,
    #[command(flatten)]
    command: A,
}

impl Guide {
    /// One that says nothing if `silent`.
    pub fn new(silent: bool) -> Self {
        Self { silent, program: program(), commands: Vec::new() }
    }

    /// Says a text.
    ///
    /// # Errors
    /// When standard output cannot be written to.
    pub fn say(&self, text: &str) -> Result<()> {
        if self.silent {
            return Ok(());
        }
        match writeln!(std::io::stdout().lock(), "{text}") {
            // `datadiet tour | head` closes the pipe early; the folder is still to be whole.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            other => Ok(other?),
        }
    }

    /// Says the next step and the command that does it, and reads that as if it had been typed.
    ///
    /// # Errors
    /// When the command cannot be typed so.
    pub fn step<A: Args>(
        &mut self,
        what: &str,
        command: &[&str],
        options: &[&str],
    ) -> Result<(HomeArgs, A)> {
        let words = [&[self.program.as_str()], command, options].concat();
        let line = shlex::try_join(words).context("choose another folder with --out DIR")?;
        self.say(&format!("\n{}. {what}\n   {line}", self.commands.len() + 1))?;
        self.commands.push(line);
        let words = [&[self.program.as_str()], options].concat();
        let typed = Typed::try_parse_from(words)?;
        Ok((typed.home, typed.command))
    }

    /// Says what came of a step.
    ///
    /// # Errors
    /// When standard output cannot be written to.
    pub fn outcome(&self, text: &str) -> Result<()> {
        let lines: Vec<String> = text.lines().map(|line| format!("   → {line}")).collect();
        self.say(&lines.join("\n"))
    }

    /// All commands, as they are typed.
    pub fn commands(self) -> Vec<String> {
        self.commands
    }
}

/// How this program was called, so that commands can be pasted where it is not in the PATH.
fn program() -> String {
    let name = env!("CARGO_PKG_NAME");
    let typed = std::env::args_os().next().and_then(|typed| typed.into_string().ok());
    // Another name is that of a program which calls this one, such as Python's.
    typed
        .filter(|typed| Path::new(typed).file_stem().is_some_and(|stem| stem == name))
        .unwrap_or(name.into())
}
