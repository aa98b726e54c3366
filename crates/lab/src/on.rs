//! Where trainings are carried out, and what each is given there: `--on WHERE`, and the table `[on]` of any file
//! of options.
//!
//! None of it is part of a specification: the same training is the same run wherever it is carried out.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use datadiet_core::nearest;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use toml::Table;

use crate::LabError;
use crate::executor::Needs;
use crate::options;
use crate::refuse::{bail, ensure};

/// What is said of where trainings are carried out; nothing is resolved here.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct OnOptions {
    /// The place; here where nothing is said.
    #[serde(rename = "where")]
    pub place: Option<Place>,
    /// Most trainings that are waiting or going on there at a time.
    pub at_a_time: Option<u32>,
    /// Processors of a training; as many as it has threads where nothing is said.
    pub cpus: Option<u32>,
    /// GPUs of a training; one with `--device cuda`, else none.
    pub gpus: Option<u32>,
    /// Memory of a training.
    pub memory: Option<Memory>,
    /// How long one may take, in the words of the engine, such as `4:00:00`; it goes on from its checkpoint in
    /// another job after that.
    pub time: Option<String>,
    /// How often in a row a training is started again that was lost without having come further.
    pub retries: Option<u32>,
    /// Lines of shell before it starts, such as `module load cuda`.
    pub setup: Vec<String>,
    /// What only Slurm knows.
    pub slurm: SlurmOptions,
}

/// What only Slurm knows of a job, in its own words.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct SlurmOptions {
    /// Partition.
    pub partition: Option<String>,
    /// Account to charge.
    pub account: Option<String>,
    /// Quality of service.
    pub qos: Option<String>,
    /// Generic resources instead of `gpus`, such as `gpu:a100:1`.
    pub gres: Option<String>,
    /// Features that nodes must have.
    pub constraint: Option<String>,
    /// Anything else, as options of sbatch: `--exclude=n7`.
    pub extra: Vec<String>,
}

/// Where trainings are carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// On this machine.
    Local,
    /// Nowhere: what would be trained is written down for others to carry out.
    Plan,
    /// By Slurm.
    Slurm,
    /// By Ray: the cluster at an address, or that of RAY_ADDRESS.
    Ray(Option<String>),
    /// By a program that speaks the protocol of launchers: its words.
    Launcher(Vec<String>),
}

/// Names of places, for "did you mean".
const NAMES: [&str; 4] = ["local", "plan", "slurm", "ray"];

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        Ok(match (text, text.strip_prefix("ray:")) {
            ("local", _) => Self::Local,
            ("plan", _) => Self::Plan,
            ("slurm", _) => Self::Slurm,
            ("ray", _) => Self::Ray(None),
            (_, Some("")) => {
                return Err("ray: names no address; give ray alone, or ray:HOST:PORT".into());
            }
            (_, Some(address)) => Self::Ray(Some(address.into())),
            // A launcher is a path, or a program with arguments: a single word is a name that was mistyped.
            _ if text.contains('/') || text.split_whitespace().count() > 1 => {
                Self::Launcher(text.split_whitespace().map(str::to_owned).collect())
            }
            _ => {
                let meant = nearest(text, NAMES).map(|name| format!("; did you mean {name}?"));
                return Err(format!(
                    "nothing carries out trainings that is called {text:?}: give local, slurm, ray, plan, or a \
                     launcher by its path, such as ./launcher{}",
                    meant.unwrap_or_default()
                ));
            }
        })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local => f.write_str("local"),
            Self::Plan => f.write_str("plan"),
            Self::Slurm => f.write_str("slurm"),
            Self::Ray(None) => f.write_str("ray"),
            Self::Ray(Some(address)) => write!(f, "ray:{address}"),
            Self::Launcher(words) => f.write_str(&words.join(" ")),
        }
    }
}

impl Serialize for Place {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Place {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// An amount of memory, MiB; written `8G`, `512M`, or as a number of MiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory(pub u64);

impl FromStr for Memory {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no amount of memory; write it as 8G or 512M");
        let text = text.trim().trim_end_matches("iB").trim_end_matches('B').trim_end();
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let factor = match text[digits.len()..].to_ascii_uppercase().as_str() {
            "" | "M" => 1,
            "G" => 1 << 10,
            "T" => 1 << 20,
            _ => return Err(wrong()),
        };
        let number: u64 = digits.trim_end().parse().map_err(|_| wrong())?;
        match number.checked_mul(factor) {
            Some(mib) if mib > 0 => Ok(Self(mib)),
            _ => Err(wrong()),
        }
    }
}

impl Serialize for Memory {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{}M", self.0))
    }
}

impl<'de> Deserialize<'de> for Memory {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Mib(u64),
            Text(String),
        }
        match Written::deserialize(deserializer)? {
            Written::Mib(mib) => mib.to_string().parse(),
            Written::Text(text) => text.parse(),
        }
        .map_err(D::Error::custom)
    }
}

