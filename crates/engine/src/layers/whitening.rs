//! A first layer that makes the patches of natural images uncorrelated (Jordan 2024, section 3.2).
//!
//! A convolution of 2×2 patches without padding. Its filters are the eigenvectors of the covariance of
//! the training images' patches, each divided by √(its eigenvalue + ε), and the same with the other
//! sign. They are computed once and not trained; the bias is.

use tch::{Device, Kind, Tensor};

use super::nhwc::{slice, to_nhwc};
use crate::kernels::batch_norm::channel_sums;
use crate::kernels::{Bf16, Element};
use crate::parameters::{BufferId, ParamId, Parameters};
use crate::precision::sum_kind;

/// Side of a patch.
pub(crate) const SIDE: i64 = 2;
/// Added to eigenvalues.
const EPSILON: f64 = 5e-4;

/// Whitened patches of images, N×C×H×W to N×8C×(H−1)×(W−1).
#[derive(Clone, Debug)]
pub struct Whitening {
    /// Filters, 8C × C × 2 × 2.
    pub(crate) filters: BufferId,
    /// Bias, 8C.
    pub(crate) bias: ParamId,
}

impl Whitening {
    /// Output for the images `x`.
    pub(crate) fn forward(&self, parameters: &Parameters, x: &Tensor) -> Tensor {
        let filters = parameters.buffers()[self.filters.0].to_kind(x.kind());
        let bias = parameters.values()[self.bias.0].to_kind(x.kind());
        let (one, zero) = ([1, 1], [0, 0]);
        to_nhwc(&x.convolution(&filters, Some(bias), one, zero, one, false, zero, 1))
    }

    /// Gradient of the bias for each example, N × 8C.
    pub(crate) fn grad_bias(grad: &Tensor) -> Tensor {
        match (grad.device(), grad.kind()) {
            (Device::Cpu, Kind::Float) => Self::grad_bias_on_host::<f32>(grad),
            (Device::Cpu, Kind::BFloat16) => Self::grad_bias_on_host::<Bf16>(grad),
            _ => grad.sum_dim_intlist([2i64, 3].as_slice(), false, sum_kind(grad.kind())),
        }
    }

    fn grad_bias_on_host<E: Element>(grad: &Tensor) -> Tensor {
        let (images, channels) = (grad.size()[0], grad.size()[1]);
        let values = slice::<E>(grad);
        let size = (values.len() / images as usize).max(1);
        let sums: Vec<f32> =
            values.chunks(size).flat_map(|image| channel_sums(image, channels as usize)).collect();
        Tensor::from_slice(&sums).view([images, channels])
    }

    /// Computes the filters from batches of normalised images N×C×H×W, in 64-bit floats.
    pub(crate) fn fit(&self, parameters: &Parameters, batches: impl Iterator<Item = Tensor>) {
        let filters = &parameters.buffers()[self.filters.0];
        let channels = filters.size()[1];
        let width = channels * SIDE * SIDE;
        let mut covariance = Tensor::zeros([width, width], (Kind::Double, filters.device()));
        let mut count = 0;
        for images in batches {
            let patches = images.unfold(2, SIDE, 1).unfold(3, SIDE, 1);
            // N × rows × columns × C × 2 × 2
            let patches = patches.permute([0, 2, 3, 1, 4, 5]).reshape([-1, width]);
            let patches = patches.to_kind(Kind::Double);
            covariance += patches.tr().matmul(&patches);
            count += patches.size()[0];
        }
        // On the processor, so that the signs of the eigenvectors do not depend on the device.
        let covariance = (covariance / count as f64).to_device(Device::Cpu);
        let (eigenvalues, eigenvectors) = covariance.linalg_eigh("L");
        let scaled = eigenvectors.tr() / (eigenvalues + EPSILON).sqrt().unsqueeze(-1);
        let scaled = Tensor::cat(&[&scaled, &-&scaled], 0);
        let scaled = scaled.view([2 * width, channels, SIDE, SIDE]).to_kind(filters.kind());
        filters.shallow_clone().copy_(&scaled);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patches_come_out_uncorrelated() {
        let noise = Tensor::randn([64, 3, 9, 9], (Kind::Float, Device::Cpu));
        // Neighbours and channels that resemble each other.
        let smooth = noise.avg_pool2d([2, 2], [1, 1], [0, 0], false, true, None::<i64>);
        let images = &smooth + smooth.mean_dim([1i64].as_slice(), true, Kind::Float) * 3.0;
        let mut parameters = Parameters::default();
        let cpu = (Kind::Float, Device::Cpu);
        let layer = Whitening {
            filters: parameters.add_buffer(
                "filters".into(),
                Tensor::zeros([24, 3, 2, 2], cpu),
                None,
            ),
            bias: parameters.add("bias".into(), Tensor::zeros([24], cpu)),
        };
        layer.fit(&parameters, [images.narrow(0, 0, 40), images.narrow(0, 40, 24)].into_iter());
        let out = layer.forward(&parameters, &images);
        assert_eq!(out.size(), [64, 24, 7, 7]);
        let rows = out.permute([0, 2, 3, 1]).reshape([-1, 24]).narrow(1, 0, 12);
        let covariance = rows.tr().matmul(&rows) / rows.size()[0] as f64;
        let off = &covariance - Tensor::diag(&covariance.diagonal(0, 0, 1), 0);
        assert!(off.abs().max().double_value(&[]) < 1e-3);
        let variances = covariance.diagonal(0, 0, 1);
        assert!(
            variances.max().double_value(&[]) < 1.001 && variances.min().double_value(&[]) > 0.5
        );
        let second = out.narrow(1, 12, 12) + out.narrow(1, 0, 12);
        assert!(second.abs().max().double_value(&[]) < 1e-5, "the second half is the negative");
    }
}
