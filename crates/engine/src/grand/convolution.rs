//! Squared norms of a convolution's gradient: by the cheaper rule, group by group, in pieces that
//! fit the scratch memory.

use tch::{Device, Kind, Tensor};

use super::gram;
use super::rule::{Rule, choose, positions};
use crate::kernels::conv::{ConvSides, Squares};
use crate::kernels::{Bf16, Element};
use crate::layers::nhwc::slice;
use crate::layers::{Conv2d, to_nhwc};
use crate::precision::{sum_kind, widened};

/// `‖dW‖²` (and `‖db‖²` where there is a bias) of each example, for the layer's input `x` and
/// output gradient `grad`, with about `scratch` bytes of memory.
pub(crate) fn squares(
    layer: &Conv2d,
    weight: &Tensor,
    x: &Tensor,
    grad: &Tensor,
    scratch: usize,
) -> Tensor {
    let own = layer.sides_of_group(weight, x);
    let groups = layer.shape.groups;
    let mut total = Tensor::zeros([x.size()[0]], (sum_kind(x.kind()), x.device()));
    for group in 0..groups {
        let part = |of: &Tensor, channels: usize| {
            let channels = channels as i64;
            to_nhwc(&of.narrow(1, group * channels, channels))
        };
        total += of_group(own, &part(x, own.inputs), &part(grad, own.outputs), scratch);
    }
    if layer.bias.is_some() {
        let sums = grad.sum_dim_intlist([2i64, 3].as_slice(), false, total.kind());
        total += sums.square().sum_dim_intlist([1i64].as_slice(), false, total.kind());
    }
    total
}

fn of_group(sides: ConvSides, x: &Tensor, grad: &Tensor, scratch: usize) -> Tensor {
    match (choose(sides, x.kind() == Kind::BFloat16), x.device(), x.kind()) {
        (Rule::Gram, _, _) => in_pieces(x, grad, scratch / gram::scratch(sides), |x, grad| {
            gram::squares(sides, x, grad)
        }),
        (Rule::Direct, Device::Cpu, Kind::BFloat16) => on_host::<Bf16>(sides, x, grad),
        (Rule::Direct, Device::Cpu, Kind::Float) => on_host::<f32>(sides, x, grad),
        (Rule::Direct, _, _) => {
            let unfolded = 4 * (positions(sides) * sides.weight_len() / sides.outputs);
            let bytes = unfolded + 4 * sides.weight_len();
            in_pieces(x, grad, scratch / bytes, |x, grad| unfolded_squares(sides, x, grad))
        }
    }
}

/// Joins what `squares` gives for `count` examples at a time.
fn in_pieces(
    x: &Tensor,
    grad: &Tensor,
    count: usize,
    squares: impl Fn(&Tensor, &Tensor) -> Tensor,
) -> Tensor {
    let all = x.size()[0];
    let count = (count as i64).clamp(1, all);
    let pieces: Vec<Tensor> = (0..all)
        .step_by(count as usize)
        .map(|start| {
            let length = count.min(all - start);
            squares(&x.narrow(0, start, length), &grad.narrow(0, start, length))
        })
        .collect();
    Tensor::cat(&pieces, 0)
}

/// The direct rule on the processor, the examples shared out to libtorch's number of threads.
fn on_host<E: Element>(sides: ConvSides, x: &Tensor, grad: &Tensor) -> Tensor {
    let (x, grad) = (slice::<E>(x), slice::<E>(grad));
    let mut squares = vec![0f32; x.len() / sides.input_len()];
    let share = squares.len().div_ceil(tch::get_num_threads().max(1) as usize);
    let work = |squares: &mut [f32], first: usize| {
        let mut kernel = Squares::new(sides, E::KIND == Kind::BFloat16);
        for (example, square) in (first..).zip(squares) {
            let x = &x[example * sides.input_len()..][..sides.input_len()];
            let grad = &grad[example * sides.output_len()..][..sides.output_len()];
            *square = kernel.of(x, grad);
        }
    };
    if share == squares.len() {
        work(&mut squares, 0);
    } else {
        std::thread::scope(|scope| {
            for (index, part) in squares.chunks_mut(share).enumerate() {
                let work = &work;
                scope.spawn(move || work(part, index * share));
            }
        });
    }
    Tensor::from_slice(&squares)
}

/// The direct rule as tensor operations: unfold, multiply, add squares.
fn unfolded_squares(sides: ConvSides, x: &Tensor, grad: &Tensor) -> Tensor {
    let [kernel, stride, padding] =
        [sides.kernel, sides.stride, sides.padding].map(|side| side as i64);
    // Not `im2col`, which on a GPU goes from image to image.
    let padded = x.constant_pad_nd([padding; 4]).permute([0, 2, 3, 1]);
    let windows = padded.unfold(1, kernel, stride).unfold(2, kernel, stride);
    let count = x.size()[0];
    let inputs = windows.reshape([count, positions(sides) as i64, -1]);
    let gradients = grad.permute([0, 2, 3, 1]).reshape([count, -1, sides.outputs as i64]);
    let gradient = widened(&gradients.transpose(1, 2).bmm(&inputs));
    gradient.square().sum_dim_intlist([1i64, 2].as_slice(), false, gradient.kind())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Kernel, tensor operations and Gram matrices must give the same.
    fn agree(sides: ConvSides) -> Result<(), TestCaseError> {
        let random = |channels: usize, height: usize, width: usize| {
            let shape = [3, height as i64, width as i64, channels as i64];
            Tensor::randn(shape, (Kind::Float, Device::Cpu)).permute([0, 3, 1, 2])
        };
        let x = random(sides.inputs, sides.height, sides.width);
        let grad = random(sides.outputs, sides.out_height(), sides.out_width());
        let expected = unfolded_squares(sides, &x, &grad);
        let largest =
            |other: Tensor| ((other - &expected) / &expected).abs().max().double_value(&[]);
        prop_assert!(largest(on_host::<f32>(sides, &x, &grad)) < 1e-4);
        prop_assert!(largest(gram::squares(sides, &x, &grad)) < 1e-4);
        let piece = in_pieces(&x, &grad, 2, |x, grad| gram::squares(sides, x, grad));
        prop_assert!(largest(piece) < 1e-4);
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        #[test]
        fn all_rules_agree(
            height in 4..12usize, width in 4..12usize, inputs in 1..20usize, outputs in 1..20usize,
            kernel in 1..5usize, stride in 1..4usize, padding in 0..3usize,
        ) {
            agree(ConvSides { height, width, inputs, outputs, kernel, stride, padding })?;
        }
    }
}
