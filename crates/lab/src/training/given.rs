//! Values of options as people write them: a width, a number or `none`, one of several words.

use std::fmt;
use std::str::FromStr;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use datadiet_store::{Activation, Flip, Views, catalogue};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::LabError;
use crate::refuse::ensure;

/// How wide a network is: `16` channels, or `0.25x` its own width. In files a number or a text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Width {
    /// Channels of its first stage (units of a hidden layer for `mlp`).
    Channels(u32),
    /// A multiple of the width that it has of its own.
    Times(f64),
}

impl Width {
    /// Channels of a network of this name.
    ///
    /// # Errors
    /// For an unknown name, and a multiple that is no channel.
    pub fn channels(self, name: &str) -> Result<u32, LabError> {
        let own = catalogue::find(name)?.default_width;
        match self {
            Self::Channels(channels) => Ok(channels),
            Self::Times(factor) => {
                let channels = (factor * f64::from(own)).round();
                ensure!(
                    (1.0..=f64::from(u32::MAX)).contains(&channels),
                    "--width {self}: {factor} times the {own} channels of {name} is no width; give \
                     channels, such as 16, or a multiple, such as 0.25x"
                );
                Ok(channels as u32)
            }
        }
    }
}

impl FromStr for Width {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = match text.trim().strip_suffix(['x', '×']) {
            Some(factor) => factor.parse().ok().filter(|f: &f64| *f > 0.0).map(Self::Times),
            None => text.trim().parse().ok().map(Self::Channels),
        };
        parsed.filter(|width| !matches!(width, Self::Times(f) if f.is_infinite())).ok_or_else(|| {
            format!(
                "a width is a whole number of channels, such as 16, or a multiple of the network's own \
                 width, such as 0.25x; {text} is neither"
            )
        })
    }
}

impl fmt::Display for Width {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Channels(channels) => write!(f, "{channels}"),
            Self::Times(factor) => write!(f, "{factor}x"),
        }
    }
}

/// A value in a file: a number or a word.
#[derive(Deserialize)]
#[serde(untagged, expecting = "a number or a text")]
enum Form {
    Whole(i64),
    Fraction(f64),
    Word(String),
}

impl Form {
    fn read<'de, D: Deserializer<'de>, T: FromStr<Err: fmt::Display>>(
        from: D,
    ) -> Result<T, D::Error> {
        let text = match Self::deserialize(from)? {
            Self::Whole(number) => number.to_string(),
            Self::Fraction(number) => number.to_string(),
            Self::Word(word) => word,
        };
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl Serialize for Width {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Channels(channels) => channels.serialize(serializer),
            Self::Times(_) => serializer.collect_str(self),
        }
    }
}

impl<'de> Deserialize<'de> for Width {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Form::read(deserializer)
    }
}

/// The size of something that can be left out: a number, or `none` (0 is the same).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OrNone<T>(pub Option<T>);

impl<T: FromStr + PartialEq + Default> FromStr for OrNone<T> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.trim() {
            "none" => Ok(Self(None)),
            number => match number.parse() {
                Ok(value) => Ok(Self(Some(value).filter(|value| *value != T::default()))),
                Err(_) => {
                    Err(format!("{text} is not a number of its kind; `none` switches it off"))
                }
            },
        }
    }
}

impl<T: Serialize> Serialize for OrNone<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Some(value) => value.serialize(serializer),
            None => "none".serialize(serializer),
        }
    }
}

impl<'de, T: FromStr + PartialEq + Default> Deserialize<'de> for OrNone<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Form::read(deserializer)
    }
}

/// The nonlinearities of a network.
pub(super) const ACTIVATIONS: [(&str, Activation); 3] =
    [("relu", Activation::Relu), ("gelu", Activation::Gelu), ("silu", Activation::Silu)];

/// The words of `--flip`.
pub(super) const FLIPS: [(&str, Flip); 3] =
    [("false", Flip::Never), ("true", Flip::Random), ("alternating", Flip::Alternating)];

/// The words of `--views`.
pub(super) const VIEWS: [(&str, Views); 3] = [
    ("plain", Views::Plain),
    ("mirrored", Views::Mirrored),
    ("mirrored-shifted", Views::MirroredShifted),
];

/// Takes one of these words on the command line.
pub(super) fn one_of<T: Copy + Send + Sync + 'static>(
    values: &'static [(&'static str, T)],
) -> impl TypedValueParser<Value = T> {
    let names = values.iter().map(|(name, _)| *name);
    PossibleValuesParser::new(names).map(|word| {
        let (_, value) = values.iter().find(|(name, _)| *name == word).expect("a possible value");
        *value
    })
}

/// The word for a value.
pub(super) fn word<T: PartialEq>(values: &[(&'static str, T)], value: &T) -> &'static str {
    values.iter().find(|(_, known)| known == value).expect("all values have a word").0
}

/// Whether the network of this name has filters, which Muon is for.
pub(super) fn has_filters(network: &str) -> bool {
    network != "mlp"
}

/// Whether the network of this name has a whitened layer.
pub(super) fn has_whitening(network: &str) -> bool {
    network == "airbench"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_width_is_channels_or_a_multiple() {
        assert_eq!("16".parse(), Ok(Width::Channels(16)));
        assert_eq!("0.25x".parse(), Ok(Width::Times(0.25)));
        assert_eq!("2×".parse(), Ok(Width::Times(2.0)));
        assert_eq!(Width::Times(0.25).channels("airbench").unwrap(), 16);
        assert_eq!(Width::Times(1.5).channels("resnet8").unwrap(), 24);
        assert!(Width::Times(1e-3).channels("airbench").is_err());
        for text in ["0.25", "-1", "x", "0x", "-2x", "infx", "wide", "16.0"] {
            let message = text.parse::<Width>().unwrap_err();
            assert!(message.contains("such as 16") && message.contains("0.25x"), "{message}");
        }
    }

    #[test]
    fn values_in_files_are_read_back() {
        #[derive(Debug, PartialEq, Serialize, Deserialize)]
        struct Options {
            width: Width,
            muon: OrNone<f64>,
            part: OrNone<u32>,
        }
        let read = |text: &str| toml::from_str::<Options>(text);
        for (text, expected) in [
            ("width = 16\nmuon = 0.24\npart = 500", (Width::Channels(16), Some(0.24), Some(500))),
            ("width = \"0.25x\"\nmuon = 0\npart = \"none\"", (Width::Times(0.25), None, None)),
        ] {
            let options = read(text).unwrap();
            let (width, muon, part) = expected;
            assert_eq!(options, Options { width, muon: OrNone(muon), part: OrNone(part) });
            assert_eq!(read(&toml::to_string(&options).unwrap()).unwrap(), options);
        }
        let message = read("width = 0.25\nmuon = 1\npart = 2").unwrap_err().to_string();
        assert!(message.contains("such as 16") && message.contains("0.25x"), "{message}");
        let message = read("width = 2\nmuon = 1\npart = 2.5").unwrap_err().to_string();
        assert!(message.contains("2.5 is not a number of its kind"), "{message}");
    }
}
