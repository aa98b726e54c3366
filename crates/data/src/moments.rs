//! Mean and standard deviation of each channel, in units of [0, 1].
//!
//! Population standard deviation, over all pixels of the training split, from exact byte counts
//! summed in f64. It does not guard against a constant channel, whose deviation is 0.

use rayon::prelude::*;

const PART: usize = 1 << 20;

/// Mean and standard deviation of each channel of interleaved bytes.
pub(crate) fn channel_moments(images: &[u8], channels: usize) -> (Vec<f32>, Vec<f32>) {
    let histogram = histogram(images, channels);
    histogram.iter().map(moments).unzip()
}

fn histogram(images: &[u8], channels: usize) -> Vec<[u64; 256]> {
    let empty = || vec![[0_u64; 256]; channels];
    images
        .par_chunks(PART * channels)
        .map(|part| {
            let mut counts = empty();
            for pixel in part.chunks_exact(channels) {
                for (counts, &value) in counts.iter_mut().zip(pixel) {
                    counts[usize::from(value)] += 1;
                }
            }
            counts
        })
        .reduce(empty, |mut a, b| {
            a.iter_mut().flatten().zip(b.iter().flatten()).for_each(|(a, b)| *a += b);
            a
        })
}

fn moments(counts: &[u64; 256]) -> (f32, f32) {
    let n = counts.iter().sum::<u64>() as f64;
    let unit = |value: usize| value as f64 / 255.0;
    let weighted = |of: &dyn Fn(f64) -> f64| -> f64 {
        counts.iter().enumerate().map(|(value, &count)| count as f64 * of(unit(value))).sum::<f64>()
            / n
    };
    let mean = weighted(&|x| x);
    let variance = weighted(&|x| (x - mean).powi(2));
    (mean as f32, variance.sqrt() as f32)
}

#[cfg(test)]
mod tests {
    use super::channel_moments;

    #[test]
    fn channels_are_separate_and_the_deviation_is_that_of_the_population() {
        let (mean, std) = channel_moments(&[0, 255, 51, 255, 255, 51], 3);
        assert_eq!(mean, [0.5, 1.0, 0.2]);
        assert_eq!(std, [0.5, 0.0, 0.0]);
    }
}
