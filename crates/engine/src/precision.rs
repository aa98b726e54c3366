//! Types of numbers: what activations are in, and what is summed in.
//!
//! Activations are 32-bit floats or bfloat16. In 64-bit floats the same layers and rules compute
//! what tests compare with; no run does.

use datadiet_store::Precision;
use tch::{Kind, Tensor};

/// Type of activations in a precision.
pub fn kind_of(precision: Precision) -> Kind {
    match precision {
        Precision::F32 => Kind::Float,
        Precision::Bf16 => Kind::BFloat16,
    }
}

/// The type in which numbers of `kind` are summed, and in which gradients and logits are handed on:
/// 32-bit floats, or 64-bit floats for such.
pub(crate) fn sum_kind(kind: Kind) -> Kind {
    if kind == Kind::Double { Kind::Double } else { Kind::Float }
}

/// The numbers in the type in which they are summed.
pub(crate) fn widened(x: &Tensor) -> Tensor {
    x.to_kind(sum_kind(x.kind()))
}
