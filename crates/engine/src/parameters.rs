//! The numbers of a network: trained parameters and buffers, named as in PyTorch.

use tch::{Device, Kind, Tensor};

/// Index of a trained parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParamId(pub(crate) usize);

/// Index of a buffer, which is not trained: a running statistic, or filters that stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BufferId(pub(crate) usize);

/// Master copies of all parameters and buffers in a fixed order: 32-bit floats, as built.
#[derive(Debug, Default)]
pub struct Parameters {
    names: Vec<String>,
    values: Vec<Tensor>,
    buffer_names: Vec<String>,
    buffers: Vec<Tensor>,
    /// Of each buffer that is a running statistic, the weight of the newest batch; others are fixed.
    momenta: Vec<Option<f64>>,
}

impl Parameters {
    /// Adds a trained parameter.
    pub fn add(&mut self, name: String, value: Tensor) -> ParamId {
        self.names.push(name);
        self.values.push(value);
        ParamId(self.values.len() - 1)
    }

    /// Adds a buffer: a running statistic with the weight of the newest batch, or one that stays.
    pub(crate) fn add_buffer(
        &mut self,
        name: String,
        value: Tensor,
        momentum: Option<f64>,
    ) -> BufferId {
        self.buffer_names.push(name);
        self.momenta.push(momentum);
        self.buffers.push(value);
        BufferId(self.buffers.len() - 1)
    }

    /// Names of the trained parameters.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Trained parameters.
    pub fn values(&self) -> &[Tensor] {
        &self.values
    }

    /// Names of the buffers.
    pub fn buffer_names(&self) -> &[String] {
        &self.buffer_names
    }

    /// Buffers.
    pub fn buffers(&self) -> &[Tensor] {
        &self.buffers
    }

    /// The running statistics, each with the weight of the newest batch in it.
    pub(crate) fn statistics(&self) -> impl Iterator<Item = (&Tensor, f64)> {
        let buffers = self.buffers.iter().zip(&self.momenta);
        buffers.filter_map(|(buffer, momentum)| Some((buffer, (*momentum)?)))
    }

    /// The same trained parameters, shared, with buffers of its own.
    pub(crate) fn with_own_buffers(&self) -> Self {
        Self {
            names: self.names.clone(),
            values: self.values.iter().map(Tensor::shallow_clone).collect(),
            buffer_names: self.buffer_names.clone(),
            buffers: self.buffers.iter().map(Tensor::copy).collect(),
            momenta: self.momenta.clone(),
        }
    }

    /// The point at `alpha` on the straight line from these to `other`, running statistics too:
    /// exactly these at 0, exactly the other's at 1, and these where both are equal.
    ///
    /// # Panics
    /// When they are not of the same network.
    pub(crate) fn toward(&self, other: &Self, alpha: f64) -> Self {
        assert_eq!(self.names, other.names, "parameters of the same network");
        let between = |from: &[Tensor], to: &[Tensor]| {
            from.iter().zip(to).map(|(from, to)| from.lerp(to, alpha)).collect()
        };
        Self {
            names: self.names.clone(),
            values: between(&self.values, &other.values),
            buffer_names: self.buffer_names.clone(),
            buffers: between(&self.buffers, &other.buffers),
            momenta: self.momenta.clone(),
        }
    }

    /// A copy.
    pub(crate) fn copy(&self) -> Self {
        self.toward(self, 0.0)
    }

    /// Moves trained parameters and running statistics the part `weight` of the way to the other's.
    pub(crate) fn move_toward(&self, other: &Self, weight: f64) {
        for (own, other) in self.moving().zip(other.moving()) {
            drop(own.shallow_clone().lerp_(other, weight));
        }
    }

    /// Makes trained parameters and running statistics those of the other.
    pub(crate) fn set(&self, other: &Self) {
        for (own, other) in self.moving().zip(other.moving()) {
            own.shallow_clone().copy_(other);
        }
    }

    /// What training moves.
    fn moving(&self) -> impl Iterator<Item = &Tensor> {
        self.values.iter().chain(self.statistics().map(|(statistic, _)| statistic))
    }

    /// Moves everything to `device`.
    pub fn move_to(&mut self, device: Device) {
        for tensor in self.values.iter_mut().chain(&mut self.buffers) {
            *tensor = tensor.to_device(device);
        }
    }

    /// A copy in floats of another type.
    pub fn cast(&self, kind: Kind) -> Self {
        let cast = |values: &[Tensor]| values.iter().map(|x| x.to_kind(kind).copy()).collect();
        Self {
            names: self.names.clone(),
            values: cast(&self.values),
            buffer_names: self.buffer_names.clone(),
            buffers: cast(&self.buffers),
            momenta: self.momenta.clone(),
        }
    }

    /// Zeros in the shape of every parameter.
    pub(crate) fn zeros_like(&self) -> Vec<Tensor> {
        self.values.iter().map(Tensor::zeros_like).collect()
    }

    /// The parameters as layers compute with them: matrices and filters in `kind`, the scales and
    /// shifts of batch norm as they are.
    pub fn working_copy(&self, kind: Kind) -> Vec<Tensor> {
        let cast = |value: &Tensor| match value.dim() {
            1 => value.shallow_clone(),
            _ => value.to_kind(kind),
        };
        self.values.iter().map(cast).collect()
    }
}
