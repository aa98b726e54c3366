//! Nothing but dependencies: features on which the programs of datadiet agree, so that one build of
//! every crate serves them all. See `Cargo.toml`.
