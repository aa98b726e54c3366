//! Numbers as text: exact for programs, short for people, even for axes.

use datadiet_core::group_digits;

/// The shortest text that reads back as the same number.
pub fn exact(value: f64) -> String {
    let size = value.abs();
    if size != 0.0 && !(1e-5..1e16).contains(&size) && value.is_finite() {
        format!("{value:e}")
    } else {
        value.to_string()
    }
}

/// Six significant digits, whole numbers in full: `12,345`, `0.0312`, `−1.5e−7`.
pub fn readable(value: f64) -> String {
    let size = value.abs();
    if !value.is_finite() {
        return if value.is_nan() { "–".into() } else { dress(&value.to_string()) };
    }
    if size != 0.0 && !(1e-4..1e15).contains(&size) {
        return dress(&scientific(value));
    }
    let before = if size == 0.0 { 0 } else { size.log10().floor() as i32 };
    let decimals = (5 - before).max(0) as usize;
    dress(&trim(&format!("{value:.decimals$}")))
}

/// A label of an axis whose ticks are `step` apart.
pub fn tick(value: f64, step: f64) -> String {
    let value = if value.abs() < step * 1e-6 { 0.0 } else { value };
    if value != 0.0 && !(1e-5..1e9).contains(&step.max(value.abs() * 1e-6)) {
        return dress(&scientific(value));
    }
    let decimals = (-(step.log10() + 1e-9).floor()).max(0.0) as usize;
    dress(&format!("{value:.decimals$}"))
}

fn scientific(value: f64) -> String {
    let text = format!("{value:.5e}");
    match text.split_once('e') {
        Some((mantissa, exponent)) => format!("{}e{exponent}", trim(mantissa)),
        None => text,
    }
}

/// Without zeros at the end of the decimals.
fn trim(text: &str) -> String {
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text.to_owned()
    }
}

/// With a minus sign as wide as a plus, and commas from a thousand on.
fn dress(text: &str) -> String {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) if rest.chars().any(|digit| digit.is_ascii_digit() && digit != '0') => {
            ("−", rest)
        }
        Some("inf") => return "−∞".into(),
        Some(rest) => ("", rest),
        None if text == "inf" => return "∞".into(),
        None => ("", text),
    };
    let whole = digits.find(['.', 'e']).unwrap_or(digits.len());
    let grouped =
        if whole > 3 { group_digits(&digits[..whole]) } else { digits[..whole].to_owned() };
    format!("{sign}{grouped}{}", digits[whole..].replace('-', "−"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_numbers_read_back() {
        for value in [0.0, 0.1 + 0.2, -1.0 / 3.0, 1e300, -4.9e-324, 123_456_789.123] {
            assert_eq!(exact(value).parse(), Ok(value));
        }
        assert_eq!(exact(1e-300), "1e-300");
        assert_eq!(exact(0.25), "0.25");
    }

    #[test]
    fn readable_numbers_are_short() {
        let cases = [
            (0.0, "0"),
            (-0.0, "0"),
            (0.1 + 0.2, "0.3"),
            (1560.0, "1,560"),
            (12_345.678, "12,345.7"),
            (-1_234_567.0, "−1,234,567"),
            (0.031_249_9, "0.0312499"),
            (-1.5e-7, "−1.5e−7"),
            (2.0e20, "2e20"),
            (f64::NEG_INFINITY, "−∞"),
            (f64::NAN, "–"),
        ];
        for (value, text) in cases {
            assert_eq!(readable(value), text);
        }
    }

    #[test]
    fn ticks_have_the_decimals_of_their_step() {
        assert_eq!(tick(0.300_000_000_000_000_04, 0.1), "0.3");
        assert_eq!(tick(-1e-17, 0.1), "0.0");
        assert_eq!(tick(-0.05, 0.05), "−0.05");
        assert_eq!(tick(20_000.0, 5_000.0), "20,000");
        assert_eq!(tick(2e-8, 1e-8), "2e−8");
    }
}
