//! Arrays as `.npy`, version 1.0.

use std::io::{Result, Write};

/// Where the elements begin is a multiple of this, as the format asks.
const ALIGNED: usize = 64;

/// A number as it lies in an `.npy`.
pub trait Number: Copy {
    /// NumPy's name of the type.
    const DESCR: &str;

    /// Writes it, little-endian.
    ///
    /// # Errors
    /// When it cannot be written.
    fn write(self, to: &mut impl Write) -> Result<()>;
}

macro_rules! numbers {
    ($($number:ty, $descr:literal);*) => {$(
        impl Number for $number {
            const DESCR: &str = $descr;

            fn write(self, to: &mut impl Write) -> Result<()> {
                to.write_all(&self.to_le_bytes())
            }
        }
    )*};
}

numbers!(f32, "<f4"; f64, "<f8"; i64, "<i8"; u64, "<u8"; i32, "<i4"; u32, "<u4"; u8, "|u1");

/// Writes an array of this shape, row-major, as `numpy.save` does.
///
/// # Errors
/// When it cannot be written.
pub fn write<N: Number>(
    to: &mut impl Write,
    shape: &[usize],
    values: impl IntoIterator<Item = N>,
) -> Result<()> {
    let sides: String = shape.iter().map(|side| format!("{side}, ")).collect();
    let sides = if shape.len() == 1 { sides.trim_end() } else { sides.trim_end_matches(", ") };
    let mut header =
        format!("{{'descr': '{}', 'fortran_order': False, 'shape': ({sides}), }}", N::DESCR);
    // Six bytes of magic, two of version, two of length, a line break at the end.
    let length = (10 + header.len() + 1).next_multiple_of(ALIGNED);
    header.extend(std::iter::repeat_n(' ', length - 10 - header.len() - 1));
    header.push('\n');
    to.write_all(b"\x93NUMPY\x01\x00")?;
    to.write_all(&(header.len() as u16).to_le_bytes())?;
    to.write_all(header.as_bytes())?;
    values.into_iter().try_for_each(|value| value.write(to))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ArrayFile, Npy};

    #[test]
    fn what_is_written_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        for shape in [&[6_usize][..], &[2, 3]] {
            let path = folder.path().join("a.npy");
            let mut file = std::fs::File::create(&path).unwrap();
            write(&mut file, shape, [0_u32, 1, 2, 3, 4, u32::MAX]).unwrap();
            let read = Npy::open(&path).unwrap();
            let sides: Vec<u64> = shape.iter().map(|&side| side as u64).collect();
            assert_eq!(read.arrays()[0].shape, sides);
            let element = read.arrays()[0].element;
            let values = element.integers(&mut read.read_all(0).unwrap());
            assert_eq!(values.unwrap(), [0, 1, 2, 3, 4, u32::MAX.into()]);
        }
    }
}
