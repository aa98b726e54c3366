//! Forward pass, and the gradient of the input, which is a convolution of the gradient of the
//! output with the filters turned round.
//!
//! With stride 2 every second row and column of the input's gradient meets the same filter
//! positions: it falls into four convolutions of stride 1 that each write every second place.

use datadiet_core::isa::{Avx512Bf16, LANES};

use super::lanes::{Out, Run, dot};
use super::{ConvSides, Padded, pair};
use crate::kernels::Bf16;

/// Outputs of the convolution of images `x` (images × height × width × inputs) with filters
/// `weight` (outputs × inputs × k × k).
pub(crate) fn forward(
    isa: Avx512Bf16,
    sides: ConvSides,
    x: &[Bf16],
    weight: &[Bf16],
    out: &mut [Bf16],
) {
    let k = sides.kernel;
    let taps: Vec<usize> = (0..k).collect();
    let filters = Filters::pack(sides, weight, &taps, &taps, Toward::Output);
    let p = sides.padding;
    let mut padded = padded(sides.height, sides.width, sides.inputs, [p; 4]);
    let places = Places {
        rows: sides.out_height(),
        columns: sides.out_width(),
        start: 0,
        row_step: sides.out_width() * sides.outputs,
        column_step: sides.outputs,
        channels: sides.outputs,
    };
    let images = x.chunks_exact(sides.input_len()).zip(out.chunks_exact_mut(sides.output_len()));
    for (image, out) in images {
        padded.fill(image, sides.width, sides.inputs, |value| value);
        convolve(isa, &padded, &filters, sides.stride, &places, out);
    }
}

/// Gradient of the input, for the gradient `grad` of the output.
pub(crate) fn grad_input(
    isa: Avx512Bf16,
    sides: ConvSides,
    grad: &[Bf16],
    weight: &[Bf16],
    out: &mut [Bf16],
) {
    let (height, width) = (sides.out_height(), sides.out_width());
    let passes = if sides.stride == 1 { whole(sides, weight) } else { quarters(sides, weight) };
    // A filter of 3 reaches one row beyond each end; by halves of stride 2, only beyond the last.
    let before = if sides.stride == 1 { sides.kernel / 2 } else { 0 };
    let mut padded = padded(height, width, sides.outputs, [before, before, 1, 1]);
    let images = grad.chunks_exact(sides.output_len()).zip(out.chunks_exact_mut(sides.input_len()));
    for (image, out) in images {
        padded.fill(image, width, sides.outputs, |value| value);
        for (filters, places) in &passes {
            convolve(isa, &padded, filters, 1, places, out);
        }
    }
}

fn whole(sides: ConvSides, weight: &[Bf16]) -> Vec<(Filters, Places)> {
    let taps: Vec<usize> = (0..sides.kernel).rev().collect();
    vec![(Filters::pack(sides, weight, &taps, &taps, Toward::Input), every(sides, 0, 0, 1))]
}

/// Filter 3, stride 2, padding 1: even places meet the middle position, odd places the other two.
fn quarters(sides: ConvSides, weight: &[Bf16]) -> Vec<(Filters, Places)> {
    let taps: [&[usize]; 2] = [&[1], &[2, 0]];
    let mut passes = Vec::new();
    for (down, rows) in taps.iter().enumerate() {
        for (right, columns) in taps.iter().enumerate() {
            let filters = Filters::pack(sides, weight, rows, columns, Toward::Input);
            passes.push((filters, every(sides, down, right, 2)));
        }
    }
    passes
}

/// Every `step`-th place of the input, from (`down`, `right`) on.
fn every(sides: ConvSides, down: usize, right: usize, step: usize) -> Places {
    Places {
        rows: (sides.height - down).div_ceil(step),
        columns: (sides.width - right).div_ceil(step),
        start: (down * sides.width + right) * sides.inputs,
        row_step: step * sides.width * sides.inputs,
        column_step: step * sides.inputs,
        channels: sides.inputs,
    }
}

/// Room for images in pairs of channels, so an even number of them.
fn padded(height: usize, width: usize, channels: usize, borders: [usize; 4]) -> Padded<Bf16> {
    Padded::new(height, width, channels.next_multiple_of(2), borders)
}

