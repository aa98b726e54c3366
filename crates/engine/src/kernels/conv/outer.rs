//! Gradients of filters: outer products of input and output gradient, summed over positions.
//!
//! In a padded NHWC image the inputs of one filter row at one place are neighbours in memory,
//! `k·inputs` numbers, so that nothing needs to be unfolded: a row of the filter is a matrix
//! product of two strided views. In bfloat16 two neighbouring places are multiplied and summed at
//! once; for that, input and gradient are paired with the place next to them.

use datadiet_core::isa::{Avx512, Avx512Bf16, LANES};

use super::lanes::{Arithmetic, Outer, outer};
use super::{ConvSides, Padded, pair};
use crate::kernels::{Bf16, Element};

/// Squared norms of the filters' gradient for single images.
pub(crate) struct Squares(Operands);

impl Squares {
    /// For images of bfloat16, or of 32-bit floats.
    pub(crate) fn new(sides: ConvSides, bf16: bool) -> Self {
        Self(Operands::new(sides, arithmetic(bf16)))
    }

    /// `‖dw‖²` of one image, for one image's input and output gradient.
    pub(crate) fn of<E: Element>(&mut self, image: &[E], grad: &[E]) -> f32 {
        self.0.fill(image, grad);
        let mut total = 0f64;
        self.0.visit(|_, _, _, tile| {
            let mut squares = [0f32; LANES];
            for row in tile {
                squares.iter_mut().zip(row).for_each(|(square, value)| *square += value * value);
            }
            total += f64::from(squares.iter().sum::<f32>());
        });
        total as f32
    }
}

fn arithmetic(bf16: bool) -> Arithmetic {
    let pairs = if bf16 { Avx512Bf16::detect() } else { None };
    match (pairs, Avx512::detect()) {
        (Some(isa), _) => Arithmetic::Bf16Pairs(isa),
        (None, Some(isa)) => Arithmetic::F32Wide(isa),
        (None, None) => Arithmetic::F32,
    }
}

/// Input and output gradient of one image, as words.
struct Operands {
    sides: ConvSides,
    arithmetic: Arithmetic,
    /// The padded input, or pairs of it with the next place's.
    words: Padded<u32>,
    /// Scratch for the pairs.
    plain: Padded<Bf16>,
    /// Output gradients in blocks of 16 channels, or pairs of them.
    lanes: Vec<u32>,
}

impl Operands {
    fn new(sides: ConvSides, arithmetic: Arithmetic) -> Self {
        let room = |used: bool| if used { sides.height } else { 0 };
        let pairs = arithmetic.is_pairs();
        let (width, inputs, borders) = (sides.width, sides.inputs, [sides.padding; 4]);
        let columns = sides.out_width().div_ceil(if pairs { 2 } else { 1 });
        let channels = sides.outputs.next_multiple_of(LANES);
        let mut plain = Padded::new(room(pairs), width, inputs, borders);
        // The last place has a neighbour too: nothing.
        plain.values.resize(plain.values.len() + sides.stride * inputs, Bf16::default());
        Self {
            sides,
            arithmetic,
            words: Padded::new(sides.height, width, inputs, borders),
            plain,
            lanes: vec![0; sides.out_height() * columns * channels],
        }
    }

    fn fill<E: Element>(&mut self, image: &[E], grad: &[E]) {
        if self.arithmetic.is_pairs() {
            self.fill_bf16(bytemuck::cast_slice(image), bytemuck::cast_slice(grad));
        } else {
            self.fill_floats(image, grad);
        }
    }

    fn fill_floats<E: Element>(&mut self, image: &[E], grad: &[E]) {
        let sides = self.sides;
        self.words.fill(image, sides.width, sides.inputs, |value| value.widen().to_bits());
        let channels = sides.outputs.next_multiple_of(LANES);
        let places = self.lanes.chunks_exact_mut(channels).zip(grad.chunks_exact(sides.outputs));
        for (to, from) in places {
            to.iter_mut().zip(from).for_each(|(to, from)| *to = from.widen().to_bits());
        }
    }

    fn fill_bf16(&mut self, image: &[Bf16], grad: &[Bf16]) {
        let sides = self.sides;
        self.plain.fill(image, sides.width, sides.inputs, |value| value);
        // The last places of a row are paired with the next row's first: those pairs are not used.
        let next = sides.stride * sides.inputs;
        let low = &self.plain.values;
        let words = self.words.values.iter_mut().zip(low.iter().zip(&low[next..]));
        words.for_each(|(word, (&low, &high))| *word = pair(low, high));

        let channels = sides.outputs.next_multiple_of(LANES);
        let columns = sides.out_width().div_ceil(2);
        let rows = self.lanes.chunks_exact_mut(columns * channels);
        for (to, from) in rows.zip(grad.chunks_exact(sides.out_width() * sides.outputs)) {
            let pairs = from.chunks(2 * sides.outputs);
            for (to, from) in to.chunks_exact_mut(channels).zip(pairs) {
                let (low, high) = from.split_at(sides.outputs);
                if high.is_empty() {
                    to.iter_mut().zip(low).for_each(|(to, &low)| *to = pair(low, Bf16::default()));
                } else {
                    let both = low.iter().zip(high);
                    to.iter_mut().zip(both).for_each(|(to, (&low, &high))| *to = pair(low, high));
                }
            }
        }
    }

    /// Calls `visit(filter row, first word, block of outputs, sums)` for all tiles of the gradient.
    fn visit(&self, mut visit: impl FnMut(usize, usize, usize, &[[f32; LANES]])) {
        let words = self.sides.kernel * self.sides.inputs;
        for block in 0..self.sides.outputs.div_ceil(LANES) {
            for row in 0..self.sides.kernel {
                let mut word = 0;
                while word < words {
                    word += match words - word {
                        16.. => self.tile::<16>(row, word, block, &mut visit),
                        8.. => self.tile::<8>(row, word, block, &mut visit),
                        4.. => self.tile::<4>(row, word, block, &mut visit),
                        _ => self.tile::<1>(row, word, block, &mut visit),
                    };
                }
            }
        }
    }

    fn tile<const N: usize>(
        &self,
        row: usize,
        word: usize,
        block: usize,
        visit: &mut impl FnMut(usize, usize, usize, &[[f32; LANES]]),
    ) -> usize {
        let sides = self.sides;
        let together = if self.arithmetic.is_pairs() { 2 } else { 1 };
        let columns = sides.out_width().div_ceil(together);
        let channels = sides.outputs.next_multiple_of(LANES);
        let row_words = self.words.width * sides.inputs;
        let places = Outer {
            words: &self.words.values[row * row_words + word..],
            lanes: &self.lanes[block * LANES..],
            rows: sides.out_height(),
            columns,
            word_steps: [sides.stride * row_words, together * sides.stride * sides.inputs],
            lane_steps: [columns * channels, channels],
        };
        let sums = outer::<N>(self.arithmetic, &places);
        visit(row, word, block, &sums);
        N
    }
}
