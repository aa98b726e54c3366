//! Names as the user spells them out: `preds_{epoch}_{run}.npz`.

use crate::IngestError;

/// A part of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    /// `{epoch}`: a whole number.
    Epoch,
    /// `{run}`.
    Run,
    /// `{part}`.
    Part,
    /// `{}`: anything.
    Any,
}

/// What a name says by a pattern.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) epoch: Option<i64>,
    pub(crate) run: Option<String>,
    pub(crate) part: Option<String>,
}

/// A pattern of names of files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    pieces: Vec<Piece>,
}

impl std::str::FromStr for Pattern {
    type Err = IngestError;

    fn from_str(text: &str) -> Result<Self, IngestError> {
        let bad = |reason: &str| IngestError::Pattern { text: text.into(), reason: reason.into() };
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').ok_or_else(|| bad("a `{` is not closed"))?;
            if !before.is_empty() {
                pieces.push(Piece::Text(before.into()));
            } else if !pieces.is_empty() {
                return Err(bad("between two places there must be a text that ends the first"));
            }
            let piece = match name {
                "epoch" | "step" => Piece::Epoch,
                "run" | "seed" => Piece::Run,
                "part" | "shard" => Piece::Part,
                "" => Piece::Any,
                _ => return Err(bad("the places are {epoch}, {run}, {part} and {}")),
            };
            if piece != Piece::Any && pieces.contains(&piece) {
                return Err(bad("a place is named twice; write {} for the other"));
            }
            pieces.push(piece);
            rest = after;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.into()));
        }
        Ok(Self { text: text.into(), pieces })
    }
}

impl std::fmt::Display for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl Pattern {
    /// What a name says, if it is of the pattern. A place holds as little as fits, and no `/`.
    pub(crate) fn said(&self, name: &str) -> Option<Said> {
        let mut said = Said::default();
        fits(&self.pieces, name, &mut said).then_some(said)
    }
}

fn fits(pieces: &[Piece], name: &str, said: &mut Said) -> bool {
    let Some((piece, rest)) = pieces.split_first() else { return name.is_empty() };
    if let Piece::Text(text) = piece {
        return name.strip_prefix(text.as_str()).is_some_and(|name| fits(rest, name, said));
    }
    let longest = name.find('/').unwrap_or(name.len());
    let ends = name.char_indices().map(|(at, c)| at + c.len_utf8()).filter(|&at| at <= longest);
    for end in ends {
        let (here, after) = name.split_at(end);
        match piece {
            Piece::Epoch => match here.parse() {
                Ok(epoch) => said.epoch = Some(epoch),
                Err(_) => continue,
            },
            Piece::Run => said.run = Some(here.into()),
            Piece::Part => said.part = Some(here.into()),
            Piece::Any | Piece::Text(_) => {}
        }
        if fits(rest, after, said) {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_taken_out_of_names() {
        let pattern: Pattern = "{run}/preds_{epoch}-{}.npz".parse().unwrap();
        let said = pattern.said("seed_1/preds_12-0.5.npz").unwrap();
        assert_eq!((said.epoch, said.run.as_deref()), (Some(12), Some("seed_1")));
        assert_eq!(pattern.said("seed_1/preds_x-0.5.npz"), None);
        assert_eq!(pattern.said("a/b/preds_1-0.5.npz"), None);
        assert!("{epoch}{run}".parse::<Pattern>().is_err());
        assert!("{epoche}".parse::<Pattern>().is_err());
    }
}
