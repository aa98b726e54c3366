//! Numbers and texts of binary arrays: their types, and how bytes become values.

use std::fmt;

use half::slice::{HalfBitsSliceExt, HalfFloatSliceExt};
use half::{bf16, f16};

/// The type of an element, as it lies in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Element {
    /// What it is.
    pub class: Class,
    /// Bytes of one element.
    pub size: usize,
    /// Whether the highest byte comes first.
    pub big_endian: bool,
}

impl fmt::Display for Element {
    /// As NumPy calls it: `float32`, `int64`, `uint8`, `bytes5`, `str20`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = 8 * self.size;
        match self.class {
            Class::Float => write!(f, "float{bits}"),
            Class::Brain => f.write_str("bfloat16"),
            Class::Signed => write!(f, "int{bits}"),
            Class::Unsigned => write!(f, "uint{bits}"),
            Class::Boolean => f.write_str("bool"),
            Class::Bytes => write!(f, "bytes{}", self.size),
            Class::Unicode => write!(f, "str{}", self.size / 4),
        }
    }
}

/// Kinds of elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// `f16`, `f32` or `f64`, by size.
    Float,
    /// `bf16`.
    Brain,
    /// Whole numbers of 1 to 8 bytes.
    Signed,
    /// The same without sign.
    Unsigned,
    /// Bytes of 0 and 1.
    Boolean,
    /// Bytes of UTF-8, padded with zeros.
    Bytes,
    /// Code points of 4 bytes, padded with zeros.
    Unicode,
}

impl Element {
    /// The type, if there is one of this size.
    #[must_use]
    pub fn new(class: Class, size: usize, big_endian: bool) -> Option<Self> {
        let fits = match class {
            Class::Float => matches!(size, 2 | 4 | 8),
            Class::Brain => size == 2,
            Class::Boolean => size == 1,
            Class::Signed | Class::Unsigned => matches!(size, 1 | 2 | 4 | 8),
            Class::Bytes => size > 0,
            Class::Unicode => size > 0 && size.is_multiple_of(4),
        };
        fits.then_some(Self { class, size, big_endian })
    }

    /// Whether it is a float of any size.
    #[must_use]
    pub fn is_float(self) -> bool {
        matches!(self.class, Class::Float | Class::Brain)
    }

    /// Bytes of some floats as `f32`, into `out`, which becomes as long as there are numbers.
    pub fn floats(self, bytes: &mut [u8], out: &mut Vec<f32>) {
        self.to_native(bytes);
        out.clear();
        out.resize(bytes.len() / self.size, 0.0);
        match (self.class, self.size) {
            (Class::Brain, _) => words(bytes).reinterpret_cast::<bf16>().convert_to_f32_slice(out),
            (_, 2) => words(bytes).reinterpret_cast::<f16>().convert_to_f32_slice(out),
            (_, 4) => fill(out, bytes, f32::from_ne_bytes),
            _ => fill(out, bytes, |bytes| f64::from_ne_bytes(bytes) as f32),
        }
    }

    /// Bytes of some numbers as `f64`: labels, which should be whole.
    pub fn numbers(self, bytes: &mut [u8]) -> Vec<f64> {
        let mut values = Vec::new();
        match self.class {
            Class::Unsigned if self.size == 8 => {
                values.extend(self.unsigned(bytes).into_iter().map(|value| value as f64));
            }
            Class::Signed | Class::Unsigned | Class::Boolean => {
                values.extend(self.small_integers(bytes).into_iter().map(|value| value as f64));
            }
            Class::Float if self.size == 8 => {
                self.to_native(bytes);
                values.resize(bytes.len() / 8, 0.0);
                fill(&mut values, bytes, f64::from_ne_bytes);
            }
            _ => {
                let mut floats = Vec::new();
                self.floats(bytes, &mut floats);
                values.extend(floats.into_iter().map(f64::from));
            }
        }
        values
    }

    /// Bytes of some whole numbers; `None` where they are not of such a type, or one is 2⁶³ or more.
    pub fn integers(self, bytes: &mut [u8]) -> Option<Vec<i64>> {
        match self.class {
            Class::Unsigned if self.size == 8 => {
                self.unsigned(bytes).into_iter().map(|value| value.try_into().ok()).collect()
            }
            Class::Signed | Class::Unsigned | Class::Boolean => Some(self.small_integers(bytes)),
            _ => None,
        }
    }

    /// Bytes of some texts; `None` where they are not of such a type, or damaged.
    pub fn texts(self, bytes: &[u8]) -> Option<Vec<String>> {
        let is_text = matches!(self.class, Class::Bytes | Class::Unicode);
        is_text.then(|| bytes.chunks_exact(self.size).map(|text| self.text(text)).collect())?
    }

    /// Whole numbers of 8 bytes without sign, such as hashes.
    pub fn unsigned(self, bytes: &mut [u8]) -> Vec<u64> {
        self.to_native(bytes);
        let mut out = vec![0_u64; bytes.len() / 8];
        fill(&mut out, bytes, u64::from_ne_bytes);
        out
    }

    /// Whole numbers of other types.
    fn small_integers(self, bytes: &mut [u8]) -> Vec<i64> {
        self.to_native(bytes);
        let mut out = vec![0_i64; bytes.len() / self.size];
        match (self.class, self.size) {
            (Class::Signed, 1) => fill(&mut out, bytes, |b| i64::from(i8::from_ne_bytes(b))),
            (Class::Signed, 2) => fill(&mut out, bytes, |b| i64::from(i16::from_ne_bytes(b))),
            (Class::Signed, 4) => fill(&mut out, bytes, |b| i64::from(i32::from_ne_bytes(b))),
            (_, 1) => fill(&mut out, bytes, |b| i64::from(u8::from_ne_bytes(b))),
            (_, 2) => fill(&mut out, bytes, |b| i64::from(u16::from_ne_bytes(b))),
            (_, 4) => fill(&mut out, bytes, |b| i64::from(u32::from_ne_bytes(b))),
            _ => fill(&mut out, bytes, i64::from_ne_bytes),
        }
        out
    }

    fn text(self, bytes: &[u8]) -> Option<String> {
        if self.class == Class::Bytes {
            let end = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
            return String::from_utf8(bytes[..end].to_vec()).ok();
        }
        let point = |bytes: &[u8]| {
            let bytes: [u8; 4] = bytes.try_into().ok()?;
            let code =
                if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) };
            char::from_u32(code)
        };
        let text: String = bytes.chunks_exact(4).map(point).collect::<Option<_>>()?;
        Some(text.trim_end_matches('\0').to_owned())
    }

    /// Turns bytes of numbers into this machine's order.
    fn to_native(self, bytes: &mut [u8]) {
        if self.size > 1 && self.big_endian != cfg!(target_endian = "big") {
            bytes.chunks_exact_mut(self.size).for_each(<[u8]>::reverse);
        }
    }
}

fn fill<T, const N: usize>(out: &mut [T], bytes: &[u8], value: impl Fn([u8; N]) -> T) {
    for (out, bytes) in out.iter_mut().zip(bytes.as_chunks::<N>().0) {
        *out = value(*bytes);
    }
}

/// The same bytes as halves; a copy where they are not aligned.
fn words(bytes: &[u8]) -> std::borrow::Cow<'_, [u16]> {
    match bytemuck::try_cast_slice(bytes) {
        Ok(words) => words.into(),
        Err(_) => {
            let words = bytes.as_chunks::<2>().0.iter();
            words.map(|&word| u16::from_ne_bytes(word)).collect::<Vec<_>>().into()
        }
    }
}
