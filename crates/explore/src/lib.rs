//! A local page to look at scored examples, mark them and take the marks along.
//!
//! [`Explorer::open`] reads what is needed of a table of scores, [`Explorer::bind`] takes a port, and
//! [`Server::run`] serves one page to one person's browser. The page draws; everything that means something
//! (orders, directions, suspects, what a choice keeps, pictures of rows, marks) is computed by the crates that
//! the command uses.
//!
//! Nothing is loaded from elsewhere: the page's files are inside the program. The page names rows of the table
//! by their number and columns by name; no path from it ever reaches the file system. What is allowed to speak
//! with the server stands in [`access`].

pub mod access;
mod answers;
mod assets;
mod choice;
mod columns;
mod contents;
mod error;
mod explorer;
mod export;
mod info;
mod path_names;
mod scores;
mod serve;
mod texts;

pub use contents::{Contents, Source};
pub use error::ExploreError;
pub use explorer::{Answer, Explorer, Measured, Options};
pub use path_names::{Named, PathNames, stem};
pub use serve::{Place, Server};
