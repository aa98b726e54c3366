//! From ids of any kind to numbers 0, 1, 2, … in the order in which they come, and back; on disk beyond a
//! bound of memory.
//!
//! A hash table with open addressing holds numbers alone; what the ids are stands in columns by number:
//! eight bytes each, and the bytes of texts one after the other. A slot has 32 bits of the hash beside the
//! number, of which the first say where it belongs: so a table of twice the size is filled by one walk
//! through the other, also on disk. Once tables and columns take more than the bound all of them are
//! mapped files ([`Store`]), which the system keeps in memory as far as it has room; with less, each new
//! or looked-up id may cost two reads from the disk.
//!
//! Bytes an id: 10.7 to 21.3 in the table (it is full to between three eighths and three quarters), 9 for what
//! it is, and of a text its length and 4. While the table grows there is half as large a one beside it.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::store::Store;
use super::{Key, Keys, sort};

/// Ids that cannot be kept.
#[derive(Debug, Error)]
pub enum KeyError {
    /// One number is kept free.
    #[error("more than 2³² − 1 examples; take the data in parts")]
    TooMany,
    /// There is no room.
    #[error(
        "cannot keep the ids in {folder}: {cause}; free some room there, or name another folder with TMPDIR"
    )]
    Aside {
        /// Where temporary files are.
        folder: PathBuf,
        /// The system's reason.
        cause: io::Error,
    },
    /// What should be a saved map is none.
    #[error("the saved ids are damaged ({0}); go on from an earlier checkpoint")]
    Damaged(&'static str),
}

impl From<io::Error> for KeyError {
    fn from(cause: io::Error) -> Self {
        Self::Aside { folder: std::env::temp_dir(), cause }
    }
}

/// Ids of 64 bits with sign, of 64 bits without, and texts.
const WHOLE: u8 = 0;
const UNSIGNED: u8 = 1;
const TEXT: u8 = 2;

/// The smallest table has 2 to this power of slots.
const LEAST_BITS: u32 = 10;

/// Bytes of a word.
const WORD: usize = size_of::<u64>();

/// Bytes before a text that say how long it is.
const LENGTH: usize = size_of::<u32>();

/// Numbers of examples by id.
#[derive(Debug)]
pub struct KeyMap {
    hasher: RandomState,
    /// 2^bits slots: 0 where free, else half of a hash and, below it, one more than a number.
    slots: Store<u64>,
    bits: u32,
    /// By number: what the id is.
    kinds: Store<u8>,
    /// By number: the id, of a text where it begins among the texts.
    words: Store<u64>,
    /// Texts, each with its length before it.
    texts: Store<u8>,
    memory: usize,
    spilled: bool,
}

impl Default for KeyMap {
    fn default() -> Self {
        Self::within(Self::MEMORY)
    }
}

impl KeyMap {
    /// Bytes of memory where nobody says how many: 1 GiB, which some 50 million whole numbers take.
    pub const MEMORY: usize = 1 << 30;

    /// Ids that can be numbered: one number is kept free.
    pub const MOST: usize = u32::MAX as usize;

    /// No ids yet; of those to come so many bytes are held in memory.
    #[must_use]
    pub fn within(memory: usize) -> Self {
        Self {
            hasher: RandomState::new(),
            slots: Store::default(),
            bits: 0,
            kinds: Store::default(),
            words: Store::default(),
            texts: Store::default(),
            memory,
            spilled: false,
        }
    }

    /// Number of ids.
    #[must_use]
    pub fn len(&self) -> usize {
        self.words.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bound of memory, in bytes.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.memory
    }

    /// Bytes that are held in memory, and bytes in files.
    #[must_use]
    pub fn bytes(&self) -> (usize, usize) {
        let stores = [self.kinds.bytes_in_memory(), self.texts.bytes_in_memory()];
        let words = self.slots.bytes_in_memory() + self.words.bytes_in_memory();
        let files = [self.kinds.bytes_in_file(), self.texts.bytes_in_file()];
        let word_files = self.slots.bytes_in_file() + self.words.bytes_in_file();
        (stores.iter().sum::<usize>() + words, files.iter().sum::<usize>() + word_files)
    }

    /// The number of an id; a new one gets the next.
    ///
    /// # Errors
    /// When there are too many, or there is no room; the map is as before then.
    pub fn number(&mut self, key: Key<'_>) -> Result<u32, KeyError> {
        let key = key.plain();
        let hash = self.hash(key);
        if self.bits > 0
            && let Ok(number) = self.probe(hash, key)
        {
            return Ok(number);
        }
        self.reserve(if let Key::Text(text) = key { LENGTH + text.len() } else { 0 })?;
        match self.probe(hash, key) {
            Ok(number) => Ok(number),
            Err(slot) => self.add(slot, hash, key),
        }
    }

