//! The backward pass: two passes over memory, the first for the gradients of scale and shift, which
//! the second needs for the gradient of the input.

use std::ops::Range;

use datadiet_core::isa::{Isa, Kernel, LANES, dispatch};

use super::Affine;
use super::tile::{Tile, add, floats, load, store, tiles};
use crate::kernels::Element;

/// Where the ReLU was open.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Gate<'a, E> {
    /// There was no ReLU.
    Open,
    /// Where `z·scale + shift > 0`.
    Recompute,
    /// Where this output is positive.
    Output(&'a [E]),
}

impl<E> Gate<'_, E> {
    /// The gate of a part of the numbers.
    pub(crate) fn of(&self, part: Range<usize>) -> Gate<'_, E> {
        match self {
            Gate::Open => Gate::Open,
            Gate::Recompute => Gate::Recompute,
            Gate::Output(output) => Gate::Output(&output[part]),
        }
    }
}

/// The cases of [`Gate`] as constants: the loops are compiled once for each, without branches.
const OPEN: u8 = 0;
const RECOMPUTE: u8 = 1;
const OUTPUT: u8 = 2;

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
/// With [`Gate::Output`], `grad` is replaced by the gated gradient `g` on the way, because the
/// shortcut of a residual block needs it too; otherwise it is left as it was.
pub(crate) fn grad_sums<E: Element>(
    grad: &mut [E],
    z: &[E],
    affine: &Affine,
    mean: &[f32],
    inv_std: &[f32],
    gate: Gate<'_, E>,
) -> GradSums {
    let (shift, scale) = match gate {
        Gate::Open => dispatch(Sums::<E, OPEN> { grad, z, affine, mean, y: &[] }),
        Gate::Recompute => dispatch(Sums::<E, RECOMPUTE> { grad, z, affine, mean, y: &[] }),
        Gate::Output(y) => dispatch(Sums::<E, OUTPUT> { grad, z, affine, mean, y }),
    };
    GradSums {
        shift: shift.iter().map(|&sum| sum as f32).collect(),
        scale: scale.iter().zip(inv_std).map(|(&sum, &s)| (sum * f64::from(s)) as f32).collect(),
    }
}

/// `Σ g` and `Σ g·(z − μ)` of each channel.
struct Sums<'a, E, const GATE: u8> {
    grad: &'a mut [E],
    z: &'a [E],
    affine: &'a Affine,
    mean: &'a [f32],
    y: &'a [E],
}

impl<E: Element, const GATE: u8> Kernel for Sums<'_, E, GATE> {
    type Output = (Vec<f64>, Vec<f64>);

    #[inline(always)]
    fn run<I: Isa>(self, _: I) -> Self::Output {
        let Self { grad, z, affine, mean, y } = self;
        let channels = affine.scale.len();
        let (mut sum, mut product) = (vec![0f64; channels], vec![0f64; channels]);
        for Tile { rows, channel, full } in tiles::<E>(z.len(), channels) {
            let sums = (&mut sum[..], &mut product[..]);
            if full {
                sums_tile::<E, LANES, GATE>(grad, z, affine, mean, y, rows, channel, sums);
            } else {
                sums_tile::<E, 1, GATE>(grad, z, affine, mean, y, rows, channel, sums);
            }
        }
        (sum, product)
    }
}

/// Adds `Σ g` and `Σ g·(z − μ)` of a tile.
#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "a tile of a kernel: all of them are operands")]
fn sums_tile<E: Element, const L: usize, const GATE: u8>(
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
        let g = gated::<E, L, GATE>(load(grad, at), z, scale, shift, y, at);
        if GATE == OUTPUT {
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
/// has it. The gate is [`Gate::Open`] where that gradient is gated already.
pub(crate) fn grad_input<E: Element>(
    out: &mut [E],
    grad: Option<&[E]>,
    z: &[E],
    affine: &Affine,
    map: &InputGradient,
    gate: Gate<'_, E>,
) {
    match gate {
        Gate::Open => dispatch(Inputs::<E, OPEN> { out, grad, z, affine, map, y: &[] }),
        Gate::Recompute => dispatch(Inputs::<E, RECOMPUTE> { out, grad, z, affine, map, y: &[] }),
        Gate::Output(y) => dispatch(Inputs::<E, OUTPUT> { out, grad, z, affine, map, y }),
    }
}

struct Inputs<'a, E, const GATE: u8> {
    out: &'a mut [E],
    grad: Option<&'a [E]>,
    z: &'a [E],
    affine: &'a Affine,
    map: &'a InputGradient,
    y: &'a [E],
}

impl<E: Element, const GATE: u8> Kernel for Inputs<'_, E, GATE> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, _: I) {
        let Self { out, grad, z, affine, map, y } = self;
        for Tile { rows, channel, full } in tiles::<E>(z.len(), affine.scale.len()) {
            if full {
                input_tile::<E, LANES, GATE>(out, grad, z, affine, map, y, rows, channel);
            } else {
                input_tile::<E, 1, GATE>(out, grad, z, affine, map, y, rows, channel);
            }
        }
    }
}

#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "a tile of a kernel: all of them are operands")]
fn input_tile<E: Element, const L: usize, const GATE: u8>(
    out: &mut [E],
    grad: Option<&[E]>,
    z: &[E],
    affine: &Affine,
    map: &InputGradient,
    y: &[E],
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
        let grad = load(grad.unwrap_or(out), at);
        let mut g = gated::<E, L, GATE>(grad, z, scale, shift, y, at);
        for i in 0..L {
            g[i] = factor[i] * g[i] + slope[i] * (z[i] - mean[i]) + constant[i];
        }
        store::<E, L>(out, at, g);
    }
}

/// The gradient where the ReLU was open, else 0.
#[inline(always)]
fn gated<E: Element, const L: usize, const GATE: u8>(
    grad: [f32; L],
    z: [f32; L],
    scale: [f32; L],
    shift: [f32; L],
    y: &[E],
    at: usize,
) -> [f32; L] {
    let mut deciding = [1f32; L];
    if GATE == RECOMPUTE {
        for i in 0..L {
            deciding[i] = z[i] * scale[i] + shift[i];
        }
    } else if GATE == OUTPUT {
        deciding = load::<E, L>(y, at);
    }
    let mut gated = [0f32; L];
    for i in 0..L {
        // All bits or none: as a choice between floats this is not always vectorised.
        let open = u32::from(deciding[i] > 0.0).wrapping_neg();
        gated[i] = f32::from_bits(grad[i].to_bits() & open);
    }
    gated
}
