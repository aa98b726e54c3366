//! Experiments with a trainer that does not train: what it gives is a function of the examples, so
//! that the right answer is known.

mod baselines;
mod bench;
mod dynamics;
mod effort;
mod experiment;
mod recipes;
mod scoring;
mod search;
mod sweep;
