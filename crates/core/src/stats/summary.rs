//! Mean and standard error over replicas.
//!
//! For one example with values `s_1 … s_R` (one a replica): mean `s̄ = Σ s / R`, standard error
//! `sqrt( Σ (s − s̄)² / (R − 1) ) / sqrt(R)`. NaN marks a replica that never saw the example; it is
//! skipped, and R is then the number of the others.
//!
//! Source: the paper's scores are such means (Paul et al. 2021, section 2: the expectation over
//! initialisation and data order). No robust mean and no interval: R is about 10.

use crate::stats::StatsError;

/// Mean and standard error of each example over replicas.
///
/// `columns`: R ≥ 1 columns of n entries, one a replica. Gives two columns of n entries: the mean
/// (NaN where no replica has a value) and its standard error (NaN where fewer than two have one).
/// Sums are `f64`. An infinite entry gives an infinite mean and a NaN error.
///
/// # Errors
/// No column at all, or columns of different lengths.
///
/// ```
/// let (mean, error) = datadiet_core::mean_and_standard_error(&[&[1.0, 4.0], &[3.0, f32::NAN]])?;
/// assert_eq!(mean, [2.0, 4.0]);
/// assert_eq!(error[0], 1.0);
/// assert!(error[1].is_nan());
/// # Ok::<(), datadiet_core::StatsError>(())
/// ```
pub fn mean_and_standard_error(columns: &[&[f32]]) -> Result<(Vec<f32>, Vec<f32>), StatsError> {
    let n = common_length(columns)?;
    let mut means = Vec::with_capacity(n);
    let mut errors = Vec::with_capacity(n);
    for example in 0..n {
        let values = || {
            let row = columns.iter().map(|column| f64::from(column[example]));
            row.filter(|value| !value.is_nan())
        };
        let count = values().count() as f64;
        let mean = values().sum::<f64>() / count;
        means.push(mean as f32);
        errors.push(standard_error(values(), count, mean) as f32);
    }
    Ok((means, errors))
}

fn standard_error(values: impl Iterator<Item = f64>, count: f64, mean: f64) -> f64 {
    if count < 2.0 {
        return f64::NAN;
    }
    let squares: f64 = values.map(|value| (value - mean).powi(2)).sum();
    (squares / (count - 1.0) / count).sqrt()
}

/// Length that all columns share.
pub(crate) fn common_length(columns: &[&[f32]]) -> Result<usize, StatsError> {
    let Some(first) = columns.first() else {
        return Err(StatsError::TooFew { what: "replica columns", needed: 1, found: 0 });
    };
    for column in columns {
        StatsError::check_lengths(first.len(), column.len())?;
    }
    Ok(first.len())
}
