//! The forward pass: statistics of the batch, then one pass for norm, residual sum and ReLU.

use std::ops::Range;

use datadiet_core::isa::{Isa, Kernel, LANES, dispatch};
use datadiet_store::Activation;

use super::Affine;
use super::tile::{Tile, add, floats, load, store, tiles};
use crate::kernels::Element;
use crate::kernels::activation::{self, GELU, NONE, RELU, SILU};

/// Batch statistics of each channel.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Moments {
    /// Means.
    pub(crate) mean: Vec<f32>,
    /// Population variances.
    pub(crate) variance: Vec<f32>,
}

/// Mean and population variance of each of `channels` channels of `z`.
pub(crate) fn moments<E: Element>(z: &[E], channels: usize) -> Moments {
    dispatch(MomentsKernel { z, channels })
}

struct MomentsKernel<'a, E> {
    z: &'a [E],
    channels: usize,
}

impl<E: Element> Kernel for MomentsKernel<'_, E> {
    type Output = Moments;

    #[inline(always)]
    fn run<I: Isa>(self, _: I) -> Moments {
        let Self { z, channels } = self;
        // Sums of differences from the first row: no cancellation when the mean is large.
        let origin: Vec<f32> = z[..channels].iter().map(|value| value.widen()).collect();
        let (mut sum, mut square) = (vec![0f64; channels], vec![0f64; channels]);
        for Tile { rows, channel, full } in tiles::<E>(z.len(), channels) {
            let sums = (&mut sum[..], &mut square[..]);
            if full {
                moments_tile::<E, LANES>(z, channels, rows, channel, &origin, sums);
            } else {
                moments_tile::<E, 1>(z, channels, rows, channel, &origin, sums);
            }
        }
        let rows = (z.len() / channels) as f64;
        let shift = sum.iter().map(|sum| sum / rows);
        let variance = shift.clone().zip(&square).map(|(d, q)| (q / rows - d * d).max(0.0) as f32);
        Moments {
            variance: variance.collect(),
            mean: shift.zip(&origin).map(|(d, &o)| (d + f64::from(o)) as f32).collect(),
        }
    }
}

#[inline(always)]
fn moments_tile<E: Element, const L: usize>(
    z: &[E],
    channels: usize,
    rows: Range<usize>,
    c: usize,
    origin: &[f32],
    sums: (&mut [f64], &mut [f64]),
) {
    let origin = floats::<L>(origin, c);
    let (mut sum, mut square) = ([0f32; L], [0f32; L]);
    for row in rows {
        let z = load::<E, L>(z, row * channels + c);
        for i in 0..L {
            let d = z[i] - origin[i];
            sum[i] += d;
            square[i] += d * d;
        }
    }
    add(sums.0, c, sum);
    add(sums.1, c, square);
}

/// The sum of each of `channels` channels of `x`.
pub(crate) fn channel_sums<E: Element>(x: &[E], channels: usize) -> Vec<f32> {
    dispatch(ChannelSums { x, channels }).iter().map(|&sum| sum as f32).collect()
}

struct ChannelSums<'a, E> {
    x: &'a [E],
    channels: usize,
}

impl<E: Element> Kernel for ChannelSums<'_, E> {
    type Output = Vec<f64>;

    #[inline(always)]
    fn run<I: Isa>(self, _: I) -> Vec<f64> {
        let Self { x, channels } = self;
        let mut sum = vec![0f64; channels];
        for Tile { rows, channel, full } in tiles::<E>(x.len(), channels) {
            if full {
                sum_tile::<E, LANES>(x, channels, rows, channel, &mut sum);
            } else {
                sum_tile::<E, 1>(x, channels, rows, channel, &mut sum);
            }
        }
        sum
    }
}

#[inline(always)]
fn sum_tile<E: Element, const L: usize>(
    x: &[E],
    channels: usize,
    rows: Range<usize>,
    c: usize,
    sums: &mut [f64],
) {
    let mut sum = [0f32; L];
    for row in rows {
        let x = load::<E, L>(x, row * channels + c);
        for i in 0..L {
            sum[i] += x[i];
        }
    }
    add(sums, c, sum);
}

/// `out = [act](z·scale + shift [+ residual])`.
pub(crate) fn apply<E: Element>(
    z: &[E],
    affine: &Affine,
    residual: Option<&[E]>,
    activation: Option<Activation>,
    out: &mut [E],
) {
    match activation {
        None => dispatch(Apply::<E, NONE> { z, affine, residual, out }),
        Some(Activation::Relu) => dispatch(Apply::<E, RELU> { z, affine, residual, out }),
        Some(Activation::Gelu) => dispatch(Apply::<E, GELU> { z, affine, residual, out }),
        Some(Activation::Silu) => dispatch(Apply::<E, SILU> { z, affine, residual, out }),
    }
}

struct Apply<'a, E, const ACT: u8> {
    z: &'a [E],
    affine: &'a Affine,
    residual: Option<&'a [E]>,
    out: &'a mut [E],
}

impl<E: Element, const ACT: u8> Kernel for Apply<'_, E, ACT> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let Self { z, affine, residual, out } = self;
        for Tile { rows, channel, full } in tiles::<E>(z.len(), affine.scale.len()) {
            if full {
                apply_tile::<I, E, LANES, ACT>(isa, z, affine, residual, out, rows, channel);
            } else {
                apply_tile::<I, E, 1, ACT>(isa, z, affine, residual, out, rows, channel);
            }
        }
    }
}

#[inline(always)]
fn apply_tile<I: Isa, E: Element, const L: usize, const ACT: u8>(
    isa: I,
    z: &[E],
    affine: &Affine,
    residual: Option<&[E]>,
    out: &mut [E],
    rows: Range<usize>,
    c: usize,
) {
    let channels = affine.scale.len();
    let (scale, shift) = (floats::<L>(&affine.scale, c), floats::<L>(&affine.shift, c));
    for row in rows {
        let at = row * channels + c;
        let mut y = load::<E, L>(z, at);
        for i in 0..L {
            y[i] = y[i] * scale[i] + shift[i];
        }
        if let Some(residual) = residual {
            let residual = load::<E, L>(residual, at);
            for i in 0..L {
                y[i] += residual[i];
            }
        }
        for value in &mut y {
            *value = activation::value::<I, ACT>(isa, *value);
        }
        store::<E, L>(out, at, y);
    }
}
