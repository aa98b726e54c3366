//! Columns of a table, read when they are first asked for and kept as long as there is room.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use datadiet_table::{Column, ScoreFile, TableError};

/// Bytes of columns that are kept.
const ROOM: usize = 256 << 20;

/// What is kept under names, the least used first. Of several who ask for the same at a time one makes it, and the
/// others wait.
pub struct Kept<T> {
    entries: Mutex<VecDeque<(String, Arc<Slot<T>>)>>,
}

/// A value and its size in bytes; none while it is made, and where that failed.
struct Slot<T>(Mutex<Option<(Arc<T>, usize)>>);

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self { entries: Mutex::new(VecDeque::new()) }
    }
}

impl<T> Kept<T> {
    /// What has this name, made where it is not kept, with its size in bytes.
    pub fn get<E>(
        &self,
        name: &str,
        make: impl FnOnce() -> Result<(T, usize), E>,
    ) -> Result<Arc<T>, E> {
        let slot = self.slot(name);
        let mut kept = slot.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((value, _)) = &*kept {
            return Ok(Arc::clone(value));
        }
        let (value, size) = make()?;
        let value = Arc::new(value);
        *kept = Some((Arc::clone(&value), size));
        drop(kept);
        self.make_room();
        Ok(value)
    }

    fn slot(&self, name: &str) -> Arc<Slot<T>> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let known = entries.iter().position(|(known, _)| known == name);
        let entry = known.and_then(|place| entries.remove(place));
        let entry = entry.unwrap_or_else(|| (name.to_owned(), Arc::new(Slot(Mutex::new(None)))));
        let slot = Arc::clone(&entry.1);
        entries.push_back(entry);
        slot
    }

    fn make_room(&self) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        // Of what is being made nothing is known yet.
        let size = |slot: &Slot<T>| {
            let kept = slot.0.try_lock();
            kept.ok().and_then(|kept| kept.as_ref().map(|(_, size)| *size)).unwrap_or_default()
        };
        let mut total: usize = entries.iter().map(|(_, slot)| size(slot)).sum();
        while total > ROOM && entries.len() > 1 {
            total -= entries.pop_front().map_or(0, |(_, slot)| size(&slot));
        }
    }
}

/// Reads one column.
///
/// # Errors
/// When there is none, or the file is damaged.
pub fn read(file: &ScoreFile, name: &str) -> Result<(Column, usize), TableError> {
    let table = file.read(&[name])?;
    let column = table.columns().column(name).cloned();
    let column =
        column.ok_or_else(|| TableError::Column(format!("the table has no column {name}")))?;
    let size = match &column {
        Column::Text(texts) => texts.iter().map(|text| text.len() + 24).sum(),
        numbers => numbers.len() * 4,
    };
    Ok((column, size))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn what_several_ask_for_at_a_time_is_made_once() {
        let (kept, made) = (Kept::<u32>::default(), AtomicUsize::new(0));
        std::thread::scope(|threads| {
            for _ in 0..8 {
                threads.spawn(|| {
                    let value = kept.get("a", || {
                        made.fetch_add(1, Ordering::Relaxed);
                        std::thread::sleep(std::time::Duration::from_millis(20));
                        Ok::<_, Infallible>((7, 4))
                    });
                    assert_eq!(*value.unwrap(), 7);
                });
            }
        });
        assert_eq!(made.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn what_failed_is_tried_again_and_the_least_used_goes_first() {
        let kept = Kept::<u32>::default();
        assert!(kept.get("a", || Err("no")).is_err());
        let of =
            |name: &str, value: u32| *kept.get(name, || Ok::<_, ()>((value, ROOM / 2))).unwrap();
        assert_eq!((of("a", 1), of("b", 2), of("a", 9)), (1, 2, 1));
        assert_eq!((of("c", 3), of("a", 9), of("b", 4)), (3, 1, 4));
    }
}
