//! Mixtures of normals in one dimension, fitted to binned values by EM.
//!
//! Density of k parts: `Σ_j w_j N(x; m_j, s_j²)`, every part with a deviation of its own. Values are
//! counted in [`Binned::BINS`] bins of equal width and stand in the middle of their bin, so that a step
//! costs the same for a thousand and for ten million examples. A deviation is at least [`LEAST_DEVIATION`]
//! of that of all values: without that a few equal values are a part of their own, of any likelihood. Of
//! several starts, each a cut of the sorted values into k runs, the one that ends likeliest is taken: EM
//! finds local maxima only.
//!
//! `BIC = −2 ln L + (3 k − 1) ln n` weighs the number of parts; lower is better.
//!
//! Source: Dempster, Laird, Rubin 1977 (EM); Schwarz 1978 (BIC).

use std::f64::consts::TAU;

/// Most steps of a fit.
const STEPS: usize = 500;

/// Gain in log-likelihood an example below which a fit has arrived.
const GAIN: f64 = 1e-8;

/// Least deviation of a part, as a fraction of that of all values.
const LEAST_DEVIATION: f64 = 0.05;

/// Where the last run of a start begins, as fractions of the sorted values.
const STARTS: [f64; 7] = [0.3, 0.5, 0.7, 0.85, 0.95, 0.98, 0.99];

/// Values in bins of equal width.
#[derive(Clone, Debug)]
pub(crate) struct Binned {
    low: f64,
    width: f64,
    /// Values in each bin.
    pub(crate) counts: Vec<u64>,
}

impl Binned {
    /// Number of bins.
    pub(crate) const BINS: usize = 512;

    /// Empty bins from `low` to `high`.
    pub(crate) fn new(low: f64, high: f64) -> Self {
        Self { low, width: (high - low) / Self::BINS as f64, counts: vec![0; Self::BINS] }
    }

    /// The bin of a value that is not NaN; those beyond the ends are in the first and the last.
    pub(crate) fn bin(&self, value: f64) -> u16 {
        // The cast takes what is below, −∞ too, to 0.
        (((value - self.low) / self.width) as usize).min(Self::BINS - 1) as u16
    }

    /// The same bins with other counts.
    pub(crate) fn with_counts(&self, counts: Vec<u64>) -> Self {
        Self { counts, ..*self }
    }

    /// The least variance of a part.
    fn least_variance(&self) -> f64 {
        let total = self.total();
        let mean = self.filled().map(|(x, count)| count * x).sum::<f64>() / total;
        let squares = self.filled().map(|(x, count)| count * (x - mean).powi(2)).sum::<f64>();
        (LEAST_DEVIATION.powi(2) * squares / total).max(self.width.powi(2))
    }

    /// How many values there are.
    fn total(&self) -> f64 {
        self.counts.iter().sum::<u64>() as f64
    }

    /// The middles of the bins that hold values, and their counts.
    fn filled(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        let middle = |bin: usize| self.low + (bin as f64 + 0.5) * self.width;
        let filled = self.counts.iter().enumerate().filter(|(_, count)| **count > 0);
        filled.map(move |(bin, &count)| (middle(bin), count as f64))
    }
}

/// One part of a mixture.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Normal {
    /// Its share of the examples, in [0, 1].
    pub(crate) weight: f64,
    /// Its mean.
    pub(crate) mean: f64,
    /// Its standard deviation, above 0.
    pub(crate) deviation: f64,
}

impl Normal {
    /// ln of its weight times its density.
    pub(crate) fn log_density(&self, x: f64) -> f64 {
        let distance = (x - self.mean) / self.deviation;
        self.log_scale() - 0.5 * distance * distance
    }

    fn log_scale(&self) -> f64 {
        (self.weight / self.deviation).ln() - 0.5 * TAU.ln()
    }
}

/// Parts that were fitted.
#[derive(Clone, Debug)]
pub(crate) struct Mixture {
    /// The parts; of [`Mixture::fit`] by ascending mean.
    pub(crate) parts: Vec<Normal>,
    log_likelihood: f64,
}

impl Mixture {
    /// The likeliest mixture of 1 to 3 parts that the starts lead to; none where the values are too
    /// few or too equal to be cut into so many runs.
    pub(crate) fn fit(values: &Binned, parts: usize) -> Option<Self> {
        let fits = starts(parts).into_iter().filter_map(|cuts| {
            let start = runs(values, &cuts)?;
            Some(Self { parts: start, log_likelihood: f64::NEG_INFINITY }.refined(values))
        });
        let mut best =
            fits.max_by(|one, other| one.log_likelihood.total_cmp(&other.log_likelihood))?;
        best.parts.sort_by(|one, other| one.mean.total_cmp(&other.mean));
        Some(best)
    }

    /// Fitted to other values from where it is; the parts stay in their order.
    pub(crate) fn refined(&self, values: &Binned) -> Self {
        let (total, least) = (values.total(), values.least_variance());
        let mut parts = self.parts.clone();
        let mut log_likelihood = f64::NEG_INFINITY;
        for _ in 0..STEPS {
            let (next, found) = step(&parts, values, total, least);
            let gain = found - log_likelihood;
            log_likelihood = found;
            if gain <= GAIN * total {
                break;
            }
            parts = next;
        }
        Self { parts, log_likelihood }
    }

    /// How many of some values are of the last part, each counting by its posterior probability.
    pub(crate) fn last_of(&self, values: &Binned) -> f64 {
        let Some(last) = self.parts.last() else { return 0.0 };
        let posterior = |x: f64| {
            let log = last.log_density(x);
            self.parts.iter().map(|part| (part.log_density(x) - log).exp()).sum::<f64>().recip()
        };
        values.filled().map(|(x, count)| count * posterior(x)).sum()
    }

