//! Label noise: which labels are changed, and to what.
//!
//! ```text
//! symmetric        round(f N) examples, drawn without replacement, get one of the other K − 1
//!                  classes, uniformly
//! uniform          the same number get one of all K classes, uniformly, so about 1/K of them keep
//!                  their label (Paul, Ganguli, Dziugaite 2021, section 4)
//! class-dependent  every example of class a gets class b with probability M[a][b]
//! given            labels from elsewhere, such as human annotators (CIFAR-10N, Wei et al. 2022)
//! ```
//!
//! Pure: labels in, labels out, and a mask of what was touched. The draws are those of the stream
//! `Noise`, so the same arguments give the same labels for good.

use datadiet_core::streams::below;
use datadiet_core::{Stream, permutation, rng};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A way to change labels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum LabelNoise {
    /// A fraction of the examples get another class.
    Symmetric {
        /// In [0, 1].
        fraction: f64,
    },
    /// A fraction of the examples get any class, their own included.
    Uniform {
        /// In [0, 1].
        fraction: f64,
    },
    /// Each class is confused with others in its own way.
    ClassDependent {
        /// K rows of K probabilities; row a sums to 1.
        confusion: Vec<Vec<f64>>,
    },
    /// Labels from elsewhere.
    Given {
        /// One for each training example.
        labels: Vec<u32>,
    },
}

/// Labels after noise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoisyLabels {
    /// One for each training example.
    pub labels: Vec<u32>,
    /// Which examples were drawn to be changed, whatever the draw gave.
    pub touched: Vec<bool>,
}

impl NoisyLabels {
    /// Labels that nothing was done to.
    pub fn clean(labels: &[u32]) -> Self {
        Self { labels: labels.to_vec(), touched: vec![false; labels.len()] }
    }

    /// Which examples have another label than in `original`.
    pub fn changed(&self, original: &[u32]) -> Vec<bool> {
        self.labels.iter().zip(original).map(|(noisy, label)| noisy != label).collect()
    }
}

/// Noise that cannot be applied.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum LabelNoiseError {
    /// A fraction outside [0, 1].
    #[error(
        "a noise fraction of {0} must lie between 0 and 1, such as 0.1 for a tenth of the labels"
    )]
    Fraction(f64),
    /// One class only.
    #[error("with {0} class(es) there is no other label to give")]
    TooFewClasses(u32),
    /// A confusion matrix that is not K × K.
    #[error(
        "the confusion matrix needs {classes} rows of {classes} probabilities; row {row} has {found}"
    )]
    MatrixShape {
        /// Number of classes.
        classes: u32,
        /// The first row at fault.
        row: usize,
        /// Its length.
        found: usize,
    },
    /// A row that is not a distribution.
    #[error(
        "row {row} of the confusion matrix is not a distribution: entries lie in [0, 1] and sum to 1, these sum to {sum}"
    )]
    MatrixRow {
        /// The row.
        row: usize,
        /// Sum of its entries.
        sum: f64,
    },
    /// Labels for another number of examples.
    #[error(
        "{found} labels were given for {expected} training examples; they belong to another data set"
    )]
    Length {
        /// Labels given.
        found: usize,
        /// Training examples.
        expected: usize,
    },
    /// A label that is not a class.
    #[error("example {id} is given label {label}, but there are {classes} classes (0 to {})", .classes - 1)]
    Label {
        /// The example.
        id: usize,
        /// Its label.
        label: u32,
        /// Number of classes.
        classes: u32,
    },
}

impl LabelNoise {
    /// Changes `labels`, which are classes in `0..classes`.
    ///
    /// # Errors
    /// When the noise does not fit the labels.
    ///
    /// ```
    /// use datadiet_data::LabelNoise;
    ///
    /// let labels = [0, 1, 2, 0, 1, 2, 0, 1, 2, 0];
    /// let noisy = LabelNoise::Symmetric { fraction: 0.3 }.apply(&labels, 3, 7)?;
    /// assert_eq!(noisy.changed(&labels).iter().filter(|&&changed| changed).count(), 3);
    /// # Ok::<(), datadiet_data::LabelNoiseError>(())
    /// ```
    pub fn apply(
        &self,
        labels: &[u32],
        classes: u32,
        seed: u64,
    ) -> Result<NoisyLabels, LabelNoiseError> {
        let mut rng = rng(seed, 0, Stream::Noise, 0);
        match self {
            Self::Symmetric { fraction } => {
                if classes < 2 {
                    return Err(LabelNoiseError::TooFewClasses(classes));
                }
                let other = |label: u32, rng: &mut ChaCha8Rng| {
                    (label + 1 + below(classes - 1, rng)) % classes
                };
                replaced(labels, *fraction, &mut rng, other)
            }
            Self::Uniform { fraction } => {
                replaced(labels, *fraction, &mut rng, |_, rng| below(classes, rng))
            }
            Self::ClassDependent { confusion } => {
                check_matrix(confusion, classes)?;
                Ok(confused(labels, confusion, &mut rng))
            }
            Self::Given { labels: given } => {
                check_labels(given, labels.len(), classes)?;
                let touched = given.iter().zip(labels).map(|(new, old)| new != old).collect();
                Ok(NoisyLabels { labels: given.clone(), touched })
            }
        }
    }
}

