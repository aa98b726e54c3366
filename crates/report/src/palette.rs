//! Colours, in a light and a dark theme.
//!
//! A page names colours as CSS variables and the reader's theme chooses; a standalone file gets the
//! light ones written in. The colours of series are by Okabe and Ito (2008), safe for colour
//! blindness, shifted until each has a contrast of 3 with the background of its theme. Heatmaps go
//! from orange over the background to blue.

use std::fmt::Write;

use crate::font;

/// How many colours series have before they come again.
pub const SERIES: usize = 8;

/// How many steps of colour a heatmap has on either side of its middle.
pub const LEVELS: i32 = 16;

type Rgb = [u8; 3];

/// The colours of a theme.
struct Theme {
    /// Behind everything.
    page: Rgb,
    /// Behind figures, tables and cards.
    surface: Rgb,
    /// Text and headings.
    ink: Rgb,
    /// Labels and captions.
    faint: Rgb,
    /// Frames and the lines of the grid.
    rule: Rgb,
    /// Links, and what is active.
    accent: Rgb,
    /// Warnings.
    warning: Rgb,
    /// Lines to compare with.
    reference: Rgb,
    series: [Rgb; SERIES],
    /// Lowest, middle and highest colour of a heatmap.
    heat: [Rgb; 3],
    /// Cells without a value.
    missing: Rgb,
}

const LIGHT: Theme = Theme {
    page: [0xf7, 0xf8, 0xf9],
    surface: [0xff, 0xff, 0xff],
    ink: [0x1c, 0x23, 0x2b],
    faint: [0x59, 0x64, 0x70],
    rule: [0xdf, 0xe4, 0xe9],
    accent: [0x00, 0x62, 0x9b],
    warning: [0xb0, 0x53, 0x00],
    reference: [0x4d, 0x57, 0x61],
    series: [
        [0x00, 0x72, 0xb2],
        [0xd5, 0x5e, 0x00],
        [0x00, 0x94, 0x6c],
        [0xb8, 0x56, 0x8f],
        [0xa8, 0x78, 0x00],
        [0x2f, 0x93, 0xd1],
        [0x4d, 0x57, 0x61],
        [0x7d, 0x4a, 0x2b],
    ],
    heat: [[0x9c, 0x3d, 0x08], [0xf6, 0xf6, 0xf4], [0x08, 0x58, 0x9c]],
    missing: [0xe4, 0xe7, 0xea],
};

const DARK: Theme = Theme {
    page: [0x12, 0x16, 0x1b],
    surface: [0x1a, 0x1f, 0x26],
    ink: [0xe8, 0xec, 0xf0],
    faint: [0xa0, 0xab, 0xb6],
    rule: [0x31, 0x39, 0x43],
    accent: [0x6c, 0xb8, 0xee],
    warning: [0xf2, 0xa6, 0x4e],
    reference: [0xb4, 0xbe, 0xc8],
    series: [
        [0x4f, 0xa8, 0xe8],
        [0xf2, 0x86, 0x4a],
        [0x2f, 0xc4, 0x9a],
        [0xdf, 0x90, 0xc2],
        [0xe3, 0xb5, 0x2a],
        [0x96, 0xd6, 0xff],
        [0xb4, 0xbe, 0xc8],
        [0xcc, 0x9c, 0x7a],
    ],
    heat: [[0xf5, 0x8e, 0x4a], [0x24, 0x2a, 0x32], [0x62, 0xb4, 0xf4]],
    missing: [0x3a, 0x42, 0x4c],
};

impl Theme {
    /// Names and values of the variables.
    fn variables(&self) -> Vec<(String, String)> {
        let named = [
            ("page", self.page),
            ("surface", self.surface),
            ("ink", self.ink),
            ("faint", self.faint),
            ("rule", self.rule),
            ("accent", self.accent),
            ("warning", self.warning),
            ("reference", self.reference),
            ("missing", self.missing),
        ];
        let named = named.into_iter().map(|(name, colour)| (name.to_owned(), colour));
        let series = (0..).zip(self.series);
        let series = series.map(|(index, colour): (usize, _)| (format!("series-{index}"), colour));
        let heat = (-LEVELS..=LEVELS).map(|level| (format!("heat{level}"), self.heat(level)));
        let inks = (-LEVELS..=LEVELS).map(|level| (format!("on{level}"), self.on_heat(level)));
        let all = named.chain(series).chain(heat).chain(inks);
        all.map(|(name, colour)| (name, hexadecimal(colour))).collect()
    }

