//! How a subset is chosen, as typed.

use anyhow::{Result, bail, ensure};
use clap::{Args, ValueEnum};
use datadiet_core::{KeepFraction, Quota};
use datadiet_lab::{Amount, Choice, Keep};

/// Options of a choice.
#[derive(Args, Clone, Debug)]
pub struct ChoiceArgs {
    /// Column to choose by, such as el2n@4; forgetting@end is the latest [default: the latest EL2N].
    #[arg(long, value_name = "COLUMN")]
    pub by: Option<String>,
    /// Fraction of the examples to keep, in (0, 1].
    #[arg(long, value_name = "FRACTION", allow_negative_numbers = true)]
    keep: Option<f64>,
    /// Number of examples to keep, instead of a fraction.
    #[arg(long, value_name = "N", conflicts_with = "keep")]
    count: Option<usize>,
    /// Which part of the order to keep.
    #[arg(long, value_enum, default_value_t = RuleName::Hardest)]
    rule: RuleName,
    /// Where the window begins: a fraction of the ascending order below 1, or a number of examples.
    #[arg(long, value_name = "FRACTION|N", allow_negative_numbers = true)]
    offset: Option<f64>,
    /// Fraction of the hardest that `ccs` leaves out [default: 0.1].
    #[arg(long, value_name = "FRACTION", allow_negative_numbers = true)]
    cut: Option<f64>,
    /// Strata of `ccs` [default: 50].
    #[arg(long, value_name = "N")]
    strata: Option<u32>,
    /// How the subset is shared out over the classes.
    #[arg(long, value_enum, default_value_t = QuotaName::None)]
    quota: QuotaName,
    /// Seed of what is random.
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

/// Parts of the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum RuleName {
    /// The hard end of the score.
    Hardest,
    /// The easy end.
    Easiest,
    /// The highest values.
    Highest,
    /// The lowest values.
    Lowest,
    /// Any, by chance.
    Random,
    /// A window after --offset.
    Window,
    /// Coverage-centred (Zheng et al. 2023).
    Ccs,
}

/// Shares of the classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum QuotaName {
    /// As the scores have it.
    None,
    /// Each class the same fraction.
    Proportional,
    /// Each class the same number, as far as it has them.
    Balanced,
}

impl ChoiceArgs {
    /// Which part of so many examples is kept.
    ///
    /// # Errors
    /// When an option does not belong to the rule, or lacks.
    pub fn keep(&self, examples: usize) -> Result<Keep> {
        let window = self.rule == RuleName::Window;
        ensure!(window || self.offset.is_none(), "--offset belongs to --rule window");
        let ccs = self.rule == RuleName::Ccs;
        ensure!(ccs || self.cut.is_none(), "--cut belongs to --rule ccs");
        ensure!(ccs || self.strata.is_none(), "--strata belongs to --rule ccs");
        Ok(match self.rule {
            RuleName::Hardest => Keep::Hardest,
            RuleName::Easiest => Keep::Easiest,
            RuleName::Highest => Keep::Highest,
            RuleName::Lowest => Keep::Lowest,
            RuleName::Random => Keep::Random,
            RuleName::Window => {
                let Some(offset) = self.offset else {
                    bail!("where does the window begin? Give --offset, such as 0.4")
                };
                let count = offset >= 1.0 && offset.fract() == 0.0 && offset < examples as f64;
                ensure!(
                    (0.0..1.0).contains(&offset) || count,
                    "--offset {offset} must be a fraction in [0, 1) or a number of examples below \
                     {examples}"
                );
                Keep::Window { offset: if count { offset / examples as f64 } else { offset } }
            }
            RuleName::Ccs => {
                Keep::Ccs { cut: self.cut.unwrap_or(0.1), strata: self.strata.unwrap_or(50) }
            }
        })
    }

    /// The choice, with its part resolved.
    ///
    /// # Errors
    /// When the amount is missing or makes no sense.
    pub fn choice(&self, keep: Keep) -> Result<Choice> {
        let amount = match (self.keep, self.count) {
            (Some(keep), _) => Amount::Fraction(KeepFraction::try_from(keep)?),
            (None, Some(count)) => Amount::Count(count),
            (None, None) => bail!("how many? Give --keep FRACTION, such as 0.5, or --count N"),
        };
        let quota = match self.quota {
            QuotaName::None => Quota::None,
            QuotaName::Proportional => Quota::Proportional,
            QuotaName::Balanced => Quota::Balanced,
        };
        Ok(Choice { keep, amount, quota, seed: self.seed })
    }
}
