//! Runs on disk: which files hold values, which labels and ids, and what their names say.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::file_name::{FileName, Role, stem};
use crate::names::{self, Field};
use crate::open::Format;
use crate::plan::{self, Key, Place, Plan};
use crate::{IngestError, Kind, Options, open};

/// How many folders deep files are looked for.
const DEEPEST: usize = 3;

/// Names that a note lists.
const LISTED: usize = 5;

/// What was found for the paths given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The trainings.
    pub runs: Vec<Run>,
    /// What a person should know: how names were understood, what was left out.
    pub notes: Vec<String>,
    /// Whether the runs are folds: parts of one run where their examples differ.
    pub(crate) folds: bool,
}

/// One training: its files in the order of epochs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The folder or file that was named.
    pub path: PathBuf,
    /// What tells it from the other runs of the same path, such as `seed 0`; empty where it is the
    /// only one.
    pub name: String,
    /// Files of logits, probabilities or losses.
    pub files: Vec<RunFile>,
}

/// A file, and what its name and those beside it say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunFile {
    /// The file.
    pub path: PathBuf,
    /// Its epoch; `None` where its name says none.
    pub epoch: Option<i64>,
    /// Whether it goes on where the file before it ends, in the same epoch.
    pub continues: bool,
    /// Whether it is the part of one process, whose examples are in no known order.
    pub process: bool,
    /// Labels in a file beside it.
    pub labels: Option<SideFile>,
    /// Ids in a file beside it.
    pub ids: Option<SideFile>,
}

/// A file of labels or ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SideFile {
    /// The file.
    pub path: PathBuf,
    /// Whether it is of one part alone, and not of all rows of the epoch.
    pub of_part: bool,
    /// Whether its name says of which epoch it is.
    pub of_epoch: bool,
    /// Whether it was given by name, and goes before what the file of values has itself.
    pub given: bool,
}

/// Finds the files of what was given: folders are trainings, files that differ in what their names
/// call an epoch or a part are one.
///
/// # Errors
/// A folder without files of values, names that leave open what is what.
pub fn find(given: &[PathBuf], options: &Options) -> Result<Found, IngestError> {
    let mut found = Found::default();
    let (folders, files): (Vec<&Path>, Vec<&Path>) =
        given.iter().map(PathBuf::as_path).partition(|path| path.is_dir());
    plan::check_folders(&folders)?;
    for &file in &files {
        std::fs::metadata(file).map_err(IngestError::io(file))?;
        Format::of(file).ok_or_else(|| IngestError::Format { path: file.to_owned() })?;
    }
    // In the order given, the files at the place of the first of them.
    let mut files = Some(files);
    for path in given {
        if path.is_dir() {
            found.folder(path, options)?;
        } else if let Some(files) = files.take() {
            found.files(&files, options)?;
        }
    }
    Ok(found)
}

impl Found {
    /// Files that were given by name: one training where their names say so, else one each.
    fn files(&mut self, files: &[&Path], options: &Options) -> Result<(), IngestError> {
        let (sides, values): (Vec<&Path>, Vec<&Path>) =
            files.iter().partition(|file| files.len() > 1 && side_of(file).is_some());
        let folder = common_folder(files);
        let within = |path: &Path| text(path.strip_prefix(&folder).unwrap_or(path));
        let names: Vec<String> = values.iter().map(|path| within(path)).collect();
        let decided = options.per_step || options.pattern.is_some();
        let each = |found: &mut Self| -> Result<(), IngestError> {
            for path in &values {
                found.runs.push(run_of((*path).to_owned(), plan::single(&name(path))?));
            }
            Ok(())
        };
        let plain = names.iter().all(|name| says_nothing(name));
        if !decided && sides.is_empty() && (values.len() == 1 || plain) {
            return each(self);
        }
        // The same name in several folders whose names say nothing.
        let same = values.len() > 1 && values.iter().all(|path| name(path) == name(values[0]));
        let group = Group {
            path: folder.clone(),
            names,
            paths: values.iter().map(|&path| path.to_owned()).collect(),
            sides: sides.iter().map(|&path| (within(path), path.to_owned())).collect(),
        };
        let (runs, notes) = (self.runs.len(), self.notes.len());
        match self.planned(group, options, true) {
            Err(IngestError::FileNames { .. }) if same && !decided => {
                self.runs.truncate(runs);
                self.notes.truncate(notes);
                each(self)
            }
            planned => planned,
        }
    }