/// Where results go.
struct Places {
    rows: usize,
    columns: usize,
    start: usize,
    row_step: usize,
    column_step: usize,
    channels: usize,
}

/// Which channels a pass sums over.
#[derive(Clone, Copy)]
enum Toward {
    Output,
    Input,
}

/// Filters in the order in which they are used: blocks of 16 results, rows of the filter, then
/// positions in the row and pairs of channels, then lanes.
struct Filters {
    words: Vec<u32>,
    rows: usize,
    /// Words in a row of one block.
    row_len: usize,
}

impl Filters {
    fn pack(
        sides: ConvSides,
        weight: &[Bf16],
        rows: &[usize],
        columns: &[usize],
        toward: Toward,
    ) -> Self {
        let k = sides.kernel;
        let (results, summed) = match toward {
            Toward::Output => (sides.outputs, sides.inputs),
            Toward::Input => (sides.inputs, sides.outputs),
        };
        let value = |result: usize, channel: usize, tap: usize| {
            if result >= results || channel >= summed {
                return Bf16::default();
            }
            let (output, input) = match toward {
                Toward::Output => (result, channel),
                Toward::Input => (channel, result),
            };
            weight[(output * sides.inputs + input) * k * k + tap]
        };
        let mut words = Vec::new();
        for block in (0..results).step_by(LANES) {
            for &row in rows {
                for tap in columns.iter().map(|column| row * k + column) {
                    for channel in (0..summed).step_by(2) {
                        words.extend((block..block + LANES).map(|result| {
                            pair(value(result, channel, tap), value(result, channel + 1, tap))
                        }));
                    }
                }
            }
        }
        let row_len = columns.len() * summed.div_ceil(2) * LANES;
        Self { words, rows: rows.len(), row_len }
    }
}

/// Slides filters over a padded image.
fn convolve(
    isa: Avx512Bf16,
    padded: &Padded<Bf16>,
    filters: &Filters,
    stride: usize,
    places: &Places,
    out: &mut [Bf16],
) {
    let words: &[u32] = bytemuck::cast_slice(&padded.values);
    let words_a_place = padded.channels / 2;
    let row_words = padded.width * words_a_place;
    let step = stride * words_a_place;
    let blocks = filters.words.chunks_exact(filters.rows * filters.row_len);
    for (block, filters_of_block) in blocks.enumerate() {
        let channel = block * LANES;
        let lanes = LANES.min(places.channels - channel);
        for row in 0..places.rows {
            let runs_at = |column: usize| {
                let from = row * stride * row_words + column * step;
                let run = |tap: usize| Run {
                    words: &words[from + tap * row_words..],
                    filters: &filters_of_block[tap * filters.row_len..][..filters.row_len],
                };
                [run(0), run(1.min(filters.rows - 1)), run(2.min(filters.rows - 1))]
            };
            let start = places.start + row * places.row_step + channel;
            let mut column = 0;
            while column < places.columns {
                let runs = runs_at(column);
                let runs = &runs[..filters.rows];
                let first = start + column * places.column_step;
                let out = Out { values: &mut out[first..], step: places.column_step, lanes };
                column += match places.columns - column {
                    16.. => tile::<16>(isa, runs, step, out),
                    8.. => tile::<8>(isa, runs, step, out),
                    4.. => tile::<4>(isa, runs, step, out),
                    _ => tile::<1>(isa, runs, step, out),
                };
            }
        }
    }
}

/// `T` neighbouring places; gives `T`. The usual numbers of channels are compiled in, so that the
/// places' distances are part of the instructions.
#[inline]
fn tile<const T: usize>(isa: Avx512Bf16, runs: &[Run<'_>], step: usize, out: Out<'_>) -> usize {
    match step {
        8 => dot::<T, 8>(isa, runs, step, out),
        16 => dot::<T, 16>(isa, runs, step, out),
        32 => dot::<T, 32>(isa, runs, step, out),
        _ => dot::<T, 0>(isa, runs, step, out),
    }
    T
}
