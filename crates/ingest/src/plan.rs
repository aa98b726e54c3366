//! Which file is which run, epoch and part: by what is said in the names and by what changes from
//! name to name. What stays open is refused, with patterns (`--pattern`) that decide it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::IngestError;
use crate::file_name::{FileName, Number, Role, stem};
use crate::pattern::{Pattern, Said};

/// Names that an error lists.
const LISTED: usize = 4;

/// Words and numbers that tell a run or a part from others: `seed` and 0.
pub(crate) type Key = Vec<(String, u64)>;

/// What the name of a file says.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// Empty where there is one run.
    pub(crate) run: Key,
    /// `None` where the name says none.
    pub(crate) epoch: Option<i64>,
    /// Empty where the file is all of its epoch.
    pub(crate) part: Key,
}

/// How the names of some files were understood.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    /// By file.
    pub(crate) places: Vec<Place>,
    /// What a person should know of it.
    pub(crate) notes: Vec<String>,
    /// The word in front of the number that is taken for the epoch, where no word names it.
    pub(crate) unnamed: Option<String>,
    /// Whether the parts are of processes, which have their examples in no known order.
    pub(crate) processes: bool,
    /// Whether the runs are folds, each with its own examples or all with the same.
    pub(crate) folds: bool,
}

/// The plan of a single file: its number is an epoch only if it is called so.
pub(crate) fn single(name: &str) -> Result<Option<i64>, IngestError> {
    let parsed = FileName::parse(stem(name));
    if let Some(epoch) = &parsed.broken_epoch {
        return Err(broken(name, epoch));
    }
    let number = parsed.last(Role::Epoch).or_else(|| parsed.last(Role::Step));
    Ok(number.map(|number| number.value as i64))
}

fn broken(name: &str, epoch: &str) -> IngestError {
    let reason = format!("{name} is of epoch {epoch}, which is not a whole number");
    let hint = "name the files by step, or say which number is the epoch with --pattern, such as \
                --pattern 'step_{epoch}.npz'";
    IngestError::FileNames { reason, hint: hint.into() }
}

/// The plan of the files of one folder, or of files that were given together, by their names
/// (within the folder).
pub(crate) fn plan(names: &[String], given_apart: bool) -> Result<Plan, IngestError> {
    let parsed: Vec<FileName> = names.iter().map(|name| FileName::parse(stem(name))).collect();
    let names = Names { names, parsed: &parsed };
    for (name, parsed) in names.names.iter().zip(&parsed) {
        if let Some(epoch) = &parsed.broken_epoch {
            return Err(broken(name, epoch));
        }
    }
    let mut plan = Plan { places: vec![Place::default(); parsed.len()], ..Plan::default() };
    let runs = names.changing(&[Role::Run])?;
    let folds = names.changing(&[Role::Fold])?;
    let epochs = names.changing(&[Role::Epoch])?;
    let steps = names.changing(&[Role::Step])?;
    let parts = names.changing(&[Role::Process, Role::Part])?;
    let batches = names.changing(&[Role::Batch])?;
    plan.processes = parts.iter().any(|changing| changing.role == Role::Process);
    plan.folds = !folds.is_empty();
    for changing in runs.iter().chain(&folds) {
        changing.each(|file, number| plan.places[file].run.push(changing.key(number)));
    }
    for changing in &parts {
        changing.each(|file, number| plan.places[file].part.push(changing.key(number)));
    }
    let time = match (&epochs[..], &steps[..]) {
        ([one], _) => Some(one),
        ([], [one]) => Some(one),
        ([], []) => None,
        ([_, second, ..], _) | ([], [_, second, ..]) => {
            let reason = "two numbers of its name are called epochs or steps, and both change";
            return Err(names.open(second.first(), reason));
        }
    };
    match time {
        Some(time) => time.each(|file, number| plan.places[file].epoch = Some(number.value as i64)),
        None => names.constant_epoch(&mut plan),
    }
    let has_time = time.is_some();
    if !batches.is_empty() {
        if !has_time {
            let reason = "it is called a batch, and no word says of which epoch";
            let hint = "for batches of one pass say --pattern with {part}; where the batches of \
                        several epochs follow each other, say --per-step";
            return Err(names.open_with(batches[0].first(), reason, hint));
        }
        for changing in &batches {
            changing.each(|file, number| plan.places[file].part.push(changing.key(number)));
        }
    }
    if repeated(&plan.places).is_none() {
        return Ok(plan);
    }
    // Something else in the names changes.
    let unnamed = names.unnamed();
    // `model0_epoch_1`, `model1_epoch_1`: another number is called the epoch.
    let has_time = has_time || parsed.iter().any(|name| name.last(Role::Epoch).is_some());
    let apart = match (&unnamed[..], has_time) {
        ([one], false) if !given_apart && one.role == Role::Unnamed => {
            one.each(|file, number| plan.places[file].epoch = Some(number.value as i64));
            plan.unnamed = Some(one.word.clone());
            plan.notes.push(format!(
                "the epochs are the only numbers that change in the names ({} is epoch {}); if they \
                 are something else, say so with --pattern",
                names.names[0],
                plan.places[0].epoch.unwrap_or_default()
            ));
            repeated(&plan.places)
        }
        _ => repeated(&plan.places),
    };
    let Some((a, b)) = apart else { return Ok(plan) };
    Err(names.repeated(&plan.places[a], a, b, &unnamed, has_time))
}

