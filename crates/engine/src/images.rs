//! Images on the device, and how batches are made of them with tensor operations.

use std::marker::PhantomData;

use tch::{Device, Kind, Tensor};

use crate::augment::Crops;
use crate::kernels::{Bf16, Element, PixelTable};
use crate::layers::nhwc::make_mut;

/// Per-channel normalisation: `(pixel/255 − mean) / std`.
#[derive(Clone, Debug, PartialEq)]
pub struct Normalisation<'a> {
    /// Mean of each channel, of pixels scaled to [0, 1].
    pub mean: &'a [f32],
    /// Standard deviation of each channel.
    pub std: &'a [f32],
}

/// All images of a split, 8 bits a channel, resident on the device.
///
/// On the processor they are the pages of the data set's memory map, shared by all workers.
pub struct Images<'a> {
    pixels: Tensor,
    scale: Tensor,
    shift: Tensor,
    kind: Kind,
    host: Option<Host<'a>>,
    _borrowed: PhantomData<&'a [u8]>,
}

/// On the processor: the same pixels, and tables instead of arithmetic.
struct Host<'a> {
    pixels: &'a [u8],
    f32: PixelTable<f32>,
    bf16: PixelTable<Bf16>,
}

impl<'a> Images<'a> {
    /// Wraps `pixels`, `[count, height, width, channels]` in that order.
    ///
    /// # Panics
    /// When the number of pixels does not fit the shape.
    pub fn new(
        pixels: &'a [u8],
        [height, width, channels]: [usize; 3],
        normalisation: &Normalisation<'_>,
        kind: Kind,
        device: Device,
    ) -> Self {
        let size = height * width * channels;
        assert_eq!(pixels.len() % size, 0, "whole images");
        let shape = [pixels.len() / size, height, width, channels].map(|side| side as i64);
        let strides = [size, width * channels, channels, 1].map(|stride| stride as i64);
        // SAFETY: the slice outlives `self` (the lifetime says so), has this shape, and nothing
        // writes to `pixels`: batches are copies.
        let blob = unsafe {
            Tensor::from_blob(pixels.as_ptr(), &shape, &strides, Kind::Uint8, Device::Cpu)
        };
        // A constant channel carries nothing: it becomes 0 whatever its deviation is taken to be.
        let std = normalisation.std.iter().map(|&std| if std > 0.0 { std } else { 1.0 });
        let scale: Vec<f32> = std.clone().map(|std| 1.0 / (255.0 * std)).collect();
        let shift: Vec<f32> =
            normalisation.mean.iter().zip(std).map(|(mean, std)| -mean / std).collect();
        let host = (device == Device::Cpu).then(|| Host {
            pixels,
            f32: PixelTable::new(&scale, &shift),
            bf16: PixelTable::new(&scale, &shift),
        });
        Self {
            host,
            pixels: blob.to_device(device),
            scale: Tensor::from_slice(&scale).to_device(device),
            shift: Tensor::from_slice(&shift).to_device(device),
            kind,
            _borrowed: PhantomData,
        }
    }

    /// Rows and columns of an image.
    pub(crate) fn sides(&self) -> (usize, usize) {
        (self.pixels.size()[1] as usize, self.pixels.size()[2] as usize)
    }

    /// Where the images are.
    pub(crate) fn device(&self) -> Device {
        self.pixels.device()
    }

    /// Type of the activations that they become.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The un-augmented images `start..start + count`, N×C×H×W, normalised.
    pub(crate) fn range(&self, start: usize, count: usize) -> Tensor {
        match (&self.host, self.kind) {
            (Some(host), Kind::Float) => self.host_range(host.pixels, &host.f32, start, count),
            (Some(host), Kind::BFloat16) => self.host_range(host.pixels, &host.bf16, start, count),
            _ => self.normalise(&self.pixels.narrow(0, start as i64, count as i64)),
        }
    }

    fn host_range<E: Element>(
        &self,
        pixels: &[u8],
        table: &PixelTable<E>,
        start: usize,
        count: usize,
    ) -> Tensor {
        let size = self.image_size();
        let mut batch = self.empty(count);
        table.normalise(&pixels[start * size..(start + count) * size], make_mut(&mut batch));
        batch
    }

