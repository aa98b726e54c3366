//! Squared norms of the filters' gradients for single images of a convolution over NHWC, where libtorch
//! gives gradients of whole batches only.
//!
//! One image at a time, so that an image and its gradient stay in the cache:
//!
//! ```text
//! dw[c, i, t] = Σ_o dy[o, c] · x[s·o + t − p, i]
//! ‖dw‖²       = Σ_{c,i,t} dw[c, i, t]²
//! ```
//!
//! with `o` output positions, `t` positions in the k×k filter, `s` stride and `p` padding. In bfloat16
//! with AVX512-BF16, else in 32-bit floats; sums are in 32-bit floats.

mod lanes;
mod outer;

pub(crate) use outer::Squares;

use super::Bf16;

/// Sides of a convolution, without groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ConvSides {
    /// Rows of the input.
    pub(crate) height: usize,
    /// Columns of the input.
    pub(crate) width: usize,
    /// Channels of the input.
    pub(crate) inputs: usize,
    /// Channels of the output.
    pub(crate) outputs: usize,
    /// Side of the filter.
    pub(crate) kernel: usize,
    /// Step between positions.
    pub(crate) stride: usize,
    /// Zeros around the input.
    pub(crate) padding: usize,
}

impl ConvSides {
    /// Rows of the output.
    pub(crate) fn out_height(self) -> usize {
        (self.height + 2 * self.padding - self.kernel) / self.stride + 1
    }

    /// Columns of the output.
    pub(crate) fn out_width(self) -> usize {
        (self.width + 2 * self.padding - self.kernel) / self.stride + 1
    }

    /// Numbers in an input image.
    pub(crate) fn input_len(self) -> usize {
        self.height * self.width * self.inputs
    }

    /// Numbers in an output image.
    pub(crate) fn output_len(self) -> usize {
        self.out_height() * self.out_width() * self.outputs
    }

    /// Numbers in the filters.
    pub(crate) fn weight_len(self) -> usize {
        self.outputs * self.inputs * self.kernel * self.kernel
    }
}

/// An image with zeros around it, refilled for one image after the other.
struct Padded<T> {
    values: Vec<T>,
    width: usize,
    channels: usize,
    top: usize,
    left: usize,
}

impl<T: Copy + Default> Padded<T> {
    /// Room for `height` × `width` × `channels` with borders of [top, left, bottom, right].
    fn new(height: usize, width: usize, channels: usize, borders: [usize; 4]) -> Self {
        let [top, left, bottom, right] = borders;
        let width = left + width + right;
        let values = vec![T::default(); (top + height + bottom) * width * channels];
        Self { values, width, channels, top, left }
    }

    /// Puts an image of `width` × `channels` rows in the middle. Channels that the room has more
    /// than the image stay zero.
    fn fill<S: Copy>(&mut self, image: &[S], width: usize, channels: usize, map: impl Fn(S) -> T) {
        let start = (self.top * self.width + self.left) * self.channels;
        let rows = self.values[start..].chunks_mut(self.width * self.channels);
        for (to, from) in rows.zip(image.chunks_exact(width * channels)) {
            if channels == self.channels {
                to.iter_mut().zip(from).for_each(|(to, &from)| *to = map(from));
                continue;
            }
            let places = to.chunks_exact_mut(self.channels).zip(from.chunks_exact(channels));
            for (to, from) in places {
                to.iter_mut().zip(from).for_each(|(to, &from)| *to = map(from));
            }
        }
    }
}

/// Two bfloat16 as the processor takes them: `low` in the lower half.
fn pair(low: Bf16, high: Bf16) -> u32 {
    u32::from(low.bits()) | u32::from(high.bits()) << 16
}

#[cfg(test)]
mod tests;
