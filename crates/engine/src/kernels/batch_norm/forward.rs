//! The forward pass: statistics of the batch, then one pass for norm, residual sum and ReLU.

use std::ops::Range;

use datadiet_core::isa::{Isa, Kernel, LANES, dispatch};

use super::Affine;
use super::tile::{Tile, add, floats, load, store, tiles};
use crate::kernels::Element;

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

/// `out = [relu](z·scale + shift [+ residual])`.
pub(crate) fn apply<E: Element>(
    z: &[E],
    affine: &Affine,
    residual: Option<&[E]>,
    relu: bool,
    out: &mut [E],
) {
    dispatch(Apply { z, affine, residual, relu, out });
}

struct Apply<'a, E> {
    z: &'a [E],
    affine: &'a Affine,
    residual: Option<&'a [E]>,
    relu: bool,
    out: &'a mut [E],
}

impl<E: Element> Kernel for Apply<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, _: I) {
        let Self { z, affine, residual, relu, out } = self;
        for Tile { rows, channel, full } in tiles::<E>(z.len(), affine.scale.len()) {
            if full {
                apply_tile::<E, LANES>(z, affine, residual, relu, out, rows, channel);
            } else {
                apply_tile::<E, 1>(z, affine, residual, relu, out, rows, channel);
            }
        }
    }
}

#[inline(always)]
fn apply_tile<E: Element, const L: usize>(
    z: &[E],
    affine: &Affine,
    residual: Option<&[E]>,
    relu: bool,
    out: &mut [E],
    rows: Range<usize>,
    c: usize,
) {
    let channels = affine.scale.len();
    let (scale, shift) = (floats::<L>(&affine.scale, c), floats::<L>(&affine.shift, c));
    let floor = if relu { 0.0 } else { f32::NEG_INFINITY };
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
            // Not `max`: NaN must stay NaN, so that a diverged run is noticed.
            *value = if *value < floor { floor } else { *value };
        }
        store::<E, L>(out, at, y);
    }
}
