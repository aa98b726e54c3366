//! Defaults in help texts, from the constants that the code takes.

use std::fmt::Display;

/// Tells the value that an option has where it is not given. For options that must not be filled in
/// when they are parsed, because a file may have them.
pub trait DefaultsTo {
    /// Adds `[default: …]` to the help text.
    fn defaults_to(self, value: impl Display) -> Self;
}

impl DefaultsTo for clap::Arg {
    fn defaults_to(self, value: impl Display) -> Self {
        let help = self.get_help().map(ToString::to_string).unwrap_or_default();
        self.help(format!("{help} [default: {value}]"))
    }
}
