//! Images on the device, and how batches are made of them with tensor operations.

use std::marker::PhantomData;

use tch::{Device, Kind, Tensor};

use crate::augment::Crops;

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
    _borrowed: PhantomData<&'a [u8]>,
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
        let strides =
            [size, width * channels, channels, 1].map(|stride| stride as i64);
        // SAFETY: the slice outlives `self` (the lifetime says so), has this shape, and nothing
        // writes to `pixels`: batches are copies.
        let pixels = unsafe {
            Tensor::from_blob(pixels.as_ptr(), &shape, &strides, Kind::Uint8, Device::Cpu)
        };
        // A constant channel carries nothing: it becomes 0 whatever its deviation is taken to be.
        let std = normalisation.std.iter().map(|&std| if std > 0.0 { std } else { 1.0 });
        let scale: Vec<f32> = std.clone().map(|std| 1.0 / (255.0 * std)).collect();
        let shift: Vec<f32> =
            normalisation.mean.iter().zip(std).map(|(mean, std)| -mean / std).collect();
        Self {
            pixels: pixels.to_device(device),
            scale: Tensor::from_slice(&scale).to_device(device),
            shift: Tensor::from_slice(&shift).to_device(device),
            kind,
            _borrowed: PhantomData,
        }
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.pixels.size()[0] as usize
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Rows and columns of an image.
    pub fn sides(&self) -> (usize, usize) {
        (self.pixels.size()[1] as usize, self.pixels.size()[2] as usize)
    }

    /// Where the images are.
    pub fn device(&self) -> Device {
        self.pixels.device()
    }

    /// The un-augmented images `start..start + count`, N×C×H×W, normalised.
    pub fn range(&self, start: usize, count: usize) -> Tensor {
        self.normalise(&self.pixels.narrow(0, start as i64, count as i64))
    }

    /// The un-augmented images with these indices.
    pub fn select(&self, indices: &[i64]) -> Tensor {
        self.normalise(&self.pixels.index_select(0, &self.index(indices, [-1].as_slice())))
    }

    /// The images with these indices, cropped and flipped.
    pub fn augmented(&self, indices: &[i64], crops: &Crops) -> Tensor {
        let count = indices.len() as i64;
        let picture = self.index(indices, &[count, 1, 1]);
        let rows = self.index(&crops.rows, &[count, -1, 1]);
        let columns = self.index(&crops.columns, &[count, 1, -1]);
        self.normalise(&self.pixels.index(&[Some(picture), Some(rows), Some(columns)]))
    }

    fn index(&self, values: &[i64], shape: &[i64]) -> Tensor {
        Tensor::from_slice(values).view(shape).to_device(self.device())
    }

    fn normalise(&self, pixels: &Tensor) -> Tensor {
        let x = pixels.to_kind(Kind::Float) * &self.scale + &self.shift;
        x.to_kind(self.kind).permute([0, 3, 1, 2])
    }
}
