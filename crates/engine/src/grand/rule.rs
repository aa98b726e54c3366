//! Which form of a convolution's squared gradient norm is cheaper.
//!
//! Multiplications for one example, with P output and P' padded input positions, K = C_in·k²:
//!
//! ```text
//! direct   P·K·C_out
//! Gram     P'²·C_in + P²·C_out    and k² additions of P² numbers, limited by memory
//! ```
//!
//! The Gram matrix of the unfolded input is a sum of k² blocks of the Gram matrix of the padded
//! input itself, which is why K does not appear in it.

use crate::kernels::conv::ConvSides;

/// How a convolution's squared norm is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// Form the gradient of each example and add its squares.
    Direct,
    /// Multiply two Gram matrices over positions.
    Gram,
}

/// Multiplications that take as long as moving one number of a position × position matrix.
const MOVE: usize = 16;

/// The cheaper rule for a convolution (of one group).
///
/// `fast`: direct products run at twice the rate, as those of bfloat16 do; Gram matrices are always
/// in 32-bit floats.
pub(crate) fn choose(sides: ConvSides, fast: bool) -> Rule {
    let direct = direct_cost(sides) / if fast { 2 } else { 1 };
    if gram_cost(sides) < direct { Rule::Gram } else { Rule::Direct }
}

fn direct_cost(sides: ConvSides) -> usize {
    positions(sides) * sides.weight_len()
}

fn gram_cost(sides: ConvSides) -> usize {
    let (padded, positions) = (padded_positions(sides), positions(sides));
    let additions = sides.kernel.pow(2) * positions.pow(2);
    padded.pow(2) * sides.inputs + positions.pow(2) * sides.outputs + MOVE * additions
}

/// Output positions.
pub(crate) fn positions(sides: ConvSides) -> usize {
    sides.out_height() * sides.out_width()
}

/// Positions of the padded input.
pub(crate) fn padded_positions(sides: ConvSides) -> usize {
    (sides.height + 2 * sides.padding) * (sides.width + 2 * sides.padding)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn square(side: usize, channels: usize) -> ConvSides {
        ConvSides {
            height: side,
            width: side,
            inputs: channels,
            outputs: channels,
            kernel: 3,
            stride: 1,
            padding: 1,
        }
    }

    #[test]
    fn few_positions_and_many_channels_ask_for_gram() {
        // The stages of ResNet-18 on 32×32; between 128 channels on 16×16 there is little.
        for fast in [false, true] {
            let rule = |side, channels| choose(square(side, channels), fast);
            assert_eq!(
                [rule(32, 64), rule(8, 256), rule(4, 512)],
                [Rule::Direct, Rule::Gram, Rule::Gram]
            );
            // Those of ResNet-8.
            assert_eq!([rule(32, 16), rule(16, 32)], [Rule::Direct, Rule::Direct]);
        }
    }
}
