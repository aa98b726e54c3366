//! What `-h` and `--help` say.

use crate::support::Home;

/// A command's help is its whole text with `--help`, its first sentence with `-h` and in the list of all.
#[test]
fn long_texts_are_shown_with_help_and_short_ones_with_h() {
    let home = Home::empty();
    let list = home.ok(&["--help"]);
    for (command, short, long) in [
        ("score", "Score every training example", "Finished replicas stay in the store"),
        ("ingest", "Take scores from logits, probabilities or losses", "A run is one training"),
        (
            "select",
            "Choose a subset by score, as ids or",
            "Examples are ordered by ascending score",
        ),
        ("train", "Train on a subset, or on everything", "The number of steps is fixed"),
        ("diet", "Find the smallest subset that is good", "tries subsets"),
        ("noise", "Change labels on purpose", "Writes a Parquet file"),
        ("suspects", "List the likeliest mislabelled", "a speedrun, named or not, is one training"),
        ("run", "Run the experiments of a TOML file", "Scores are taken first"),
        ("ntk", "Measure how fast the neural tangent", "Trains replicas, scores"),
        ("lmc", "Measure linear mode connectivity", "Trains a parent"),
        ("export", "Export examples and their scores", "What is said there comes back as marks"),
        ("marks", "Take what people said in other programs", "The same file again adds nothing"),
        ("report", "Write a report of scores or experiments", "Figures can be hovered"),
        ("tour", "See it at work on real images", "nothing is downloaded or trained"),
    ] {
        // Lines are wrapped somewhere.
        let words = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let told = words(home.ok(&[command, "--help"]));
        assert!(told.starts_with(short) && told.contains(long), "{told}");
        let told = words(home.ok(&[command, "-h"]));
        assert!(told.starts_with(short) && !told.contains(long), "{told}");
        assert!(words(list.clone()).contains(short), "{list}");
    }
}

/// bash completes a command by the script that it is given.
#[test]
fn a_shell_completes_commands_and_options() {
    let home = Home::empty();
    let script = home.path().join("completions");
    std::fs::write(&script, home.ok(&["completions", "bash"])).unwrap();
    for (words, place, completed) in
        [("datadiet sus", 1, "suspects"), ("datadiet select --quo", 2, "--quota")]
    {
        let asked = format!(
            "source {}; COMP_WORDS=({words}); COMP_CWORD={place}; \
             _datadiet datadiet ${{COMP_WORDS[$COMP_CWORD]}}; echo ${{COMPREPLY[@]}}",
            script.display()
        );
        let answer = std::process::Command::new("bash").args(["-c", &asked]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&answer.stdout).trim(), completed, "{answer:?}");
    }
    for shell in ["zsh", "fish", "powershell", "elvish"] {
        assert!(home.ok(&["completions", shell]).contains("suspects"), "{shell}");
    }
}

#[test]
fn every_command_has_a_manual_page() {
    let home = Home::empty();
    assert!(home.ok(&["man"]).contains("datadiet data fetch cifar10"), "the examples stand there");
    home.ok(&["man", "--out", "pages"]);
    for (page, text) in [
        ("datadiet.1", "DATADIET_HOME"),
        ("datadiet-select.1", "coverage\\-centred"),
        ("datadiet-scores-show.1", "range, direction, reliability"),
    ] {
        let page = std::fs::read_to_string(home.path().join("pages").join(page)).unwrap();
        assert!(page.contains(".SH NAME") && page.contains(text), "{page}");
    }
    let file = home.path().join("file");
    std::fs::write(&file, "").unwrap();
    assert!(home.fails(&["man", "--out", "file"]).contains("choose another folder with --out DIR"));
}
