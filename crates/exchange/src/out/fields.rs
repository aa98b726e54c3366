//! Names of fields as other programs take them.

/// Names of letters, digits and `_`, one for each column of scores: `aum@10` is `aum_10`, `loss:box@0.5`
/// `loss_box_0_5`. Those that are taken, and the same twice, get a number.
pub fn names<'c>(columns: impl Iterator<Item = &'c str>, taken: &[&str]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for column in columns {
        let plain: String =
            column.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        let plain = plain.trim_matches('_');
        let starts = plain.starts_with(|c: char| c.is_ascii_alphabetic());
        let plain = if starts { plain.to_owned() } else { format!("score_{plain}") };
        let free = |name: &String, names: &[String]| {
            !taken.contains(&name.as_str()) && !names.contains(name)
        };
        let numbered = (2..).map(|number| format!("{plain}_{number}"));
        let mut ways = std::iter::once(plain.clone()).chain(numbered);
        names.extend(ways.find(|name| free(name, &names)));
    }
    names
}

#[cfg(test)]
mod tests {
    #[test]
    fn fields_are_plain_and_different() {
        let names = super::names(
            ["aum@10", "aum 10", "loss:box@0.5", "label", "@2", "μ"].into_iter(),
            &["label"],
        );
        assert_eq!(names, ["aum_10", "aum_10_2", "loss_box_0_5", "label_2", "score_2", "score_"]);
    }
}