    fn heat(&self, level: i32) -> Rgb {
        let end = if level < 0 { self.heat[0] } else { self.heat[2] };
        let share = f64::from(level.abs()) / f64::from(LEVELS);
        let mix = |from: u8, to: u8| f64::from(from) + share * (f64::from(to) - f64::from(from));
        std::array::from_fn(|channel| mix(self.heat[1][channel], end[channel]).round() as u8)
    }

    /// Black or white, whichever is read more easily on a colour of a heatmap.
    fn on_heat(&self, level: i32) -> Rgb {
        let cell = self.heat(level);
        let (black, white) = ([0; 3], [255; 3]);
        if contrast(cell, black) > contrast(cell, white) { black } else { white }
    }
}

/// Relative luminance, as WCAG 2.2 defines it.
fn luminance(colour: Rgb) -> f64 {
    let [red, green, blue] = colour.map(|channel| {
        let share = f64::from(channel) / 255.0;
        if share <= 0.04045 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
    });
    0.2126 * red + 0.7152 * green + 0.0722 * blue
}

/// The contrast of two colours, from 1 to 21, as WCAG 2.2 defines it.
fn contrast(one: Rgb, other: Rgb) -> f64 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

/// The colours of series in the light theme, as `#rrggbb`.
pub fn series_colours() -> [String; SERIES] {
    LIGHT.series.map(hexadecimal)
}

/// The variables of both themes, for a page.
pub fn variables() -> String {
    let list = |theme: &Theme| {
        theme.variables().iter().fold(String::new(), |mut css, (name, value)| {
            let _ = write!(css, "--{name}:{value};");
            css
        })
    };
    let fonts = "--font:system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans',sans-serif;";
    format!(
        ":root{{color-scheme:light dark;{fonts}{}}}\n\
         @media screen and (prefers-color-scheme:dark){{:root{{{}}}}}\n",
        list(&LIGHT),
        list(&DARK)
    )
}

/// The classes that colour series and cells, for pages and files alike.
pub fn classes() -> String {
    let mut css = String::new();
    for index in 0..SERIES {
        let _ = writeln!(css, ".s{index}{{color:var(--series-{index})}}");
    }
    for level in -LEVELS..=LEVELS {
        let _ = writeln!(css, ".chart .h{level}{{fill:var(--heat{level})}}");
        let _ = writeln!(css, ".chart .t{level}{{fill:var(--on{level})}}");
    }
    css
}

/// A style sheet with the light theme written in, for files that stand alone.
pub fn written_in(css: &str, family: &str) -> String {
    let mut variables = LIGHT.variables();
    variables.push(("font".into(), family.to_owned()));
    variables
        .iter()
        .fold(css.to_owned(), |css, (name, value)| css.replace(&format!("var(--{name})"), value))
}

/// The families of a file that is opened in a browser or a drawing program.
pub fn families() -> String {
    format!("'{}','Segoe UI',Roboto,Helvetica,Arial,sans-serif", font::FAMILY)
}

fn hexadecimal([red, green, blue]: Rgb) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_stands_out_from_its_background() {
        for theme in [LIGHT, DARK] {
            for (index, colour) in theme.series.into_iter().enumerate() {
                let contrast = contrast(colour, theme.surface);
                assert!(contrast >= 3.0, "series {index}: {contrast:.2}");
            }
            for text in [theme.ink, theme.faint, theme.accent, theme.warning] {
                assert!(contrast(text, theme.surface).min(contrast(text, theme.page)) >= 4.5);
            }
        }
    }

    #[test]
    fn numbers_stand_out_from_their_cells() {
        for theme in [LIGHT, DARK] {
            for level in -LEVELS..=LEVELS {
                let contrast = contrast(theme.on_heat(level), theme.heat(level));
                assert!(contrast >= 4.5, "level {level}: {contrast:.2}");
            }
        }
    }

    #[test]
    fn a_written_in_style_has_no_variable_left() {
        let css = written_in(&format!("{}text{{font-family:var(--font)}}", classes()), "Noto Sans");
        assert!(!css.contains("var("), "{css}");
        assert!(css.contains(".s0{color:#0072b2}"), "{css}");
        assert!(css.contains("font-family:Noto Sans"), "{css}");
    }
}
