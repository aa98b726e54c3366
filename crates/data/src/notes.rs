//! What an import left out, turned and decided: said when it ends, and kept with the data set.
//!
//! A reader notes whatever it finds at the path and does not use, so that nothing is missing
//! without a word.

use serde::{Deserialize, Serialize};

/// Names given as examples of what was left out.
const EXAMPLES: usize = 3;

/// What an import did beside reading.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ImportNotes {
    /// What is at the path and not in the data set, one entry a reason.
    pub left_out: Vec<LeftOut>,
    /// What was decided where something else might have been meant, one sentence each.
    pub decided: Vec<String>,
    /// Test images that are training images too; `None` in a cache of an earlier version.
    pub overlap: Option<Overlap>,
}

/// Things that were left out for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// What they are and why they are not in the data set, without their number.
    pub reason: String,
    /// How many.
    pub count: usize,
    /// The names of the first.
    pub examples: Vec<String>,
}

/// Test images with exactly the pixels of a training image.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overlap {
    /// How many test images.
    pub images: usize,
    /// How many of them have a label that no training image with these pixels has.
    pub other_label: usize,
}

impl ImportNotes {
    /// Notes that `count` things were left out, with the names of the first.
    pub(crate) fn leave_out(
        &mut self,
        reason: impl Into<String>,
        count: usize,
        names: impl IntoIterator<Item = String>,
    ) {
        if count == 0 {
            return;
        }
        let reason = reason.into();
        let known = self.left_out.iter().position(|entry| entry.reason == reason);
        let at = known.unwrap_or_else(|| {
            self.left_out.push(LeftOut { reason, count: 0, examples: Vec::new() });
            self.left_out.len() - 1
        });
        let entry = &mut self.left_out[at];
        entry.count += count;
        let room = EXAMPLES - entry.examples.len();
        entry.examples.extend(names.into_iter().take(room));
    }

    /// Notes something that was decided.
    pub(crate) fn decide(&mut self, what: impl Into<String>) {
        self.decided.push(what.into());
    }

    /// As [`Self::decide`], unless that is noted already: what each of several files says alike.
    pub(crate) fn decide_once(&mut self, what: String) {
        if !self.decided.contains(&what) {
            self.decided.push(what);
        }
    }

    /// The notes in sentences, one a line.
    pub fn lines(&self) -> Vec<String> {
        let left_out = self.left_out.iter().map(|entry| {
            let more = if entry.count > entry.examples.len() { ", …" } else { "" };
            let examples = match entry.examples.is_empty() {
                true => String::new(),
                false => format!(" ({}{more})", entry.examples.join(", ")),
            };
            format!("left out: {} {}{examples}", entry.count, entry.reason)
        });
        let overlap = self.overlap.filter(|overlap| overlap.images > 0).map(|overlap| {
            let labels = match overlap.other_label {
                0 => String::new(),
                n => format!(", {n} of them with another label"),
            };
            format!(
                "{} test images are training images too, pixel for pixel{labels}: test accuracy \
                 counts what was trained on",
                overlap.images
            )
        });
        left_out.chain(self.decided.iter().cloned()).chain(overlap).collect()
    }
}
