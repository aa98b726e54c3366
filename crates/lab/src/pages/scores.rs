//! The sections of a table of scores: what was measured, how far to trust it, the examples at both
//! ends, the suspects.

use datadiet_core::{Direction, ExampleId, order};
use datadiet_report::{
    Axis, Block, Chart, DefinitionEntry, Figure, HistogramChart, HistogramMeasure, HistogramSeries,
    NoteKind, Picture, PictureGallery, PictureGroup, PictureRow, Section, TableBlock,
};
use datadiet_table::Table;

use super::Pictures;
use crate::ranking::{kind_of, time_of};
use crate::{ColumnSummary, LabError, Ranking, Suspect, suspects};

/// Classes shown in galleries; more would make a page that nobody can look at.
const MOST_CLASSES: usize = 40;

/// Bars of a histogram.
const BARS: usize = 50;

/// A table of scores and what is known about it.
pub struct ScoresView<'a> {
    /// The table.
    pub table: &'a Table,
    /// Its columns of scores, where they were summarised.
    pub columns: &'a [ColumnSummary],
    /// Names of the classes.
    pub classes: &'a [String],
    /// The column that galleries and suspects are sorted by.
    pub by: &'a str,
    /// The images, where there are some.
    pub pictures: Option<&'a dyn Pictures>,
    /// Examples of each class at each end.
    pub gallery: usize,
    /// Suspects shown.
    pub suspects: usize,
}

/// Everything that a table of scores says.
///
/// # Errors
/// When the column to sort by is unknown or cannot be ordered.
pub fn scores_sections(view: &ScoresView<'_>) -> Result<Vec<Section>, LabError> {
    let ranking = Ranking::of(view.table, view.by)?;
    let mut sections = vec![scores_section(view, &ranking)];
    if let Some(pictures) = view.pictures {
        sections.push(gallery_section(view, &ranking, pictures)?);
    }
    sections.push(suspects_section(view, &ranking)?);
    if view.columns.iter().any(|column| !at_time_of(column, &ranking)) {
        let blocks = vec![Block::Table(columns_table(view.columns.iter()))];
        sections.push(Section {
            id: "columns".into(),
            title: "Every score and time".into(),
            blocks,
        });
    }
    sections.push(definitions_section(view));
    Ok(sections)
}

fn scores_section(view: &ScoresView<'_>, ranking: &Ranking) -> Section {
    let mut blocks: Vec<Block> = Vec::new();
    blocks.extend(histogram(view, ranking).map(Block::Figure));
    let shown: Vec<&ColumnSummary> =
        view.columns.iter().filter(|column| at_time_of(column, ranking)).collect();
    if !shown.is_empty() {
        blocks.push(Block::Table(columns_table(shown.into_iter())));
    }
    if view.columns.iter().all(|column| column.reliability.is_none()) {
        let text = "These scores have no reliability: they come from one training, or nothing is \
                    known about where they come from. The chance of that training is part of the \
                    order.";
        blocks.push(Block::Note { kind: NoteKind::Warning, text: text.into() });
    }
    Section { id: "scores".into(), title: "The scores".into(), blocks }
}

/// Whether a column was taken when the one was that the page is sorted by.
fn at_time_of(column: &ColumnSummary, ranking: &Ranking) -> bool {
    time_of(&ranking.name).is_none_or(|time| time == column.time.epochs)
}

fn columns_table<'c>(columns: impl Iterator<Item = &'c ColumnSummary>) -> TableBlock {
    let row = |column: &ColumnSummary| {
        let reliability = column.reliability.as_ref();
        vec![
            column.name.clone(),
            hard_end(column.direction).into(),
            format!("{:.4}", column.mean),
            format!("{:.4}", column.min),
            format!("{:.4}", column.max),
            reliability.map_or("–".into(), |r| format!("{:.3}", r.full)),
            reliability.and_then(|r| r.replicas_for_95).map_or("–".into(), |n| n.to_string()),
        ]
    };
    let header = ["score", "hard is", "mean", "min", "max", "reliability", "replicas for 0.95"];
    TableBlock {
        caption: "Reliability: split-half, stepped up to the mean of all \
                  replicas (Spearman–Brown), 1 is best"
            .into(),
        header: header.map(String::from).to_vec(),
        rows: columns.map(row).collect(),
        text_columns: 2,
    }
}

fn hard_end(direction: Direction) -> &'static str {
    match direction {
        Direction::HigherIsHarder => "high",
        Direction::LowerIsHarder => "low",
    }
}

/// None where no value is finite.
fn histogram(view: &ScoresView<'_>, ranking: &Ranking) -> Option<Figure> {
    let finite = || ranking.values.iter().copied().filter(|value| value.is_finite());
    let low = f64::from(finite().reduce(f32::min)?);
    let high = f64::from(finite().reduce(f32::max)?);
    if low == high {
        return None;
    }
    let width = (high - low) / BARS as f64;
    let mut counts = vec![0; BARS];
    for value in finite() {
        counts[(((f64::from(value) - low) / width) as usize).min(BARS - 1)] += 1;
    }
    Some(Figure {
        id: "distribution".into(),
        title: format!("Distribution of {}", ranking.name),
        caption: format!("{} examples.", view.table.rows()),
        chart: Chart::Histogram(HistogramChart {
            x: Axis::new(ranking.name.clone()),
            edges: (0..=BARS).map(|bar| low + width * bar as f64).collect(),
            series: vec![HistogramSeries { name: "examples".into(), counts }],
            measure: HistogramMeasure::Counts,
        }),
    })
}

