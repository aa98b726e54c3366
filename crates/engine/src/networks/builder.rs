//! Adds layers with names and initial values.

use datadiet_store::Activation;
use tch::{Device, Kind, Tensor};

use crate::aten::ConvShape;
use crate::layers::{BatchNorm, Conv2d, Linear};
use crate::network::Stage;
use crate::parameters::Parameters;

pub(super) const CPU: (Kind, Device) = (Kind::Float, Device::Cpu);

/// Weight of the newest batch in running statistics, PyTorch's default (0.9 in the paper's convention).
const MOMENTUM: f64 = 0.1;

/// Collects the parameters of the layers that it makes.
#[derive(Default)]
pub(crate) struct Builder {
    pub(crate) parameters: Parameters,
    /// The nonlinearity asked for.
    pub(crate) activation: Option<Activation>,
}

impl Builder {
    /// The nonlinearity of a network that has ReLUs where nothing is asked for.
    pub(crate) fn relu(&self) -> Activation {
        self.activation.unwrap_or(Activation::Relu)
    }

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
            scale: Some(parameters.add(format!("{name}.weight"), ones())),
            shift: parameters.add(format!("{name}.bias"), zeros()),
            mean: parameters.add_buffer(format!("{name}.running_mean"), zeros(), Some(MOMENTUM)),
            variance: parameters.add_buffer(format!("{name}.running_var"), ones(), Some(MOMENTUM)),
            epsilon: 1e-5,
            momentum: MOMENTUM,
        }
    }

    /// Fully connected layer, weight and bias uniform in ±1/√inputs (PyTorch's default).
    pub(crate) fn linear(&mut self, name: &str, inputs: i64, outputs: i64) -> Stage {
        let bound = (inputs as f64).sqrt().recip();
        let uniform = |size: &[i64]| (Tensor::rand(size, CPU) * 2.0 - 1.0) * bound;
        Stage::Linear(Linear {
            weight: self.parameters.add(format!("{name}.weight"), uniform(&[outputs, inputs])),
            bias: Some(self.parameters.add(format!("{name}.bias"), uniform(&[outputs]))),
            factor: 1.0,
        })
    }
}
