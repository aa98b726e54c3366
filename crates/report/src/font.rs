//! The fonts that are part of the program: how wide a text is, and what draws it in a PNG.
//!
//! Noto Sans (SIL Open Font License) draws; DejaVu Sans (Bitstream Vera licence) has the symbols and
//! alphabets that it lacks. What neither has, such as Chinese, comes from the machine's own fonts.
//! Browsers draw with other fonts: widths here have some room to spare.

use std::sync::{Arc, LazyLock};

use resvg::usvg::fontdb::Database;
use skrifa::{
    FontRef, MetadataProvider,
    charmap::Charmap,
    instance::{LocationRef, Size},
    metrics::GlyphMetrics,
};

/// The family that draws figures in PNG files.
pub const FAMILY: &str = "Noto Sans";

/// Fonts of browsers and desktops may be so much wider than ours.
const ROOM: f64 = 1.16;

/// The width of a character that no font of ours has, such as a Chinese one, in ems.
const UNKNOWN: f64 = 1.0;

static REGULAR: LazyLock<Face> = LazyLock::new(|| Face::new(notosans::REGULAR_TTF));
static BOLD: LazyLock<Face> = LazyLock::new(|| Face::new(notosans::BOLD_TTF));
static SYMBOLS: LazyLock<Face> = LazyLock::new(|| Face::new(dejavu::sans::regular()));

static FONTS: LazyLock<Arc<Database>> = LazyLock::new(|| {
    let mut fonts = Database::new();
    for font in [notosans::REGULAR_TTF, notosans::BOLD_TTF, dejavu::sans::regular()] {
        fonts.load_font_data(font.to_vec());
    }
    fonts.set_sans_serif_family(FAMILY);
    Arc::new(fonts)
});

/// How heavy a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// Labels.
    Regular,
    /// Titles.
    Bold,
}

/// The width of a text in pixels, at a size in pixels.
pub fn width(text: &str, size: f64, weight: Weight) -> f64 {
    let face = match weight {
        Weight::Regular => &REGULAR,
        Weight::Bold => &BOLD,
    };
    let advance = |character| {
        face.advance(character).or_else(|| SYMBOLS.advance(character)).unwrap_or(UNKNOWN)
    };
    text.chars().map(advance).sum::<f64>() * size * ROOM
}

/// The text, with an ellipsis in its middle if it is wider than `room` pixels: names of a figure
/// often begin alike.
pub fn fit(text: &str, size: f64, room: f64) -> String {
    if width(text, size, Weight::Regular) <= room {
        return text.to_owned();
    }
    let mut kept: Vec<char> = text.chars().collect();
    while !kept.is_empty() {
        kept.remove(kept.len() / 2);
        let (front, back) = kept.split_at(kept.len() / 2);
        let text = |part: &[char]| part.iter().collect::<String>();
        let shorter = format!("{}…{}", text(front).trim_end(), text(back).trim_start());
        if width(&shorter, size, Weight::Regular) <= room {
            return shorter;
        }
    }
    "…".into()
}

/// The text in lines of at most `room` pixels, broken between words.
pub fn wrap(text: &str, size: f64, weight: Weight, room: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if width(&format!("{line} {word}"), size, weight) <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(fit(word, size, room)),
        }
    }
    lines
}

/// The fonts to draw a text with.
pub fn for_text(text: &str) -> Arc<Database> {
    let ours = |character: char| {
        character.is_control()
            || REGULAR.advance(character).is_some()
            || SYMBOLS.advance(character).is_some()
    };
    if text.chars().all(ours) {
        return Arc::clone(&FONTS);
    }
    let mut fonts = Database::clone(&FONTS);
    fonts.load_system_fonts();
    Arc::new(fonts)
}

struct Face {
    glyphs: Charmap<'static>,
    metrics: GlyphMetrics<'static>,
    em: f64,
}

impl Face {
    fn new(data: &'static [u8]) -> Self {
        let font = FontRef::new(data).expect("the fonts of the program are sound");
        let metrics = font.glyph_metrics(Size::unscaled(), LocationRef::default());
        let em = f64::from(font.metrics(Size::unscaled(), LocationRef::default()).units_per_em);
        Self { glyphs: font.charmap(), metrics, em }
    }

    /// The advance of a character in ems, if the font has it.
    fn advance(&self, character: char) -> Option<f64> {
        let glyph = self.glyphs.map(character)?;
        Some(f64::from(self.metrics.advance_width(glyph)?) / self.em)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_come_from_the_fonts() {
        // Advances of hmtx: Noto Sans `0` is 1171 of 2048 units, bold too; DejaVu's `∇` 1370.
        let close = |text, weight, ems: f64| {
            let width = width(text, 100.0, weight);
            assert!((width - ems * 100.0 * ROOM).abs() < 0.1, "{text}: {width}");
        };
        close("00", Weight::Regular, 2.0 * 1171.0 / 2048.0);
        close("0", Weight::Bold, 1171.0 / 2048.0);
        close("∇", Weight::Regular, 1370.0 / 2048.0);
        close("猫", Weight::Regular, UNKNOWN);
    }

    #[test]
    fn long_texts_are_cut_or_wrapped() {
        assert_eq!(fit("short", 12.0, 100.0), "short");
        let cut = fit("a name that is much too long", 12.0, 60.0);
        assert!(width(&cut, 12.0, Weight::Regular) <= 60.0, "{cut}");
        assert!(cut.starts_with("a n") && cut.contains('…') && cut.ends_with("ng"), "{cut}");
        let lines = wrap("one two three four", 12.0, Weight::Regular, 60.0);
        assert!(lines.len() > 1, "{lines:?}");
        assert_eq!(lines.join(" "), "one two three four");
    }
}
