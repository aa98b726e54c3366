//! Nonlinearities and their slopes, as loops that compilers vectorise.
//!
//! GELU is `x·Φ(x)` with Φ to 10⁻⁷ by Abramowitz and Stegun's formula 7.1.26, whose exponential is also
//! that of the density in the slope `Φ(x) + x·φ(x)`; PyTorch's default, not its approximation by tanh.

use datadiet_core::isa::{Isa, Kernel, LANES, dispatch};
use datadiet_store::Activation;

use super::Element;

/// The activations as constants: loops are compiled once for each, without branches.
pub(crate) const NONE: u8 = 0;
pub(crate) const RELU: u8 = 1;
pub(crate) const GELU: u8 = 2;
pub(crate) const SILU: u8 = 3;

/// `act(x)`. NaN stays NaN, so that a diverged run is noticed.
#[inline(always)]
pub(crate) fn value<I: Isa, const ACT: u8>(isa: I, x: f32) -> f32 {
    match ACT {
        // Not `max`, which takes the number that is not NaN.
        RELU if x < 0.0 => 0.0,
        GELU => x * normal_distribution(isa, x).0,
        SILU => x * logistic(isa, x),
        _ => x,
    }
}

/// `g·act′(x)`: the gradient in front of the activation for the gradient `g` behind it.
#[inline(always)]
pub(crate) fn carried_back<I: Isa, const ACT: u8>(isa: I, g: f32, x: f32) -> f32 {
    match ACT {
        RELU => {
            // All bits or none: as a choice between floats this is not always vectorised.
            let open = u32::from(x > 0.0).wrapping_neg();
            f32::from_bits(g.to_bits() & open)
        }
        GELU => {
            let (distribution, density) = normal_distribution(isa, x);
            g * isa.mul_add(x, density, distribution)
        }
        SILU => {
            let logistic = logistic(isa, x);
            g * (logistic * isa.mul_add(x, 1.0 - logistic, 1.0))
        }
        _ => g,
    }
}

/// Distribution function and density of the standard normal distribution.
#[inline(always)]
fn normal_distribution<I: Isa>(isa: I, x: f32) -> (f32, f32) {
    /// Coefficients of 7.1.26, halved, of t to t⁵.
    const SERIES: [f32; 5] = [0.127_414_8, -0.142_248_37, 0.710_706_9, -0.726_576_01, 0.530_702_7];
    const RECIPROCAL_OF_ROOT_OF_TWO_PI: f32 = 0.398_942_3;
    let exp = isa.exp(x * x * -0.5);
    let t = 1.0 / isa.mul_add(x.abs(), 0.327_591_1 * std::f32::consts::FRAC_1_SQRT_2, 1.0);
    let mut sum = SERIES[4];
    for coefficient in [SERIES[3], SERIES[2], SERIES[1], SERIES[0]] {
        sum = isa.mul_add(sum, t, coefficient);
    }
    let tail = sum * t * exp;
    let distribution = if x > 0.0 { 1.0 - tail } else { tail };
    (distribution, exp * RECIPROCAL_OF_ROOT_OF_TWO_PI)
}

/// `1 / (1 + exp(−x))`.
#[inline(always)]
fn logistic<I: Isa>(isa: I, x: f32) -> f32 {
    let exp = isa.exp(-x.abs());
    let small = 1.0 / (1.0 + exp);
    if x > 0.0 { small } else { exp * small }
}

/// `out = act(x)`, number by number.
pub(crate) fn apply<E: Element>(activation: Activation, x: &[E], out: &mut [E]) {
    match activation {
        Activation::Relu => dispatch(Apply::<E, RELU> { x, out }),
        Activation::Gelu => dispatch(Apply::<E, GELU> { x, out }),
        Activation::Silu => dispatch(Apply::<E, SILU> { x, out }),
    }
}

struct Apply<'a, E, const ACT: u8> {
    x: &'a [E],
    out: &'a mut [E],
}