    /// The numbers of some ids, added to `out`.
    ///
    /// # Errors
    /// As [`Self::number`]; map and `out` are as before then.
    pub fn numbers(&mut self, keys: &Keys, out: &mut Vec<u32>) -> Result<(), KeyError> {
        let (before, filled) = (self.len(), out.len());
        let done = keys.iter().try_for_each(|key| {
            out.push(self.number(key)?);
            Ok(())
        });
        if done.is_err() {
            self.truncate(before);
            out.truncate(filled);
        }
        done
    }

    /// The number of an id; `None` of one that did not come.
    #[must_use]
    pub fn find(&self, key: Key<'_>) -> Option<u32> {
        let key = key.plain();
        if self.bits == 0 { None } else { self.probe(self.hash(key), key).ok() }
    }

    /// The id of a number.
    ///
    /// # Panics
    /// Where no id has it.
    #[must_use]
    pub fn key(&self, number: u32) -> Key<'_> {
        let index = number as usize;
        let word = self.words.values()[index];
        match self.kinds.values()[index] {
            WHOLE => Key::Whole(word as i64),
            UNSIGNED => Key::Unsigned(word),
            _ => Key::Text(self.text_at(word)),
        }
    }

    /// The id of a number, as text; that number where no id has it.
    #[must_use]
    pub fn text(&self, number: u32) -> String {
        if number as usize >= self.len() {
            return number.to_string();
        }
        match self.key(number) {
            Key::Whole(key) => key.to_string(),
            Key::Unsigned(key) => key.to_string(),
            Key::Text(key) => key.to_owned(),
        }
    }

    /// Forgets the ids that came last, so that so many are left.
    pub fn truncate(&mut self, length: usize) {
        while self.len() > length {
            let number = self.len() as u32 - 1;
            let key = self.key(number);
            let text = if let Key::Text(_) = key {
                Some(self.words.values()[number as usize])
            } else {
                None
            };
            if let Some(slot) = self.slot_of(self.hash(key), number) {
                self.free(slot);
            }
            if let Some(start) = text {
                self.texts.truncate(start as usize);
            }
            self.words.truncate(number as usize);
            self.kinds.truncate(number as usize);
        }
    }

    /// All ids in order, and for each its number: by value where all are whole numbers, else as texts.
    #[must_use]
    pub fn sorted(&self) -> (Keys, Vec<u32>) {
        sort::sorted(self)
    }

    /// Everything, as bytes: the number of ids (8 bytes, the lowest first), what each is (0 a whole number, 1 one
    /// of 64 bits without sign, 2 a text), 8 bytes of each (the number, of a text its length), then all texts.
    #[must_use]
    pub fn state(&self) -> Vec<u8> {
        let mut saved = (self.len() as u64).to_le_bytes().to_vec();
        saved.extend_from_slice(self.kinds.values());
        let all = || (0..self.len() as u32).map(|number| self.key(number));
        for key in all() {
            saved.extend(match key {
                Key::Whole(key) => key.to_le_bytes(),
                Key::Unsigned(key) => key.to_le_bytes(),
                Key::Text(key) => (key.len() as u64).to_le_bytes(),
            });
        }
        for key in all() {
            if let Key::Text(text) = key {
                saved.extend_from_slice(text.as_bytes());
            }
        }
        saved
    }

    /// The map that wrote a state, within a bound of memory: it gives the same numbers.
    ///
    /// # Errors
    /// A state that no map writes; no room.
    pub fn of_state(saved: &[u8], memory: usize) -> Result<Self, KeyError> {
        let ends = KeyError::Damaged("it ends too early");
        let Some((count, rest)) = saved.split_first_chunk::<WORD>() else { return Err(ends) };
        let count = usize::try_from(u64::from_le_bytes(*count)).unwrap_or(usize::MAX);
        let Some((kinds, rest)) = rest.split_at_checked(count) else { return Err(ends) };
        let Some((words, mut texts)) = rest.split_at_checked(count.saturating_mul(WORD)) else {
            return Err(ends);
        };
        let mut map = Self::within(memory);
        let (words, _) = words.as_chunks::<WORD>();
        for (number, (&kind, &word)) in (0..).zip(kinds.iter().zip(words)) {
            let key = match kind {
                WHOLE => Key::Whole(i64::from_le_bytes(word)),
                UNSIGNED => Key::Unsigned(u64::from_le_bytes(word)),
                TEXT => {
                    let length = usize::try_from(u64::from_le_bytes(word)).unwrap_or(usize::MAX);
                    let Some((text, rest)) = texts.split_at_checked(length) else {
                        return Err(ends);
                    };
                    texts = rest;
                    let text = std::str::from_utf8(text);
                    Key::Text(text.map_err(|_| KeyError::Damaged("its texts are not UTF-8"))?)
                }
                _ => return Err(KeyError::Damaged("it has an unknown kind of ids")),
            };
            if map.number(key)? != number {
                return Err(KeyError::Damaged("it has an id twice"));
            }
        }
        if texts.is_empty() { Ok(map) } else { Err(KeyError::Damaged("it has too many texts")) }
    }

    fn hash(&self, key: Key<'_>) -> u32 {
        (self.hasher.hash_one(key) >> 32) as u32
    }

    fn next(&self, slot: usize) -> usize {
        (slot + 1) & (self.slots.len() - 1)
    }

    /// The number of an id, or the free slot that it would have. There are slots, and one is free.
    fn probe(&self, hash: u32, key: Key<'_>) -> Result<u32, usize> {
        let slots = self.slots.values();
        let mut at = home(hash, self.bits);
        loop {
            let slot = slots[at];
            if slot == 0 {
                return Err(at);
            }
            let number = slot as u32 - 1;
            if (slot >> 32) as u32 == hash && self.key(number) == key {
                return Ok(number);
            }
            at = self.next(at);
        }
    }

    /// The slot of a number whose hash is known.
    fn slot_of(&self, hash: u32, number: u32) -> Option<usize> {
        let slots = self.slots.values();
        let wanted = u64::from(hash) << 32 | u64::from(number + 1);
        let mut at = home(hash, self.bits);
        while slots[at] != wanted {
            if slots[at] == 0 {
                return None;
            }
            at = self.next(at);
        }
        Some(at)
    }

    /// Frees a slot, and moves those behind it that have not found their own place.
    fn free(&mut self, slot: usize) {
        let mask = self.slots.len() - 1;
        let (mut hole, mut at) = (slot, self.next(slot));
        loop {
            let moved = self.slots.values()[at];
            if moved == 0 {
                break;
            }
            let home = home((moved >> 32) as u32, self.bits);
            if at.wrapping_sub(home) & mask >= at.wrapping_sub(hole) & mask {
                self.slots.values_mut()[hole] = moved;
                hole = at;
            }
            at = self.next(at);
        }
        self.slots.values_mut()[hole] = 0;
    }

    fn text_at(&self, start: u64) -> &str {
        let texts = &self.texts.values()[start as usize..];
        let (length, text) = texts.split_at(LENGTH);
        let length = u32::from_ne_bytes(length.try_into().expect("four bytes")) as usize;
        std::str::from_utf8(&text[..length]).expect("what was a text is one")
    }

    /// Adds an id that is not there; its slot is known to be free, and there is room.
    fn add(&mut self, slot: usize, hash: u32, key: Key<'_>) -> Result<u32, KeyError> {
        let number = self.len();
        let (kind, word) = match key {
            Key::Whole(key) => (WHOLE, key as u64),
            Key::Unsigned(key) => (UNSIGNED, key),
            Key::Text(text) => {
                let too_long =
                    || io::Error::new(io::ErrorKind::InvalidInput, "an id is longer than 4 GiB");
                let length = u32::try_from(text.len()).map_err(|_| too_long())?;
                let start = self.texts.len();
                let added = self.texts.extend(&length.to_ne_bytes());
                let added = added.and_then(|()| self.texts.extend(text.as_bytes()));
                if let Err(cause) = added {
                    self.texts.truncate(start);
                    return Err(cause.into());
                }
                (TEXT, start as u64)
            }
        };
        let done = self.words.extend(&[word]).and_then(|()| self.kinds.extend(&[kind]));
        if let Err(cause) = done {
            self.words.truncate(number);
            if kind == TEXT {
                self.texts.truncate(word as usize);
            }
            return Err(cause.into());
        }
        self.slots.values_mut()[slot] = u64::from(hash) << 32 | (number as u64 + 1);
        Ok(number as u32)
    }

    /// Makes room for one more id, and so many bytes of a text; on disk where that goes beyond the bound.
    fn reserve(&mut self, bytes: usize) -> Result<(), KeyError> {
        if self.len() == Self::MOST {
            return Err(KeyError::TooMany);
        }
        let bits = self.bits_for(self.len() + 1);
        let grows = bits > self.bits;
        if !self.spilled {
            let table = if grows { size_of::<u64>() << bits } else { 0 };
            let columns =
                self.words.bytes_more(1) + self.kinds.bytes_more(1) + self.texts.bytes_more(bytes);
            if table + columns > 0 && self.bytes().0 + table + columns > self.memory {
                self.spill()?;
            }
        }
        if grows {
            self.grow(bits)?;
        }
        Ok(())
    }

    /// Slots, as a power of 2, of which so many ids take three quarters at most.
    fn bits_for(&self, ids: usize) -> u32 {
        let mut bits = self.bits.max(LEAST_BITS);
        while bits < 32 && ids > (1_usize << bits) / 4 * 3 {
            bits += 1;
        }
        bits
    }

    fn spill(&mut self) -> io::Result<()> {
        self.slots.spill()?;
        self.words.spill()?;
        self.kinds.spill()?;
        self.texts.spill()?;
        self.spilled = true;
        Ok(())
    }

    /// A table of 2^bits slots with all numbers.
    fn grow(&mut self, bits: u32) -> io::Result<()> {
        let fresh = Store::zeroed(1 << bits, self.spilled)?;
        let full = std::mem::replace(&mut self.slots, fresh);
        self.bits = bits;
        let mask = self.slots.len() - 1;
        let slots = self.slots.values_mut();
        for &slot in full.values().iter().filter(|&&slot| slot != 0) {
            let mut at = home((slot >> 32) as u32, bits);
            while slots[at] != 0 {
                at = (at + 1) & mask;
            }
            slots[at] = slot;
        }
        Ok(())
    }
}

