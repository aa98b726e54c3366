//! Batch norm fused with the residual sum and ReLU, over rows of channels (NHWC).
//!
//! Forward, with `z` the convolution's output, per channel `c`:
//!
//! ```text
//! y = relu(z·scale + shift [+ residual]),   scale = γ/σ,   shift = β − μ·scale
//! ```
//!
//! Backward in training mode, with `g` the gradient behind the ReLU (zero where `y` is), `x̂` the
//! normalised input and `m` the number of rows (Ioffe and Szegedy 2015):
//!
//! ```text
//! dβ = Σ g,   dγ = Σ g·x̂,   dz = scale·(g − dβ/m − x̂·dγ/m)
//! ```
//!
//! Sums run in `f32` over blocks of rows that fit the cache and in `f64` over blocks, so that they
//! are exact to rounding and do not depend on how work is shared out.

use std::ops::Range;

use multiversion::multiversion;

use super::Element;

/// Channels handled together: one 512-bit or two 256-bit registers of `f32`.
const LANES: usize = 16;
/// Bytes of one operand in a block of rows, small enough that several operands stay in cache.
const BLOCK_BYTES: usize = 16 * 1024;

/// Batch statistics of each channel.
#[derive(Clone, Debug, PartialEq)]
pub struct Moments {
    /// Means.
    pub mean: Vec<f32>,
    /// Population variances.
    pub variance: Vec<f32>,
}

/// An affine map of each channel.
#[derive(Clone, Debug, PartialEq)]
pub struct Affine {
    /// Factors.
    pub scale: Vec<f32>,
    /// Offsets.
    pub shift: Vec<f32>,
}

impl Affine {
    /// The map of a batch norm with scale `gamma` and shift `beta`.
    pub fn of_norm(gamma: &[f32], beta: &[f32], mean: &[f32], inv_std: &[f32]) -> Self {
        let scale: Vec<f32> = gamma.iter().zip(inv_std).map(|(g, s)| g * s).collect();
        let shift = beta.iter().zip(mean).zip(&scale).map(|((b, m), s)| b - m * s).collect();
        Self { scale, shift }
    }
}

/// Where the ReLU was open.
#[derive(Clone, Copy, Debug)]
pub enum Gate<'a, E> {
    /// There was no ReLU.
    Open,
    /// Where `z·scale + shift > 0`.
    Recompute,
    /// Where this output is positive.
    Output(&'a [E]),
}

impl<E> Gate<'_, E> {
    /// The gate of a part of the numbers.
    pub fn of(&self, part: Range<usize>) -> Gate<'_, E> {
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
pub struct GradSums {
    /// Σ g, the gradient of the shift β.
    pub shift: Vec<f32>,
    /// Σ g·x̂, the gradient of the scale γ.
    pub scale: Vec<f32>,
}

/// Mean and population variance of each of `channels` channels of `z`.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
pub fn moments<E: Element>(z: &[E], channels: usize) -> Moments {
    // Sums of differences from the first row: no cancellation when the mean is large.
    let origin: Vec<f32> = z[..channels].iter().map(|value| value.widen()).collect();
    let (mut sum, mut square) = (vec![0f64; channels], vec![0f64; channels]);
    tiles::<E>(z.len(), channels, |rows, tile| {
        let add = &mut |c: usize, s: f32, q: f32| {
            sum[c] += f64::from(s);
            square[c] += f64::from(q);
        };
        match tile {
            Tile::Full(c) => moments_tile::<E, LANES>(z, channels, rows, c, &origin, add),
            Tile::Single(c) => moments_tile::<E, 1>(z, channels, rows, c, &origin, add),
        }
    });
    let rows = (z.len() / channels) as f64;
    let shift = sum.iter().map(|sum| sum / rows);
    let variance = shift.clone().zip(&square).map(|(d, q)| (q / rows - d * d).max(0.0) as f32);
    Moments {
        variance: variance.collect(),
        mean: shift.zip(&origin).map(|(d, &o)| (d + f64::from(o)) as f32).collect(),
    }
}

#[inline(always)]
fn moments_tile<E: Element, const L: usize>(
    z: &[E],
    channels: usize,
    rows: Range<usize>,
    c: usize,
    origin: &[f32],
    add: &mut impl FnMut(usize, f32, f32),
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
    for i in 0..L {
        add(c + i, sum[i], square[i]);
    }
}

