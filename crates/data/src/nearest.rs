//! The known name most like a mistyped one.
//!
//! Jaro-Winkler similarity, as in the suggestions of common command-line parsers. It does not
//! suggest anything below a similarity of 0.7: a wild guess is worse than none.

/// The candidate most like `text`, if any is alike.
pub(crate) fn nearest<'a>(text: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    known
        .into_iter()
        .map(|name| (strsim::jaro_winkler(&text.to_lowercase(), &name.to_lowercase()), name))
        .filter(|(likeness, _)| *likeness > 0.7)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn suggests_the_most_alike_and_nothing_wild() {
        let known = ["cifar10", "cifar100", "fashion-mnist"];
        assert_eq!(nearest("CIFAR-10", known).as_deref(), Some("cifar10"));
        assert_eq!(nearest("fashion_mnist", known).as_deref(), Some("fashion-mnist"));
        assert_eq!(nearest("zzz", known), None);
    }
}
