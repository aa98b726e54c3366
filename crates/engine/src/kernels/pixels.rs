//! From 8-bit pixels to normalised activations, by table.
//!
//! A pixel has 256 values, so that `(pixel/255 − mean)/std` is 256 numbers a channel. Looking them
//! up while a crop is gathered takes one pass over memory instead of libtorch's five.

use super::Element;

/// The normalised value of every pixel value, for each channel.
#[derive(Clone, Debug)]
pub(crate) struct PixelTable<E> {
    channels: usize,
    /// 256 values for each channel.
    values: Vec<E>,
}

impl<E: Element> PixelTable<E> {
    /// The map `pixel·scale + shift` of each channel.
    pub(crate) fn new(scale: &[f32], shift: &[f32]) -> Self {
        let channel = |(&scale, &shift): (&f32, &f32)| {
            (0..=u8::MAX).map(move |pixel| E::narrow(f32::from(pixel) * scale + shift))
        };
        Self { channels: scale.len(), values: scale.iter().zip(shift).flat_map(channel).collect() }
    }

    /// Normalises pixels, channels innermost, in their order.
    pub(crate) fn normalise(&self, pixels: &[u8], out: &mut [E]) {
        assert_eq!(pixels.len(), out.len(), "as many activations as pixels");
        let places = pixels.chunks_exact(self.channels).zip(out.chunks_exact_mut(self.channels));
        for (from, to) in places {
            self.place(from, to);
        }
    }

    /// Normalises the pixels of one image (height × width × channels) that `rows` × `columns`
    /// name: `out[i][j] = image[rows[i]][columns[j]]`.
    pub(crate) fn gather(&self, image: &[u8], rows: &[i64], columns: &[i64], out: &mut [E]) {
        let channels = self.channels;
        let width = columns.len() * channels;
        for (&row, out) in rows.iter().zip(out.chunks_exact_mut(width)) {
            let row = &image[row as usize * width..][..width];
            for (&column, to) in columns.iter().zip(out.chunks_exact_mut(channels)) {
                self.place(&row[column as usize * channels..][..channels], to);
            }
        }
    }

    #[inline(always)]
    fn place(&self, from: &[u8], to: &mut [E]) {
        for ((&pixel, to), table) in from.iter().zip(to).zip(self.values.chunks_exact(256)) {
            *to = table[usize::from(pixel)];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gathers_and_normalises() {
        let table = PixelTable::<f32>::new(&[1.0, 10.0], &[0.0, 1.0]);
        // Two rows of two pixels of two channels.
        let image = [1, 2, 3, 4, 5, 6, 7, 8];
        let mut out = [0.0; 8];
        table.gather(&image, &[1, 0], &[1, 1], &mut out);
        assert_eq!(out, [7.0, 81.0, 7.0, 81.0, 3.0, 41.0, 3.0, 41.0]);
        table.normalise(&image, &mut out);
        assert_eq!(out, [1.0, 21.0, 3.0, 41.0, 5.0, 61.0, 7.0, 81.0]);
    }
}