impl OnOptions {
    /// How often in a row a training is started again that was lost without having come further, where no number
    /// is given.
    pub const RETRIES: u32 = 3;

    /// Most trainings that wait or go on there at a time, where no number is given.
    pub const AT_A_TIME: u32 = 100;

    /// Takes the table `[on]` out of a file's options.
    ///
    /// # Errors
    /// For unknown keys, or values that make no sense.
    pub fn taken_from(given: &mut Table) -> Result<Self, LabError> {
        match given.remove("on") {
            None => Ok(Self::default()),
            Some(toml::Value::Table(on)) => options::of_table_at(on, "on."),
            // `on = "slurm"`.
            Some(toml::Value::String(place)) => match place.parse() {
                Ok(place) => Ok(Self { place: Some(place), ..Self::default() }),
                Err(why) => bail!("in on: {why}"),
            },
            Some(_) => bail!("on is a table: [on], with where = \"slurm\" and the like in it"),
        }
    }

    /// Reads a file that has a table `[on]`, whatever else it has.
    ///
    /// # Errors
    /// When it cannot be read, has none, or its values make no sense.
    pub fn read(path: &Path) -> Result<Self, LabError> {
        let mut table = options::table_of(path)?;
        let has_one = table.contains_key("on");
        let mut read = || {
            ensure!(has_one, "there is no [on], which says where trainings are carried out");
            Self::taken_from(&mut table)
        };
        read().map_err(options::in_file(path))
    }

    /// What `changes` (`key=value`) say of it; others are none of its own.
    ///
    /// # Errors
    /// For unknown keys, or values that make no sense.
    pub fn of_changes(changes: &[String]) -> Result<Self, LabError> {
        let mut table = Table::new();
        for change in changes {
            let key = change.split(['.', '=']).next().unwrap_or_default();
            if key.trim() == "on" {
                options::set(&mut table, change)?;
            }
        }
        Self::taken_from(&mut table)
    }

    /// So many at a time, where a number is given.
    pub fn of_workers(workers: Option<u32>) -> Self {
        Self { at_a_time: workers, ..Self::default() }
    }

    /// These, with those of `above` that were given instead.
    ///
    /// # Errors
    /// When they cannot be brought together.
    pub fn under(self, above: Self) -> Result<Self, LabError> {
        let slurm = options::laid_over(&self.slurm, &above.slurm)?;
        Ok(Self { slurm, ..options::laid_over(&self, &above)? })
    }

    /// The place.
    pub fn place(&self) -> Place {
        self.place.clone().unwrap_or(Place::Local)
    }

    /// Whether trainings are carried out on other machines, or may be.
    pub fn is_elsewhere(&self) -> bool {
        self.place() != Place::Local
    }

    /// Most trainings that wait or go on there at a time.
    pub fn at_a_time(&self) -> usize {
        self.at_a_time.unwrap_or(Self::AT_A_TIME) as usize
    }

    /// How often in a row a training is started again that was lost without having come further.
    pub fn retries(&self) -> u32 {
        self.retries.unwrap_or(Self::RETRIES)
    }

    /// What a training is given, which has so many threads and, perhaps, needs a GPU.
    pub fn needs(&self, threads: u32, gpu: bool) -> Needs {
        Needs {
            cpus: self.cpus.unwrap_or(threads).max(1),
            gpus: self.gpus.unwrap_or(u32::from(gpu)),
            memory_mib: self.memory.map_or(0, |Memory(mib)| mib),
        }
    }

