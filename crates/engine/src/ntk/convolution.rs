//! A convolution's part of the kernel, by the cheaper of two rules, group by group.
//!
//! ```text
//! direct       (mK)·P·C_in·k²·C_out to form the gradients, (mK)²·C_in·k²·C_out to multiply them
//! similarity   (mP')²·C_in + (mKP)²·C_out and k² additions of (mP)² numbers, half of each for symmetry
//! ```

use tch::Tensor;

use super::gram::products;
use crate::grand::{padded_positions, positions, sum_over_taps};
use crate::kernels::conv::ConvSides;
use crate::layers::Conv2d;
use crate::precision::widened;

/// Multiplications that take as long as moving one number.
const MOVE: usize = 16;

/// The part of `layer`, mK × mK, for its input (m×C×H×W) and output gradients (m×K×C×H×W).
pub(crate) fn gram(
    layer: &Conv2d,
    weight: &Tensor,
    input: &Tensor,
    grads: &Tensor,
    scratch: usize,
) -> Tensor {
    let own = layer.sides_of_group(weight, input);
    let groups = layer.shape.groups;
    let size = grads.size();
    let mut total = Tensor::zeros([size[0] * size[1]; 2], (grads.kind(), grads.device()));
    for group in 0..groups {
        let channels = |count: usize| (group * count as i64, count as i64);
        let (from, count) = channels(own.inputs);
        let x = widened(&input.narrow(1, from, count));
        let (from, count) = channels(own.outputs);
        total += of_group(own, &x, &grads.narrow(2, from, count), scratch);
    }
    if layer.bias.is_some() {
        let sums = grads.sum_dim_intlist([3i64, 4].as_slice(), false, grads.kind());
        total += products(&sums.flatten(0, 1));
    }
    total
}

fn of_group(sides: ConvSides, x: &Tensor, grads: &Tensor, scratch: usize) -> Tensor {
    let size = grads.size();
    let (examples, classes) = (size[0] as usize, size[1] as usize);
    if similarity_cost(sides, examples, classes) < direct_cost(sides, examples, classes) {
        by_similarity(sides, x, grads, scratch)
    } else {
        direct(sides, x, grads, scratch)
    }
}

fn direct_cost(sides: ConvSides, examples: usize, classes: usize) -> usize {
    let rows = examples * classes;
    (rows * positions(sides) + rows * rows) * sides.weight_len()
}

fn similarity_cost(sides: ConvSides, examples: usize, classes: usize) -> usize {
    let inputs = (examples * padded_positions(sides)).pow(2) * sides.inputs;
    let taps = sides.kernel.pow(2) * (examples * positions(sides)).pow(2) * MOVE;
    let grads = (examples * classes * positions(sides)).pow(2) * (sides.outputs + MOVE);
    (inputs + taps + grads) / 2
}

/// Forms the gradients of some output channels at a time.
fn direct(sides: ConvSides, x: &Tensor, grads: &Tensor, scratch: usize) -> Tensor {
    let size = grads.size();
    let (examples, classes) = (size[0], size[1]);
    let rows = examples * classes;
    let side = |side: usize| [side as i64; 2];
    let unfolded = x.im2col(side(sides.kernel), [1, 1], side(sides.padding), side(sides.stride));
    let unfolded = unfolded.transpose(1, 2).contiguous();
    let filter = unfolded.size()[2];
    let channels = (scratch as i64 / (4 * rows * filter)).clamp(1, sides.outputs as i64);
    let mut total = Tensor::zeros([rows, rows], (grads.kind(), x.device()));
    for first in (0..sides.outputs as i64).step_by(channels as usize) {
        let count = channels.min(sides.outputs as i64 - first);
        let part = grads.narrow(2, first, count).reshape([examples, classes * count, -1]);
        // m × K·count × filter
        let gradient = part.bmm(&unfolded).view([rows, count * filter]);
        total += products(&gradient);
    }
    total
}

/// Multiplies similarities of inputs and of gradients, over blocks of pairs of examples.
fn by_similarity(sides: ConvSides, x: &Tensor, grads: &Tensor, scratch: usize) -> Tensor {
    let size = grads.size();
    let (examples, classes, places) = (size[0], size[1], size[3] * size[4]);
    let padding = sides.padding as i64;
    let padded = x.constant_pad_nd([padding; 4]).permute([0, 2, 3, 1]).contiguous();
    // m × K × P × C_out
    let grads = grads.permute([0, 1, 3, 4, 2]).contiguous();
    let block = block(sides, classes, places, scratch).clamp(1, examples);
    let total = Tensor::zeros([examples * classes; 2], (grads.kind(), x.device()));
    for first in (0..examples).step_by(block as usize) {
        let own = block.min(examples - first);
        let part = |of: &Tensor, start: i64, length: i64| of.narrow(0, start, length);
        let flat = |of: Tensor| of.reshape([-1, sides.outputs as i64]);
        for second in (first..examples).step_by(block as usize) {
            let other = block.min(examples - second);
            // own × P × other × P, the same for all classes
            let inputs =
                similar_inputs(sides, &part(&padded, first, own), &part(&padded, second, other));
            let inputs = inputs.view([own, 1, places, other, 1, places]);
            let gradients =
                flat(part(&grads, first, own)).matmul(&flat(part(&grads, second, other)).tr());
            let gradients = gradients.view([own, classes, places, other, classes, places]);
            let cell = (gradients * inputs)
                .sum_dim_intlist([2i64, 5].as_slice(), false, grads.kind())
                .view([own * classes, other * classes]);
            let at = |row: i64, rows: i64, column: i64, columns: i64| {
                let rows = total.narrow(0, row * classes, rows * classes);
                rows.narrow(1, column * classes, columns * classes)
            };
            at(first, own, second, other).copy_(&cell);
            at(second, other, first, own).copy_(&cell.tr());
        }
    }
    total
}

