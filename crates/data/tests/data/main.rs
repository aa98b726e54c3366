//! Tests of the data crate from outside, on real images.

mod bad_files;
mod bad_pictures;
mod cache;
mod export;
mod flat;
mod jpegs;
mod layouts;
mod parquet_types;
mod published;
mod readers;
mod splits;
mod support;
