//! How long `KeyMap` takes for many ids, and how much memory; or the standard library's hash map of texts
//! and of whole numbers.
//!
//! `cargo run --release -p datadiet-table --example key_map -- numbers|texts COUNT MIB|std`: ids come once in
//! their order, once in another; then they are sorted. Prints one line of JSON.

use std::collections::HashMap;
use std::fmt::Write;
use std::time::Instant;

use datadiet_table::{Key, KeyMap};

fn main() {
    let given: Vec<String> = std::env::args().skip(1).collect();
    let [kind, count, memory] = &given[..] else { panic!("numbers|texts COUNT MIB|std") };
    let (texts, count) = (kind == "texts", count.parse().expect("a number of ids"));
    let mut text = String::new();
    let mut ids = Ids { map: None, numbers: HashMap::new(), texts: HashMap::new() };
    if memory != "std" {
        let mib: usize = memory.parse().expect("MiB of memory");
        ids.map = Some(KeyMap::within(mib << 20));
    }
    // No common divisor with the count: another order of the same ids.
    let stride = (count * 618 / 1000..).find(|&stride| divisor(stride, count) == 1).unwrap_or(1);
    let start = Clock::start();
    for index in 0..count {
        assert_eq!(ids.number(hash(index), texts.then(|| written(index, &mut text))), index as u32);
    }
    let first = start.read();
    let start = Clock::start();
    let mut index = 0;
    for _ in 0..count {
        index = (index + stride) % count;
        assert_eq!(ids.number(hash(index), texts.then(|| written(index, &mut text))), index as u32);
    }
    let again = start.read();
    let (anonymous, mapped) = (status("RssAnon"), status("RssFile"));
    let start = Clock::start();
    let (held, files) = ids.map.as_ref().map_or((0, 0), KeyMap::bytes);
    let mut sorted = None;
    if let Some(map) = &ids.map {
        let (keys, order) = map.sorted();
        assert_eq!(order.len() as u64, count);
        sorted = Some(start.read());
        drop(keys);
    }
    println!(
        "{{\"first\": {first}, \"again\": {again}, \"sorted\": {}, \"anonymous_mib\": {anonymous}, \
         \"mapped_mib\": {mapped}, \"held_mib\": {}, \"files_mib\": {}}}",
        sorted.unwrap_or("null".to_owned()),
        held >> 20,
        files >> 20
    );
}

/// Seconds, and those that processors worked.
struct Clock {
    start: Instant,
    worked: f64,
}

impl Clock {
    fn start() -> Self {
        Self { start: Instant::now(), worked: worked() }
    }

    /// Both since then, as JSON.
    fn read(&self) -> String {
        format!("[{:.2}, {:.2}]", self.start.elapsed().as_secs_f64(), worked() - self.worked)
    }
}

/// Seconds that processors have worked for this process, as Linux counts them.
fn worked() -> f64 {
    let all = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after = all.rsplit_once(") ").map_or("", |(_, after)| after);
    let ticks =
        after.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok());
    ticks.sum::<f64>() / 100.0
}

struct Ids {
    map: Option<KeyMap>,
    numbers: HashMap<u64, u32>,
    texts: HashMap<String, u32>,
}

impl Ids {
    fn number(&mut self, id: u64, text: Option<&str>) -> u32 {
        match (&mut self.map, text) {
            (Some(map), Some(text)) => map.number(Key::Text(text)).expect("room"),
            (Some(map), None) => map.number(Key::Unsigned(id)).expect("room"),
            (None, None) => {
                let next = self.numbers.len() as u32;
                *self.numbers.entry(id).or_insert(next)
            }
            (None, Some(text)) => match self.texts.get(text) {
                Some(&number) => number,
                None => {
                    let next = self.texts.len() as u32;
                    self.texts.insert(text.to_owned(), next);
                    next
                }
            },
        }
    }
}

/// Different for each index, and half of them at 2⁶³ or more.
fn hash(index: u64) -> u64 {
    let mut x = index.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// As of a file in a shard.
fn written(index: u64, text: &mut String) -> &str {
    text.clear();
    write!(text, "shard-{:05}/{:016x}.jpg", index / 10_000, hash(index)).expect("a text");
    text
}

fn divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { divisor(b, a % b) }
}

/// MiB of memory of a kind, as Linux counts them.
fn status(name: &str) -> u64 {
    let all = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = all.lines().find(|line| line.starts_with(name)).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) / 1024
}
