//! Scored examples for other programs, and what people said there as marks.
//!
//! [`Outgoing`] is what leaves: some rows of a table with their scores, their place among the suspects, what they
//! are labelled as, what is predicted, what people marked. [`out`] writes it for spreadsheets, FiftyOne, Label
//! Studio, COCO, YOLO and WebDataset. [`back`] reads what comes back, always as marks ([`datadiet_table::Act`]):
//! from there `datadiet select --marks` makes subsets and `datadiet noise --from` labels.
//!
//! Examples go by the ids of their owner, classes by their names. What is not known is refused with its name.

pub mod back;
mod error;
pub mod out;
mod outgoing;
mod text;

pub use error::ExchangeError;
pub use outgoing::{Example, Only, Outgoing, Wanted};
