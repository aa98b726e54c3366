//! The known name most like a mistyped one, for "did you mean".
//!
//! Likeness is 1 less the share of letters that must be typed otherwise (Damerau–Levenshtein, so
//! that two neighbours in the wrong order are one mistake), or, for the beginning of a name, at least
//! a half. Case and the kind of dash do not count. Nothing is suggested below a half: a wild guess
//! is worse than none.

/// The most similar of `names`, if any is similar; of several, the first.
pub fn nearest<'a>(text: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let likely = ranked(text, names).into_iter().next();
    likely.filter(|(likeness, _)| *likeness >= 0.5).map(|(_, name)| name)
}

/// All of `names`, the most similar first, equally similar ones in their own order.
pub fn by_likeness<'a>(text: &str, names: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    ranked(text, names).into_iter().map(|(_, name)| name).collect()
}

fn ranked<'a>(text: &str, names: impl IntoIterator<Item = &'a str>) -> Vec<(f64, &'a str)> {
    let text = plain(text);
    let likely = names.into_iter().map(|name| (likeness(&text, &plain(name)), name));
    let mut likely: Vec<_> = likely.collect();
    likely.sort_by(|a, b| b.0.total_cmp(&a.0));
    likely
}

fn plain(name: &str) -> String {
    name.to_lowercase().replace(['_', ' '], "-")
}

fn likeness(text: &str, name: &str) -> f64 {
    let alike = strsim::normalized_damerau_levenshtein(text, name);
    // One letter begins too many names.
    if text.len() < 2 || !name.starts_with(text) {
        return alike;
    }
    alike.max(0.5 + 0.5 * text.len() as f64 / name.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_prefixes_and_transpositions_are_understood_and_nothing_wild() {
        let data = ["cifar10", "cifar100", "fashion-mnist"];
        let networks = ["resnet8", "resnet18", "resnet50", "simple-cnn", "mlp"];
        let columns = ["el2n@1", "el2n@4", "grand@4", "forgetting@4", "never-learned@4"];
        for (text, names, expected) in [
            ("CIFAR-10", &data[..], Some("cifar10")),
            ("cifar", &data, Some("cifar10")),
            ("fashion_mnist", &data, Some("fashion-mnist")),
            ("fashion", &data, Some("fashion-mnist")),
            ("zzz", &data, None),
            ("x", &data, None),
            ("mpl", &networks, Some("mlp")),
            ("renset18", &networks, Some("resnet18")),
            ("resnet", &networks, Some("resnet8")),
            ("resnet19", &networks, Some("resnet18")),
            ("cnn", &networks, None),
            ("el2n", &columns, Some("el2n@1")),
            ("eln@4", &columns, Some("el2n@4")),
            ("forgeting@4", &columns, Some("forgetting@4")),
            ("never", &columns, Some("never-learned@4")),
            ("", &columns, None),
        ] {
            assert_eq!(nearest(text, names.iter().copied()), expected, "{text}");
        }
    }
}