    /// Schwarz's criterion for n values; lower is better.
    pub(crate) fn bic(&self, n: usize) -> f64 {
        (3 * self.parts.len() - 1) as f64 * (n as f64).ln() - 2.0 * self.log_likelihood
    }
}

/// One step of EM: better parts, and the log-likelihood of those given.
fn step(parts: &[Normal], values: &Binned, total: f64, least_variance: f64) -> (Vec<Normal>, f64) {
    // Sums over the examples of responsibility, times distance from the mean, times its square.
    let mut sums = vec![[0.0; 3]; parts.len()];
    let scales: Vec<f64> = parts.iter().map(Normal::log_scale).collect();
    let mut shares = vec![0.0; parts.len()];
    let mut log_likelihood = 0.0;
    for (x, count) in values.filled() {
        let mut largest = f64::NEG_INFINITY;
        for ((share, part), scale) in shares.iter_mut().zip(parts).zip(&scales) {
            let distance = (x - part.mean) / part.deviation;
            *share = scale - 0.5 * distance * distance;
            largest = share.max(largest);
        }
        let mut sum = 0.0;
        for share in &mut shares {
            *share = (*share - largest).exp();
            sum += *share;
        }
        log_likelihood += count * (largest + sum.ln());
        for ((sums, share), part) in sums.iter_mut().zip(&shares).zip(parts) {
            let weight = count * share / sum;
            let distance = x - part.mean;
            sums[0] += weight;
            sums[1] += weight * distance;
            sums[2] += weight * distance * distance;
        }
    }
    let better = |(part, [weight, first, second]): (&Normal, [f64; 3])| {
        // A part that lost its last example stays where it is, and weighs nothing.
        if weight < 1.0 {
            return Normal { weight: weight / total, ..*part };
        }
        let shift = first / weight;
        let variance = (second / weight - shift * shift).max(least_variance);
        Normal { weight: weight / total, mean: part.mean + shift, deviation: variance.sqrt() }
    };
    (parts.iter().zip(sums).map(better).collect(), log_likelihood)
}

/// Where the sorted values are cut into runs, as fractions: for k parts k − 1 of them.
fn starts(parts: usize) -> Vec<Vec<f64>> {
    match parts {
        1 => vec![Vec::new()],
        2 => STARTS.iter().map(|&cut| vec![cut]).collect(),
        _ => STARTS.iter().flat_map(|&cut| [0.3, 0.7].map(|part| vec![part * cut, cut])).collect(),
    }
}

/// The parts that runs of the sorted values are; none where a run is empty.
fn runs(values: &Binned, cuts: &[f64]) -> Option<Vec<Normal>> {
    let (total, least) = (values.total(), values.least_variance());
    let mut sums = vec![[0.0; 3]; cuts.len() + 1];
    let mut before = 0.0;
    for (x, count) in values.filled() {
        let run = cuts.iter().filter(|&&cut| before >= cut * total).count();
        before += count;
        sums[run][0] += count;
        sums[run][1] += count * x;
        sums[run][2] += count * x * x;
    }
    let part = |[weight, first, second]: [f64; 3]| {
        let mean = first / weight;
        let variance = (second / weight - mean * mean).max(least);
        (weight > 0.0).then(|| Normal { weight: weight / total, mean, deviation: variance.sqrt() })
    };
    sums.into_iter().map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values at the quantiles of a mixture: 0.7 N(−1, 1) + 0.3 N(4, 0.5²), to within their spacing.
    fn two_groups(n: usize) -> Binned {
        let mut values = Binned::new(-8.0, 8.0);
        let density = |x: f64| {
            let one = Normal { weight: 0.7, mean: -1.0, deviation: 1.0 }.log_density(x).exp();
            one + Normal { weight: 0.3, mean: 4.0, deviation: 0.5 }.log_density(x).exp()
        };
        let width = values.width;
        for bin in 0..Binned::BINS {
            let middle = -8.0 + (bin as f64 + 0.5) * width;
            values.counts[bin] = (density(middle) * width * n as f64).round() as u64;
        }
        values
    }

    #[test]
    fn a_mixture_is_found_again() {
        let values = two_groups(1_000_000);
        let found = Mixture::fit(&values, 2).unwrap();
        for (part, expected) in found.parts.iter().zip([(0.7, -1.0, 1.0), (0.3, 4.0, 0.5)]) {
            assert!((part.weight - expected.0).abs() < 1e-3, "{part:?}");
            assert!((part.mean - expected.1).abs() < 1e-2, "{part:?}");
            assert!((part.deviation - expected.2).abs() < 1e-2, "{part:?}");
        }
        let bic: Vec<f64> =
            (1..=3).map(|parts| Mixture::fit(&values, parts).unwrap().bic(1_000_000)).collect();
        assert!(bic[1] < bic[0] && bic[1] < bic[2], "{bic:?}");
    }

    #[test]
    fn every_step_is_likelier() {
        let values = two_groups(1000);
        let total = values.total();
        let mut parts = runs(&values, &[0.2, 0.6]).unwrap();
        let mut before = f64::NEG_INFINITY;
        for _ in 0..50 {
            let (next, found) = step(&parts, &values, total, values.least_variance());
            assert!(found >= before - 1e-9 * total, "{found} after {before}");
            assert!((next.iter().map(|part| part.weight).sum::<f64>() - 1.0).abs() < 1e-12);
            (parts, before) = (next, found);
        }
    }

    #[test]
    fn equal_values_cannot_be_cut_into_runs() {
        let mut values = Binned::new(0.0, 1.0);
        values.counts[7] = 100;
        assert!(Mixture::fit(&values, 1).is_some());
        assert!(Mixture::fit(&values, 2).is_none());
    }
}
