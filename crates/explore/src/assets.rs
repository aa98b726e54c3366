//! The files of the page, inside the program.

/// Type and content of a file of the page; none where there is no such file.
pub fn asset(name: &str) -> Option<(&'static str, String)> {
    const SCRIPT: &str = "text/javascript; charset=utf-8";
    const STYLE: &str = "text/css; charset=utf-8";
    let (kind, text) = match name {
        "" => ("text/html; charset=utf-8", include_str!("../assets/index.html")),
        "app.js" => (SCRIPT, include_str!("../assets/app.js")),
        "api.js" => (SCRIPT, include_str!("../assets/api.js")),
        "bits.js" => (SCRIPT, include_str!("../assets/bits.js")),
        "chosen.js" => (SCRIPT, include_str!("../assets/chosen.js")),
        "marking.js" => (SCRIPT, include_str!("../assets/marking.js")),
        "map.js" => (SCRIPT, include_str!("../assets/map.js")),
        "gallery.js" => (SCRIPT, include_str!("../assets/gallery.js")),
        "facets.js" => (SCRIPT, include_str!("../assets/facets.js")),
        "example.js" => (SCRIPT, include_str!("../assets/example.js")),
        "cost.js" => (SCRIPT, include_str!("../assets/cost.js")),
        "style.css" => (STYLE, include_str!("../assets/style.css")),
        // Colours are the reports'.
        "icon.svg" => ("image/svg+xml", include_str!("../assets/icon.svg")),
        "theme.css" => return Some((STYLE, datadiet_report::theme_variables())),
        _ => return None,
    };
    Some((kind, text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What would make names and labels of users markup or code. The policy of the page forbids most of it too.
    #[test]
    fn nothing_of_users_becomes_markup_or_code() {
        let files = [
            "app.js",
            "api.js",
            "bits.js",
            "chosen.js",
            "map.js",
            "marking.js",
            "gallery.js",
            "facets.js",
            "example.js",
            "cost.js",
        ];
        for name in files {
            let (_, text) = asset(name).unwrap();
            for way in [
                "innerHTML",
                "outerHTML",
                "insertAdjacent",
                "document.write",
                "eval(",
                "new Function",
                "srcdoc",
            ] {
                assert!(!text.contains(way), "{name} has {way}");
            }
        }
        let (_, page) = asset("").unwrap();
        assert!(!page.contains("style=") && !page.contains("onclick") && !page.contains("http"));
        assert!(asset("../Cargo.toml").is_none());
    }
}
