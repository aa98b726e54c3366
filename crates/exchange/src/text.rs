//! Texts as other programs take them.

use std::fmt::Write;

/// A text between the quotes of an attribute of XML; none where XML cannot hold it.
pub fn attribute(text: &str) -> Option<String> {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\t' | '\n' | '\r' => write!(safe, "&#{};", c as u32).ok()?,
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => return None,
            c => safe.push(c),
        }
    }
    Some(safe)
}

/// A path as part of an address: letters, digits, `-._~/` as they are, all else by its bytes.
pub fn percent(path: &str) -> String {
    let mut safe = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                safe.push(byte as char);
            }
            byte => {
                let _ = write!(safe, "%{byte:02X}");
            }
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_hold_markup_as_text() {
        assert_eq!(attribute("a<b>&\"\n").as_deref(), Some("a&lt;b&gt;&amp;&quot;&#10;"));
        assert_eq!(attribute("bell \u{7}"), None);
        assert_eq!(percent("a b/ü.png"), "a%20b/%C3%BC.png");
    }
}
