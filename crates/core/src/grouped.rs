//! Numbers for people.

/// A number with commas between groups of three digits.
///
/// ```
/// assert_eq!(datadiet_core::grouped(1_234_567), "1,234,567");
/// ```
#[must_use]
pub fn grouped(number: u64) -> String {
    group_digits(&number.to_string())
}

/// The digits of a whole number with commas between groups of three.
#[must_use]
pub fn group_digits(digits: &str) -> String {
    let mut text = String::new();
    for (index, digit) in digits.char_indices() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
