//! Tokens: values that prove that the processor has certain instructions.

use std::sync::OnceLock;

use super::{Isa, Kernel, Level, limit};

/// What the build's target has for certain.
#[derive(Clone, Copy, Debug)]
pub struct Scalar;

impl Isa for Scalar {
    #[inline(always)]
    fn call<K: Kernel>(self, kernel: K) -> K::Output {
        kernel.run(self)
    }
}

/// A token that kernels are compiled for. The features that are looked for and those that are compiled
/// with are one list.
macro_rules! token {
    ($(#[$about:meta])* $name:ident, $($feature:tt)+) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug)]
        pub struct $name(());

        impl $name {
            /// The token, where the processor has these instructions and [`limit`] allows them.
            ///
            /// # Panics
            /// Where `DATADIET_MAX_ISA` has a value that [`limit`] refuses.
            #[must_use]
            #[inline]
            pub fn detect() -> Option<Self> {
                (level() >= Level::$name).then_some(Self(()))
            }

            /// Whether the processor has these instructions.
            fn is_present() -> bool {
                #[cfg(target_arch = "x86_64")]
                return true $(&& is_x86_feature_detected!($feature))+;
                #[cfg(not(target_arch = "x86_64"))]
                false
            }
        }

        #[cfg(target_arch = "x86_64")]
        impl Isa for $name {
            #[inline(always)]
            fn call<K: Kernel>(self, kernel: K) -> K::Output {
                $(#[target_feature(enable = $feature)])+
                fn compiled<K: Kernel>(isa: $name, kernel: K) -> K::Output {
                    kernel.run(isa)
                }
                // SAFETY: a value of this type comes from `detect` alone, which gives it only where
                // `is_present` has found every feature that `compiled` has.
                unsafe { compiled(self, kernel) }
            }
        }
    };
}

token! {
    /// AVX2, FMA and F16C.
    Avx2, "avx2" "fma" "f16c"
}

token! {
    /// AVX-512 F, BW, DQ and VL, and all of [`Avx2`].
    Avx512, "avx2" "fma" "f16c" "avx512f" "avx512bw" "avx512dq" "avx512vl"
}

/// AVX512-BF16, which multiplies pairs of bfloat16, and all of [`Avx512`].
#[derive(Clone, Copy, Debug)]
pub struct Avx512Bf16(());

impl Avx512Bf16 {
    /// As [`Avx512::detect`].
    #[must_use]
    #[inline]
    pub fn detect() -> Option<Self> {
        (level() >= Level::Avx512Bf16).then_some(Self(()))
    }

    fn is_present() -> bool {
        #[cfg(target_arch = "x86_64")]
        return Avx512::is_present() && is_x86_feature_detected!("avx512bf16");
        #[cfg(not(target_arch = "x86_64"))]
        false
    }
}

/// The best level that is both allowed and, as all those below it, there.
fn level() -> Level {
    static LEVEL: OnceLock<Level> = OnceLock::new();
    *LEVEL.get_or_init(|| {
        let limit = limit().unwrap_or_else(|problem| panic!("{problem}"));
        [
            (Level::Avx512Bf16, Avx512Bf16::is_present as fn() -> bool),
            (Level::Avx512, Avx512::is_present),
            (Level::Avx2, Avx2::is_present),
        ]
        .into_iter()
        .find(|(level, is_present)| *level <= limit && is_present())
        .map_or(Level::Scalar, |(level, _)| level)
    })
}
