//! Times as dates of the Gregorian calendar, in UTC.
//!
//! Howard Hinnant's `civil_from_days` and `days_from_civil`, for days since 1970 and after.

/// Year, month, day, hour, minute and second of a time in seconds since 1970, in UTC.
///
/// ```
/// assert_eq!(datadiet_table::utc(951_827_696), [2000, 2, 29, 12, 34, 56]);
/// ```
#[must_use]
pub fn utc(seconds: u64) -> [u64; 6] {
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let shifted = days + 719_468;
    let (era, day) = (shifted / 146_097, shifted % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + u64::from(month <= 2);
    [year, month, day, second / 3600, second / 60 % 60, second % 60]
}

/// The time in seconds since 1970 of a date that [`utc`] gives.
///
/// ```
/// assert_eq!(datadiet_table::seconds_of([2000, 2, 29, 12, 34, 56]), 951_827_696);
/// ```
#[must_use]
pub fn seconds_of([year, month, day, hour, minute, second]: [u64; 6]) -> u64 {
    let year = year - u64::from(month <= 2);
    let (era, of_era) = (year / 400, year % 400);
    let shifted = if month > 2 { month - 3 } else { month + 9 };
    let day = (153 * shifted + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + day - 719_468;
    days * 86_400 + hour * 3600 + minute * 60 + second
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_of_four_centuries_is_found_again() {
        for day in 0..150_000 {
            let seconds = day * 86_400 + day % 86_400;
            assert_eq!(seconds_of(utc(seconds)), seconds);
        }
        assert_eq!(utc(4_107_542_400), [2100, 3, 1, 0, 0, 0]);
    }
}