/// The plan of files that are steps: their order, and the epoch where all names say it.
pub(crate) fn steps(names: &[String]) -> Result<Vec<Place>, IngestError> {
    let parsed: Vec<FileName> = names.iter().map(|name| FileName::parse(stem(name))).collect();
    let names = Names { names, parsed: &parsed };
    let mut places = vec![Place::default(); parsed.len()];
    let epochs = parsed.iter().map(|name| Some(name.last(Role::Epoch)?.value as i64));
    if let Some(epochs) = epochs.collect::<Option<Vec<i64>>>() {
        places.iter_mut().zip(epochs).for_each(|(place, epoch)| place.epoch = Some(epoch));
    }
    for changing in names.changing(&[Role::Run])? {
        changing.each(|file, number| places[file].run.push(changing.key(number)));
    }
    let order = [Role::Step, Role::Batch, Role::Unnamed, Role::Part, Role::Process];
    for role in order {
        for changing in names.changing(&[role])? {
            changing.each(|file, number| places[file].part.push(changing.key(number)));
        }
    }
    match repeated(&places) {
        None => Ok(places),
        Some((a, b)) => {
            let reason = format!(
                "nothing says which of {} and {} came first",
                names.names[a], names.names[b]
            );
            let hint = "number the files by step, such as step_1.npz, step_2.npz".into();
            Err(IngestError::FileNames { reason, hint })
        }
    }
}

/// The plan by a pattern: `None` for names that are not of it.
pub(crate) fn by_pattern(
    names: &[String],
    pattern: &Pattern,
) -> Result<Vec<Option<Place>>, IngestError> {
    let said: Vec<Option<Said>> =
        names.iter().map(|name| pattern.said(name).or_else(|| pattern.said(stem(name)))).collect();
    let place = |said: Said| Place {
        run: said.run.map(|run| (run, 0)).into_iter().collect(),
        epoch: said.epoch,
        part: said.part.map(|part| (part.clone(), part.parse().unwrap_or(0))).into_iter().collect(),
    };
    let places: Vec<Option<Place>> = said.into_iter().map(|said| said.map(place)).collect();
    let named: Vec<(&String, &Place)> = names
        .iter()
        .zip(&places)
        .filter_map(|(name, place)| Some((name, place.as_ref()?)))
        .collect();
    if named.is_empty() {
        let reason = format!("no file is called like {pattern}");
        let listed: Vec<&str> = names.iter().take(LISTED).map(String::as_str).collect();
        let hint = format!("the files are {}", listed.join(", "));
        return Err(IngestError::FileNames { reason, hint });
    }
    for (index, (name, place)) in named.iter().enumerate() {
        if let Some((other, _)) = named[..index].iter().find(|(_, before)| before == place) {
            let reason =
                format!("by {pattern}, {other} and {name} are the same run, epoch and part");
            let hint = "name what differs between them: {epoch}, {run} or {part}".into();
            return Err(IngestError::FileNames { reason, hint });
        }
    }
    Ok(places)
}

