//! What this processor has.

/// Whether it multiplies pairs of bfloat16 numbers (AVX512-BF16), which makes training in that
/// precision worth while: `precision = auto` means bf16 on such a processor, f32 on any other.
pub fn has_bf16() -> bool {
    #[cfg(target_arch = "x86_64")]
    return is_x86_feature_detected!("avx512bf16")
        && is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vl");
    #[cfg(not(target_arch = "x86_64"))]
    false
}
