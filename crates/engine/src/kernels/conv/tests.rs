use proptest::prelude::*;

use super::*;
use crate::kernels::Element;

/// The filters' gradient of one image, outputs × inputs × k × k, in 64-bit floats as the definition says.
fn naive(sides: ConvSides, x: &[f32], dy: &[f32]) -> Vec<f64> {
    let mut dw = vec![0.0; sides.weight_len()];
    let k = sides.kernel;
    for row in 0..sides.out_height() {
        for column in 0..sides.out_width() {
            for tap in 0..k * k {
                let in_row = (row * sides.stride + tap / k).wrapping_sub(sides.padding);
                let in_column = (column * sides.stride + tap % k).wrapping_sub(sides.padding);
                if in_row >= sides.height || in_column >= sides.width {
                    continue;
                }
                for c in 0..sides.outputs {
                    for i in 0..sides.inputs {
                        let out = (row * sides.out_width() + column) * sides.outputs + c;
                        let inp = (in_row * sides.width + in_column) * sides.inputs + i;
                        dw[(c * sides.inputs + i) * k * k + tap] +=
                            f64::from(dy[out]) * f64::from(x[inp]);
                    }
                }
            }
        }
    }
    dw
}

fn numbers(count: usize, seed: u32) -> Vec<f32> {
    let mut rng = datadiet_core::rng(3, seed, datadiet_core::Stream::Augmentation, 0);
    let draw = |_| datadiet_core::streams::below(2001, &mut rng) as f32 / 1000.0 - 1.0;
    // Rounded, so that the same numbers go into both.
    (0..count).map(draw).map(|value| Bf16::narrow(value).widen()).collect()
}

fn narrow(values: &[f32]) -> Vec<Bf16> {
    values.iter().map(|&value| Bf16::narrow(value)).collect()
}

fn sides() -> impl Strategy<Value = ConvSides> {
    let shape = prop_oneof![Just((3, 1, 1)), Just((3, 2, 1)), Just((1, 1, 0))];
    (shape, 3..20usize, 3..20usize, 1..34usize, 1..34usize).prop_map(
        |((kernel, stride, padding), height, width, inputs, outputs)| ConvSides {
            height,
            width,
            inputs,
            outputs,
            kernel,
            stride,
            padding,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn squares_are_those_of_each_images_gradient(
        mut sides in sides(), kernel in 1..5usize, stride in 1..4usize, padding in 0..3usize,
    ) {
        (sides.kernel, sides.stride, sides.padding) = (kernel.min(3), stride, padding);
        let x = numbers(2 * sides.input_len(), 4);
        let dy = numbers(2 * sides.output_len(), 5);
        for bf16 in [false, true] {
            let mut squares = Squares::new(sides, bf16);
            for image in 0..2 {
                let x = &x[image * sides.input_len()..][..sides.input_len()];
                let dy = &dy[image * sides.output_len()..][..sides.output_len()];
                let gradient = naive(sides, x, dy);
                let expected: f64 = gradient.iter().map(|value| value * value).sum();
                let found = if bf16 {
                    squares.of(&narrow(x), &narrow(dy))
                } else {
                    squares.of(x, dy)
                };
                prop_assert!((f64::from(found) - expected).abs() <= 1e-5 * expected, "{found} {expected}");
            }
        }
    }
}
