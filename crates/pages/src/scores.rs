//! The sections of a table of scores: what was measured, how far to trust it, the examples at both
//! ends, the suspects.

use datadiet_core::{Direction, Measure, Task};
use datadiet_report::{
    Axis, Block, Chart, DefinitionEntry, Figure, HistogramChart, HistogramMeasure, HistogramSeries,
    NoteKind, Picture, PictureGallery, PictureGroup, PictureRow, Section, TableBlock,
};
use datadiet_table::{
    ColumnSummary, Histogram, MOST_SHOWN_CLASSES, Ranking, Row, ScoreTable, Suspect, TableError,
    follows_length, hard_end, measure_of, time_of,
};

use crate::Pictures;
use crate::gallery::{both_ends, name_of};

/// Bars of a histogram.
const BARS: usize = 50;

/// A table of scores, and how much of it is shown.
pub struct ScoresView<'a> {
    /// The table.
    pub table: &'a ScoreTable,
    /// Names of the classes.
    pub classes: &'a [String],
    /// The column that galleries are sorted by; none for the table's default.
    pub by: Option<&'a str>,
    /// Which end of that column is hard; none for the one that its name says.
    pub hard: Option<Direction>,
    /// The images, where there are some.
    pub pictures: Option<&'a dyn Pictures>,
    /// Examples of each class at each end.
    pub gallery: usize,
    /// Suspects shown.
    pub suspects: usize,
    /// The option that turns the hard end, for notes: `--hard-is low`.
    pub turn: &'a str,
}

/// Everything that a table of scores says.
///
/// # Errors
/// When the column to sort by is unknown or cannot be ordered.
pub fn scores_sections(view: &ScoresView<'_>) -> Result<Vec<Section>, TableError> {
    let ranking = view.ranking(view.table.default_column())?;
    let mut sections = vec![scores_section(view, &ranking)];
    if let Some(pictures) = view.pictures {
        sections.push(gallery_section(view, &ranking, pictures)?);
    }
    sections.push(suspects_section(view, &suspicion(view, &ranking)?)?);
    sections.extend(columns_section(view, &ranking));
    sections.push(definitions_section(view));
    Ok(sections)
}

/// What a table says in little room, as in a notebook: how far to trust it, its hardest examples, what its columns
/// mean. Nothing is fitted for it.
///
/// # Errors
/// When the column to sort by is unknown or cannot be ordered.
pub fn brief_sections(view: &ScoresView<'_>) -> Result<Vec<Section>, TableError> {
    let ranking = view.ranking(view.table.default_column())?;
    let found = view.table.suspects(view.classes, &ranking, None, view.suspects)?;
    let caption = format!("Hardest by {}", ranking.name);
    let mut sections = vec![
        scores_section(view, &ranking),
        Section {
            id: "hardest".into(),
            title: caption.clone(),
            blocks: examples_blocks(view, &found, &ranking.name, caption),
        },
    ];
    sections.extend(columns_section(view, &ranking));
    sections.push(definitions_section(view));
    Ok(sections)
}

/// The suspects by the column of the view, or by what `datadiet suspects` takes.
///
/// # Errors
/// When the column is unknown or cannot be ordered.
pub fn suspects_of(view: &ScoresView<'_>) -> Result<Section, TableError> {
    suspects_section(view, &view.ranking(view.table.default_suspicion())?)
}

impl<'a> ScoresView<'a> {
    /// By the column that was asked for, else by another.
    fn ranking(&self, usual: Result<String, TableError>) -> Result<Ranking<'a>, TableError> {
        let by = self.by.map_or(usual, |by| Ok(by.to_owned()))?;
        self.table.ranking(&by, self.hard)
    }
}

/// Where a table comes from, as names and texts.
pub fn provenance(table: &ScoreTable) -> Vec<(String, String)> {
    let Some(card) = table.card() else {
        return vec![("scores".into(), "a table without a card: nobody says where from".into())];
    };
    let mut all = Vec::new();
    let mut add = |name: &str, value: String| all.push((name.to_owned(), value));
    if !card.source.is_empty() {
        add("scored data", card.source.clone());
    }
    if let Some(replicas) = card.replicas {
        add("replicas", replicas.to_string());
    }
    if !card.specification.is_null() {
        add("a scoring run", card.specification.to_string());
    }
    all
}