    /// Refuses what makes no sense at the place.
    ///
    /// # Errors
    /// For options that it does not have, and numbers that must not be 0.
    pub fn check(&self) -> Result<(), LabError> {
        for (key, number) in [("at-a-time", self.at_a_time), ("cpus", self.cpus)] {
            ensure!(number != Some(0), "on.{key} must be at least 1");
        }
        let place = self.place();
        let slurm = place == Place::Slurm;
        ensure!(
            slurm || self.slurm == SlurmOptions::default(),
            "[on.slurm] is for --on slurm, and this is {place}: leave it out, or give where = \"slurm\""
        );
        for (key, given) in [("time", self.time.is_some()), ("setup", !self.setup.is_empty())] {
            ensure!(
                slurm || !given,
                "on.{key} is for --on slurm, and this is {place}: leave it out, or give where = \"slurm\""
            );
        }
        let lines = self.setup.iter().chain(&self.slurm.extra);
        let words = [&self.time, &self.slurm.partition, &self.slurm.account, &self.slurm.qos];
        let words = words.into_iter().chain([&self.slurm.gres, &self.slurm.constraint]).flatten();
        if let Some(broken) =
            lines.clone().chain(words).find(|text| text.contains(['\n', '\r', '\0']))
        {
            bail!("in [on]: {broken:?} is more than a line; give one line each");
        }
        if let Some(extra) = self.slurm.extra.iter().find(|extra| !extra.starts_with("--")) {
            bail!(
                "in on.slurm.extra: {extra:?} is no option of sbatch; write it as \"--name=value\""
            );
        }
        for own in
            ["--array", "--output", "--error", "--job-name", "--parsable", "--wrap", "--wait"]
        {
            let is_own = |extra: &&String| extra.split('=').next() == Some(own);
            if let Some(extra) = self.slurm.extra.iter().find(is_own) {
                bail!("in on.slurm.extra: {extra} is given by datadiet itself; leave it out");
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(text: &str) -> Result<OnOptions, String> {
        let mut table: Table = toml::from_str(text).unwrap();
        let on = OnOptions::taken_from(&mut table).map_err(|error| error.to_string())?;
        on.check().map_err(|error| error.to_string())?;
        Ok(on)
    }

    #[test]
    fn a_place_is_a_name_or_a_path() {
        for (text, place) in [
            ("slurm", Place::Slurm),
            ("ray", Place::Ray(None)),
            ("ray:10.0.0.5:6379", Place::Ray(Some("10.0.0.5:6379".into()))),
            ("./mine", Place::Launcher(vec!["./mine".into()])),
            ("python mine.py", Place::Launcher(vec!["python".into(), "mine.py".into()])),
        ] {
            assert_eq!(text.parse(), Ok(place.clone()));
            assert_eq!(place.to_string(), text);
        }
        let problem = "slrum".parse::<Place>().unwrap_err();
        assert!(
            problem.contains("\"slrum\"") && problem.contains("did you mean slurm?"),
            "{problem}"
        );
        assert!("ray:".parse::<Place>().is_err());
    }

    #[test]
    fn what_is_typed_wins_key_by_key() {
        let below =
            on("[on]\nwhere = \"slurm\"\ntime = \"1:00\"\n[on.slurm]\nqos = \"a\"").unwrap();
        let changes = ["on.time=2:00", "on.slurm.partition=gpu", "training.epochs=2"];
        let above = OnOptions::of_changes(&changes.map(str::to_owned)).unwrap();
        let both = below.clone().under(above).unwrap();
        let slurm = SlurmOptions { partition: Some("gpu".into()), ..below.slurm.clone() };
        assert_eq!(both, OnOptions { time: Some("2:00".into()), slurm, ..below.clone() });
        assert_eq!(both.under(OnOptions::of_workers(Some(2))).unwrap().at_a_time(), 2);
        assert_eq!(below.clone().under(OnOptions::of_workers(None)).unwrap(), below);
    }

    #[test]
    fn memory_is_in_units() {
        for (text, mib) in
            [("512", 512), ("512M", 512), ("8G", 8192), ("8 GiB", 8192), ("1t", 1 << 20)]
        {
            assert_eq!(text.parse(), Ok(Memory(mib)), "{text}");
        }
        for text in ["", "G", "-1G", "8X", "0", "99999999999999999T"] {
            assert!(text.parse::<Memory>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_file_has_a_table() {
        let given = on(
            "[on]\nwhere = \"slurm\"\nmemory = \"8G\"\ntime = \"1:00\"\n[on.slurm]\nqos = \"a\"",
        )
        .unwrap();
        assert_eq!((given.place(), given.memory), (Place::Slurm, Some(Memory(8192))));
        assert_eq!(given.needs(2, true), Needs { cpus: 2, gpus: 1, memory_mib: 8192 });
        assert_eq!(on("epochs = 2"), Ok(OnOptions::default()));
        assert_eq!(on("on = \"slurm\"").unwrap().place(), Place::Slurm);
        for (text, expected) in [
            ("[on]\nwher = \"slurm\"", "unknown key `on.wher`; did you mean `where`?"),
            (
                "[on.slurm]\nparition = \"x\"",
                "unknown key `on.slurm.parition`; did you mean `partition`?",
            ),
            ("[on]\nwhere = \"slrum\"", "did you mean slurm?"),
            ("[on]\nat-a-time = 0", "on.at-a-time must be at least 1"),
            ("[on]\ntime = \"1:00\"", "on.time is for --on slurm, and this is local"),
            (
                "[on]\nwhere = \"ray\"\n[on.slurm]\nqos = \"a\"",
                "[on.slurm] is for --on slurm, and this is ray",
            ),
            ("[on]\nwhere = \"slurm\"\n[on.slurm]\nextra = [\"-N 2\"]", "is no option of sbatch"),
            (
                "[on]\nwhere = \"slurm\"\n[on.slurm]\nextra = [\"--array=0-3\"]",
                "given by datadiet itself",
            ),
            ("[on]\nwhere = \"slurm\"\nsetup = [\"a\\nb\"]", "is more than a line"),
            ("on = 3", "on is a table"),
        ] {
            let problem = on(text).unwrap_err();
            assert!(problem.contains(expected), "{text}: {problem}");
        }
    }
}
