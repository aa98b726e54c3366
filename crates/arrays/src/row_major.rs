//! Elements of a stream in row-major order, however they lie in the file.

use std::fs::File;
use std::io::{BufReader, Read, Result, Seek, SeekFrom, Write};

use crate::{Array, check_end};

/// Bytes that are in memory at a time.
const BLOCK: u64 = 1 << 26;

/// How the elements of an array lie in its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// The last index runs fastest.
    RowMajor,
    /// The first index runs fastest.
    ColumnMajor,
    /// Part of records, which are row-major.
    Field {
        /// Bytes of a record.
        record: usize,
        /// Where the field begins in it.
        offset: usize,
        /// Bytes of the field.
        length: usize,
        /// How many sides of the shape count records; the rest are the field's own.
        sides: usize,
    },
}

impl Array {
    /// The bytes of the array, row-major, from `raw` as it lies in the file.
    pub(crate) fn in_order(&self, raw: Box<dyn Read>) -> Result<Box<dyn Read>> {
        match self.order {
            Order::RowMajor => Ok(raw),
            Order::ColumnMajor => transposed(raw, &self.shape, self.element.size as u64),
            Order::Field { record, offset, length, .. } => Ok(Box::new(FieldBytes {
                raw,
                record: vec![0; record],
                field: offset..offset + length,
                at: offset + length,
            })),
        }
    }
}

/// The bytes of one field of every record.
struct FieldBytes {
    raw: Box<dyn Read>,
    record: Vec<u8>,
    field: std::ops::Range<usize>,
    /// The next byte of the record to give; the field's end where there is none.
    at: usize,
}