/// Where a hash belongs among 2^bits slots.
fn home(hash: u32, bits: u32) -> usize {
    (u64::from(hash) >> (32 - bits)) as usize
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    /// An id as it may come, and the one way to write it.
    #[derive(Clone, Debug)]
    enum Given {
        Whole(i64),
        Unsigned(u64),
        Text(String),
    }

    impl Given {
        fn key(&self) -> Key<'_> {
            match self {
                Self::Whole(key) => Key::Whole(*key),
                Self::Unsigned(key) => Key::Unsigned(*key),
                Self::Text(key) => Key::Text(key),
            }
        }

        fn written(&self) -> String {
            match self {
                Self::Whole(key) => key.to_string(),
                Self::Unsigned(key) => key.to_string(),
                Self::Text(key) => key.clone(),
            }
        }
    }

    fn given() -> impl Strategy<Value = Given> {
        prop_oneof![
            (-20_i64..20).prop_map(Given::Whole),
            any::<i64>().prop_map(Given::Whole),
            any::<u64>().prop_map(Given::Unsigned),
            (0_u64..20).prop_map(|key| Given::Unsigned(u64::MAX - key)),
            "-?[0-9]{1,3}".prop_map(Given::Text),
            "[ab\\x00ü]{0,9}".prop_map(Given::Text),
            "-?[1-9][0-9]{18,40}".prop_map(Given::Text),
        ]
    }

    /// Whole numbers by value, by their signs, lengths and digits.
    fn by_value(text: &str) -> (bool, i64, String) {
        let length = text.len() as i64;
        match text.strip_prefix('-') {
            None => (true, length, text.to_owned()),
            // The larger of two that are below 0 has the smaller digits.
            Some(digits) => {
                let turned = digits.bytes().map(|digit| char::from(b'0' + (b'9' - digit)));
                (false, -length, turned.collect())
            }
        }
    }

    fn assert_like(map: &KeyMap, known: &[String]) -> Result<(), TestCaseError> {
        prop_assert_eq!(map.len(), known.len());
        let numbers: HashMap<&String, u32> = known.iter().zip(0..).collect();
        for (key, number) in &numbers {
            prop_assert_eq!(map.find(Key::Text(key)), Some(*number));
            prop_assert_eq!(&map.text(*number), *key);
        }
        prop_assert_eq!(map.find(Key::Text("nobody")), None);
        let mut order: Vec<u32> = (0..known.len() as u32).collect();
        let of = |number: &u32| known[*number as usize].clone();
        if known.iter().all(|key| super::super::is_whole(key)) {
            order.sort_by_cached_key(|number| by_value(&of(number)));
        } else {
            order.sort_by_cached_key(of);
        }
        let (keys, found) = map.sorted();
        prop_assert_eq!(&found, &order);
        let texts: Vec<String> = (0..keys.len()).map(|index| keys.text(index)).collect();
        prop_assert_eq!(texts, order.iter().map(of).collect::<Vec<_>>());
        let small =
            known.iter().all(|key| super::super::is_whole(key) && key.parse::<i64>().is_ok());
        prop_assert_eq!(matches!(keys, Keys::Integers(_)), small);
        let back = KeyMap::of_state(&map.state(), map.memory()).unwrap();
        prop_assert_eq!(back.state(), map.state());
        Ok(())
    }

    proptest! {
        /// The map is what a hash map of texts is, whatever the bound and the order.
        #[test]
        fn it_is_a_map(
            all in proptest::collection::vec(given(), 0..200),
            texts in any::<bool>(),
            memory in prop_oneof![Just(0_usize), 0_usize..40_000, Just(KeyMap::MEMORY)],
            left in 0_usize..200,
        ) {
            let mut map = KeyMap::within(memory);
            let mut known: Vec<String> = Vec::new();
            let whole = |given: &&Given| texts || super::super::is_whole(&given.written());
            let all: Vec<&Given> = all.iter().filter(whole).collect();
            for given in &all {
                let written = given.written();
                let place = known.iter().position(|key| *key == written).unwrap_or(known.len());
                if place == known.len() {
                    known.push(written);
                }
                prop_assert_eq!(map.number(given.key()).unwrap(), place as u32);
            }
            prop_assert!(map.bytes().0 <= memory);
            assert_like(&map, &known)?;
            let left = left.min(known.len());
            map.truncate(left);
            let gone = known.split_off(left);
            for key in &gone {
                prop_assert_eq!(map.find(Key::Text(key)), None);
            }
            assert_like(&map, &known)?;
            for key in &gone {
                map.number(Key::Text(key)).unwrap();
            }
            known.extend(gone);
            assert_like(&map, &known)?;
        }
    }

    /// Ids that have the same numbers however they are given.
    #[test]
    fn ids_beyond_the_bound_are_in_files_without_a_name() {
        const MANY: u64 = 300_000;
        let mut map = KeyMap::within(1 << 20);
        let id = |index: u64| index.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        for index in 0..MANY {
            assert_eq!(map.number(Key::Unsigned(id(index))).unwrap(), index as u32);
            if index == 10_000 {
                assert!(map.bytes().1 == 0, "spilt before it had to be");
            }
        }
        let (memory, files) = map.bytes();
        assert!(memory == 0 && files as u64 > 16 * MANY, "{memory} and {files} bytes");
        for index in (0..MANY).rev().step_by(7) {
            assert_eq!(map.number(Key::Text(&id(index).to_string())).unwrap(), index as u32);
        }
        assert_eq!(map.len() as u64, MANY);
        if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
            let links = open.filter_map(|one| std::fs::read_link(one.ok()?.path()).ok());
            let names: Vec<String> = links.map(|to| to.display().to_string()).collect();
            let gone = names.iter().filter(|name| name.ends_with("(deleted)")).count();
            assert!(gone >= 4, "{names:?}");
        }
    }

    #[test]
    fn damaged_states_are_refused() {
        let mut map = KeyMap::default();
        for key in [Key::Whole(-1), Key::Text("a"), Key::Unsigned(u64::MAX), Key::Text("bc")] {
            map.number(key).unwrap();
        }
        let good = map.state();
        let (kinds, words) = (WORD, WORD + 4);
        assert_eq!(good.len(), words + 4 * WORD + 3);
        let refused = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut bad = good.clone();
            change(&mut bad);
            KeyMap::of_state(&bad, 0).unwrap_err().to_string()
        };
        for length in 0..good.len() {
            assert!(refused(&|saved| saved.truncate(length)).contains("too early"), "{length}");
        }
        assert!(refused(&|saved| saved[kinds] = 9).contains("unknown kind"));
        assert!(refused(&|saved| saved[words + 3 * WORD] = 3).contains("too early"));
        assert!(refused(&|saved| saved[words + 3 * WORD] = 1).contains("too many"));
        assert!(refused(&|saved| saved[words + 4 * WORD] = 0xff).contains("UTF-8"));
        assert!(refused(&|saved| saved[kinds + 2] = WHOLE).contains("twice"));
        assert!(refused(&|saved| saved[7] = 0xff).contains("too early"));
    }

    #[test]
    fn no_room_is_an_error_that_names_the_folder() {
        let error = KeyError::from(io::Error::from(io::ErrorKind::StorageFull)).to_string();
        assert!(error.contains("TMPDIR") && error.contains("cannot keep the ids in"), "{error}");
    }
}
