//! An integer for each float that sorts as the float does.
//!
//! The bits of a positive float sort as it does; the bits of a negative one sort backwards. So of a
//! positive one only the sign bit is flipped, of a negative one every bit. −0 has the key of +0,
//! and −∞ and ∞ are ordinary ends.
//!
//! NaN has keys beyond both ends: callers refuse it first.

/// Above the key of every number.
pub(crate) const ABOVE_ALL: u32 = u32::MAX;

/// The key of a number.
#[inline]
pub(crate) fn monotone_key(value: f32) -> u32 {
    // Adding +0 turns −0 into +0, so the two tie.
    let bits = (value + 0.0).to_bits();
    let all_if_negative = (bits.cast_signed() >> 31).cast_unsigned();
    bits ^ (all_if_negative | 1 << 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_rise_with_the_number() {
        let tiny = f32::from_bits(1);
        let rising =
            [f32::NEG_INFINITY, f32::MIN, -1.0, -tiny, 0.0, tiny, 1.0, f32::MAX, f32::INFINITY];
        let keys = rising.map(monotone_key);
        assert!(keys.is_sorted_by(|a, b| a < b));
        assert!(keys[8] < ABOVE_ALL);
        assert_eq!(monotone_key(-0.0), monotone_key(0.0));
    }
}
