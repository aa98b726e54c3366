//! What trainings reach on each class, where they say it, and which classes a subset costs most.

use datadiet_store::RunResult;
use serde::{Deserialize, Serialize};

use crate::Spread;

/// Values of the metric on the test examples of each class, by class number: means over the trainings that say
/// one; none of a class of which no training does. Empty where no training says any.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ByClass(Vec<Option<f64>>);

/// A class and its value with everything and with a subset.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct OfClass {
    pub class: usize,
    pub everything: f64,
    pub subset: f64,
}

impl ByClass {
    /// Of completed trainings.
    pub fn of<'r>(results: impl Iterator<Item = &'r RunResult>) -> Self {
        let mut sums: Vec<(f64, u32)> = Vec::new();
        for result in results {
            sums.resize(sums.len().max(result.test_by_class.len()), (0.0, 0));
            for ((sum, count), value) in sums.iter_mut().zip(&result.test_by_class) {
                if let Some(value) = value {
                    *sum += value;
                    *count += 1;
                }
            }
        }
        let mean = |(sum, count): (f64, u32)| (count > 0).then(|| sum / f64::from(count));
        Self(sums.into_iter().map(mean).collect())
    }

    /// Whether no training says any.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }

    /// The values that there are, with the numbers of their classes.
    pub fn values(&self) -> impl Iterator<Item = (usize, f64)> {
        self.0.iter().enumerate().filter_map(|(class, value)| Some((class, (*value)?)))
    }

    /// The classes that have a value here and with everything, those first that lose most against it; ties in
    /// the order of the classes. `of` says whether less is better.
    pub(crate) fn against(&self, everything: &Self, of: &Spread) -> Vec<OfClass> {
        let beside = |(class, subset): (usize, f64)| {
            let everything = (*everything.0.get(class)?)?;
            Some(OfClass { class, everything, subset })
        };
        let mut classes: Vec<OfClass> = self.values().filter_map(beside).collect();
        classes.sort_by(|a, b| b.lost(of).total_cmp(&a.lost(of)));
        classes
    }
}

impl OfClass {
    /// How much worse the subset is.
    fn lost(&self, of: &Spread) -> f64 {
        let lost = self.everything - self.subset;
        if of.less_is_better() { -lost } else { lost }
    }

    /// `cat 91.0 % → 87.8 %`; none where it loses nothing.
    fn text(&self, classes: &[String], of: &Spread) -> Option<String> {
        (self.lost(of) > 0.0).then(|| {
            let name = class_name(classes, self.class);
            format!("{name} {} → {}", of.value_text(self.everything), of.value_text(self.subset))
        })
    }
}

/// The name of a class; its number where it has none.
pub(crate) fn class_name(classes: &[String], class: usize) -> String {
    classes.get(class).cloned().unwrap_or_else(|| class.to_string())
}

/// The classes that a subset costs most, at most so many, in words: `cat 91.0 % → 87.8 %, dog …`. None where
/// nothing is said by class, or no class loses.
pub(crate) fn most_lost(
    subset: &ByClass,
    everything: &ByClass,
    (classes, of): (&[String], &Spread),
    most: usize,
) -> Option<String> {
    let lost = subset.against(everything, of);
    let texts: Vec<String> =
        lost.iter().take(most).filter_map(|one| one.text(classes, of)).collect();
    (!texts.is_empty()).then(|| texts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by_class(values: &[Option<f64>]) -> ByClass {
        ByClass(values.to_vec())
    }

    #[test]
    fn the_class_that_loses_most_is_named_first() {
        let names = ["cat", "dog", "ship"].map(String::from);
        let everything = by_class(&[Some(0.9), Some(0.8), Some(0.95)]);
        let subset = by_class(&[Some(0.85), Some(0.5), Some(0.96)]);
        let mut of = Spread::of(vec![0.9]).unwrap();
        let text = most_lost(&subset, &everything, (&names, &of), 3).unwrap();
        assert_eq!(text, "dog 80.0 % → 50.0 %, cat 90.0 % → 85.0 %");
        assert_eq!(most_lost(&everything, &everything, (&names, &of), 3), None);
        assert_eq!(most_lost(&ByClass::default(), &everything, (&names, &of), 3), None);
        // Of a loss less is better, and of a class without a value nothing is said.
        of.metric = Some(datadiet_store::Metric { name: "loss".into(), higher_is_better: false });
        let subset = by_class(&[Some(0.85), None, Some(0.96)]);
        let text = most_lost(&subset, &everything, (&names, &of), 3).unwrap();
        assert_eq!(text, "ship 0.95 → 0.96");
    }
}
