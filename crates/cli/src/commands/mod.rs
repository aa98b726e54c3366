//! One file a command.

pub mod completions;
pub mod data;
pub mod diet;
pub mod explore;
pub mod export;
pub mod ingest;
pub mod lmc;
pub mod man;
pub mod marks;
pub mod noise;
pub mod ntk;
pub mod plan;
pub mod question;
pub mod report;
pub mod run;
pub mod runs;
pub mod score;
pub mod scores;
pub mod select;
pub mod setup;
pub mod suspects;
pub mod tour;
pub mod train;
pub mod worker;
