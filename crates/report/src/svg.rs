//! Elements of SVG, escaped in one place.
//!
//! Every attribute and every text goes through [`escape`], so that no name can end its element.
//! Coordinates are written to a hundredth of a pixel; numbers that readers take away are written
//! elsewhere, exactly.

use std::fmt::{self, Display, Write};

/// An element with its attributes and content.
#[derive(Clone, Debug)]
pub struct Element {
    name: &'static str,
    attributes: String,
    content: String,
}

impl Element {
    /// An empty element.
    pub fn new(name: &'static str) -> Self {
        Self { name, attributes: String::new(), content: String::new() }
    }

    /// A group of a class.
    pub fn group(class: &str) -> Self {
        Self::new("g").set("class", class)
    }

    /// Adds an attribute.
    pub fn set(mut self, name: &str, value: impl Display) -> Self {
        let value = escape(&value.to_string());
        let _ = write!(self.attributes, " {name}=\"{value}\"");
        self
    }

    /// Adds an attribute that is a length in pixels.
    pub fn at(self, name: &str, pixels: f64) -> Self {
        self.set(name, Pixels(pixels))
    }

    /// Adds text.
    pub fn text(mut self, text: &str) -> Self {
        self.content.push_str(&escape(text));
        self
    }

    /// Adds a child and gives the element back.
    pub fn with(mut self, child: Self) -> Self {
        self.push(child);
        self
    }

    /// Adds a child.
    pub fn push(&mut self, child: Self) {
        let _ = write!(self.content, "{child}");
    }

    /// Adds a style sheet; `css` is ours and is not escaped.
    pub fn style(mut self, css: &str) -> Self {
        let _ = write!(self.content, "<style>{css}</style>");
        self
    }
}

impl Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, attributes, content } = self;
        if content.is_empty() {
            write!(f, "<{name}{attributes}/>")
        } else {
            write!(f, "<{name}{attributes}>{content}</{name}>")
        }
    }
}

/// A coordinate, to a hundredth of a pixel.
#[derive(Clone, Copy, Debug)]
pub struct Pixels(pub f64);

impl Display for Pixels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rounded = (self.0 * 100.0).round() / 100.0;
        write!(f, "{}", if rounded == 0.0 { 0.0 } else { rounded })
    }
}

/// The data of a path through points; `None` lifts the pen.
pub fn path(points: impl IntoIterator<Item = Option<(f64, f64)>>) -> String {
    let mut data = String::new();
    let mut down = false;
    for point in points {
        if let Some((x, y)) = point {
            let command = if down { 'L' } else { 'M' };
            let _ = write!(data, "{command}{},{}", Pixels(x), Pixels(y));
        }
        down = point.is_some();
    }
    data
}

/// Text as it stands in XML and in HTML, inside elements and quoted attributes. Characters that XML
/// forbids become U+FFFD.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\t' | '\n' | '\r' => {
                let _ = write!(escaped, "&#{};", u32::from(character));
            }
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            _ => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_end_an_element_or_an_attribute() {
        let hostile = "\"'><script>alert(1)</script>&\u{1}";
        let element = Element::new("text").set("data-x", hostile).text(hostile);
        let escaped = "&quot;&#39;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&amp;\u{fffd}";
        let expected = format!("<text data-x=\"{escaped}\">{escaped}</text>");
        assert_eq!(element.to_string(), expected);
    }

    #[test]
    fn a_path_lifts_the_pen_at_gaps() {
        let points = [Some((0.0, 1.0)), Some((2.004, -0.001)), None, Some((3.0, 4.5))];
        assert_eq!(path(points), "M0,1L2,0M3,4.5");
    }
}
