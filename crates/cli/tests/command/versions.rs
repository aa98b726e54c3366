//! One version: the command, the card of a table, CITATION.cff, CHANGELOG.md, and what is locked for
//! fuzzing. (python/tests/test_documentation.py has the package's.)

use crate::ingest::write_run;
use crate::markdown::page;
use crate::support::Home;

const VERSION: &str = env!("CARGO_PKG_VERSION");

#[test]
fn the_command_and_the_card_agree() {
    let home = Home::empty();
    assert_eq!(home.ok(&["--version"]), format!("datadiet {VERSION}\n"));
    write_run(&home.path().join("run0"), 0, None);
    home.ok(&["ingest", "run0", "--out", "out"]);
    assert_eq!(home.json(&["scores", "show", "out"])["card"]["made_by"], VERSION);
}

#[test]
fn the_citation_and_the_changes_agree() {
    let citation = page("CITATION.cff");
    let lines = |name: &str| citation.lines().filter(|line| line.starts_with(name)).count();
    assert!(citation.contains(&format!("\nversion: {VERSION}\n")) && lines("version:") == 1);
    let changes = page("CHANGELOG.md");
    let newest = changes.lines().find(|line| line.starts_with("## ")).unwrap();
    assert!(newest.starts_with(&format!("## {VERSION} (")), "{newest}");
}

#[test]
fn one_pytorch_is_named_everywhere() {
    let source = page("crates/cli/src/torch.rs");
    let version = source.split("pub const VERSION: &str = \"").nth(1).unwrap();
    let version = version.split('"').next().unwrap();
    let minor = version.rsplit_once('.').unwrap().0;
    for (path, named) in [
        ("pyproject.toml", format!("train = [\"torch=={minor}.*\"]")),
        ("tests/reference/requirements.txt", format!("torch=={version}\n")),
        ("bench/peers/requirements.txt", format!("torch=={version}\n")),
        (".github/workflows/release.yml", format!("torch=={version}\n")),
    ] {
        assert!(page(path).contains(&named), "{path} lacks {named}");
    }
}

#[test]
fn the_fuzz_targets_lock_this_version() {
    let lock: toml::Table = page("fuzz/Cargo.lock").parse().unwrap();
    let packages = lock["package"].as_array().unwrap().iter();
    let ours = packages.filter(|package| {
        let name = package["name"].as_str().unwrap();
        name.starts_with("datadiet-") && name != "datadiet-fuzz"
    });
    let versions: Vec<&str> = ours.map(|package| package["version"].as_str().unwrap()).collect();
    assert!(
        !versions.is_empty() && versions.iter().all(|version| *version == VERSION),
        "{versions:?}"
    );
}
