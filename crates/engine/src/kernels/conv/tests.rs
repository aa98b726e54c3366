use datadiet_core::isa::Avx512Bf16;
use proptest::prelude::*;

use super::*;
use crate::kernels::Element;

/// Sums in 64-bit floats, as the definitions say.
struct Naive {
    y: Vec<f64>,
    dx: Vec<f64>,
    dw: Vec<f64>,
}

fn naive(sides: ConvSides, x: &[f32], w: &[f32], dy: &[f32]) -> Naive {
    let mut naive =
        Naive { y: vec![0.0; dy.len()], dx: vec![0.0; x.len()], dw: vec![0.0; w.len()] };
    let k = sides.kernel;
    for image in 0..x.len() / sides.input_len() {
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
                            let out = ((image * sides.out_height() + row) * sides.out_width()
                                + column)
                                * sides.outputs
                                + c;
                            let inp = ((image * sides.height + in_row) * sides.width + in_column)
                                * sides.inputs
                                + i;
                            let filter = (c * sides.inputs + i) * k * k + tap;
                            naive.y[out] += f64::from(w[filter]) * f64::from(x[inp]);
                            naive.dx[inp] += f64::from(w[filter]) * f64::from(dy[out]);
                            naive.dw[filter] += f64::from(dy[out]) * f64::from(x[inp]);
                        }
                    }
                }
            }
        }
    }
    naive
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

fn widen(values: &[Bf16]) -> Vec<f32> {
    values.iter().map(|value| value.widen()).collect()
}

/// Largest difference as a fraction of the largest value.
fn error(found: &[f32], expected: &[f64]) -> f64 {
    let largest = expected.iter().fold(1e-6f64, |most, value| most.max(value.abs()));
    let differences = found.iter().zip(expected).map(|(f, e)| (f64::from(*f) - e).abs());
    differences.fold(0.0, f64::max) / largest
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
    fn bf16_passes_are_convolutions(sides in sides()) {
        let Some(isa) = Avx512Bf16::detect() else { return Ok(()) };
        let x = numbers(2 * sides.input_len(), 0);
        let w = numbers(sides.weight_len(), 1);
        let dy = numbers(2 * sides.output_len(), 2);
        let expected = naive(sides, &x, &w, &dy);
        let (x, w, dy) = (narrow(&x), narrow(&w), narrow(&dy));
        // The sums are exact to f32; the results are rounded to 8 bits.
        let mut y = vec![Bf16::default(); dy.len()];
        forward(isa, sides, &x, &w, &mut y);
        prop_assert!(error(&widen(&y), &expected.y) < 4e-3);
        let mut dx = vec![Bf16::narrow(9.0); x.len()];
        grad_input(isa, sides, &dy, &w, &mut dx);
        prop_assert!(error(&widen(&dx), &expected.dx) < 4e-3);
        prop_assert!(error(&grad_weight(isa, sides, &x, &dy), &expected.dw) < 1e-5);
    }

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
                let gradient = naive(sides, x, &numbers(sides.weight_len(), 6), dy).dw;
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