fn replaced(
    labels: &[u32],
    fraction: f64,
    rng: &mut ChaCha8Rng,
    draw: impl Fn(u32, &mut ChaCha8Rng) -> u32,
) -> Result<NoisyLabels, LabelNoiseError> {
    if !(0.0..=1.0).contains(&fraction) {
        return Err(LabelNoiseError::Fraction(fraction));
    }
    let count = (fraction * labels.len() as f64).round() as usize;
    let mut noisy = NoisyLabels { labels: labels.to_vec(), touched: vec![false; labels.len()] };
    for &id in &permutation(labels.len(), rng)[..count] {
        noisy.labels[id as usize] = draw(labels[id as usize], rng);
        noisy.touched[id as usize] = true;
    }
    Ok(noisy)
}

fn confused(labels: &[u32], confusion: &[Vec<f64>], rng: &mut ChaCha8Rng) -> NoisyLabels {
    let draw = |&label: &u32| {
        // 53 random bits in [0, 1), walked along the row; what rounding leaves over goes to the
        // label itself.
        let mut left = (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
        for (class, probability) in (0..).zip(&confusion[label as usize]) {
            if left < *probability {
                return class;
            }
            left -= probability;
        }
        label
    };
    let noisy: Vec<u32> = labels.iter().map(draw).collect();
    let touched = noisy.iter().zip(labels).map(|(new, old)| new != old).collect();
    NoisyLabels { labels: noisy, touched }
}

fn check_matrix(confusion: &[Vec<f64>], classes: u32) -> Result<(), LabelNoiseError> {
    if confusion.len() != classes as usize {
        let (row, found) = (confusion.len(), 0);
        return Err(LabelNoiseError::MatrixShape { classes, row, found });
    }
    for (row, entries) in confusion.iter().enumerate() {
        if entries.len() != classes as usize {
            let found = entries.len();
            return Err(LabelNoiseError::MatrixShape { classes, row, found });
        }
        let sum: f64 = entries.iter().sum();
        if (sum - 1.0).abs() > 1e-6 || entries.iter().any(|entry| !(0.0..=1.0).contains(entry)) {
            return Err(LabelNoiseError::MatrixRow { row, sum });
        }
    }
    Ok(())
}

fn check_labels(given: &[u32], expected: usize, classes: u32) -> Result<(), LabelNoiseError> {
    if given.len() != expected {
        return Err(LabelNoiseError::Length { found: given.len(), expected });
    }
    match given.iter().position(|&label| label >= classes) {
        None => Ok(()),
        Some(id) => Err(LabelNoiseError::Label { id, label: given[id], classes }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels() -> Vec<u32> {
        (0..10_000).map(|id| id % 10).collect()
    }

    fn share(mask: &[bool]) -> f64 {
        mask.iter().filter(|&&set| set).count() as f64 / mask.len() as f64
    }

    #[test]
    fn symmetric_noise_changes_exactly_its_share() {
        let noisy = LabelNoise::Symmetric { fraction: 0.2 }.apply(&labels(), 10, 1).unwrap();
        assert_eq!(share(&noisy.touched), 0.2);
        assert_eq!(noisy.changed(&labels()), noisy.touched);
        // Each of the nine other classes is drawn about as often.
        let mut counts = [0; 10];
        for (new, old) in noisy.labels.iter().zip(labels()).filter(|(new, old)| *new != old) {
            counts[((10 + new - old) % 10) as usize] += 1;
        }
        assert!(counts[1..].iter().all(|&count| (160..290).contains(&count)), "{counts:?}");
    }

    #[test]
    fn uniform_noise_leaves_a_tenth_of_the_touched_as_they_were() {
        let noisy = LabelNoise::Uniform { fraction: 0.5 }.apply(&labels(), 10, 1).unwrap();
        assert_eq!(share(&noisy.touched), 0.5);
        assert!((share(&noisy.changed(&labels())) - 0.45).abs() < 0.01);
    }

    #[test]
    fn a_confusion_matrix_is_followed() {
        let mut confusion = vec![vec![0.0; 10]; 10];
        for (class, row) in confusion.iter_mut().enumerate() {
            row[class] = 0.7;
            row[(class + 1) % 10] = 0.3;
        }
        let noisy = LabelNoise::ClassDependent { confusion }.apply(&labels(), 10, 1).unwrap();
        assert!((share(&noisy.touched) - 0.3).abs() < 0.02);
        let pairs = noisy.labels.iter().zip(labels());
        assert!(pairs.clone().all(|(&new, old)| new == old || new == (old + 1) % 10));
    }

    #[test]
    fn the_same_seed_gives_the_same_labels() {
        let noise = LabelNoise::Symmetric { fraction: 0.1 };
        let draw = |seed| noise.apply(&labels(), 10, seed).unwrap();
        assert_eq!(draw(3), draw(3));
        assert_ne!(draw(3), draw(4));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let message = |noise: LabelNoise| noise.apply(&[0, 1], 2, 0).unwrap_err().to_string();
        assert!(message(LabelNoise::Symmetric { fraction: 1.5 }).contains("between 0 and 1"));
        let confusion = vec![vec![1.0, 0.0]];
        assert!(message(LabelNoise::ClassDependent { confusion }).contains("2 rows of 2"));
        let confusion = vec![vec![0.5, 0.4], vec![0.0, 1.0]];
        assert!(message(LabelNoise::ClassDependent { confusion }).contains("sum to 0.9"));
        assert!(message(LabelNoise::Given { labels: vec![0] }).contains("another data set"));
        assert!(message(LabelNoise::Given { labels: vec![0, 2] }).contains("example 1"));
        let one = LabelNoise::Symmetric { fraction: 0.5 }.apply(&[0, 0], 1, 0);
        assert_eq!(one, Err(LabelNoiseError::TooFewClasses(1)));
    }
}
