//! What names of columns tell: which are details of another, and which one may have been meant.

use datadiet_core::{by_likeness, nearest};

/// Names that an error lists.
const LISTED: usize = 15;

/// Whether a column is the standard error of another (`el2n@4.se`) or one replica of it
/// (`el2n@4.r0`).
pub fn is_detail(name: &str) -> bool {
    let Some((_, suffix)) = name.rsplit_once('.') else { return false };
    let digits = suffix.strip_prefix('r').unwrap_or_default();
    suffix == "se" || (!digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

/// That there is no column of this name among `known`; the nearest of them, if one is near, and some others.
pub(super) fn missing(name: &str, what: &str, known: &[&str]) -> String {
    if known.is_empty() {
        return format!("no {what} named {name}: the table has none");
    }
    let meant = nearest(name, known.iter().copied());
    let meant = meant.map(|name| format!("did you mean {name}? ")).unwrap_or_default();
    let mut likeliest = by_likeness(name, known.iter().copied());
    likeliest.retain(|name| !is_detail(name));
    let more = likeliest.len().saturating_sub(LISTED);
    likeliest.truncate(LISTED);
    let listed = likeliest.join(", ");
    let rest = if more > 0 { format!(", … and {more} more") } else { String::new() };
    format!("no {what} named {name}; {meant}There are: {listed}{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_are_told_from_fractions_of_an_epoch() {
        assert!(is_detail("el2n@0.5.se") && is_detail("el2n@4.r12"));
        assert!(!is_detail("el2n@0.5") && !is_detail("mine.rank") && !is_detail("el2n"));
    }

    #[test]
    fn few_names_are_listed_the_likeliest_first_and_no_details() {
        let names: Vec<String> = ["loss", "el2n"]
            .iter()
            .flat_map(|score| (0..12).map(move |time| format!("{score}@{time}")))
            .flat_map(|name| [format!("{name}.se"), name])
            .collect();
        let known: Vec<&str> = names.iter().map(String::as_str).collect();
        let message = missing("el2n@20", "score column", &known);
        assert!(message.contains("There are: el2n@0, el2n@2, el2n@10, "), "{message}");
        assert!(message.ends_with("… and 9 more") && !message.contains(".se,"), "{message}");
        assert!(missing("el2n", "score column", &[]).contains("has none"));
    }
}
