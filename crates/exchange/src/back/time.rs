//! Times of other programs, as marks have them.

use std::path::Path;
use std::time::UNIX_EPOCH;

use datadiet_table::{FileError, seconds_of, time_text};

use crate::ExchangeError;

/// When a file was saved.
///
/// # Errors
/// When it is not there.
pub fn saved_at(file: &Path) -> Result<String, ExchangeError> {
    let saved = std::fs::metadata(file).and_then(|about| about.modified());
    let saved = saved.map_err(FileError::io("read", file))?;
    let millis = saved.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    Ok(time_text(millis as u64))
}

/// A time as RFC 3339 has it, `2026-11-26T18:22:05.123456+02:00`; none of another shape.
pub fn of_text(text: &str) -> Option<String> {
    let (date, clock) = text.trim().split_once(['T', ' '])?;
    let zone = clock.find(['Z', 'z', '+', '-']).unwrap_or(clock.len());
    let (clock, zone) = clock.split_at(zone);
    let (whole, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let numbers = |text: &str, between: char| -> Option<[u64; 3]> {
        let parts: Vec<u64> =
            text.split(between).map(|part| part.parse().ok()).collect::<Option<_>>()?;
        parts.try_into().ok()
    };
    let [year, month, day] = numbers(date, '-')?;
    let [hour, minute, second] = numbers(whole, ':')?;
    let fits = (1970..9000).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    let fits = fits && hour < 24 && minute < 60 && second <= 60;
    let millis: u64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    let seconds = fits.then(|| seconds_of([year, month, day, hour, minute, second]))?;
    Some(time_text((seconds.checked_add_signed(-offset(zone)?)?) * 1000 + millis))
}

/// Seconds east of Greenwich.
fn offset(zone: &str) -> Option<i64> {
    let sign = match zone.chars().next() {
        None | Some('Z' | 'z') => return Some(0),
        Some('-') => -1,
        Some(_) => 1,
    };
    let digits: String = zone[1..].chars().filter(|&c| c != ':').collect();
    let number = |from: usize| digits.get(from..from + 2)?.parse::<i64>().ok();
    Some(sign * (number(0)? * 3600 + number(2).unwrap_or(0) * 60))
}

#[cfg(test)]
mod tests {
    use super::of_text;

    #[test]
    fn times_of_other_programs_are_those_of_marks() {
        for (text, expected) in [
            ("2026-11-26T18:22:05.123456Z", "2026-11-26T18:22:05.123Z"),
            ("2026-11-26T18:22:05Z", "2026-11-26T18:22:05.000Z"),
            ("2026-11-26T01:22:05.5+02:00", "2026-11-25T23:22:05.500Z"),
            ("2026-11-26 18:22:05", "2026-11-26T18:22:05.000Z"),
        ] {
            assert_eq!(of_text(text).as_deref(), Some(expected), "{text}");
        }
        for text in ["", "yesterday", "2026-13-01T00:00:00Z", "2026-11-26", "2026-11-26T1:2"] {
            assert_eq!(of_text(text), None, "{text}");
        }
    }
}