impl Read for FieldBytes {
    fn read(&mut self, out: &mut [u8]) -> Result<usize> {
        if out.is_empty() || self.field.is_empty() {
            return Ok(0);
        }
        if self.at == self.field.end {
            let first = self.raw.read(&mut self.record[..1])?;
            if first == 0 {
                return Ok(0);
            }
            self.raw.read_exact(&mut self.record[1..])?;
            self.at = self.field.start;
        }
        let count = out.len().min(self.field.end - self.at);
        out[..count].copy_from_slice(&self.record[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}

/// Reads a column-major array and gives it row-major, through temporary files: one axis at a time
/// comes to the front, each in blocks that fit memory.
fn transposed(mut raw: Box<dyn Read>, shape: &[u64], size: u64) -> Result<Box<dyn Read>> {
    let mut file = tempfile::tempfile()?;
    let bytes = shape.iter().product::<u64>() * size;
    let copied = std::io::copy(&mut raw.by_ref().take(bytes), &mut file)?;
    if copied < bytes {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    check_end(&mut raw)?;
    // Column-major [a, b, c] is row-major [c, b, a]. The first axis comes to the front, of every
    // slab of what is left the next, and so on.
    let (mut slabs, mut rest) = (1, shape.iter().product::<u64>());
    for &side in shape {
        if side == 0 {
            break;
        }
        rest /= side;
        if side > 1 && rest > 1 {
            file = swapped(&mut file, slabs, rest, side, size)?;
        }
        slabs *= side;
    }
    file.seek(SeekFrom::Start(0))?;
    Ok(Box::new(BufReader::new(file)))
}

/// Every slab of rows × columns elements as columns × rows, in a file of its own.
fn swapped(from: &mut File, slabs: u64, rows: u64, columns: u64, size: u64) -> Result<File> {
    let mut to = tempfile::tempfile()?;
    let slab = rows * columns * size;
    // A block has all of the shorter side, so that its pieces are long.
    let (mut high, mut wide) = (rows, columns);
    if columns <= rows {
        high = (BLOCK / (columns * size)).clamp(1, rows);
    } else {
        wide = (BLOCK / (rows * size)).clamp(1, columns);
    }
    let mut block = Vec::new();
    let mut turned = Vec::new();
    for start in (0..slabs).map(|place| place * slab) {
        for row in (0..rows).step_by(high as usize) {
            for column in (0..columns).step_by(wide as usize) {
                let (high, wide) = (high.min(rows - row), wide.min(columns - column));
                block.resize((high * wide * size) as usize, 0);
                turned.resize(block.len(), 0);
                pieces(start, [row, column], [high, wide], columns, size, |at, piece| {
                    from.seek(SeekFrom::Start(at))?;
                    from.read_exact(&mut block[piece])
                })?;
                turn(&block, &mut turned, high as usize, wide as usize, size as usize);
                pieces(start, [column, row], [wide, high], rows, size, |at, piece| {
                    to.seek(SeekFrom::Start(at))?;
                    to.write_all(&turned[piece])
                })?;
            }
        }
    }
    Ok(to)
}

/// The pieces of a block that lie together in a file of rows of `width` elements: where each lies,
/// and which bytes of the block it is.
fn pieces(
    start: u64,
    [row, column]: [u64; 2],
    [high, wide]: [u64; 2],
    width: u64,
    size: u64,
    mut each: impl FnMut(u64, std::ops::Range<usize>) -> Result<()>,
) -> Result<()> {
    if wide == width {
        return each(start + row * width * size, 0..(high * wide * size) as usize);
    }
    for line in 0..high {
        let at = start + ((row + line) * width + column) * size;
        let piece = (line * wide * size) as usize..((line + 1) * wide * size) as usize;
        each(at, piece)?;
    }
    Ok(())
}

fn turn(block: &[u8], turned: &mut [u8], high: usize, wide: usize, size: usize) {
    /// Elements of a tile on a side: both sides of it stay in the cache.
    const TILE: usize = 32;
    for top in (0..high).step_by(TILE) {
        for left in (0..wide).step_by(TILE) {
            for row in top..(top + TILE).min(high) {
                for column in left..(left + TILE).min(wide) {
                    let (from, to) = ((row * wide + column) * size, (column * high + row) * size);
                    turned[to..to + size].copy_from_slice(&block[from..from + size]);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_axis_comes_to_its_place() {
        let shape = [3_u64, 2, 5, 1, 4];
        let count: u64 = shape.iter().product();
        // The element at an index is its row-major place.
        let mut columns = vec![0_u16; count as usize];
        for place in 0..count {
            let (mut rest, mut at) = (place, 0);
            let mut strides: Vec<u64> = Vec::new();
            shape.iter().fold(1, |stride, side| {
                strides.push(stride);
                stride * side
            });
            for (side, stride) in shape.iter().zip(strides).rev() {
                at += rest % side * stride;
                rest /= side;
            }
            columns[at as usize] = place as u16;
        }
        let bytes: Vec<u8> = columns.iter().flat_map(|value| value.to_le_bytes()).collect();
        let mut rows = Vec::new();
        let raw = Box::new(std::io::Cursor::new(bytes));
        transposed(raw, &shape, 2).unwrap().read_to_end(&mut rows).unwrap();
        let found: Vec<u16> =
            rows.as_chunks::<2>().0.iter().map(|pair| u16::from_le_bytes(*pair)).collect();
        assert!(found.iter().copied().eq(0..count as u16), "{found:?}");
    }

    #[test]
    fn blocks_are_put_together() {
        // More than a block on either side.
        for (rows, columns) in [(5, 40_000_000 / 5), (40_000_000 / 5, 5)] {
            let raw: Vec<u8> = (0..rows * columns).map(|place: u64| (place % 251) as u8).collect();
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(&raw).unwrap();
            let mut to = swapped(&mut file, 1, rows, columns, 1).unwrap();
            to.seek(SeekFrom::Start(0)).unwrap();
            let mut found = Vec::new();
            to.read_to_end(&mut found).unwrap();
            for (row, column) in [(0, 0), (3, 4), (rows - 1, columns - 1), (rows / 2, columns / 2)]
            {
                let value = found[(column * rows + row) as usize];
                assert_eq!(u64::from(value), (row * columns + column) % 251);
            }
        }
    }
}
