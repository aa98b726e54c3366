//! `datadiet scores`.

use crate::support::Home;

#[test]
fn show_head_correlate_and_export_read_a_table_back() {
    let home = Home::scored();

    let shown = home.json(&["scores", "show", "out"]);
    assert_eq!(shown["examples"], 1000);
    assert_eq!(shown["card"]["specification"]["network"]["name"], "mlp");

    let hardest = home.json(&["scores", "head", "out", "-n", "3"]);
    let easiest = home.json(&["scores", "head", "out", "-n", "1000", "--easiest"]);
    assert_eq!(hardest.as_array().unwrap().len(), 3);
    assert_eq!(hardest[0], easiest[999]);
    assert!(hardest[0]["score"].as_f64() > hardest[2]["score"].as_f64());
    assert!(hardest[0]["standard_error"].as_f64().unwrap() > 0.0);
    // Low AUM is hard.
    let by_aum = home.json(&["scores", "head", "out", "--by", "aum@1", "-n", "2"]);
    assert!(by_aum[0]["score"].as_f64() < by_aum[1]["score"].as_f64());

    let matrix = home.json(&["scores", "correlate", "out", "--columns", "el2n@1,loss@1,correct@1"]);
    assert_eq!(matrix["spearman"][0][0], 1.0);
    assert!(matrix["spearman"][0][1].as_f64().unwrap() > 0.8);
    assert!(matrix["spearman"][0][2].as_f64().unwrap() < 0.0);

    home.ok(&["scores", "export", "out", "el2n.npy", "--columns", "el2n@1"]);
    let bytes = std::fs::read(home.path().join("el2n.npy")).unwrap();
    let array: Vec<f32> = npyz::NpyFile::new(&bytes[..]).unwrap().into_vec().unwrap();
    assert_eq!(array.len(), 1000);
    let top = hardest[0]["id"].as_u64().unwrap() as usize;
    assert_eq!(array[top], hardest[0]["score"].as_f64().unwrap() as f32);

    home.ok(&["scores", "export", "out", "all.csv"]);
    let csv = std::fs::read_to_string(home.path().join("all.csv")).unwrap();
    assert_eq!(csv.lines().count(), 1001);
    assert!(csv.starts_with("id,label,class,el2n@0.5,el2n@0.5.se"), "{}", &csv[..80]);
}

/// A terminal has 80 columns.
#[test]
fn what_is_shown_of_scores_fits_a_terminal() {
    let home = Home::scored();
    let text = home.ok(&["scores", "show", "out"]);
    let longest = text.lines().map(|line| line.chars().count()).max().unwrap();
    assert!(longest <= 80, "{longest}: {text}");
    for word in ["el2n@0.5", "aum@1", "median", "reliability", "--wide"] {
        assert!(text.contains(word), "{word}: {text}");
    }
    assert!(!text.contains("‖p − y‖₂") && !text.contains("aum: use it"));
    let wide = home.ok(&["scores", "show", "out", "--wide"]);
    assert!(wide.contains("‖p − y‖₂") && wide.contains("missing") && wide.contains("aum: use it"));
    let some = home.ok(&["scores", "show", "out", "--columns", "el2n@end,aum@1"]);
    assert!(some.contains("el2n@1") && some.contains("aum@1") && !some.contains("loss"), "{some}");
    assert!(home.fails(&["scores", "show", "out", "--columns", "eln@1"]).contains("el2n@1"));
}

#[test]
fn mistakes_are_explained() {
    let home = Home::scored();
    assert!(
        home.fails(&["scores", "head", "out", "--by", "eln@1"]).contains("did you mean el2n@1")
    );
    assert!(home.fails(&["scores", "show", "nowhere"]).contains("datadiet score"));
    assert!(home.fails(&["scores", "head", "out", "--class", "cat"]).contains("cat"));
    assert!(home.fails(&["scores", "export", "out", "x.xlsx"]).contains(".csv or .npy"));
}