    /// The files of a folder: those nearest to it that hold values.
    fn folder(&mut self, folder: &Path, options: &Options) -> Result<(), IngestError> {
        let mut level = vec![PathBuf::new()];
        let (mut sides, mut left) = (Vec::new(), Vec::new());
        let mut others: Vec<String> = Vec::new();
        let mut problem = None;
        for _ in 0..DEEPEST {
            let mut below = Vec::new();
            let mut values = Vec::new();
            for within in level {
                let (files, folders) = listed(folder, &within)?;
                below.extend(folders);
                for file in files {
                    let path = folder.join(&file);
                    match Format::of(&path) {
                        _ if side_of(&file).is_some() => sides.push((text(&file), path)),
                        Some(_) => values.push(file),
                        None => others.push(name(&file)),
                    }
                }
            }
            values.sort();
            let (values, losses, unread) = with_values(folder, values, options);
            left.extend(unread.into_iter().map(|(file, error)| {
                let text = name(&file);
                problem.get_or_insert(error);
                text
            }));
            if !values.is_empty() {
                self.note_left_out(folder, &left, &losses, &others);
                self.note_deeper(folder, &below);
                let names = values.iter().map(|path| text(path)).collect();
                let paths = values.iter().map(|path| folder.join(path)).collect();
                let group = Group { path: folder.to_owned(), names, paths, sides };
                return self.planned(group, options, false);
            }
            below.sort();
            level = below;
        }
        match problem {
            Some(error) => Err(error),
            None => Err(IngestError::NoFiles { path: folder.to_owned(), found: others }),
        }
    }

    /// Says that files of values lie deeper than those that are read.
    fn note_deeper(&mut self, folder: &Path, below: &[PathBuf]) {
        let with_values = |within: &&PathBuf| {
            let files = listed(folder, within).map(|(files, _)| files).unwrap_or_default();
            files.iter().any(|file| Format::of(&folder.join(file)).is_some())
        };
        let names: Vec<String> = below.iter().filter(with_values).map(|path| text(path)).collect();
        if !names.is_empty() {
            let (folder, listed) = (folder.display(), listed_names(&names));
            self.notes.push(format!(
                "{folder}: the files nearest to it are read; not those in {listed}: give these folders \
                 to read them"
            ));
        }
    }

    fn note_left_out(
        &mut self,
        folder: &Path,
        left: &[String],
        losses: &[String],
        others: &[String],
    ) {
        let mut note = |what: &str, names: &[String]| {
            if !names.is_empty() {
                let (folder, count) = (folder.display(), names.len());
                let files = if count == 1 { "file" } else { "files" };
                let listed = listed_names(names);
                self.notes.push(format!("{folder}: left out {count} {files} {what}: {listed}"));
            }
        };
        note("without logits or probabilities", left);
        note(
            "of losses, since others have logits or probabilities (--kind losses reads losses alone)",
            losses,
        );
        note("of other formats", others);
    }

    /// Files that belong together, by their names.
    fn planned(
        &mut self,
        group: Group,
        options: &Options,
        given_apart: bool,
    ) -> Result<(), IngestError> {
        let count = group.names.len();
        let (places, plan) = if let Some(pattern) = &options.pattern {
            (plan::by_pattern(&group.names, pattern)?, Plan::default())
        } else if options.per_step {
            (plan::steps(&group.names)?.into_iter().map(Some).collect(), Plan::default())
        } else if count == 1 {
            let epoch = plan::single(&group.names[0])?;
            (vec![Some(Place { epoch, ..Place::default() })], Plan::default())
        } else {
            let plan = plan::plan(&group.names, given_apart)?;
            check_all_parts(&group.names)?;
            (plan.places.iter().cloned().map(Some).collect(), plan)
        };
        self.folds |= plan.folds;
        self.notes.extend(plan.notes.iter().cloned());
        let mut unlike = Vec::new();
        let mut runs: BTreeMap<Key, Vec<(Place, usize)>> = BTreeMap::new();
        for (file, place) in places.into_iter().enumerate() {
            match place {
                Some(place) => runs.entry(place.run.clone()).or_default().push((place, file)),
                None => unlike.push(group.names[file].clone()),
            }
        }
        if !unlike.is_empty() {
            let (folder, listed) = (group.path.display(), listed_names(&unlike));
            self.notes.push(format!(
                "{folder}: left out {} files that are not of the pattern: {listed}",
                unlike.len()
            ));
        }
        let several = runs.len() > 1;
        for (key, mut files) in runs {
            // By epoch; within it parts in order.
            files.sort_by(|(a, _), (b, _)| (a.epoch, &a.part).cmp(&(b.epoch, &b.part)));
            let run = files.iter().enumerate().map(|(at, (place, file))| {
                let before = at.checked_sub(1).map(|before| &files[before].0);
                let continues =
                    !options.per_step && before.is_some_and(|before| before.epoch == place.epoch);
                let side = |field| group.side(field, place, &plan);
                Ok(RunFile {
                    path: group.paths[*file].clone(),
                    epoch: place.epoch,
                    continues,
                    process: plan.processes && !place.part.is_empty(),
                    labels: side(Field::Labels)?,
                    ids: side(Field::Ids)?,
                })
            });
            let run = run.collect::<Result<Vec<_>, IngestError>>()?;
            let words = |(word, value): &(String, u64)| format!("{word} {value}").trim().to_owned();
            let name = if options.pattern.is_some() {
                key.iter().map(|(run, _)| run.clone()).collect()
            } else {
                key.iter().map(words).collect::<Vec<_>>().join(", ")
            };
            let path = match &run[..] {
                [one] if several && given_apart => one.path.clone(),
                _ => group.path.clone(),
            };
            self.runs.push(Run {
                path,
                name: if several { name } else { String::new() },
                files: run,
            });
        }
        Ok(())
    }
}

