//! How far apart two kernels are.
//!
//! `S(K, K') = 1 − ⟨K, K'⟩_F / (‖K‖_F ‖K'‖_F)` (Fort et al. 2020; Paul, Ganguli, Dziugaite 2021,
//! section 5): 0 where one is a multiple of the other, at most 1 for Gram matrices, whose inner
//! product is never negative. The *kernel velocity* of a set of examples at epoch t is the distance
//! between the neural tangent kernels on them at epochs t and t + 1: higher is faster.

/// Why there is no distance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KernelError {
    /// Matrices of different sizes, or none at all.
    #[error("kernels of {first} and {second} numbers cannot be compared")]
    Sizes {
        /// Numbers of the first.
        first: usize,
        /// Numbers of the second.
        second: usize,
    },
    /// A kernel that is zero or holds numbers that are not finite has no direction.
    #[error("a kernel is {what}: it has no direction to compare")]
    NoDirection {
        /// What is wrong with it.
        what: &'static str,
    },
}

/// Distance of two kernels, each as the numbers of a matrix in any order that both share; in [0, 1]
/// for Gram matrices.
///
/// # Errors
/// For kernels of different sizes, without numbers, of zeros, or not finite.
///
/// ```
/// use datadiet_core::kernel_distance;
///
/// let kernel = [2.0, 1.0, 1.0, 2.0];
/// assert_eq!(kernel_distance(&kernel, &kernel.map(|x| 4.0 * x))?, 0.0);
/// assert_eq!(kernel_distance(&[1.0, 0.0, 0.0, 0.0], &[0.0, 0.0, 0.0, 1.0])?, 1.0);
/// # Ok::<(), datadiet_core::KernelError>(())
/// ```
pub fn kernel_distance(first: &[f64], second: &[f64]) -> Result<f64, KernelError> {
    if first.len() != second.len() || first.is_empty() {
        return Err(KernelError::Sizes { first: first.len(), second: second.len() });
    }
    let (a, b) = (norm(first)?, norm(second)?);
    // Half the squared distance of the unit vectors, not 1 − cosine: where kernels are close the
    // cosine is all rounding.
    let squares = first.iter().zip(second).map(|(x, y)| (x / a - y / b).powi(2));
    Ok((squares.sum::<f64>() / 2.0).clamp(0.0, 2.0))
}

fn norm(kernel: &[f64]) -> Result<f64, KernelError> {
    // Scaled by the largest, so that squares neither overflow nor vanish.
    let largest = kernel.iter().fold(0.0_f64, |largest, x| largest.max(x.abs()));
    if kernel.iter().any(|x| !x.is_finite()) {
        return Err(KernelError::NoDirection { what: "not finite" });
    }
    if largest == 0.0 {
        return Err(KernelError::NoDirection { what: "zero" });
    }
    Ok(largest * kernel.iter().map(|x| (x / largest).powi(2)).sum::<f64>().sqrt())
}