    /// The un-augmented images with these indices.
    pub fn select(&self, indices: &[i64]) -> Tensor {
        self.normalise(&self.pixels.index_select(0, &self.index(indices, [-1].as_slice())))
    }

    /// The images with these indices, cropped and flipped.
    pub(crate) fn augmented(&self, indices: &[i64], crops: &Crops) -> Tensor {
        match (&self.host, self.kind) {
            (Some(host), Kind::Float) => {
                self.host_augmented(host.pixels, &host.f32, indices, crops)
            }
            (Some(host), Kind::BFloat16) => {
                self.host_augmented(host.pixels, &host.bf16, indices, crops)
            }
            _ => self.device_augmented(indices, crops),
        }
    }

    fn host_augmented<E: Element>(
        &self,
        pixels: &[u8],
        table: &PixelTable<E>,
        indices: &[i64],
        crops: &Crops,
    ) -> Tensor {
        let (height, width) = self.sides();
        let size = self.image_size();
        let mut batch = self.empty(indices.len());
        let rows = crops.rows.chunks_exact(height).zip(crops.columns.chunks_exact(width));
        let images = indices.iter().zip(make_mut::<E>(&mut batch).chunks_exact_mut(size));
        for ((&index, out), (rows, columns)) in images.zip(rows) {
            table.gather(&pixels[index as usize * size..][..size], rows, columns, out);
        }
        batch
    }

    /// The same as one gather over the batch, on any device.
    fn device_augmented(&self, indices: &[i64], crops: &Crops) -> Tensor {
        let count = indices.len() as i64;
        let picture = self.index(indices, &[count, 1, 1]);
        let rows = self.index(&crops.rows, &[count, -1, 1]);
        let columns = self.index(&crops.columns, &[count, 1, -1]);
        self.normalise(&self.pixels.index(&[Some(picture), Some(rows), Some(columns)]))
    }

    /// Numbers in an image.
    fn image_size(&self) -> usize {
        self.pixels.size()[1..].iter().product::<i64>() as usize
    }

    /// Room for a batch, N×C×H×W with channels innermost.
    fn empty(&self, count: usize) -> Tensor {
        let mut shape = self.pixels.size();
        shape[0] = count as i64;
        Tensor::empty(shape, (self.kind, Device::Cpu)).permute([0, 3, 1, 2])
    }

    fn index(&self, values: &[i64], shape: &[i64]) -> Tensor {
        Tensor::from_slice(values).view(shape).to_device(self.device())
    }

    fn normalise(&self, pixels: &Tensor) -> Tensor {
        let x = pixels.to_kind(Kind::Float) * &self.scale + &self.shift;
        x.to_kind(self.kind).permute([0, 3, 1, 2])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::to_vec;

    #[test]
    fn tables_and_tensor_operations_agree() {
        let pixels: Vec<u8> = (0..5 * 6 * 7 * 3).map(|i| (i * 37 % 256) as u8).collect();
        let normalisation = Normalisation { mean: &[0.1, 0.5, 0.9], std: &[0.2, 0.3, 0.0] };
        let mut rng = datadiet_core::rng(1, 0, datadiet_core::Stream::Augmentation, 0);
        let crops = Crops::draw(4, (6, 7), 2, crate::augment::Mirror::Random, &mut rng);
        let indices = [4, 0, 2, 2];
        for kind in [Kind::Float, Kind::BFloat16] {
            let images = Images::new(&pixels, [6, 7, 3], &normalisation, kind, Device::Cpu);
            let fast = images.augmented(&indices, &crops);
            let plain = images.device_augmented(&indices, &crops);
            assert_eq!(fast.size(), [4, 3, 6, 7]);
            assert_eq!(to_vec::<f32>(&fast), to_vec::<f32>(&plain));
            assert_eq!(
                to_vec::<f32>(&images.range(1, 3)),
                to_vec::<f32>(&images.select(&[1, 2, 3]))
            );
        }
    }
}