impl<E: Element, const ACT: u8> Kernel for Apply<'_, E, ACT> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let Self { x, out } = self;
        let (values, value_rest) = x.as_chunks::<LANES>();
        let (outs, out_rest) = out.as_chunks_mut::<LANES>();
        for (x, out) in values.iter().zip(outs) {
            for lane in 0..LANES {
                out[lane] = E::narrow(value::<I, ACT>(isa, x[lane].widen()));
            }
        }
        for (x, out) in value_rest.iter().zip(out_rest) {
            *out = E::narrow(value::<I, ACT>(isa, x.widen()));
        }
    }
}

/// Replaces the gradient behind the activation by the one in front of it, whose input is `x`.
pub(crate) fn carry_back<E: Element>(activation: Activation, grad: &mut [E], x: &[E]) {
    match activation {
        Activation::Relu => dispatch(CarryBack::<E, RELU> { grad, x }),
        Activation::Gelu => dispatch(CarryBack::<E, GELU> { grad, x }),
        Activation::Silu => dispatch(CarryBack::<E, SILU> { grad, x }),
    }
}

struct CarryBack<'a, E, const ACT: u8> {
    grad: &'a mut [E],
    x: &'a [E],
}

impl<E: Element, const ACT: u8> Kernel for CarryBack<'_, E, ACT> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let Self { grad, x } = self;
        let (grads, grad_rest) = grad.as_chunks_mut::<LANES>();
        let (values, value_rest) = x.as_chunks::<LANES>();
        for (grad, x) in grads.iter_mut().zip(values) {
            for lane in 0..LANES {
                let carried = carried_back::<I, ACT>(isa, grad[lane].widen(), x[lane].widen());
                grad[lane] = E::narrow(carried);
            }
        }
        for (grad, x) in grad_rest.iter_mut().zip(value_rest) {
            *grad = E::narrow(carried_back::<I, ACT>(isa, grad.widen(), x.widen()));
        }
    }
}

#[cfg(test)]
mod tests {
    use tch::Tensor;

    use super::*;
    use crate::evaluation::to_vec;

    /// Values and slopes within 3·10⁻⁷ of the larger of 1 and x of those of libtorch in 64-bit floats.
    #[test]
    fn values_and_slopes_are_those_of_libtorch() {
        let x: Vec<f32> = (-2000..=2000).map(|i| i as f32 * 0.01).chain([-0.0, 1e-30]).collect();
        let wide = Tensor::from_slice(&x.iter().map(|&x| f64::from(x)).collect::<Vec<_>>());
        let ones = wide.ones_like();
        let expected = [
            (Activation::Relu, wide.relu(), wide.threshold_backward_like(&ones)),
            (Activation::Gelu, wide.gelu("none"), wide.gelu_backward(&ones, "none")),
            (Activation::Silu, wide.silu(), wide.silu_backward(&ones)),
        ];
        for (activation, values, slopes) in expected {
            let mut found = vec![0.0; x.len()];
            apply(activation, &x, &mut found);
            let mut carried = vec![1.0f32; x.len()];
            carry_back(activation, &mut carried, &x);
            let expected = to_vec::<f64>(&values).into_iter().zip(to_vec::<f64>(&slopes));
            for (((value, slope), x), expected) in found.iter().zip(&carried).zip(&x).zip(expected)
            {
                let scale = f64::from(x.abs()).max(1.0);
                assert!(
                    (f64::from(*value) - expected.0).abs() < 3e-7 * scale,
                    "{activation:?}({x})"
                );
                assert!(
                    (f64::from(*slope) - expected.1).abs() < 6e-7 * scale,
                    "{activation:?}'({x})"
                );
            }
        }
    }

    trait Slope {
        fn threshold_backward_like(&self, grad: &Tensor) -> Tensor;
    }

    impl Slope for Tensor {
        fn threshold_backward_like(&self, grad: &Tensor) -> Tensor {
            self.threshold_backward(grad, 0.0)
        }
    }

    #[test]
    fn nan_stays_nan() {
        for activation in [Activation::Relu, Activation::Gelu, Activation::Silu] {
            let mut out = [0.0];
            apply(activation, &[f32::NAN], &mut out);
            assert!(out[0].is_nan(), "{activation:?}");
        }
    }
}
