//! Fetches a published data set: `cargo run -p datadiet-data --example fetch -- NAME HOME`.

use datadiet_data::{DataHome, ImportOptions, Progress, fetch};

/// Prints each piece of work once.
struct Lines;

impl Progress for Lines {
    fn start(&self, what: &str, _total: Option<u64>) {
        eprintln!("{what}");
    }
    fn advance(&self, _amount: u64) {}
    fn finish(&self) {}
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(name), Some(home)) = (arguments.next(), arguments.next()) else {
        return Err("usage: fetch NAME HOME".into());
    };
    let dataset = fetch(&name, &DataHome::new(home), &ImportOptions::default(), &Lines)?;
    dataset.verify()?;
    println!("{} {}", dataset.path().display(), dataset.fingerprint());
    println!("{} train, mean {:?}, std {:?}", dataset.train().len(), dataset.mean(), dataset.std());
    Ok(())
}