/// Two files of one place.
fn repeated(places: &[Place]) -> Option<(usize, usize)> {
    let mut seen: BTreeMap<&Place, usize> = BTreeMap::new();
    places.iter().enumerate().find_map(|(file, place)| {
        let before = seen.insert(place, file)?;
        Some((before, file))
    })
}

/// Numbers, one of each file, that are not the same in all.
struct Changing<'a> {
    role: Role,
    word: String,
    numbers: Vec<&'a Number>,
}

impl<'a> Changing<'a> {
    fn each(&self, mut take: impl FnMut(usize, &'a Number)) {
        self.numbers.iter().enumerate().for_each(|(file, number)| take(file, number));
    }

    fn key(&self, number: &Number) -> (String, u64) {
        (self.word.clone(), number.value)
    }

    /// A file that shows the change.
    fn first(&self) -> usize {
        self.numbers.iter().position(|number| number.value != self.numbers[0].value).unwrap_or(0)
    }
}

struct Names<'a> {
    names: &'a [String],
    parsed: &'a [FileName],
}

impl<'a> Names<'a> {
    /// The numbers of some roles that change; the n-th of a role in one name belongs to the n-th
    /// in another.
    fn changing(&self, roles: &[Role]) -> Result<Vec<Changing<'a>>, IngestError> {
        let of = |name: &'a FileName| -> Vec<&'a Number> {
            name.numbers.iter().filter(|number| roles.contains(&number.role)).collect()
        };
        let all: Vec<Vec<&Number>> = self.parsed.iter().map(of).collect();
        let most = all.iter().map(Vec::len).max().unwrap_or(0);
        let mut changing = Vec::new();
        for place in 0..most {
            let with = all.iter().position(|numbers| numbers.len() > place).unwrap_or(0);
            let Some(without) = all.iter().position(|numbers| numbers.len() <= place) else {
                let numbers: Vec<&Number> = all.iter().map(|numbers| numbers[place]).collect();
                if numbers.iter().any(|number| number.value != numbers[0].value) {
                    let (role, word) = (numbers[0].role, numbers[0].word.clone());
                    changing.push(Changing { role, word, numbers });
                }
                continue;
            };
            let (number, other) = (all[with][place], &self.names[without]);
            let reason = format!(
                "{} says {}, and {other} does not",
                self.names[with],
                &self.names[with][number.place.clone()].trim_start_matches('0'),
            );
            let reason = match number.role {
                Role::Epoch | Role::Step => format!(
                    "{other} has no number that is called an epoch or step, as {} has",
                    self.names[with]
                ),
                Role::Run | Role::Fold => {
                    format!("{other} has no number of a run, as {} has", self.names[with])
                }
                Role::Process | Role::Part | Role::Batch => {
                    format!("{other} has no number of a part, as {} has", self.names[with])
                }
                Role::Other | Role::Unnamed => reason,
            };
            let hint = format!(
                "move it elsewhere, rename it, or say which files to read with {}",
                self.suggestion(with, &[number])
            );
            return Err(IngestError::FileNames { reason, hint });
        }
        Ok(changing)
    }

    /// Numbers that no word names, or whose word is not of time, and that change. Only where all
    /// names have as many.
    fn unnamed(&self) -> Vec<Changing<'a>> {
        self.changing(&[Role::Unnamed, Role::Other]).unwrap_or_default()
    }

    /// The epoch that all names say alike.
    fn constant_epoch(&self, plan: &mut Plan) {
        for role in [Role::Epoch, Role::Step] {
            let of = |name: &FileName| name.last(role).map(|number| number.value as i64);
            if let Some(Some(epoch)) = self.parsed.first().map(of) {
                plan.places.iter_mut().for_each(|place| place.epoch = Some(epoch));
                return;
            }
        }
    }

    fn open(&self, file: usize, reason: &str) -> IngestError {
        let numbers: Vec<&Number> = self.parsed[file].numbers.iter().collect();
        let reason = format!("{}: {reason}", self.names[file]);
        let hint = format!("say which is the epoch, such as {}", self.suggestion(file, &numbers));
        IngestError::FileNames { reason, hint }
    }

    fn open_with(&self, file: usize, reason: &str, hint: &str) -> IngestError {
        let reason = format!("{}: {reason}", self.names[file]);
        IngestError::FileNames { reason, hint: hint.into() }
    }

    /// Two files for which the names say the same.
    fn repeated(
        &self,
        place: &Place,
        a: usize,
        b: usize,
        unnamed: &[Changing<'_>],
        has_time: bool,
    ) -> IngestError {
        let (first, second) = (&self.names[a], &self.names[b]);
        let differ =
            |changing: &&Changing<'_>| changing.numbers[a].value != changing.numbers[b].value;
        let steps = self.parsed[a].numbers.iter().filter(|n| n.role == Role::Step && has_time);
        let differing = unnamed.iter().filter(differ).map(|changing| changing.numbers[a]);
        let open: Vec<&Number> = if has_time {
            differing.chain(steps).collect()
        } else {
            // All of them, since each may be the epoch.
            unnamed.iter().map(|changing| changing.numbers[a]).collect()
        };
        let (reason, hint) = match open[..] {
            [] if has_time || place.epoch.is_some() => {
                let what = place.epoch.map_or("run".to_owned(), |epoch| format!("epoch {epoch}"));
                let time = |n: &&Number| matches!(n.role, Role::Epoch | Role::Step);
                let named: Vec<&Number> = self.parsed[a].numbers.iter().filter(time).collect();
                (
                    format!("{first} and {second} are both of {what}"),
                    format!("read one kind of them, such as with {}", self.suggestion(a, &named)),
                )
            }
            [] => (
                format!(
                    "{first} and {second}: nothing in their names says whether they are epochs, \
                     runs or parts of one"
                ),
                "name them so, such as epoch_1.npz, seed_0.npz or part_0.npz, or give runs as \
                 separate arguments"
                    .into(),
            ),
            [one] => {
                let shown = &self.names[a][one.place.clone()];
                let roles = ["{epoch}", "{run}", "{part}"];
                let patterns = roles.map(|role| self.pattern(a, &[(one, role)]));
                (
                    format!("{first} and {second}: nothing says what {shown} is"),
                    format!(
                        "say whether it is an epoch, a run (a seed) or a part: {}",
                        patterns.join(", ")
                    ),
                )
            }
            [one, two, ..] => {
                let shown = [one, two].map(|number| &self.names[a][number.place.clone()]);
                let roles = [["{run}", "{epoch}"], ["{epoch}", "{run}"], ["{epoch}", "{part}"]];
                let patterns = roles.map(|[x, y]| self.pattern(a, &[(one, x), (two, y)]));
                (
                    format!(
                        "{first} and {second}: nothing says what {} and {} are",
                        shown[0], shown[1]
                    ),
                    format!(
                        "say which is the epoch, and what the other is: {}",
                        patterns.join(", ")
                    ),
                )
            }
        };
        IngestError::FileNames { reason, hint }
    }

    /// The name of a file as a pattern in which the first of some numbers is the epoch.
    fn suggestion(&self, file: usize, numbers: &[&Number]) -> String {
        let asked: Vec<_> =
            numbers.first().map(|&number| (number, "{epoch}")).into_iter().collect();
        self.pattern(file, &asked)
    }

    /// The name of a file as a pattern: the numbers asked for are what is asked, others what they
    /// say.
    fn pattern(&self, file: usize, asked: &[(&Number, &'static str)]) -> String {
        let name = &self.names[file];
        let (mut pattern, mut at) = (String::new(), 0);
        let mut used: Vec<&str> = asked.iter().map(|(_, role)| *role).collect();
        for number in &self.parsed[file].numbers {
            let said = match number.role {
                Role::Epoch | Role::Step => "{epoch}",
                Role::Run | Role::Fold => "{run}",
                Role::Process | Role::Part | Role::Batch => "{part}",
                Role::Other | Role::Unnamed => "{}",
            };
            let wish = asked.iter().find(|(asked, _)| asked.place == number.place);
            let place = match wish {
                Some((_, role)) => role,
                None if used.contains(&said) => "{}",
                None => said,
            };
            used.push(said);
            // The M of N-of-M stands in the name as it is.
            pattern += &name[at..number.place.start];
            pattern += place;
            at = number.place.end;
        }
        pattern += &name[at..];
        format!("--pattern '{pattern}'")
    }
}

/// Folders that are given together and called by epoch.
pub(crate) fn check_folders(given: &[&Path]) -> Result<(), IngestError> {
    let name = |path: &&Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let names: Vec<String> = given.iter().map(name).collect();
    let parsed: Vec<FileName> = names.iter().map(|name| FileName::parse(stem(name))).collect();
    let changes = |role| {
        let numbers: Option<BTreeSet<u64>> =
            parsed.iter().map(|name| Some(name.last(role)?.value)).collect();
        numbers.is_some_and(|numbers| numbers.len() > 1)
    };
    if given.len() < 2 || changes(Role::Run) || !(changes(Role::Epoch) || changes(Role::Step)) {
        return Ok(());
    }
    let reason = format!(
        "{} and {} are folders of epochs by their names, and several folders are several trainings",
        names[0], names[1]
    );
    let hint = "give the folder that holds them, which is one training; if each is a training, \
                rename them, such as to seed_0 and seed_1"
        .into();
    Err(IngestError::FileNames { reason, hint })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(names: &[&str]) -> Result<Plan, String> {
        let names: Vec<String> = names.iter().map(|&name| name.into()).collect();
        plan(&names, false).map_err(|error| error.to_string())
    }

    /// Run, epoch and part of every name, as numbers.
    #[track_caller]
    fn assert_places(names: &[&str], expected: &[(Option<u64>, Option<i64>, Option<u64>)]) {
        let plan = planned(names).unwrap();
        let number = |keys: &[(String, u64)]| keys.first().map(|(_, value)| *value);
        let of = |place: &Place| (number(&place.run), place.epoch, number(&place.part));
        let found: Vec<_> = plan.places.iter().map(of).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn epochs_runs_and_parts() {
        assert_places(&["e9", "e10"], &[(None, Some(9), None), (None, Some(10), None)]);
        assert_places(
            &["seed0_epoch1", "seed1_epoch1"],
            &[(Some(0), Some(1), None), (Some(1), Some(1), None)],
        );
        assert_places(
            &["final_seed0", "final_seed1"],
            &[(Some(0), None, None), (Some(1), None, None)],
        );
        assert_places(
            &["epoch_0_rank_0", "epoch_0_rank_1"],
            &[(None, Some(0), Some(0)), (None, Some(0), Some(1))],
        );
        assert_places(
            &["train-00000-of-00002", "train-00001-of-00002"],
            &[(None, None, Some(0)), (None, None, Some(1))],
        );
        // The epoch goes before the step; a metric and a constant say nothing.
        assert_places(
            &["cifar10-epoch=3-step=120-acc=91", "cifar10-epoch=4-step=160-acc=90"],
            &[(None, Some(3), None), (None, Some(4), None)],
        );
        assert_places(
            &["checkpoint-500", "checkpoint-1000"],
            &[(None, Some(500), None), (None, Some(1000), None)],
        );
        // Only one number changes.
        assert_places(&["cifar10_1", "cifar10_2"], &[(None, Some(1), None), (None, Some(2), None)]);
        assert_places(
            &["weights.03-0.45", "weights.04-0.41"],
            &[(None, Some(3), None), (None, Some(4), None)],
        );
    }

    #[test]
    fn what_stays_open_is_refused_with_patterns() {
        let error = |names: &[&str]| planned(names).unwrap_err();
        let two = error(&["preds_1_1", "preds_1_2", "preds_2_1", "preds_2_2"]);
        assert!(two.contains("--pattern 'preds_{run}_{epoch}'"), "{two}");
        let within = error(&["epoch=0-step=100", "epoch=0-step=200", "epoch=1-step=300"]);
        assert!(within.contains("--pattern 'epoch={}-step={epoch}'"), "{within}");
        let kinds = error(&["train_epoch_1", "val_epoch_1"]);
        assert!(
            kinds.contains("both of epoch 1") && kinds.contains("--pattern 'train_epoch_{epoch}'"),
            "{kinds}"
        );
        let sweep = error(&["resnet18", "resnet34"]);
        assert!(sweep.contains("nothing says what 18 is"), "{sweep}");
        let best = error(&["best", "epoch_1", "epoch_2"]);
        assert!(
            best.contains("best has no number") && best.contains("--pattern 'epoch_{epoch}'"),
            "{best}"
        );
        assert!(error(&["epoch_0.5", "epoch_1.0"]).contains("not a whole number"));
        assert!(error(&["a", "b"]).contains("nothing in their names says"));
        assert!(error(&["batch_0", "batch_1"]).contains("--per-step"));
    }
}
