//! Ids for addresses and file names, from whatever callers call things.

use std::collections::HashSet;

/// The ids given out so far.
#[derive(Debug, Default)]
pub struct Ids(HashSet<String>);

impl Ids {
    /// An id like the one wished for, that no other element of the page has.
    pub fn unique(&mut self, wish: &str) -> String {
        let slug = slug(wish);
        let numbered = (2..).map(|number| format!("{slug}-{number}"));
        let mut candidates = [slug.clone()].into_iter().chain(numbered);
        let free = candidates.find(|id| !self.0.contains(id)).expect("numbers do not end");
        self.0.insert(free.clone());
        free
    }
}

/// ASCII letters, digits, `_` and `.`; all else becomes `-`.
fn slug(text: &str) -> String {
    let keep = |character: char| character.is_ascii_alphanumeric() || "_.".contains(character);
    let replaced: String = text.chars().map(|one| if keep(one) { one } else { '-' }).collect();
    let words: Vec<_> = replaced.split('-').filter(|word| !word.is_empty()).collect();
    if words.is_empty() { "part".into() } else { words.join("-") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_safe_and_unique() {
        let mut ids = Ids::default();
        let wishes = ["a b", "a\"b", "\"><script>", "猫", "", "el2n@4"];
        let given = wishes.map(|wish| ids.unique(wish));
        assert_eq!(given, ["a-b", "a-b-2", "script", "part", "part-2", "el2n-4"]);
    }
}
