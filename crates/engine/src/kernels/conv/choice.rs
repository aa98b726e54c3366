//! Whose convolutions are used in bfloat16: ours or oneDNN's, which libtorch calls.

use std::env;
use std::fmt::{self, Display, Formatter};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};

use datadiet_core::isa::Avx512Bf16;

use super::ConvSides;

/// Whose convolutions are used in bfloat16, where ours can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Convolutions {
    /// Ours, of few channels on one thread.
    Own,
    /// oneDNN's.
    OneDnn,
}

impl Display for Convolutions {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Own => "own",
            Self::OneDnn => "onednn",
        })
    }
}

/// 0, or one more than what [`force`] was given.
static FORCED: AtomicU8 = AtomicU8::new(0);

/// Takes these from now on in the whole process, or again the [`preferred`] ones: to measure and to
/// compare them. Ours need AVX512-BF16 all the same.
pub fn force(convolutions: Option<Convolutions>) {
    FORCED.store(convolutions.map_or(0, |which| which as u8 + 1), Ordering::Relaxed);
}

/// Those that are faster here: ours with AVX512-BF16, unless oneDNN has matrix tiles (AMX), with which
/// it is well ahead.
pub fn preferred() -> Convolutions {
    static PREFERRED: OnceLock<Convolutions> = OnceLock::new();
    *PREFERRED.get_or_init(|| {
        if Avx512Bf16::detect().is_some() && !one_dnn_has_tiles() {
            Convolutions::Own
        } else {
            Convolutions::OneDnn
        }
    })
}

/// What our kernels need to compute a convolution, where ours are to be used.
pub(crate) fn own(sides: ConvSides) -> Option<Avx512Bf16> {
    let known = matches!((sides.kernel, sides.stride, sides.padding), (3, 1 | 2, 1) | (1, 1, 0));
    if !known || sides.inputs.max(sides.outputs) > 64 {
        return None;
    }
    let convolutions = match FORCED.load(Ordering::Relaxed) {
        0 => preferred(),
        1 => Convolutions::Own,
        _ => Convolutions::OneDnn,
    };
    Avx512Bf16::detect().filter(|_| convolutions == Convolutions::Own)
}

/// Whether the processor multiplies whole tiles of bfloat16 (AMX), and oneDNN may use them.
fn one_dnn_has_tiles() -> bool {
    // The second is its older name.
    let limit = ["ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"].into_iter().find_map(env::var_os);
    has_amx() && limit.is_none_or(|limit| allows_tiles(&limit.to_string_lossy()))
}

/// Whether oneDNN may use tiles under this limit. It knows instruction sets by names in any case, and
/// takes no notice of others.
fn allows_tiles(limit: &str) -> bool {
    let limit = limit.to_ascii_lowercase();
    !(limit.starts_with("sse") || limit.starts_with("avx")) || limit.contains("amx")
}

fn has_amx() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{__cpuid, __cpuid_count};
        // Leaf 7: extended features; bit 22 of EDX is AMX-BF16.
        __cpuid(0).eax >= 7 && __cpuid_count(7, 0).edx & 1 << 22 != 0
    }
    #[cfg(not(target_arch = "x86_64"))]
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_of_one_dnn_say_whether_it_has_tiles() {
        for limit in ["SSE41", "AVX2", "avx2_vnni", "AVX512_CORE_BF16", "avx512_core_fp16"] {
            assert!(!allows_tiles(limit), "{limit}");
        }
        for limit in ["", "ALL", "DEFAULT", "AVX512_CORE_AMX", "avx512_core_amx_fp16", "other"] {
            assert!(allows_tiles(limit), "{limit}");
        }
    }
}
