//! Squared norms by Gram matrices over positions, as tensor operations, on any device.
//!
//! ```text
//! ‖dW‖² = Σ_{p,q} S_pq T_pq,   T = D Dᵀ,   S_pq = Σ_t X_{s·p+t} · X_{s·q+t}
//! ```
//!
//! with `D` the output gradients (P × C_out), `X` the padded input, `t` the positions in the filter:
//! each is a strided block of `X Xᵀ` (P' × P').

use tch::Tensor;

use super::rule::{padded_positions, positions};
use crate::kernels::conv::ConvSides;
use crate::precision::widened;

/// Bytes of scratch for one example.
pub(crate) fn scratch(sides: ConvSides) -> usize {
    4 * (padded_positions(sides).pow(2) + 3 * positions(sides).pow(2))
}

/// Squared norm for each of the examples `x` (N×C_in×H×W) with output gradients `grad`.
pub(crate) fn squares(sides: ConvSides, x: &Tensor, grad: &Tensor) -> Tensor {
    let similar_inputs = input_similarity(sides, x);
    let gradients = by_position(grad);
    let similar_gradients = gradients.bmm(&gradients.transpose(1, 2));
    let count = x.size()[0];
    let products = similar_inputs.reshape([count, -1]) * similar_gradients.reshape([count, -1]);
    products.sum_dim_intlist([1i64].as_slice(), false, products.kind())
}

/// S: N × rows × columns × rows × columns.
fn input_similarity(sides: ConvSides, x: &Tensor) -> Tensor {
    let padding = sides.padding as i64;
    let padded = x.constant_pad_nd([padding; 4]);
    let (count, rows, columns) = (padded.size()[0], padded.size()[2], padded.size()[3]);
    let places = by_position(&padded);
    let all = places.bmm(&places.transpose(1, 2)).view([count, rows, columns, rows, columns]);
    sum_over_taps(sides, &all)
}

/// S from the similarity of the padded input's places, … × rows × columns × rows × columns: the sum
/// of its strided blocks, one for each position in the filter.
pub(crate) fn sum_over_taps(sides: ConvSides, all: &Tensor) -> Tensor {
    let block = |down: usize, right: usize| {
        let cut = |x: Tensor, axis: i64, start: usize, count: usize| {
            let end = start + sides.stride * (count - 1) + 1;
            x.slice(axis, Some(start as i64), Some(end as i64), sides.stride as i64)
        };
        let x = cut(all.shallow_clone(), -4, down, sides.out_height());
        let x = cut(x, -3, right, sides.out_width());
        let x = cut(x, -2, down, sides.out_height());
        cut(x, -1, right, sides.out_width())
    };
    let mut sum = block(0, 0).copy();
    for tap in 1..sides.kernel.pow(2) {
        sum += block(tap / sides.kernel, tap % sides.kernel);
    }
    sum
}

/// N×C×H×W as N × positions × C, widened: products of bfloat16 would be rounded before they
/// cancel.
fn by_position(x: &Tensor) -> Tensor {
    let channels = x.size()[1];
    let x = widened(&x.permute([0, 2, 3, 1])).contiguous();
    x.view([x.size()[0], -1, channels])
}
