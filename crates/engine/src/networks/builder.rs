//! Adds layers with names and initial values.

use tch::{Device, Kind, Tensor};

use crate::aten::ConvShape;
use crate::layers::{BatchNorm, Conv2d, Linear};
use crate::network::Stage;
use crate::parameters::Parameters;

const CPU: (Kind, Device) = (Kind::Float, Device::Cpu);

/// Collects the parameters of the layers that it makes.
#[derive(Default)]
pub(crate) struct Builder {
    pub(crate) parameters: Parameters,
}

impl Builder {
    /// Convolution with k×k filters that keeps the size at stride 1, He normal (fan-out).
    pub(crate) fn conv(
        &mut self,
        name: &str,
        (inputs, outputs): (i64, i64),
        kernel: i64,
        stride: i64,
        bias: bool,
    ) -> Stage {
        let deviation = (2.0 / (outputs * kernel * kernel) as f64).sqrt();
        let weight = Tensor::randn([outputs, inputs, kernel, kernel], CPU) * deviation;
        Stage::Conv(Conv2d {
            weight: self.parameters.add(format!("{name}.weight"), weight),
            bias: bias.then(|| {
                self.parameters.add(format!("{name}.bias"), Tensor::zeros([outputs], CPU))
            }),
            shape: ConvShape { stride, padding: kernel / 2, groups: 1 },
        })
    }

    /// Batch norm with scale 1, shift 0.
    pub(crate) fn norm(&mut self, name: &str, channels: i64) -> BatchNorm {
        let parameters = &mut self.parameters;
        let (zeros, ones) = (|| Tensor::zeros([channels], CPU), || Tensor::ones([channels], CPU));
        BatchNorm {
            scale: parameters.add(format!("{name}.weight"), ones()),
            shift: parameters.add(format!("{name}.bias"), zeros()),
            mean: parameters.add_buffer(format!("{name}.running_mean"), zeros()),
            variance: parameters.add_buffer(format!("{name}.running_var"), ones()),
        }
    }

    /// Fully connected layer, weight and bias uniform in ±1/√inputs (PyTorch's default).
    pub(crate) fn linear(&mut self, name: &str, inputs: i64, outputs: i64) -> Stage {
        let bound = (inputs as f64).sqrt().recip();
        let uniform = |size: &[i64]| (Tensor::rand(size, CPU) * 2.0 - 1.0) * bound;
        Stage::Linear(Linear {
            weight: self.parameters.add(format!("{name}.weight"), uniform(&[outputs, inputs])),
            bias: self.parameters.add(format!("{name}.bias"), uniform(&[outputs])),
        })
    }
}
