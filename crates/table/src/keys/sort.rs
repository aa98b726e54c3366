//! The order of ids: by value where all are whole numbers, else as texts.
//!
//! Texts are sorted by seven bytes at a time, which stand beside the number: comparing whole texts would read
//! two of them from anywhere for each comparison, and there are 27 an id for 10⁸ of them.

use std::ops::Range;

use rayon::prelude::*;

use super::map::KeyMap;
use super::{Key, Keys, is_whole};

/// Bytes of a text that are compared at a time.
const PART: usize = 7;

/// All ids in order, and for each its number.
pub(super) fn sorted(map: &KeyMap) -> (Keys, Vec<u32>) {
    let numbers = || 0..map.len() as u32;
    let small = |number| match map.key(number) {
        Key::Whole(key) => Some((key, number)),
        _ => None,
    };
    let small: Option<Vec<(i64, u32)>> = numbers().map(small).collect();
    if let Some(mut pairs) = small {
        pairs.par_sort_unstable();
        let (keys, order) = pairs.into_iter().unzip();
        return (Keys::Integers(keys), order);
    }
    let order = by_value(map).unwrap_or_else(|| by_text(map));
    (Keys::Texts(order.iter().map(|&number| map.text(number)).collect()), order)
}

/// The order of whole numbers; `None` where there are other texts.
fn by_value(map: &KeyMap) -> Option<Vec<u32>> {
    let mut pairs: Vec<(i128, u32)> = Vec::with_capacity(map.len());
    let (mut lowest, mut highest) = (Vec::new(), Vec::new());
    for number in 0..map.len() as u32 {
        match map.key(number) {
            Key::Whole(key) => pairs.push((key.into(), number)),
            Key::Unsigned(key) => pairs.push((key.into(), number)),
            Key::Text(text) if !is_whole(text) => return None,
            // Beyond all of 64 bits.
            Key::Text(text) => match text.strip_prefix('-') {
                Some(digits) => lowest.push((digits.len(), digits, number)),
                None => highest.push((text.len(), text, number)),
            },
        }
    }
    pairs.par_sort_unstable();
    lowest.sort_unstable();
    highest.sort_unstable();
    let below = lowest.into_iter().rev().map(|(.., number)| number);
    let within = pairs.into_iter().map(|(_, number)| number);
    Some(below.chain(within).chain(highest.into_iter().map(|(.., number)| number)).collect())
}

fn by_text(map: &KeyMap) -> Vec<u32> {
    let mut parts: Vec<(u64, u32)> = (0..map.len() as u32).map(|number| (0, number)).collect();
    let mut waiting: Vec<(Range<usize>, usize)> = vec![(0..parts.len(), 0)];
    while let Some((range, depth)) = waiting.pop() {
        let start = range.start;
        let group = &mut parts[range];
        group.par_iter_mut().for_each(|(part, number)| *part = part_of(map.key(*number), depth));
        group.par_sort_unstable();
        let mut at = start;
        for same in group.chunk_by(|(a, _), (b, _)| a == b) {
            // Texts that end here are told apart by their lengths, and there are no two of the same.
            if same.len() > 1 {
                waiting.push((at..at + same.len(), depth + PART));
            }
            at += same.len();
        }
    }
    parts.into_iter().map(|(_, number)| number).collect()
}

/// Seven bytes of a text from a place on, and below them how many there are: 8 for more.
fn part_of(key: Key<'_>, depth: usize) -> u64 {
    let of = |bytes: &[u8]| {
        let rest = bytes.get(depth..).unwrap_or_default();
        let mut part = [0; 8];
        let length = rest.len().min(PART);
        part[..length].copy_from_slice(&rest[..length]);
        part[PART] = rest.len().min(PART + 1) as u8;
        u64::from_be_bytes(part)
    };
    match key {
        Key::Text(text) => of(text.as_bytes()),
        Key::Whole(key) => of(key.to_string().as_bytes()),
        Key::Unsigned(key) => of(key.to_string().as_bytes()),
    }
}
