//! One file a command.

pub mod data;
pub mod run;
pub mod runs;
pub mod score;
pub mod scores;
pub mod worker;