/// `out = [relu](z·scale + shift [+ residual])`.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
pub fn apply<E: Element>(
    z: &[E],
    affine: &Affine,
    residual: Option<&[E]>,
    relu: bool,
    out: &mut [E],
) {
    let channels = affine.scale.len();
    tiles::<E>(z.len(), channels, |rows, tile| match tile {
        Tile::Full(c) => apply_tile::<E, LANES>(z, affine, residual, relu, out, rows, c),
        Tile::Single(c) => apply_tile::<E, 1>(z, affine, residual, relu, out, rows, c),
    });
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

/// The sums of the backward pass, `(Σ g, Σ g·x̂)`.
///
/// With [`Gate::Output`], `grad` is replaced by the gated gradient `g` on the way, because the
/// shortcut of a residual block needs it too; otherwise it is left as it was.
pub fn grad_sums<E: Element>(
    grad: &mut [E],
    z: &[E],
    affine: &Affine,
    mean: &[f32],
    inv_std: &[f32],
    gate: Gate<'_, E>,
) -> GradSums {
    let (shift, scale) = match gate {
        Gate::Open => sums::<E, OPEN>(grad, z, affine, mean, &[]),
        Gate::Recompute => sums::<E, RECOMPUTE>(grad, z, affine, mean, &[]),
        Gate::Output(y) => sums::<E, OUTPUT>(grad, z, affine, mean, y),
    };
    GradSums {
        shift: shift.iter().map(|&sum| sum as f32).collect(),
        scale: scale.iter().zip(inv_std).map(|(&sum, &s)| (sum * f64::from(s)) as f32).collect(),
    }
}

/// `Σ g` and `Σ g·(z − μ)` of each channel.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
fn sums<E: Element, const GATE: u8>(
    grad: &mut [E],
    z: &[E],
    affine: &Affine,
    mean: &[f32],
    y: &[E],
) -> (Vec<f64>, Vec<f64>) {
    let channels = affine.scale.len();
    let (mut sum, mut product) = (vec![0f64; channels], vec![0f64; channels]);
    tiles::<E>(z.len(), channels, |rows, tile| {
        let add = &mut |c: usize, s: f32, p: f32| {
            sum[c] += f64::from(s);
            product[c] += f64::from(p);
        };
        match tile {
            Tile::Full(c) => sums_tile::<E, LANES, GATE>(grad, z, affine, mean, y, rows, c, add),
            Tile::Single(c) => sums_tile::<E, 1, GATE>(grad, z, affine, mean, y, rows, c, add),
        }
    });
    (sum, product)
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
    add: &mut impl FnMut(usize, f32, f32),
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
    for i in 0..L {
        add(c + i, sum[i], product[i]);
    }
}

/// How the gradient of the input follows from the gated gradient:
/// `dz = factor·g + slope·(z − mean) + constant`, per channel.
#[derive(Clone, Debug, PartialEq)]
pub struct InputGradient {
    factor: Vec<f32>,
    slope: Vec<f32>,
    constant: Vec<f32>,
    mean: Vec<f32>,
}

impl InputGradient {
    /// Of a batch norm in training mode over `rows` rows.
    pub fn new(sums: &GradSums, scale: &[f32], mean: &[f32], inv_std: &[f32], rows: usize) -> Self {
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
    pub fn of_fixed_statistics(scale: &[f32], mean: &[f32]) -> Self {
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
pub fn grad_input<E: Element>(
    out: &mut [E],
    grad: Option<&[E]>,
    z: &[E],
    affine: &Affine,
    map: &InputGradient,
    gate: Gate<'_, E>,
) {
    match gate {
        Gate::Open => inputs::<E, OPEN>(out, grad, z, affine, map, &[]),
        Gate::Recompute => inputs::<E, RECOMPUTE>(out, grad, z, affine, map, &[]),
        Gate::Output(y) => inputs::<E, OUTPUT>(out, grad, z, affine, map, y),
    }
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
fn inputs<E: Element, const GATE: u8>(
    out: &mut [E],
    grad: Option<&[E]>,
    z: &[E],
    affine: &Affine,
    map: &InputGradient,
    y: &[E],
) {
    tiles::<E>(z.len(), affine.scale.len(), |rows, tile| match tile {
        Tile::Full(c) => input_tile::<E, LANES, GATE>(out, grad, z, affine, map, y, rows, c),
        Tile::Single(c) => input_tile::<E, 1, GATE>(out, grad, z, affine, map, y, rows, c),
    });
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

/// A group of neighbouring channels.
enum Tile {
    /// `LANES` channels from this one.
    Full(usize),
    /// This channel alone: the remainder of a channel count that `LANES` does not divide.
    Single(usize),
}

/// Visits all (block of rows, group of channels) in a fixed order.
#[inline(always)]
fn tiles<E: Element>(len: usize, channels: usize, mut visit: impl FnMut(Range<usize>, Tile)) {
    let rows = len / channels;
    let block = (BLOCK_BYTES / (channels * size_of::<E>())).max(1);
    let full = channels - channels % LANES;
    let mut start = 0;
    while start < rows {
        let end = (start + block).min(rows);
        let mut c = 0;
        while c < full {
            visit(start..end, Tile::Full(c));
            c += LANES;
        }
        while c < channels {
            visit(start..end, Tile::Single(c));
            c += 1;
        }
        start = end;
    }
}

#[inline(always)]
fn load<E: Element, const L: usize>(values: &[E], at: usize) -> [f32; L] {
    let values: &[E; L] = values[at..at + L].try_into().expect("a slice of this length");
    std::array::from_fn(|i| values[i].widen())
}

#[inline(always)]
fn store<E: Element, const L: usize>(values: &mut [E], at: usize, from: [f32; L]) {
    let values: &mut [E; L] = (&mut values[at..at + L]).try_into().expect("a slice of this length");
    for i in 0..L {
        values[i] = E::narrow(from[i]);
    }
}

#[inline(always)]
fn floats<const L: usize>(values: &[f32], at: usize) -> [f32; L] {
    values[at..at + L].try_into().expect("a slice of this length")
}