fn scores_section(view: &ScoresView<'_>, ranking: &Ranking) -> Section {
    let mut blocks: Vec<Block> = Vec::new();
    let mut warn = |text: String| blocks.push(Block::Note { kind: NoteKind::Warning, text });
    failed_replicas(view.table).into_iter().for_each(&mut warn);
    ranking.assumption(view.turn).into_iter().for_each(&mut warn);
    follows_length(view.table, ranking).into_iter().for_each(&mut warn);
    blocks.extend(histogram(view, ranking).map(Block::Figure));
    let shown: Vec<&ColumnSummary> =
        view.table.summaries().iter().filter(|c| at_time_of(c, ranking)).collect();
    if !shown.is_empty() {
        blocks.push(Block::Table(columns_table(shown.into_iter())));
    }
    if view.table.summaries().iter().all(|column| column.reliability.is_none()) {
        let text = "These scores have no reliability: they come from one training, or nothing is \
                    known about where they come from. The chance of that training is part of the \
                    order.";
        blocks.push(Block::Note { kind: NoteKind::Warning, text: text.into() });
    }
    Section { id: "scores".into(), title: "The scores".into(), blocks }
}

/// The other scores and times, where there are some.
fn columns_section(view: &ScoresView<'_>, ranking: &Ranking) -> Option<Section> {
    let columns = view.table.summaries();
    columns.iter().any(|column| !at_time_of(column, ranking)).then(|| Section {
        id: "columns".into(),
        title: "Every score and time".into(),
        blocks: vec![Block::Table(columns_table(columns.iter()))],
    })
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

/// Which replicas are missing from the means.
fn failed_replicas(table: &ScoreTable) -> Option<String> {
    let failed = &table.card()?.failed;
    let names: Vec<&str> = failed.iter().map(|failed| failed.name.as_str()).collect();
    let names = names.join(", ");
    (!failed.is_empty())
        .then(|| format!("Failed, and not in these scores: {names}. scores.json says why."))
}

/// None where no two values are finite and differ.
fn histogram(view: &ScoresView<'_>, ranking: &Ranking) -> Option<Figure> {
    let found = Histogram::of(&ranking.values, BARS)?;
    Some(Figure {
        id: "distribution".into(),
        title: format!("Distribution of {}", ranking.name),
        caption: format!("{} examples.", view.table.rows()),
        chart: Chart::Histogram(HistogramChart {
            x: Axis::new(ranking.name.clone()),
            edges: found.edges,
            series: vec![HistogramSeries { name: "examples".into(), counts: found.counts }],
            measure: HistogramMeasure::Counts,
        }),
    })
}

fn gallery_section(
    view: &ScoresView<'_>,
    ranking: &Ranking,
    pictures: &dyn Pictures,
) -> Result<Section, TableError> {
    let mut rows = Vec::new();
    for ends in both_ends(view.table, ranking, view.classes, view.gallery)? {
        let name = &name_of(&ends, view.classes);
        let tile = |&row: &Row| {
            let (pixels, shape) = pictures.pixels(row)?;
            let caption = format!("{:.2}", ranking.values[row.index()]);
            let id = view.table.own_ids().ok()?.text(row);
            Picture::from_pixels(pixels, shape, caption, format!("example {id}, {name}")).ok()
        };
        let group = |heading: &str, rows: &[Row]| PictureGroup {
            heading: heading.into(),
            tiles: rows.iter().filter_map(tile).collect(),
        };
        rows.push(PictureRow {
            name: name.clone(),
            groups: vec![group("easiest", &ends.easiest), group("hardest", &ends.hardest)],
        });
    }
    let of = if view.table.has_labels() { "of each class" } else { "examples" };
    let title = format!("The easiest and hardest {of} by {}", ranking.name);
    let mut blocks = vec![Block::Gallery(PictureGallery { title, rows })];
    if view.classes.len() > MOST_SHOWN_CLASSES {
        let text = format!("The first {MOST_SHOWN_CLASSES} of {} classes.", view.classes.len());
        blocks.push(Block::Text(text));
    }
    Ok(Section { id: "gallery".into(), title: "Both ends".into(), blocks })
}

/// What suspects of a page are listed by; where no column of the table is better than any, what the page is by.
fn suspicion<'a>(view: &ScoresView<'a>, ranking: &Ranking<'a>) -> Result<Ranking<'a>, TableError> {
    let usual = view.table.default_suspicion()?;
    if usual == ranking.name || usual == view.table.default_column()? {
        return Ok(ranking.clone());
    }
    Ok(view.table.ranking(&usual, None).unwrap_or_else(|_| ranking.clone()))
}

fn suspects_section(view: &ScoresView<'_>, suspicion: &Ranking) -> Result<Section, TableError> {
    let found = view.table.suspects(view.classes, suspicion, None, view.suspects)?;
    let (fit, among) = match view.table.task() {
        Task::Classification => {
            ("whose labels fit worst", "Wrong labels are often among them, hard but right ones too")
        }
        _ => (
            "that fit worst",
            "Wrong labels, boxes or targets and damaged inputs are often among them, rare and hard but right \
             ones too",
        ),
    };
    let mut blocks = vec![Block::Text(format!(
        "The examples {fit} what the networks learned, by {}. {among}: look before you remove.",
        suspicion.name
    ))];
    blocks.push(Block::Text(how_many(view.table, suspicion)?));
    let caption = "Suspects, likeliest first".into();
    blocks.extend(examples_blocks(view, &found, &suspicion.name, caption));
    Ok(Section { id: "suspects".into(), title: "Suspects".into(), blocks })
}

/// Examples as pictures, where there are some, and as a table.
fn examples_blocks(
    view: &ScoresView<'_>,
    found: &[Suspect],
    by: &str,
    caption: String,
) -> Vec<Block> {
    let mut blocks = Vec::new();
    if let Some(pictures) = view.pictures {
        let tiles = found.iter().filter_map(|suspect| suspect_picture(suspect, pictures));
        let group = PictureGroup { heading: String::new(), tiles: tiles.collect() };
        let rows = vec![PictureRow { name: String::new(), groups: vec![group] }];
        let title = if of_classes(found) { "Labelled → predicted" } else { "Suspects" }.into();
        blocks.push(Block::Gallery(PictureGallery { title, rows }));
    }
    blocks.push(Block::Table(TableBlock { caption, ..suspects_table(found, by, 4) }));
    blocks
}

/// Whether something is known of classes, as it is not of losses.
fn of_classes(found: &[Suspect]) -> bool {
    found.iter().any(|one| one.class.is_some() || one.predicted.is_some())
}

/// Suspects as a table: labelled, predicted and token where they are known, the id, the score.
pub fn suspects_table(found: &[Suspect], by: &str, decimals: usize) -> TableBlock {
    let of_classes = of_classes(found);
    let token = |suspect: &Suspect| suspect.token.as_ref()?.text.clone();
    let of_tokens = found.iter().any(|one| token(one).is_some());
    let row = |suspect: &Suspect| {
        let classes =
            [&suspect.class, &suspect.predicted].map(|class| class.as_deref().unwrap_or("–"));
        let classes = classes.map(str::to_owned).into_iter().filter(|_| of_classes);
        let text = of_tokens.then(|| token(suspect).unwrap_or_default());
        let last = [suspect.name(), format!("{:.decimals$}", suspect.score)];
        classes.chain(text).chain(last).collect()
    };
    let texts = ["labelled", "predicted"].into_iter().filter(|_| of_classes);
    let texts: Vec<&str> = texts.chain(of_tokens.then_some("token")).collect();
    TableBlock {
        caption: String::new(),
        header: texts.iter().copied().chain(["id", by]).map(String::from).collect(),
        rows: found.iter().map(row).collect(),
        text_columns: texts.len(),
    }
}

/// How many labels look wrong, as a sentence.
fn how_many(table: &ScoreTable, suspicion: &Ranking) -> Result<String, TableError> {
    let found = table.wrong_labels(suspicion)?;
    let mut text = found.to_string();
    text[..1].make_ascii_uppercase();
    text.push('.');
    if found.estimate.is_some() {
        text += " The interval is over examples: it knows nothing of what may be wrong with the fit, and \
                 examples that all networks take for another class count as wrong.";
    }
    Ok(text)
}

fn suspect_picture(suspect: &Suspect, pictures: &dyn Pictures) -> Option<Picture> {
    let (pixels, shape) = pictures.pixels(suspect.row)?;
    let caption = match (&suspect.class, &suspect.predicted) {
        (Some(class), Some(predicted)) => format!("{class} → {predicted}"),
        (Some(one), None) | (None, Some(one)) => one.clone(),
        (None, None) => suspect.name(),
    };
    Picture::from_pixels(pixels, shape, caption, format!("example {}", suspect.name())).ok()
}

fn definitions_section(view: &ScoresView<'_>) -> Section {
    let mut measures = Vec::new();
    for measure in view.table.columns().names().filter_map(measure_of) {
        if !measures.contains(&measure) {
            measures.push(measure);
        }
    }
    let entry = |measure: &Measure| {
        // The table's own says of which pass the scores are.
        let is_it = |column: &&ColumnSummary| measure_of(&column.name).as_ref() == Some(measure);
        let of_table = view.table.summaries().iter().find(is_it);
        let of_task = || view.table.task().definition_of(measure);
        let definition = of_table.map_or_else(of_task, |column| column.definition.clone());
        DefinitionEntry {
            name: measure.to_string(),
            formula: definition.formula.into_owned(),
            pass: definition.pass.into_owned(),
            range: definition.range.into_owned(),
            direction: match measure.kind().direction() {
                Direction::HigherIsHarder => "higher is harder".into(),
                Direction::LowerIsHarder => "lower is harder".into(),
            },
            reference: definition.reference.into_owned(),
            when: definition.when.into_owned(),
        }
    };
    let blocks = vec![Block::Definitions(measures.iter().map(entry).collect())];
    Section { id: "definitions".into(), title: "Definitions".into(), blocks }
}

#[cfg(test)]
mod tests {
    use datadiet_table::{Card, Column, KEY, TOKEN, Table};

    use super::*;

    #[test]
    fn suspects_are_by_the_column_of_the_command_and_name_their_token() {
        let mut columns = Table::default();
        let mut push = |name: &str, column| columns.push(name, column).unwrap();
        push(KEY, Column::Text(vec!["7:0".into(), "7:1".into()]));
        push("example", Column::U32(vec![7, 7]));
        push("position", Column::U32(vec![0, 1]));
        push(TOKEN, Column::Text(vec!["in".into(), "Rome".into()]));
        push("mean-loss@2", Column::F32(vec![0.25, 1.5]));
        push("el2n@2", Column::F32(vec![0.5, 0.25]));
        let table = ScoreTable::new(columns, Card::new(Vec::new()));
        let view = ScoresView {
            table: &table,
            classes: &[],
            by: None,
            hard: None,
            pictures: None,
            gallery: 1,
            suspects: 1,
            turn: "",
        };
        let sections = scores_sections(&view).unwrap();
        let suspects = sections.iter().find(|section| section.id == "suspects").unwrap();
        let Some(Block::Table(shown)) = suspects.blocks.last() else { panic!("{suspects:?}") };
        assert_eq!(shown.header, ["token", "id", "mean-loss@2"]);
        assert_eq!(shown.rows, [["Rome", "7:1", "1.5000"]]);
        let brief = brief_sections(&view).unwrap();
        let ids: Vec<_> = brief.iter().map(|section| section.id.as_str()).collect();
        assert_eq!(ids, ["scores", "hardest", "definitions"]);
        assert_eq!(suspects_of(&view).unwrap().blocks, suspects.blocks);
    }
}
