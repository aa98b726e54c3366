//! A page with every kind of block, and names that try to break out of it.

use datadiet_report::{
    Axis, Block, Chart, DefinitionEntry, Figure, HeatmapChart, HistogramChart, HistogramMeasure,
    HistogramSeries, LineChart, NoteKind, Page, Picture, PictureGallery, PictureGroup, PictureRow,
    Point, Reference, Section, Series, Stat, TableBlock,
};

/// Names as files and classes could have them.
pub const HOSTILE: [&str; 5] = [
    "<script>window.hurt=1</script>",
    "\"><img src=x onerror=\"window.hurt=1\">",
    "' onfocus='window.hurt=1' autofocus='",
    "</script></style></title></svg><script>window.hurt=1</script>",
    "猫 & Ünïcödé\u{1}\u{202e}\n{{ page }} ]]>",
];

/// A page as an experiment would fill it.
pub fn page() -> Page {
    let sections = vec![
        section("summary", "What came out", summary()),
        section("pruning", "How much can go", vec![Block::Figure(curves())]),
        section("distributions", "Distributions of scores", vec![Block::Figure(histogram())]),
        section("correlations", "Which scores agree", vec![Block::Figure(heatmap())]),
        section("examples", "The examples themselves", vec![Block::Gallery(gallery())]),
        section("runs", "All runs", vec![Block::Table(runs())]),
        section("definitions", "Definitions", vec![Block::Definitions(definitions())]),
    ];
    Page {
        title: "Pruning CIFAR-10 by early scores".into(),
        subtitle: "ResNet-14, four replicas to score, four retrainings a point".into(),
        sections,
        provenance: [
            ("command", "datadiet sweep experiments/pruning.toml --replicas 4"),
            ("version", "0.1.0, semantics 3"),
            (
                "data",
                "cifar10, sha-256 6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
            ),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec(),
    }
}

/// A page of which every text is hostile.
pub fn hostile() -> Page {
    let name = |index: usize| HOSTILE[index % HOSTILE.len()].to_owned();
    let mut text = serde_json::to_value(page()).expect("a page is data");
    let mut index = 0;
    replace_texts(&mut text, &mut |text| {
        index += 1;
        *text = name(index);
    });
    serde_json::from_value(text).expect("a page with other texts is a page")
}

/// Replaces every text that is neither the name of a variant nor a picture.
fn replace_texts(value: &mut serde_json::Value, replace: &mut impl FnMut(&mut String)) {
    match value {
        serde_json::Value::String(text) => replace(text),
        serde_json::Value::Array(values) => {
            values.iter_mut().for_each(|value| replace_texts(value, replace));
        }
        serde_json::Value::Object(fields) => {
            let fields = fields.iter_mut();
            fields
                .filter(|(name, _)| !["png", "kind", "measure"].contains(&name.as_str()))
                .for_each(|(_, value)| replace_texts(value, replace));
        }
        _ => {}
    }
}

/// All figures of a page, in order.
pub fn figures(page: &Page) -> Vec<&Figure> {
    let blocks = page.sections.iter().flat_map(|section| &section.blocks);
    blocks
        .filter_map(|block| if let Block::Figure(figure) = block { Some(figure) } else { None })
        .collect()
}

fn section(id: &str, title: &str, blocks: Vec<Block>) -> Section {
    Section { id: id.into(), title: title.into(), blocks }
}

fn summary() -> Vec<Block> {
    let stat = |label: &str, value: &str, detail: &str| Stat {
        label: label.into(),
        value: value.into(),
        detail: detail.into(),
    };
    vec![
        Block::Stats(vec![
            stat("can go without loss", "40 %", "EL2N after 4 epochs"),
            stat("accuracy, all data", "95.12 %", "± 0.08, 4 trainings"),
            stat("reliability of EL2N", "0.973", "4 replicas"),
            stat("cost", "6.3 h", "two cores"),
        ]),
        Block::Text(
            "Of the 50,000 training images two fifths can be left out before the accuracy falls \
             below that of all images, if the right ones are left out. Random subsets of the same \
             size lose 1.6 points.\n\nThe bands are the 16th to 84th percentile of four \
             retrainings."
                .into(),
        ),
        Block::Note {
            kind: NoteKind::Warning,
            text:
                "GraNd at initialisation follows the norm of the input (Spearman 0.950): it says \
                   more about brightness and contrast than about difficulty."
                    .into(),
        },
        Block::Note {
            kind: NoteKind::Info,
            text: "The number of steps is fixed whatever the size of the subset.".into(),
        },
    ]
}

/// Accuracy against the fraction kept, after Kirsch 2023.
pub fn curves() -> Figure {
    let kept = [40.0, 50.0, 70.0, 90.0];
    let rows = [
        ("el2n@20", [94.66, 95.22, 95.30, 95.09]),
        ("grand@20", [94.07, 95.07, 95.44, 95.14]),
        ("grand@0", [90.76, 92.19, 93.91, 95.06]),
        ("input-norm", [90.81, 92.41, 94.11, 95.10]),
        ("random", [92.50, 93.54, 94.28, 94.96]),
    ];
    let series = |(name, accuracies): (&str, [f64; 4])| Series {
        name: name.into(),
        points: kept
            .into_iter()
            .zip(accuracies)
            .map(|(x, y)| Point {
                low: Some(y - 0.07 - (100.0 - x) / 400.0),
                high: Some(y + 0.05 + (100.0 - x) / 450.0),
                note: "4 retrainings of 78,000 steps".into(),
                ..Point::new(x, y)
            })
            .collect(),
        dashed: name == "random",
    };
    let reference = |name: &str, value: f64, half: Option<f64>| Reference {
        name: name.into(),
        value,
        low: half.map(|half| value - half),
        high: half.map(|half| value + half),
    };
    Figure {
        id: "kept".into(),
        title: "Test accuracy by the share of the training set that is kept".into(),
        caption: "Examples with the highest scores are kept. Each point is the mean of four \
                  retrainings, the band their 16th to 84th percentile."
            .into(),
        chart: Chart::Lines(LineChart {
            x: Axis::new("kept, % of 50,000 examples"),
            y: Axis::new("test accuracy, %"),
            series: rows.map(series).to_vec(),
            references: vec![
                reference("all data", 95.12, Some(0.08)),
                reference("half the steps", 94.98, None),
            ],
        }),
    }
}

/// Scores before and after a tenth of the labels was made random.
pub fn histogram() -> Figure {
    let bins = 40;
    let bell = |at: f64, centre: f64, wide: f64| (-((at - centre) / wide).powi(2)).exp();
    let counts = |height: f64, centre: f64, wide: f64| {
        let middles = (0..bins).map(|bin| (f64::from(bin) + 0.5) * 1.5 / f64::from(bins));
        middles.map(|at| (height * bell(at, centre, wide)) as u64).collect()
    };
    let series = |name: &str, counts| HistogramSeries { name: name.into(), counts };
    Figure {
        id: "noise".into(),
        title: "EL2N of examples with true and with random labels".into(),
        caption: "A tenth of the labels was replaced by a class drawn at random.".into(),
        chart: Chart::Histogram(HistogramChart {
            x: Axis::new("el2n@10"),
            edges: (0..=bins).map(|edge| f64::from(edge) * 1.5 / f64::from(bins)).collect(),
            series: vec![
                series("label kept", counts(4_100.0, 0.28, 0.3)),
                series("label made random", counts(420.0, 1.26, 0.14)),
                series("before", counts(4_400.0, 0.2, 0.28)),
            ],
            measure: HistogramMeasure::Shares,
        }),
    }
}

/// Rank correlations of scores.
pub fn heatmap() -> Figure {
    let names = [
        "el2n@4",
        "l1@4",
        "loss@4",
        "entropy@4",
        "max-margin@4",
        "grand@0",
        "grand@4",
        "grand-last-layer@4",
        "input-norm@0",
        "forgetting@4",
        "aum@4",
        "confidence@4",
    ];
    let angle = [0.0, 0.1, 0.05, 0.45, 0.08, 1.65, 0.25, 0.2, 1.75, 1.05, 2.9, 3.0f64];
    let value = |row: usize, column: usize| {
        let missing = row == 9 && column == 5;
        (!missing).then(|| (angle[row] - angle[column]).cos())
    };
    let matrix = (0..12).map(|row| (0..12).map(|column| value(row, column)).collect());
    let details = (0..12).map(|_| vec!["50,000 examples, 4 replicas".to_owned(); 12]);
    Figure {
        id: "agreement".into(),
        title: "Spearman's rank correlation of scores".into(),
        caption: "Blue: the same order; orange: the reverse order.".into(),
        chart: Chart::Heatmap(HeatmapChart {
            rows: names.map(str::to_owned).to_vec(),
            columns: names.map(str::to_owned).to_vec(),
            values: matrix.collect(),
            details: details.collect(),
            range: (-1.0, 1.0),
        }),
    }
}

fn gallery() -> PictureGallery {
    let pixel = |seed: usize, place: usize| {
        let (x, y, channel) = (place / 3 % 32, place / 96, place % 3);
        let (dx, dy) = (x as f64 - 10.0 - (seed % 13) as f64, y as f64 - 12.0 - (seed % 9) as f64);
        let glow = (-(dx * dx + dy * dy) / (40.0 + 30.0 * (seed % 5) as f64)).exp();
        let sky = 90.0 + 3.0 * y as f64 + 25.0 * ((seed + channel * 7) % 4) as f64;
        (sky + glow * [120.0, 60.0, -70.0][(channel + seed) % 3]).clamp(0.0, 255.0) as u8
    };
    let tile = |seed: usize| {
        let pixels: Vec<u8> = (0..32 * 32 * 3).map(|place| pixel(seed, place)).collect();
        let caption = format!("{:.3}", 1.414 / (1.0 + seed as f64 / 7.0));
        Picture::from_pixels(&pixels, [32, 32, 3], caption, format!("example {}", seed * 37))
            .expect("the pixels have their shape")
    };
    let group = |heading: &str, seeds: std::ops::Range<usize>| PictureGroup {
        heading: heading.into(),
        tiles: seeds.map(tile).collect(),
    };
    let classes = ["aeroplane", "car", "bird", "cat"];
    let row = |(index, name): (usize, &str)| PictureRow {
        name: name.into(),
        groups: vec![
            group("easiest", index * 20..index * 20 + 6),
            group("hardest", index * 20 + 6..index * 20 + 12),
        ],
    };
    PictureGallery {
        title: "The easiest and hardest images of each class, by EL2N".into(),
        rows: classes.into_iter().enumerate().map(row).collect(),
    }
}

fn runs() -> TableBlock {
    let row = |index: usize| {
        let kept = 10 + index % 9 * 10;
        let score = ["el2n@4", "grand@4", "random"][index % 3];
        let accuracy = 90.0 + (index * 7 % 50) as f64 / 10.0;
        vec![
            score.to_owned(),
            format!("run-{index:04x}"),
            kept.to_string(),
            format!("{accuracy:.2}"),
            "78,000".to_owned(),
            format!("{:.1}", 300.0 + index as f64 * 1.7),
        ]
    };
    let header = ["score", "run", "kept, %", "test accuracy, %", "steps", "seconds"];
    TableBlock {
        caption: "Every retraining".into(),
        header: header.map(str::to_owned).to_vec(),
        rows: (0..64).map(row).collect(),
        text_columns: 2,
    }
}

fn definitions() -> Vec<DefinitionEntry> {
    let entry = |name: &str, formula: &str, range: &str, direction: &str| DefinitionEntry {
        name: name.into(),
        formula: formula.into(),
        pass: "eval mode, un-augmented images".into(),
        range: range.into(),
        direction: direction.into(),
        reference: "Paul, Ganguli, Dziugaite 2021, arXiv:2107.07075".into(),
        when: "to prune, after some epochs; not at initialisation".into(),
    };
    vec![
        entry("el2n", "‖p − y‖₂, p = softmax(logits), y one-hot", "[0, √2]", "higher is harder"),
        entry("grand", "‖∇_w ℓ(p, y)‖₂ over all parameters", "[0, ∞)", "higher is harder"),
        entry("aum", "mean of logit_y − max_{j≠y} logit_j", "(−∞, ∞)", "lower is harder"),
    ]
}
