//! A column of numbers that grows, in memory or in a file that is mapped into memory.
//!
//! The file is a temporary one without a name: it is gone with the process, however that ends. Its room
//! is written, not only claimed, before it is mapped, so that a full disk is an error here and no signal
//! later.

use std::fs::File;
use std::io::{Error, ErrorKind, Result, Seek, SeekFrom, Write};

use bytemuck::Pod;
use memmap2::MmapMut;

/// Bytes that a column has room for at least.
const LEAST: usize = 1 << 12;

/// Bytes written at a time to make room.
const PIECE: usize = 1 << 20;

/// A column.
#[derive(Debug)]
pub(super) struct Store<T> {
    place: Place<T>,
    length: usize,
}

#[derive(Debug)]
enum Place<T> {
    /// As long as there is room.
    Memory(Vec<T>),
    /// The file, which is as long as the map.
    File(File, MmapMut),
}

impl<T> Default for Store<T> {
    fn default() -> Self {
        Self { place: Place::Memory(Vec::new()), length: 0 }
    }
}

impl<T: Pod> Store<T> {
    /// So many zeros, in a file or in memory.
    pub(super) fn zeroed(length: usize, aside: bool) -> Result<Self> {
        let mut store = Self::default();
        if aside {
            store.spill()?;
        }
        store.make_room(length)?;
        store.length = length;
        Ok(store)
    }

    /// The values.
    pub(super) fn values(&self) -> &[T] {
        match &self.place {
            Place::Memory(values) => &values[..self.length],
            Place::File(_, map) => &bytemuck::cast_slice(&map[..])[..self.length],
        }
    }

    /// The values, to be changed.
    pub(super) fn values_mut(&mut self) -> &mut [T] {
        match &mut self.place {
            Place::Memory(values) => &mut values[..self.length],
            Place::File(_, map) => &mut bytemuck::cast_slice_mut(&mut map[..])[..self.length],
        }
    }

    pub(super) fn len(&self) -> usize {
        self.length
    }

    /// Appends some values.
    pub(super) fn extend(&mut self, values: &[T]) -> Result<()> {
        let room = self.room_for(values.len());
        self.make_room(room)?;
        let start = self.length;
        self.length += values.len();
        self.values_mut()[start..].copy_from_slice(values);
        Ok(())
    }

    /// Leaves out what comes after so many values.
    pub(super) fn truncate(&mut self, length: usize) {
        self.length = self.length.min(length);
    }

    /// Bytes in memory, in no file.
    pub(super) fn bytes_in_memory(&self) -> usize {
        match &self.place {
            Place::Memory(values) => values.len() * size_of::<T>(),
            Place::File(..) => 0,
        }
    }

    /// Bytes in a file.
    pub(super) fn bytes_in_file(&self) -> usize {
        match &self.place {
            Place::Memory(_) => 0,
            Place::File(_, map) => map.len(),
        }
    }

    /// Bytes that so many more values will need in memory beyond what is there.
    pub(super) fn bytes_more(&self, more: usize) -> usize {
        match &self.place {
            Place::Memory(values) => (self.room_for(more) - values.len()) * size_of::<T>(),
            Place::File(..) => 0,
        }
    }

    /// Moves the column into a file.
    pub(super) fn spill(&mut self) -> Result<()> {
        if matches!(self.place, Place::File(..)) {
            return Ok(());
        }
        let mut file = tempfile::tempfile()?;
        file.write_all(bytemuck::cast_slice(self.values()))?;
        let room = self.room().max(LEAST.div_ceil(size_of::<T>()));
        let map = lengthened(&mut file, self.length * size_of::<T>(), room * size_of::<T>())?;
        self.place = Place::File(file, map);
        Ok(())
    }

    /// Values that there is room for.
    fn room(&self) -> usize {
        match &self.place {
            Place::Memory(values) => values.len(),
            Place::File(_, map) => map.len() / size_of::<T>(),
        }
    }

    /// Values that there will be room for once there are so many more: by steps, since each costs a copy
    /// of a column in memory, and of a file a walk through its pages.
    fn room_for(&self, more: usize) -> usize {
        let needed = self.length + more;
        if needed <= self.room() {
            return self.room();
        }
        let step = self.room() / if matches!(self.place, Place::File(..)) { 4 } else { 2 };
        needed.max(self.room() + step).max(LEAST.div_ceil(size_of::<T>()))
    }

    fn make_room(&mut self, room: usize) -> Result<()> {
        if room <= self.room() {
            return Ok(());
        }
        match &mut self.place {
            Place::Memory(values) => {
                let more = room - values.len();
                values.try_reserve_exact(more).map_err(|_| Error::from(ErrorKind::OutOfMemory))?;
                values.resize(room, T::zeroed());
            }
            Place::File(file, map) => {
                *map = lengthened(file, map.len(), room * size_of::<T>())?;
            }
        }
        Ok(())
    }
}

/// Writes zeros behind the first bytes of a file up to a length, and maps it.
fn lengthened(file: &mut File, from: usize, to: usize) -> Result<MmapMut> {
    file.seek(SeekFrom::Start(from as u64))?;
    let zeros = vec![0; PIECE.min(to - from)];
    let mut left = to - from;
    while left > 0 {
        let piece = left.min(zeros.len());
        file.write_all(&zeros[..piece])?;
        left -= piece;
    }
    // SAFETY: the file has no name, so that no other program changes or shortens it, and this column alone
    // holds it open.
    unsafe { MmapMut::map_mut(&*file) }
}