/// One file that is a training.
fn run_of(path: PathBuf, epoch: Option<i64>) -> Run {
    let file = RunFile {
        path: path.clone(),
        epoch,
        continues: false,
        process: false,
        labels: None,
        ids: None,
    };
    Run { path, name: String::new(), files: vec![file] }
}

/// Whether a name has no number that could tell it from others.
fn says_nothing(name: &str) -> bool {
    FileName::parse(stem(name)).numbers.is_empty()
}

/// Files that are planned together.
struct Group {
    path: PathBuf,
    names: Vec<String>,
    paths: Vec<PathBuf>,
    /// Files of labels and ids: their names within the folder, and where they are.
    sides: Vec<(String, PathBuf)>,
}

impl Group {
    /// The labels or ids beside a file: a file of its own run, epoch and part goes before one of all.
    fn side(
        &self,
        field: Field,
        place: &Place,
        plan: &Plan,
    ) -> Result<Option<SideFile>, IngestError> {
        let mut fits: Vec<(usize, &(String, PathBuf), [bool; 2])> = Vec::new();
        for side in self.sides.iter().filter(|(_, path)| side_of(path) == Some(field)) {
            let name = FileName::parse(stem(&side.0));
            let mut says = 0;
            let mut of_part = false;
            let mut of_epoch = false;
            let mut wrong = false;
            for number in &name.numbers {
                let of = |keys: &[(String, u64)]| {
                    (!keys.is_empty()).then(|| keys.iter().any(|(_, value)| *value == number.value))
                };
                let same = match number.role {
                    Role::Epoch | Role::Step => {
                        place.epoch.map(|epoch| epoch == number.value as i64)
                    }
                    Role::Run | Role::Fold => of(&place.run),
                    Role::Process | Role::Part | Role::Batch => {
                        of_part |= !place.part.is_empty();
                        of(&place.part)
                    }
                    Role::Other | Role::Unnamed => plan
                        .unnamed
                        .as_ref()
                        .and(place.epoch)
                        .map(|epoch| epoch == number.value as i64),
                };
                let is_time = matches!(number.role, Role::Epoch | Role::Step | Role::Unnamed);
                of_epoch |= is_time && same == Some(true);
                says += usize::from(same == Some(true));
                wrong |= same == Some(false);
            }
            if !wrong {
                fits.push((says, side, [of_part, of_epoch]));
            }
        }
        let most = fits.iter().map(|(says, ..)| *says).max().unwrap_or(0);
        fits.retain(|(says, ..)| *says == most);
        match fits[..] {
            [] => Ok(None),
            [(_, (_, path), [of_part, of_epoch])] => {
                Ok(Some(SideFile { path: path.clone(), of_part, of_epoch, given: false }))
            }
            _ => {
                let (what, option) = match field {
                    Field::Labels => ("files of labels", "--labels"),
                    _ => ("files of ids", "--ids"),
                };
                let found = fits.iter().map(|(_, (name, _), _)| name.clone()).collect();
                Err(IngestError::Several { path: self.path.clone(), what, found, option })
            }
        }
    }
}