fn gallery_section(
    view: &ScoresView<'_>,
    ranking: &Ranking,
    pictures: &dyn Pictures,
) -> Result<Section, LabError> {
    let labels = view.table.integers("label").unwrap_or_default();
    let ids = view.table.integers("id").ok();
    let hardness = ranking.hardness();
    let mut rows = Vec::new();
    for (class, name) in (0..).zip(view.classes).take(MOST_CLASSES) {
        let members: Vec<ExampleId> = (0..labels.len() as u32)
            .filter(|&id| labels[id as usize] == class && !hardness[id as usize].is_nan())
            .map(ExampleId)
            .collect();
        let values: Vec<f32> = members.iter().map(|id| hardness[id.index()]).collect();
        let ranked = order(&values, &members)?;
        let tile = |&position: &u32| {
            let row = members[position as usize].index();
            // In a table that was filtered or sorted, rows are not ids.
            let id = ExampleId(ids.map_or(row as u32, |ids| ids[row]));
            let (pixels, shape) = pictures.pixels(id)?;
            let caption = format!("{:.2}", ranking.values[row]);
            Picture::from_pixels(pixels, shape, caption, format!("example {id}, {name}")).ok()
        };
        // A class with few examples is split in the middle: no example is both easy and hard.
        let count = view.gallery.min(ranked.len().div_ceil(2));
        let hardest = ranked.len() - count.min(ranked.len() / 2);
        let group =
            |heading: &str, tiles: Vec<Picture>| PictureGroup { heading: heading.into(), tiles };
        rows.push(PictureRow {
            name: name.clone(),
            groups: vec![
                group("easiest", ranked[..count].iter().filter_map(tile).collect()),
                group("hardest", ranked[hardest..].iter().rev().filter_map(tile).collect()),
            ],
        });
    }
    let title = format!("The easiest and hardest of each class by {}", ranking.name);
    let mut blocks = vec![Block::Gallery(PictureGallery { title, rows })];
    if view.classes.len() > MOST_CLASSES {
        let text = format!("The first {MOST_CLASSES} of {} classes.", view.classes.len());
        blocks.push(Block::Text(text));
    }
    Ok(Section { id: "gallery".into(), title: "Both ends".into(), blocks })
}

fn suspects_section(view: &ScoresView<'_>, ranking: &Ranking) -> Result<Section, LabError> {
    let suspicion = Ranking::of(view.table, "aum@end").unwrap_or_else(|_| ranking.clone());
    let found = suspects(view.table, view.classes, &suspicion, None, view.suspects)?;
    let mut blocks = vec![Block::Text(format!(
        "The examples whose labels fit worst what the networks learned, by {}. Wrong labels are often among them, hard but right ones too: look before you remove.",
        suspicion.name
    ))];
    if let Some(pictures) = view.pictures {
        let tiles = found.iter().filter_map(|suspect| suspect_picture(suspect, pictures));
        let group = PictureGroup { heading: String::new(), tiles: tiles.collect() };
        let rows = vec![PictureRow { name: String::new(), groups: vec![group] }];
        let title = "Labelled → predicted".into();
        blocks.push(Block::Gallery(PictureGallery { title, rows }));
    }
    let row = |suspect: &Suspect| {
        vec![
            suspect.class.clone(),
            suspect.predicted.clone().unwrap_or_else(|| "–".into()),
            suspect.name(),
            format!("{:.4}", suspect.score),
        ]
    };
    blocks.push(Block::Table(TableBlock {
        caption: "Suspects, likeliest first".into(),
        header: ["labelled", "predicted", "id"]
            .map(String::from)
            .into_iter()
            .chain([suspicion.name])
            .collect(),
        rows: found.iter().map(row).collect(),
        text_columns: 2,
    }));
    Ok(Section { id: "suspects".into(), title: "Suspects".into(), blocks })
}

fn suspect_picture(suspect: &Suspect, pictures: &dyn Pictures) -> Option<Picture> {
    let (pixels, shape) = pictures.pixels(ExampleId(suspect.id))?;
    let caption = match &suspect.predicted {
        Some(predicted) => format!("{} → {predicted}", suspect.class),
        None => suspect.class.clone(),
    };
    Picture::from_pixels(pixels, shape, caption, format!("example {}", suspect.id)).ok()
}

fn definitions_section(view: &ScoresView<'_>) -> Section {
    let mut kinds = Vec::new();
    for kind in view.table.names().filter_map(kind_of) {
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    let entry = |kind: &datadiet_core::ScoreKind| {
        // The table's own says of which pass the scores are.
        let of_table = view.columns.iter().find(|column| kind_of(&column.name) == Some(*kind));
        let definition = of_table.map_or_else(|| kind.definition(), |c| c.definition.clone());
        DefinitionEntry {
            name: kind.name().into(),
            formula: definition.formula.into_owned(),
            pass: definition.pass.into_owned(),
            range: definition.range.into_owned(),
            direction: match kind.direction() {
                Direction::HigherIsHarder => "higher is harder".into(),
                Direction::LowerIsHarder => "lower is harder".into(),
            },
            reference: definition.reference.into_owned(),
        }
    };
    let blocks = vec![Block::Definitions(kinds.iter().map(entry).collect())];
    Section { id: "definitions".into(), title: "Definitions".into(), blocks }
}
