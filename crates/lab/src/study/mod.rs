//! The studies that an experiment is made of. Each has a plan (as it stands in a TOML file), what it
//! wants trained once the scores are known, and an outcome (as it stands in `outcome.json`).

pub mod connectivity;
pub mod correlations;
pub mod curve;
pub mod noise;
pub mod point;
pub mod velocity;
pub mod window;
