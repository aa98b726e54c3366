//! Files by the names that people give them: the path, with or without its ending, or the name alone.

use std::collections::HashMap;

/// Paths with `/` between folders, to be found by name.
pub struct PathNames<'n> {
    /// None where a path is there more than once.
    exact: HashMap<&'n str, Option<usize>>,
    /// None where several paths go by the name.
    by_name: HashMap<&'n str, Option<usize>>,
}

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// The path of this number.
    One(usize),
    /// More than one path.
    Several,
    /// No path.
    None,
}

impl<'n> PathNames<'n> {
    /// Of some paths, numbered from 0.
    pub fn of(paths: impl Iterator<Item = &'n str>) -> Self {
        let (mut exact, mut by_name) = (HashMap::new(), HashMap::new());
        for (place, path) in paths.enumerate() {
            exact.entry(path).and_modify(|found| *found = None).or_insert(Some(place));
            let base = path.rsplit('/').next().unwrap_or(path);
            let mut ways = vec![stem(path), base, stem(base)];
            ways.sort_unstable();
            ways.dedup();
            for way in ways.into_iter().filter(|way| *way != path) {
                by_name.entry(way).and_modify(|found| *found = None).or_insert(Some(place));
            }
        }
        Self { exact, by_name }
    }

    /// What a name stands for: the path that it is, else the only one that goes by it.
    pub fn find(&self, name: &str) -> Named {
        match self.exact.get(name).or_else(|| self.by_name.get(name)) {
            Some(&Some(place)) => Named::One(place),
            Some(None) => Named::Several,
            None => Named::None,
        }
    }
}

/// A path without its ending.
pub fn stem(path: &str) -> &str {
    let start = path.rfind('/').map_or(0, |place| place + 1);
    match path[start..].rfind('.') {
        Some(place) if place > 0 => &path[..start + place],
        _ => path,
    }
}

#[cfg(test)]
mod tests {
    use super::{Named, PathNames};

    #[test]
    fn a_path_that_is_there_twice_is_of_neither() {
        let names = PathNames::of(["a/1.png", "b/2.png", "a/1.png", "1.png"].into_iter());
        assert_eq!(names.find("a/1.png"), Named::Several);
        assert_eq!(names.find("b/2.png"), Named::One(1));
        assert_eq!(names.find("1.png"), Named::One(3));
        assert_eq!(names.find("3.png"), Named::None);
    }
}
