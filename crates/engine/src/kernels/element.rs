//! The two storage types of activations, as plain loops that compilers vectorise.

/// A number as stored in an activation; arithmetic is always in `f32`.
pub(crate) trait Element: bytemuck::Pod + Send + Sync {
    /// The matching libtorch type.
    const KIND: tch::Kind;
    /// Widens, exactly.
    fn widen(self) -> f32;
    /// Rounds to nearest, ties to even. The NaNs of arithmetic stay NaN.
    fn narrow(value: f32) -> Self;
}

impl Element for f32 {
    const KIND: tch::Kind = tch::Kind::Float;

    #[inline(always)]
    fn widen(self) -> f32 {
        self
    }

    #[inline(always)]
    fn narrow(value: f32) -> Self {
        value
    }
}

/// bfloat16: the upper half of an `f32`.
///
/// `half::bf16` converts one number at a time, with branches; these two lines vectorise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(transparent)]
pub(crate) struct Bf16(u16);

impl Bf16 {
    /// As stored.
    #[inline(always)]
    pub(crate) fn bits(self) -> u16 {
        self.0
    }
}

impl Element for Bf16 {
    const KIND: tch::Kind = tch::Kind::BFloat16;

    #[inline(always)]
    fn widen(self) -> f32 {
        f32::from_bits(u32::from(self.0) << 16)
    }

    #[inline(always)]
    fn narrow(value: f32) -> Self {
        let bits = value.to_bits();
        // A branch on NaN would keep this from being vectorised, and needs none: the NaN that
        // arithmetic makes has a mantissa of one bit, which the rounding does not carry out of.
        let rounded = bits.wrapping_add(0x7fff + ((bits >> 16) & 1)) >> 16;
        Self(rounded as u16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nan_stays_nan() {
        let infinity = f32::INFINITY;
        for nan in [f32::NAN, -f32::NAN, infinity - infinity, 0.0 * infinity] {
            assert!(Bf16::narrow(nan).widen().is_nan());
        }
        // Any NaN that comes from a bfloat16.
        for bits in (0..=u16::MAX).filter(|&bits| Bf16(bits).widen().is_nan()) {
            assert!(Bf16::narrow(Bf16(bits).widen()).widen().is_nan());
        }
    }

    proptest! {
        #[test]
        fn rounds_as_the_half_crate_does(bits: u32) {
            let value = f32::from_bits(bits);
            let expected = half::bf16::from_f32(value);
            let found = Bf16::narrow(value);
            if !value.is_nan() {
                prop_assert_eq!(found.0, expected.to_bits());
            }
        }
    }
}