/// `00000-of-00004` says how many there must be.
fn check_all_parts(names: &[String]) -> Result<(), IngestError> {
    // By the rest of the name: how many, and which there are.
    let mut sets: BTreeMap<(String, u64), Vec<u64>> = BTreeMap::new();
    for name in names {
        let parsed = FileName::parse(stem(name));
        for number in &parsed.numbers {
            if let Some(of) = number.of {
                let rest = format!("{}#{}", &name[..number.place.start], &name[number.place.end..]);
                sets.entry((rest, of)).or_default().push(number.value);
            }
        }
    }
    for ((rest, of), found) in sets {
        if let Some(missing) = (0..of).find(|part| !found.contains(part))
            // Some count from 1.
            && !(1..=of).all(|part| found.contains(&part))
        {
            let name = rest.replacen('#', &format!("{missing:05}"), 1);
            return Err(IngestError::FileNames {
                reason: format!("{} of {of} parts are there; {name} is missing", found.len()),
                hint: "put all parts in the folder; to read those there are, say --pattern with \
                       {part}"
                    .into(),
            });
        }
    }
    Ok(())
}

/// The files and folders at a place within a folder, hidden ones aside.
fn listed(folder: &Path, within: &Path) -> Result<(Vec<PathBuf>, Vec<PathBuf>), IngestError> {
    let here = folder.join(within);
    let io = IngestError::io(&here);
    let (mut files, mut folders) = (Vec::new(), Vec::new());
    for entry in std::fs::read_dir(&here).map_err(&io)? {
        let path = entry.map_err(&io)?.path();
        let name = path.file_name().unwrap_or_default();
        if name.to_string_lossy().starts_with(['.', '_']) {
            continue;
        }
        let to = if path.is_dir() { &mut folders } else { &mut files };
        to.push(within.join(name));
    }
    files.sort();
    Ok((files, folders))
}

/// Which of some files hold values, which hold losses that are not read since others have more, and why the
/// rest holds none.
fn with_values(
    folder: &Path,
    files: Vec<PathBuf>,
    options: &Options,
) -> (Vec<PathBuf>, Vec<String>, Vec<(PathBuf, IngestError)>) {
    let named = |file: &Path| names::of_words(&FileName::parse(stem(&text(file))).words);
    // Of bare arrays only the name says what they are: where some are called logits the others are
    // something else.
    let is_array = |file: &Path| file.extension().is_some_and(|ending| ending == "npy");
    let called = |file: &PathBuf| is_array(file) && matches!(named(file), Some(Field::Values(_)));
    let some_called = files.iter().any(called);
    let (mut values, mut losses, mut others) = (Vec::new(), Vec::new(), Vec::new());
    for file in files {
        let path = folder.join(&file);
        if some_called && is_array(&file) && !called(&file) {
            let name = name(&file);
            others.push((file, IngestError::no_values(&path, vec![name])));
            continue;
        }
        match open(&path, &options.names) {
            Err(error) if error.is_of_other_content() => others.push((file, error)),
            Ok(reader) if reader.kind() == Some(Kind::Losses) => losses.push(file),
            // What else is wrong with it is told when it is read.
            _ => values.push(file),
        }
    }
    if values.is_empty() {
        return (losses, Vec::new(), others);
    }
    (values, losses.iter().map(|file| name(file)).collect(), others)
}

/// Labels or ids, if a file's name says that it holds them and nothing else.
fn side_of(file: &Path) -> Option<Field> {
    let ending = file.extension()?.to_str()?;
    if !matches!(ending, "npy" | "txt") {
        return None;
    }
    let field = names::of_words(&FileName::parse(stem(&name(file))).words)?;
    matches!(field, Field::Labels | Field::Ids).then_some(field)
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The deepest folder that holds all of some files.
fn common_folder(files: &[&Path]) -> PathBuf {
    let parent = |path: &Path| path.parent().unwrap_or(Path::new("")).to_owned();
    let mut folder = parent(files[0]);
    while !files.iter().all(|file| file.starts_with(&folder)) {
        folder = parent(&folder);
    }
    folder
}

/// A path within a folder, with `/` between folders on every system.
fn text(path: &Path) -> String {
    let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
    parts.join("/")
}

fn listed_names(names: &[String]) -> String {
    let mut listed = names[..names.len().min(LISTED)].join(", ");
    if names.len() > LISTED {
        listed += ", …";
    }
    listed
}
