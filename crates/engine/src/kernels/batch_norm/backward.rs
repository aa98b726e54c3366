//! The backward pass: two passes over memory, the first for the gradients of scale and shift, which
//! the second needs for the gradient of the input.

use std::ops::Range;

use datadiet_core::isa::{Isa, Kernel, LANES, dispatch};
use datadiet_store::Activation;

use super::Affine;
use super::tile::{Tile, add, floats, load, store, tiles};
use crate::kernels::Element;
use crate::kernels::activation::{GELU, NONE, RELU, SILU, carried_back};

/// How the gradient behind the activation becomes the one in front of it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Gate<'a, E> {
    /// There was no activation, or the gradient is carried back already.
    Open,
    /// By the slope of the activation at `z·scale + shift`.
    Recompute(Activation),
    /// By its slope at these numbers: what went into it, or of a ReLU what came out of it.
    At(Activation, &'a [E]),
}

impl<E> Gate<'_, E> {
    /// The gate of a part of the numbers.
    pub(crate) fn of(&self, part: Range<usize>) -> Gate<'_, E> {
        match self {
            Gate::Open => Gate::Open,
            Gate::Recompute(activation) => Gate::Recompute(*activation),
            Gate::At(activation, places) => Gate::At(*activation, &places[part]),
        }
    }
}

/// Sums over rows that the backward pass needs.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct GradSums {
    /// Σ g, the gradient of the shift β.
    pub(crate) shift: Vec<f32>,
    /// Σ g·x̂, the gradient of the scale γ.
    pub(crate) scale: Vec<f32>,
}

/// The sums of the backward pass, `(Σ g, Σ g·x̂)`.
///
/// `grad` is replaced by the carried-back gradient `g` on the way, since the shortcut of a residual block
/// needs it too, or the slope takes long to compute again. It is left as it was where there is no activation,
/// and with [`Gate::Recompute`] of a ReLU, which [`grad_input`] carries back.
pub(crate) fn grad_sums<E: Element>(
    grad: &mut [E],
    z: &[E],
    affine: &Affine,
    mean: &[f32],
    inv_std: &[f32],
    gate: Gate<'_, E>,
) -> GradSums {
    let y: &[E] = if let Gate::At(_, places) = gate { places } else { &[] };
    let (shift, scale) = match gate {
        Gate::Open => dispatch(Sums::<E, NONE, false> { grad, z, affine, mean, y }),
        Gate::Recompute(Activation::Relu) => {
            dispatch(Sums::<E, RELU, false> { grad, z, affine, mean, y })
        }
        Gate::Recompute(Activation::Gelu) => {
            dispatch(Sums::<E, GELU, false> { grad, z, affine, mean, y })
        }
        Gate::Recompute(Activation::Silu) => {
            dispatch(Sums::<E, SILU, false> { grad, z, affine, mean, y })
        }
        Gate::At(Activation::Relu, _) => {
            dispatch(Sums::<E, RELU, true> { grad, z, affine, mean, y })
        }
        Gate::At(Activation::Gelu, _) => {
            dispatch(Sums::<E, GELU, true> { grad, z, affine, mean, y })
        }
        Gate::At(Activation::Silu, _) => {
            dispatch(Sums::<E, SILU, true> { grad, z, affine, mean, y })
        }
    };
    GradSums {
        shift: shift.iter().map(|&sum| sum as f32).collect(),
        scale: scale.iter().zip(inv_std).map(|(&sum, &s)| (sum * f64::from(s)) as f32).collect(),
    }
}

/// `Σ g` and `Σ g·(z − μ)` of each channel.
struct Sums<'a, E, const ACT: u8, const AT: bool> {
    grad: &'a mut [E],
    z: &'a [E],
    affine: &'a Affine,
    mean: &'a [f32],
    y: &'a [E],
}

impl<E: Element, const ACT: u8, const AT: bool> Kernel for Sums<'_, E, ACT, AT> {
    type Output = (Vec<f64>, Vec<f64>);

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) -> Self::Output {
        let Self { grad, z, affine, mean, y } = self;
        let channels = affine.scale.len();
        let (mut sum, mut product) = (vec![0f64; channels], vec![0f64; channels]);
        for Tile { rows, channel, full } in tiles::<E>(z.len(), channels) {
            let sums = (&mut sum[..], &mut product[..]);
            if full {
                sums_tile::<I, E, LANES, ACT, AT>(
                    isa, grad, z, affine, mean, y, rows, channel, sums,
                );
            } else {
                sums_tile::<I, E, 1, ACT, AT>(isa, grad, z, affine, mean, y, rows, channel, sums);
            }
        }
        (sum, product)
    }
}