/// Examples of a block: the products of gradients, twice, and those of inputs fit the scratch memory.
fn block(sides: ConvSides, classes: i64, places: i64, scratch: usize) -> i64 {
    let gradients = 2 * (classes * places).pow(2);
    let inputs = 2 * padded_positions(sides).pow(2) as i64;
    ((scratch as i64 / (4 * (gradients + inputs))) as f64).sqrt() as i64
}

/// `Σ_t X_{s·p+t} · Y_{s·q+t}`: own × P × other × P, for padded inputs own × rows × columns × C.
fn similar_inputs(sides: ConvSides, own: &Tensor, other: &Tensor) -> Tensor {
    let (a, b) = (own.size(), other.size());
    let rows = |x: &Tensor| x.reshape([-1, sides.inputs as i64]);
    let all = rows(own).matmul(&rows(other).tr());
    let all = all.view([a[0], a[1], a[2], b[0], b[1], b[2]]).permute([0, 3, 1, 2, 4, 5]);
    // own × other × rows × columns × rows × columns
    let sum = sum_over_taps(sides, &all);
    let places = positions(sides) as i64;
    sum.view([a[0], b[0], places, places]).permute([0, 2, 1, 3]).contiguous()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tch::{Device, Kind};

    use super::*;

    const SCRATCH: usize = 1 << 14;

    fn largest_difference(found: &Tensor, expected: &Tensor) -> f64 {
        let largest = expected.abs().max().double_value(&[]);
        (found - expected).abs().max().double_value(&[]) / largest
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        #[test]
        fn both_rules_agree(
            height in 4..9usize, width in 4..9usize, inputs in 1..6usize, outputs in 1..6usize,
            kernel in 1..5usize, stride in 1..4usize, padding in 0..3usize,
        ) {
            let sides = ConvSides { height, width, inputs, outputs, kernel, stride, padding };
            let random = |shape: &[usize]| {
                let shape: Vec<i64> = shape.iter().map(|&side| side as i64).collect();
                Tensor::randn(shape, (Kind::Float, Device::Cpu))
            };
            let x = random(&[3, inputs, height, width]);
            let grads = random(&[3, 2, outputs, sides.out_height(), sides.out_width()]);
            let one_by_one = by_similarity(sides, &x, &grads, 1);
            let expected = direct(sides, &x, &grads, usize::MAX);
            prop_assert!(largest_difference(&direct(sides, &x, &grads, 1), &expected) < 1e-5);
            prop_assert!(largest_difference(&one_by_one, &expected) < 1e-5);
            let some = by_similarity(sides, &x, &grads, SCRATCH);
            prop_assert!(largest_difference(&some, &expected) < 1e-5);
        }
    }

    /// Against the gradients themselves.
    #[test]
    fn groups_and_bias() {
        use crate::aten::ConvShape;
        use crate::parameters::ParamId;

        let cpu = (Kind::Float, Device::Cpu);
        let shape = ConvShape { stride: 2, padding: 1, groups: 3 };
        let (weight, bias) = (ParamId(0), Some(ParamId(1)));
        let layer = Conv2d { weight, bias, shape };
        let weights = [Tensor::randn([6, 2, 3, 3], cpu), Tensor::randn([6], cpu)];
        let x = crate::layers::to_nhwc(&Tensor::randn([2, 6, 9, 7], cpu));
        let grads = Tensor::randn([2, 2, 6, 5, 4], cpu);
        let row = |example: i64, class: i64| {
            let one = crate::layers::to_nhwc(&x.narrow(0, example, 1));
            let grad = grads.get(example).narrow(0, class, 1);
            let grad = crate::layers::to_nhwc(&grad);
            let (weight, bias) = layer.grad_weight(&weights, &one, &grad);
            Tensor::cat(&[weight.flatten(0, -1), bias.expect("it has one").flatten(0, -1)], 0)
        };
        let rows = [row(0, 0), row(0, 1), row(1, 0), row(1, 1)];
        let expected = products(&Tensor::stack(&rows, 0));
        let found = gram(&layer, &weights[0], &x, &grads, SCRATCH);
        assert!(largest_difference(&found, &expected) < 1e-5);
    }
}
