//! What subsets that a score chose are compared with, beside a random subset and everything.

use std::fmt;
use std::str::FromStr;

use datadiet_core::{Quota, Rule, nearest};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A baseline. In files a text: a rule and a quota, such as `random/balanced` or `ccs/proportional`
/// (without a quota `none`), or `random-each-epoch`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Baseline {
    /// What a rule chooses, shared out over the classes.
    Chosen {
        /// Its name in [`Rule::NAMES`].
        rule: &'static str,
        /// How the subset is shared out.
        quota: Quota,
    },
    /// Random examples that are drawn anew every epoch (RS2, Okanovic et al. 2024, arXiv:2305.18424).
    ///
    /// Drawn without replacement they are all examples, one after the other, before any comes again: a
    /// training on everything that is as short as one on the subset, with the learning rate falling as
    /// fast. So it is nothing of its own where the number of steps is fixed.
    RandomEachEpoch,
}

impl Baseline {
    /// Name of [`Baseline::RandomEachEpoch`], and of its series.
    pub const EACH_EPOCH: &str = "random-each-epoch";

    /// Whether it needs a score.
    pub fn is_scored(self) -> bool {
        matches!(self, Self::Chosen { rule, .. } if rule != Rule::Random.name())
    }
}

impl fmt::Display for Baseline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Chosen { rule, quota: Quota::None } => f.write_str(rule),
            Self::Chosen { rule, quota } => write!(f, "{rule}/{}", quota.name()),
            Self::RandomEachEpoch => f.write_str(Self::EACH_EPOCH),
        }
    }
}

impl FromStr for Baseline {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == Self::EACH_EPOCH {
            return Ok(Self::RandomEachEpoch);
        }
        let (name, quota) = text.split_once('/').unwrap_or((text, Quota::None.name()));
        // A window is of an offset, and has a study of its own.
        let rules = Rule::NAMES.iter().map(|(name, _)| *name).filter(|name| *name != "window");
        let Some(rule) = rules.clone().find(|known| *known == name) else {
            let names = rules.chain([Self::EACH_EPOCH]);
            let all: Vec<&str> = names.clone().collect();
            let mean = nearest(name, names).map(|near| format!("; did you mean {near}?"));
            return Err(format!(
                "no baseline is called {text}{}; there are {}, all but the last with a quota behind a \
                 slash where one is wanted, such as random/balanced",
                mean.unwrap_or_default(),
                all.join(", ")
            ));
        };
        let quota = quota.parse().map_err(|error| format!("in {text}: {error}"))?;
        Ok(Self::Chosen { rule, quota })
    }
}

impl Serialize for Baseline {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Baseline {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn baselines_are_read_and_written() {
        for text in ["random/balanced", "ccs/proportional", "ccs", "easiest", "random-each-epoch"] {
            assert_eq!(text.parse::<Baseline>().unwrap().to_string(), text);
        }
        assert_eq!("ccs/none".parse::<Baseline>().unwrap().to_string(), "ccs");
        for (text, expected) in [
            ("randm", "did you mean random?"),
            ("window", "no baseline is called window"),
            ("random/even", "no quota is called `even`"),
            ("random-each-epoch/balanced", "no baseline is called"),
        ] {
            let message = text.parse::<Baseline>().unwrap_err();
            assert!(message.contains(expected), "{message}");
        }
    }
}