/// Adds `Σ g` and `Σ g·(z − μ)` of a tile.
#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "a tile of a kernel: all of them are operands")]
fn sums_tile<I: Isa, E: Element, const L: usize, const ACT: u8, const AT: bool>(
    isa: I,
    grad: &mut [E],
    z: &[E],
    affine: &Affine,
    mean: &[f32],
    y: &[E],
    rows: Range<usize>,
    c: usize,
    sums: (&mut [f64], &mut [f64]),
) {
    let channels = affine.scale.len();
    let (scale, shift) = (floats::<L>(&affine.scale, c), floats::<L>(&affine.shift, c));
    let mean = floats::<L>(mean, c);
    let (mut sum, mut product) = ([0f32; L], [0f32; L]);
    for row in rows {
        let at = row * channels + c;
        let z = load::<E, L>(z, at);
        let mut g: [f32; L] = load(grad, at);
        if ACT != NONE {
            let places = if AT { load::<E, L>(y, at) } else { affine_of(z, scale, shift) };
            for i in 0..L {
                g[i] = carried_back::<I, ACT>(isa, g[i], places[i]);
            }
        }
        if AT || ACT == GELU || ACT == SILU {
            store::<E, L>(grad, at, g);
        }
        for i in 0..L {
            sum[i] += g[i];
            product[i] += g[i] * (z[i] - mean[i]);
        }
    }
    add(sums.0, c, sum);
    add(sums.1, c, product);
}

/// How the gradient of the input follows from the gated gradient:
/// `dz = factor·g + slope·(z − mean) + constant`, per channel.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct InputGradient {
    factor: Vec<f32>,
    slope: Vec<f32>,
    constant: Vec<f32>,
    mean: Vec<f32>,
}

impl InputGradient {
    /// Of a batch norm in training mode over `rows` rows.
    pub(crate) fn new(
        sums: &GradSums,
        scale: &[f32],
        mean: &[f32],
        inv_std: &[f32],
        rows: usize,
    ) -> Self {
        let rows = rows as f32;
        let slope =
            |((&scale, &inv_std), &sum): ((&f32, &f32), &f32)| -scale * inv_std * sum / rows;
        Self {
            factor: scale.to_vec(),
            slope: scale.iter().zip(inv_std).zip(&sums.scale).map(slope).collect(),
            constant: scale.iter().zip(&sums.shift).map(|(s, sum)| -s * sum / rows).collect(),
            mean: mean.to_vec(),
        }
    }

    /// Of a batch norm in evaluation mode, whose statistics do not depend on the input.
    pub(crate) fn of_fixed_statistics(scale: &[f32], mean: &[f32]) -> Self {
        let nothing = vec![0.0; scale.len()];
        Self {
            factor: scale.to_vec(),
            slope: nothing.clone(),
            constant: nothing,
            mean: mean.to_vec(),
        }
    }
}

/// Writes the gradient of the input to `out`, which holds the gradient of the output unless `grad`
/// has it. `relu`: it is still to be carried back through a ReLU, whose gate is computed again.
pub(crate) fn grad_input<E: Element>(
    out: &mut [E],
    grad: Option<&[E]>,
    z: &[E],
    affine: &Affine,
    map: &InputGradient,
    relu: bool,
) {
    if relu {
        dispatch(Inputs::<E, RELU> { out, grad, z, affine, map });
    } else {
        dispatch(Inputs::<E, NONE> { out, grad, z, affine, map });
    }
}

struct Inputs<'a, E, const ACT: u8> {
    out: &'a mut [E],
    grad: Option<&'a [E]>,
    z: &'a [E],
    affine: &'a Affine,
    map: &'a InputGradient,
}

impl<E: Element, const ACT: u8> Kernel for Inputs<'_, E, ACT> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let Self { out, grad, z, affine, map } = self;
        for Tile { rows, channel, full } in tiles::<E>(z.len(), affine.scale.len()) {
            if full {
                input_tile::<I, E, LANES, ACT>(isa, out, grad, z, affine, map, rows, channel);
            } else {
                input_tile::<I, E, 1, ACT>(isa, out, grad, z, affine, map, rows, channel);
            }
        }
    }
}

#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "a tile of a kernel: all of them are operands")]
fn input_tile<I: Isa, E: Element, const L: usize, const ACT: u8>(
    isa: I,
    out: &mut [E],
    grad: Option<&[E]>,
    z: &[E],
    affine: &Affine,
    map: &InputGradient,
    rows: Range<usize>,
    c: usize,
) {
    let channels = affine.scale.len();
    let (scale, shift) = (floats::<L>(&affine.scale, c), floats::<L>(&affine.shift, c));
    let (factor, slope) = (floats::<L>(&map.factor, c), floats::<L>(&map.slope, c));
    let (constant, mean) = (floats::<L>(&map.constant, c), floats::<L>(&map.mean, c));
    for row in rows {
        let at = row * channels + c;
        let z = load::<E, L>(z, at);
        let mut g: [f32; L] = load(grad.unwrap_or(out), at);
        if ACT != NONE {
            let places = affine_of(z, scale, shift);
            for i in 0..L {
                g[i] = carried_back::<I, ACT>(isa, g[i], places[i]);
            }
        }
        for i in 0..L {
            g[i] = factor[i] * g[i] + slope[i] * (z[i] - mean[i]) + constant[i];
        }
        store::<E, L>(out, at, g);
    }
}

/// `z·scale + shift`.
#[inline(always)]
fn affine_of<const L: usize>(z: [f32; L], scale: [f32; L], shift: [f32; L]) -> [f32; L] {
    let mut affine = [0f32; L];
    for i in 0..L {
        affine[i] = z[i] * scale[i] + shift[i];
    }
    affine
}
