//! A specification as it is written: of a run of our own networks what it always was, byte for byte; of
//! a program's run without what only our networks have.

use datadiet_table::DataRef;
use serde::{Deserialize, Serialize};

use crate::{
    Augmentation, DeviceKind, Labels, ListRef, NetworkSpec, Precision, Recording, RunSpec,
    Schedule, Spawn, Subset, TrainerSpec, Views,
};

/// The fields, in the order in which they are written: the id of a run is a hash of that.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Written {
    semantics: u32,
    data: DataRef,
    labels: Labels,
    subset: Subset,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    validation: Option<ListRef>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trainer: Option<TrainerSpec>,
    /// Training examples passed, with repetition, to the end of the schedule: of programs alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    presentations: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    network: Option<NetworkSpec>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    schedule: Option<Schedule>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    augmentation: Option<Augmentation>,
    #[serde(default, skip_serializing_if = "Views::is_plain")]
    views: Views,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    precision: Option<Precision>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    device: Option<DeviceKind>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    threads: Option<u32>,
    seed: u64,
    replica: u32,
    stop_after: u64,
    record: Recording,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    spawn: Option<Spawn>,
}

impl From<RunSpec> for Written {
    fn from(spec: RunSpec) -> Self {
        let own = spec.trainer.is_none();
        Self {
            semantics: spec.semantics,
            data: spec.data,
            labels: spec.labels,
            subset: spec.subset,
            validation: spec.validation,
            presentations: (!own).then_some(spec.schedule.steps),
            trainer: spec.trainer,
            network: own.then_some(spec.network),
            schedule: own.then_some(spec.schedule),
            augmentation: own.then_some(spec.augmentation),
            views: spec.views,
            precision: own.then_some(spec.precision),
            device: own.then_some(spec.device),
            threads: own.then_some(spec.threads),
            seed: spec.seed,
            replica: spec.replica,
            stop_after: spec.stop_after,
            record: spec.record,
            spawn: spec.spawn,
        }
    }
}

impl TryFrom<Written> for RunSpec {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        fn there<T>(field: Option<T>, name: &str) -> Result<T, String> {
            field.ok_or_else(|| format!("missing field `{name}`"))
        }
        let spec = match written.trainer {
            Some(trainer) => {
                let presentations = there(written.presentations, "presentations")?;
                let of_network = [
                    ("network", written.network.is_some()),
                    ("schedule", written.schedule.is_some()),
                    ("augmentation", written.augmentation.is_some()),
                    ("precision", written.precision.is_some()),
                    ("device", written.device.is_some()),
                    ("threads", written.threads.is_some()),
                ];
                if let Some((name, _)) = of_network.iter().find(|(_, is_there)| *is_there) {
                    return Err(format!("`{name}` is not of a run that a program trains"));
                }
                let data = (written.data, written.labels);
                Self::of_program(trainer, data, presentations, written.seed)
            }
            None if written.presentations.is_some() => {
                return Err("`presentations` is of a run that a program trains".into());
            }
            None => Self {
                semantics: written.semantics,
                data: written.data,
                labels: written.labels,
                subset: Subset::Full,
                validation: None,
                trainer: None,
                network: there(written.network, "network")?,
                schedule: there(written.schedule, "schedule")?,
                augmentation: there(written.augmentation, "augmentation")?,
                views: Views::Plain,
                precision: there(written.precision, "precision")?,
                device: there(written.device, "device")?,
                threads: there(written.threads, "threads")?,
                seed: written.seed,
                replica: 0,
                stop_after: 0,
                record: Recording::default(),
                spawn: None,
            },
        };
        Ok(Self {
            semantics: written.semantics,
            subset: written.subset,
            validation: written.validation,
            views: written.views,
            replica: written.replica,
            stop_after: written.stop_after,
            record: written.record,
            spawn: written.spawn,
            ..spec
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RunId;

    fn program() -> RunSpec {
        let trainer = TrainerSpec {
            name: "train.py".into(),
            command: vec!["python".into(), "train.py".into()],
            sources: [("train.py".to_owned(), "ab".to_owned())].into(),
            version: None,
            settings: [("depth".to_owned(), serde_json::json!(3))].into(),
            metric: crate::Metric::default(),
            pass: None,
        };
        let data = DataRef { name: "mine".into(), fingerprint: "f".into(), limit: None };
        RunSpec::of_program(trainer, (data, Labels::Original), 400, 7)
    }

    #[test]
    fn a_run_of_a_program_is_written_without_what_only_networks_have() {
        let spec = program();
        let text = serde_json::to_string(&spec).unwrap();
        let expected = concat!(
            r#"{"semantics":2,"data":{"name":"mine","fingerprint":"f","limit":null},"#,
            r#""labels":{"kind":"original"},"subset":{"kind":"full"},"trainer":{"name":"train.py","#,
            r#""command":["python","train.py"],"sources":{"train.py":"ab"},"settings":{"depth":3}},"#,
            r#""presentations":400,"seed":7,"replica":0,"stop_after":400,"#,
            r#""record":{"scores":[],"steps":[],"gradient_steps":[]}}"#
        );
        assert_eq!(text, expected);
        assert_eq!(serde_json::from_str::<RunSpec>(&text).unwrap(), spec);
    }

    #[test]
    fn what_changes_a_program_changes_its_runs() {
        let changed = |change: fn(&mut TrainerSpec)| {
            let mut spec = program();
            change(spec.trainer.as_mut().unwrap());
            (spec.trainer.unwrap().is_other_state_of(&program().trainer.unwrap()), {
                let mut spec = program();
                change(spec.trainer.as_mut().unwrap());
                RunId::of(&spec)
            })
        };
        let own = RunId::of(&program());
        assert_eq!(changed(|_| {}), (false, own.clone()));
        for change in [
            (|t: &mut TrainerSpec| drop(t.sources.insert("train.py".into(), "cd".into())))
                as fn(&mut TrainerSpec),
            |t| t.version = Some("2".into()),
            |t| drop(t.settings.insert("depth".into(), 4.into())),
            |t| t.metric = crate::Metric { name: "loss".into(), higher_is_better: false },
            |t| t.pass = Some("eval mode".into()),
        ] {
            let (other_state, id) = changed(change);
            assert!(other_state && id != own);
        }
    }

    #[test]
    fn fields_of_the_other_kind_are_refused() {
        let text = serde_json::to_string(&program()).unwrap();
        let read = |text: &str| serde_json::from_str::<RunSpec>(text).unwrap_err().to_string();
        let with = |field: &str| text.replace(r#""seed":7"#, &format!(r#"{field},"seed":7"#));
        assert!(read(&with(r#""threads":1"#)).contains("`threads` is not of a run"));
        assert!(read(&with(r#""thread":1"#)).contains("unknown field `thread`"));
        let without = text.replace(r#""presentations":400,"#, "");
        assert!(read(&without).contains("missing field `presentations`"));
    }
}
