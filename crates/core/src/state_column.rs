//! The state of a recorder as named columns of numbers, and the reading of such a state.
//!
//! Any format that holds arrays by name can carry it: a dictionary of NumPy arrays, safetensors,
//! a PyTorch `state_dict`. Sets of examples are packed eight to a byte, the lowest id in the
//! lowest bit.

use std::fmt::Display;

use fixedbitset::FixedBitSet;

use crate::ScoreError;

/// One column of a recorder's state.
#[derive(Clone, Debug, PartialEq)]
pub enum StateColumn {
    /// Numbers of 64 bits.
    F64(Vec<f64>),
    /// Scores.
    F32(Vec<f32>),
    /// Labels, classes and counts.
    U32(Vec<u32>),
    /// Sets of examples, eight to a byte.
    U8(Vec<u8>),
}

/// A saved state, by column.
pub(crate) struct Saved<F>(pub(crate) F);

impl<F: Fn(&str) -> Option<StateColumn>> Saved<F> {
    pub(crate) fn damaged(name: &str, reason: impl Display) -> ScoreError {
        ScoreError::DamagedState { column: name.into(), reason: reason.to_string() }
    }

    pub(crate) fn column(&self, name: &str) -> Result<StateColumn, ScoreError> {
        (self.0)(name).ok_or_else(|| Self::damaged(name, "it is missing"))
    }

    pub(crate) fn check<T>(
        name: &str,
        values: Vec<T>,
        length: usize,
    ) -> Result<Vec<T>, ScoreError> {
        if values.len() == length {
            return Ok(values);
        }
        Err(Self::damaged(name, format!("it has {} values, not {length}", values.len())))
    }

    pub(crate) fn f64(&self, name: &str, length: usize) -> Result<Vec<f64>, ScoreError> {
        match self.column(name)? {
            StateColumn::F64(values) => Self::check(name, values, length),
            _ => Err(Self::damaged(name, "it does not hold numbers of 64 bits")),
        }
    }

    /// Of no values none need be saved: of columns that are empty PyTorch refuses two of different types.
    pub(crate) fn f32(&self, name: &str, length: usize) -> Result<Vec<f32>, ScoreError> {
        if length == 0 {
            return Ok(Vec::new());
        }
        match self.column(name)? {
            StateColumn::F32(values) => Self::check(name, values, length),
            _ => Err(Self::damaged(name, "it does not hold numbers of 32 bits")),
        }
    }

    pub(crate) fn u32(&self, name: &str) -> Result<Vec<u32>, ScoreError> {
        match self.column(name)? {
            StateColumn::U32(values) => Ok(values),
            _ => Err(Self::damaged(name, "it does not hold whole numbers of 32 bits")),
        }
    }

    pub(crate) fn u32s(&self, name: &str, length: usize) -> Result<Vec<u32>, ScoreError> {
        Self::check(name, self.u32(name)?, length)
    }

    pub(crate) fn u8(&self, name: &str, length: usize) -> Result<Vec<u8>, ScoreError> {
        match self.column(name)? {
            StateColumn::U8(values) => Self::check(name, values, length),
            _ => Err(Self::damaged(name, "it does not hold bytes")),
        }
    }
}

pub(crate) fn packed(set: &FixedBitSet) -> Vec<u8> {
    let mut bytes = vec![0; set.len().div_ceil(8)];
    for index in set.ones() {
        bytes[index / 8] |= 1 << (index % 8);
    }
    bytes
}

pub(crate) fn unpacked(bytes: &[u8], examples: usize) -> FixedBitSet {
    let mut set = FixedBitSet::with_capacity(examples);
    for index in (0..examples).filter(|index| bytes[index / 8] >> (index % 8) & 1 == 1) {
        set.insert(index);
    }
    set
}
