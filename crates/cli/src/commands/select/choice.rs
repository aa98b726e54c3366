//! How a subset is chosen, as typed.

use anyhow::{Result, bail};
use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use datadiet_core::{Amount, Choice, KeepFraction, Quota, Rule, RuleOptions};

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
    #[arg(long, value_parser = rules(), default_value = Rule::Hardest.name())]
    rule: String,
    /// Where the window begins: a fraction of the ascending order below 1, or a number of examples.
    #[arg(long, value_name = "FRACTION|N", allow_negative_numbers = true)]
    offset: Option<f64>,
    #[arg(long, value_name = "FRACTION", allow_negative_numbers = true, help = cut_help())]
    cut: Option<f64>,
    #[arg(long, value_name = "N", help = strata_help())]
    strata: Option<u32>,
    /// How the subset is shared out over the classes.
    #[arg(long, value_parser = quotas(), default_value = Quota::None.name())]
    quota: Quota,
    /// Seed of what is random.
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

fn rules() -> PossibleValuesParser {
    Rule::NAMES.map(|(name, text)| PossibleValue::new(name).help(text)).into()
}

fn quotas() -> impl TypedValueParser<Value = Quota> {
    let values = Quota::ALL.map(|quota| PossibleValue::new(quota.name()).help(quota.text()));
    PossibleValuesParser::from(values).try_map(|name| name.parse::<Quota>())
}

fn cut_help() -> String {
    format!("Fraction of the hardest that `ccs` leaves out [default: {}]", Rule::CUT)
}

fn strata_help() -> String {
    format!("Strata of `ccs` [default: {}]", Rule::STRATA)
}

impl ChoiceArgs {
    /// Whether it is said how many are to be kept.
    pub fn has_amount(&self) -> bool {
        self.keep.is_some() || self.count.is_some()
    }

    /// The choice among so many examples.
    ///
    /// # Errors
    /// When an option does not belong to the rule, or lacks; when the amount is missing or makes no
    /// sense.
    pub fn choice(&self, examples: usize) -> Result<Choice> {
        let options = RuleOptions { offset: self.offset, cut: self.cut, strata: self.strata };
        let rule = Rule::named(&self.rule, options, examples)?;
        let amount = match (self.keep, self.count) {
            (Some(keep), _) => Amount::Fraction(KeepFraction::try_from(keep)?),
            (None, Some(count)) => Amount::Count(count),
            (None, None) => bail!("how many? Give --keep FRACTION, such as 0.5, or --count N"),
        };
        Ok(Choice { rule, amount, quota: self.quota, seed: self.seed })
    }
}
