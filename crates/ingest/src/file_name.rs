//! The grammar of file names: which number is an epoch, a run, a part.
//!
//! A name is read as words and numbers, folders and all, its endings aside. A number is what the
//! word before it says (`epoch3`, `epoch_03`, `epoch=3`), or a word for time right after it
//! (`3_epochs`):
//!
//! ```text
//! epoch     epoch epochs ep e
//! step      step iter it update ba checkpoint ckpt snapshot round … (time, where no epoch is said)
//! run       seed run replica repeat trial restart version member experiment …
//! fold      fold kfold cv split
//! process   rank process proc worker gpu device node host pid
//! part      shard part chunk piece block; 00001-of-00004 behind no word for an epoch, run or fold
//! batch     batch minibatch mb
//! other     what is never time: resnet18, cifar10, lr0.1, fp16, acc91, v2, top5 …
//! ```
//!
//! Decimals (`val_loss=0.35`), numbers with exponents, UUIDs and hashes say none of these. A number
//! behind any other word, or behind none, has no name: `source.rs` decides on it, by what changes
//! from file to file.

use std::ops::Range;

/// What a number of a name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Role {
    Epoch,
    Step,
    Run,
    Fold,
    Process,
    Part,
    Batch,
    /// Something that is never time: a network, a data set, a measure.
    Other,
    /// No word says.
    Unnamed,
}

const WORDS: &[(Role, &[&str])] = &[
    (Role::Epoch, &["epoch", "epochs", "ep", "e"]),
    (
        Role::Step,
        &[
            "step",
            "steps",
            "globalstep",
            "gstep",
            "iter",
            "iters",
            "iteration",
            "iterations",
            "itr",
            "it",
            "update",
            "updates",
            "ba",
            "checkpoint",
            "checkpoints",
            "ckpt",
            "ckpts",
            "chkpt",
            "chkpnt",
            "cp",
            "chk",
            "snapshot",
            "snap",
            "round",
            "rounds",
            "tick",
        ],
    ),
    (
        Role::Run,
        &[
            "seed",
            "seeds",
            "run",
            "runs",
            "replica",
            "replicas",
            "replicate",
            "rep",
            "repeat",
            "repeats",
            "repetition",
            "trial",
            "trials",
            "restart",
            "restarts",
            "init",
            "member",
            "members",
            "ensemble",
            "version",
            "experiment",
            "exp",
            "random",
            "rng",
            "try",
            "attempt",
        ],
    ),
    (Role::Fold, &["fold", "folds", "kfold", "cv", "split", "splits"]),
    (
        Role::Process,
        &[
            "rank",
            "ranks",
            "process",
            "processes",
            "proc",
            "procs",
            "worker",
            "workers",
            "gpu",
            "gpus",
            "cuda",
            "device",
            "devices",
            "node",
            "nodes",
            "host",
            "hosts",
            "pid",
        ],
    ),
    (
        Role::Part,
        &[
            "shard",
            "shards",
            "part",
            "parts",
            "partition",
            "chunk",
            "chunks",
            "piece",
            "pieces",
            "block",
            "blocks",
            "segment",
        ],
    ),
    (Role::Batch, &["batch", "batches", "minibatch", "mb"]),
    (
        Role::Other,
        &[
            "resnet",
            "resnext",
            "wideresnet",
            "wrn",
            "rn",
            "vgg",
            "densenet",
            "mobilenet",
            "efficientnet",
            "convnext",
            "inception",
            "vit",
            "swin",
            "deit",
            "bert",
            "roberta",
            "gpt",
            "llama",
            "lenet",
            "cifar",
            "mnist",
            "imagenet",
            "svhn",
            "cinic",
            "stl",
            "caltech",
            "agnews",
            "sst",
            "lr",
            "wd",
            "bs",
            "acc",
            "accuracy",
            "loss",
            "auc",
            "f",
            "top",
            "k",
            "v",
            "fp",
            "bf",
            "float",
            "int",
            "uint",
            "x",
            "px",
            "dim",
            "width",
            "depth",
            "layer",
            "layers",
            "hidden",
            "head",
            "heads",
            "size",
            "class",
            "classes",
            "label",
            "alpha",
            "beta",
            "gamma",
            "temp",
            "tau",
            "sigma",
            "eps",
            "noise",
            "dropout",
            "momentum",
            "examples",
            "samples",
            "rows",
            "n",
        ],
    ),
];

/// Words between a name and its number: `epoch_no_3`, `random_state_0`.
const FILLERS: &[&str] = &["no", "nr", "num", "number", "idx", "index", "id", "end", "state", "at"];

/// Words for time that may stand after their number.
const AFTER: &[&str] = &["epoch", "epochs", "ep", "steps", "step", "iters", "iterations"];

/// Endings that say how a file is written, and nothing of what is in it.
const ENDINGS: &[&str] = &[
    "npy",
    "npz",
    "safetensors",
    "parquet",
    "pq",
    "arrow",
    "feather",
    "ipc",
    "arrows",
    "jsonl",
    "ndjson",
    "json",
    "csv",
    "tsv",
    "txt",
    "gz",
    "zst",
    "zstd",
    "snappy",
    "gzip",
    "lz4",
    "brotli",
];

/// A name without such endings.
pub(crate) fn stem(name: &str) -> &str {
    let mut stem = name;
    while let Some((before, ending)) = stem.rsplit_once('.')
        && ENDINGS.contains(&ending.to_ascii_lowercase().as_str())
    {
        stem = before;
    }
    stem
}

/// A number of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Number {
    pub(crate) role: Role,
    pub(crate) value: u64,
    /// `00001-of-00004`: 4.
    pub(crate) of: Option<u64>,
    /// Where it stands in the name.
    pub(crate) place: Range<usize>,
    /// The word before it, in lower case.
    pub(crate) word: String,
}

/// What a name is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FileName {
    /// Its numbers, in order.
    pub(crate) numbers: Vec<Number>,
    /// Its words, in order and in lower case.
    pub(crate) words: Vec<String>,
    /// An epoch that is not a whole number: `epoch_1.5`.
    pub(crate) broken_epoch: Option<String>,
}

impl FileName {
    /// Reads a name, or the path of a file within its folder; `/` stands between folders.
    pub(crate) fn parse(text: &str) -> Self {
        let tokens = tokens(text);
        let mut name = Self::default();
        for (place, (token, range)) in tokens.iter().enumerate() {
            match token {
                Token::Word => name.words.push(text[range.clone()].to_lowercase()),
                Token::Number => {
                    let number = number(text, &tokens, place);
                    // The M of `N-of-M` is of the number before it.
                    let of = place >= 2
                        && is_word(text, &tokens[place - 1], "of")
                        && matches!(tokens[place - 2].0, Token::Number);
                    match (number, name.numbers.last_mut()) {
                        // `epoch_1_of_4`: the word says more.
                        (Some(_), Some(part))
                            if of && matches!(part.role, Role::Epoch | Role::Run | Role::Fold) => {}
                        // `10_of_90_epochs`.
                        (Some(count), Some(part)) if of && count.role == Role::Epoch => {
                            part.role = count.role;
                        }
                        (Some(count), Some(part)) if of => {
                            (part.role, part.of) = (Role::Part, Some(count.value));
                        }
                        (number, _) => name.numbers.extend(number),
                    }
                }
                Token::Decimal => {
                    let (role, _) = role(text, &tokens, place);
                    let decimal = &text[range.clone()];
                    let (whole, rest) = decimal.split_once('.').unwrap_or((decimal, ""));
                    if role != Role::Epoch {
                        continue;
                    }
                    match whole.parse() {
                        Ok(value) if rest.bytes().all(|digit| digit == b'0') => {
                            let (place, word) = (range.clone(), String::new());
                            name.numbers.push(Number { role, value, of: None, place, word });
                        }
                        _ => name.broken_epoch = Some(decimal.to_owned()),
                    }
                }
                Token::Noise => {}
            }
        }
        name
    }

    /// The only number of a role, or the last.
    pub(crate) fn last(&self, role: Role) -> Option<&Number> {
        self.numbers.iter().rfind(|number| number.role == role)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    Word,
    Number,
    Decimal,
    /// A hash, a UUID, a number with an exponent.
    Noise,
}

fn tokens(text: &str) -> Vec<(Token, Range<usize>)> {
    let bytes = text.as_bytes();
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let rest = &text[at..];
        let (token, length) = if let Some(length) = noise(bytes, at) {
            (Token::Noise, length)
        } else if bytes[at].is_ascii_digit() {
            let whole = digits(&bytes[at..]);
            let after = &bytes[at + whole..];
            let fraction =
                after.first() == Some(&b'.') && after.get(1).is_some_and(u8::is_ascii_digit);
            let fraction = if fraction { 1 + digits(&after[1..]) } else { 0 };
            let after = &after[fraction..];
            let signed = usize::from(matches!(after.get(1), Some(b'-' | b'+')));
            let exponent = matches!(after.first(), Some(b'e' | b'E'))
                && after.get(1 + signed).is_some_and(u8::is_ascii_digit)
                && (signed == 1 || fraction > 0);
            if exponent {
                (Token::Noise, whole + fraction + 1 + signed + digits(&after[1 + signed..]))
            } else if fraction > 0 {
                (Token::Decimal, whole + fraction)
            } else {
                (Token::Number, whole)
            }
        } else {
            let first = rest.chars().next().unwrap_or_default();
            if !first.is_alphabetic() {
                at += first.len_utf8();
                continue;
            }
            // `trainEpoch` is two words, `ABC` is one.
            let mut before = first;
            let end = rest.char_indices().skip(1).find(|&(_, c)| {
                let split = !c.is_alphabetic() || before.is_lowercase() && c.is_uppercase();
                before = c;
                split
            });
            (Token::Word, end.map_or(rest.len(), |(end, _)| end))
        };
        tokens.push((token, at..at + length));
        at += length;
    }
    tokens
}

fn digits(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

/// The length of a hash or UUID that begins here: 8 or more hexadecimal digits of which some are
/// letters and some digits, mixed, between separators.
fn noise(bytes: &[u8], at: usize) -> Option<usize> {
    if at > 0 && bytes[at - 1].is_ascii_alphanumeric() {
        return None;
    }
    let is_end = |end: usize| bytes.get(end).is_none_or(|byte| !byte.is_ascii_alphanumeric());
    let hex =
        |from: usize| bytes[from..].iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let uuid = |lengths: &[usize]| {
        let mut end = at;
        for (place, &length) in lengths.iter().enumerate() {
            if place > 0 {
                if bytes.get(end) != Some(&b'-') {
                    return None;
                }
                end += 1;
            }
            if end > bytes.len() || hex(end) != length {
                return None;
            }
            end += length;
        }
        is_end(end).then_some(end - at)
    };
    if let Some(length) = uuid(&[8, 4, 4, 4, 12]) {
        // Spark adds the writer's number: `-c000`.
        let writer =
            bytes[at + length..].starts_with(b"-c") && digits(&bytes[at + length + 2..]) == 3;
        return Some(length + if writer { 5 } else { 0 });
    }
    let length = hex(at);
    let word = &bytes[at..at + length];
    let changes =
        word.windows(2).filter(|pair| pair[0].is_ascii_digit() != pair[1].is_ascii_digit()).count();
    (length >= 6 && changes >= 3 && is_end(at + length)).then_some(length)
}

fn is_word(text: &str, (token, range): &(Token, Range<usize>), word: &str) -> bool {
    *token == Token::Word && text[range.clone()].eq_ignore_ascii_case(word)
}

fn number(text: &str, tokens: &[(Token, Range<usize>)], place: usize) -> Option<Number> {
    let range = tokens[place].1.clone();
    let value: u64 = text[range.clone()].parse().ok()?;
    let (role, word) = role(text, tokens, place);
    // `step_20k`.
    let unit = tokens.get(place + 1).filter(|(_, next)| next.start == range.end);
    let times = match unit.map(|(_, next)| &text[next.clone()]) {
        Some("k" | "K") if matches!(role, Role::Epoch | Role::Step) => 1000,
        Some("m" | "M") if matches!(role, Role::Epoch | Role::Step) => 1_000_000,
        _ => 1,
    };
    Some(Number { role, value: value.checked_mul(times)?, of: None, place: range, word })
}

/// What the words around a number say of it, and the word before it.
fn role(text: &str, tokens: &[(Token, Range<usize>)], place: usize) -> (Role, String) {
    let word = |place: usize| {
        let (token, range) = tokens.get(place)?;
        (*token == Token::Word).then(|| text[range.clone()].to_lowercase())
    };
    // A slash ends what a word says: `run_a/3` has no name.
    let joined = |a: usize, b: usize| !text[tokens[a].1.end..tokens[b].1.start].contains('/');
    let mut before = place.checked_sub(1).filter(|&before| joined(before, place)).and_then(word);
    let first = before.clone().unwrap_or_default();
    if let Some(filler) = &before
        && FILLERS.contains(&filler.as_str())
        && place >= 2
    {
        before = word(place - 2).or(before);
    }
    let named = before.as_deref().map_or(Role::Unnamed, of_word);
    if !matches!(named, Role::Unnamed | Role::Other) {
        return (named, first);
    }
    // `3_epochs`, unless the word has a number of its own behind it: `18_epoch_3`.
    let next = word(place + 1).filter(|_| joined(place, place + 1));
    let free = tokens.get(place + 2).is_none_or(|(token, _)| *token == Token::Word);
    match next {
        Some(next) if AFTER.contains(&next.as_str()) && free => (of_word(&next), first),
        _ => (named, first),
    }
}

fn of_word(word: &str) -> Role {
    let known = WORDS.iter().find(|(_, words)| words.contains(&word)).map(|(role, _)| *role);
    // Words written together: `dynamicsepoch`.
    let ends = || {
        let ends = [("epoch", Role::Epoch), ("seed", Role::Run), ("shard", Role::Part)];
        ends.into_iter().find(|(end, _)| word.ends_with(end)).map(|(_, role)| role)
    };
    known.or_else(ends).unwrap_or(Role::Unnamed)
}

#[cfg(test)]
mod tests {
    use super::Role::{Batch, Epoch, Fold, Other, Part, Process, Run, Step, Unnamed};
    use super::*;

    /// Names as tools and people write them, and what their numbers say.
    const NAMES: &[(&str, &[(Role, u64)])] = &[
        // Epochs.
        ("epoch_3", &[(Epoch, 3)]),
        ("epoch3", &[(Epoch, 3)]),
        ("epoch-003", &[(Epoch, 3)]),
        ("Epoch 12", &[(Epoch, 12)]),
        ("epoch.7", &[(Epoch, 7)]),
        ("epoch(7)", &[(Epoch, 7)]),
        ("ep03", &[(Epoch, 3)]),
        ("e_0", &[(Epoch, 0)]),
        ("e10", &[(Epoch, 10)]),
        ("epochs_5", &[(Epoch, 5)]),
        ("dynamics_epoch_0", &[(Epoch, 0)]),
        ("logitsEpoch4", &[(Epoch, 4)]),
        ("val_logits_epoch_000", &[(Epoch, 0)]),
        ("train_logits_epoch1", &[(Epoch, 1)]),
        ("epoch_no_9", &[(Epoch, 9)]),
        ("epoch_end_2", &[(Epoch, 2)]),
        ("after_3_epochs", &[(Epoch, 3)]),
        ("10ep", &[(Epoch, 10)]),
        ("epoch_2.0", &[(Epoch, 2)]),
        ("epoch=2/logits", &[(Epoch, 2)]),
        // Lightning: ModelCheckpoint, its versions, its metrics.
        ("epoch=3-step=120", &[(Epoch, 3), (Step, 120)]),
        ("epoch=03-val_loss=0.35", &[(Epoch, 3)]),
        ("epoch=9-step=10-v1", &[(Epoch, 9), (Step, 10), (Other, 1)]),
        ("lightning_logs/version_2/epoch=0", &[(Run, 2), (Epoch, 0)]),
        // Keras: ModelCheckpoint.
        ("weights.03-0.45", &[(Unnamed, 3)]),
        ("weights-improvement-03-0.87", &[(Unnamed, 3)]),
        ("model.05-0.32", &[(Unnamed, 5)]),
        ("ckpt_epoch_03", &[(Epoch, 3)]),
        ("cp-0004", &[(Step, 4)]),
        // Hugging Face, timm, fairseq, composer, MMEngine, DeepSpeed.
        ("checkpoint-500", &[(Step, 500)]),
        ("checkpoint-500/logits", &[(Step, 500)]),
        ("checkpoint-12.pth", &[(Step, 12)]),
        ("checkpoint3", &[(Step, 3)]),
        ("checkpoint_3_12000", &[(Step, 3), (Unnamed, 12000)]),
        ("ep1-ba100-rank0", &[(Epoch, 1), (Step, 100), (Process, 0)]),
        ("iter_4000", &[(Step, 4000)]),
        ("global_step1000", &[(Step, 1000)]),
        ("step_001", &[(Step, 1)]),
        ("snapshot_6", &[(Step, 6)]),
        // Runs.
        ("final_seed0", &[(Run, 0)]),
        ("seed=42", &[(Run, 42)]),
        ("random_state_7", &[(Run, 7)]),
        ("run2-epoch_001", &[(Run, 2), (Epoch, 1)]),
        ("seed_1/epoch_2", &[(Run, 1), (Epoch, 2)]),
        ("trial3_epoch5", &[(Run, 3), (Epoch, 5)]),
        ("replica-1", &[(Run, 1)]),
        // Processes, shards, batches, folds.
        ("train-00000-of-00002", &[(Part, 0)]),
        ("data-00001-of-00004", &[(Part, 1)]),
        ("part-00000-6a1b2c3d-9f00-4e5f-8a7b-0c1d2e3f4a5b-c000", &[(Part, 0)]),
        ("part.0", &[(Part, 0)]),
        ("epoch_0_rank_1", &[(Epoch, 0), (Process, 1)]),
        ("process_0", &[(Process, 0)]),
        ("local_rank3", &[(Process, 3)]),
        ("shard7_epoch2", &[(Part, 7), (Epoch, 2)]),
        ("epoch_0_batch_3", &[(Epoch, 0), (Batch, 3)]),
        ("fold_2", &[(Fold, 2)]),
        ("epoch=0/part-0", &[(Epoch, 0), (Part, 0)]),
        // What is not a time.
        ("resnet18", &[(Other, 18)]),
        ("cifar10_preds", &[(Other, 10)]),
        ("cifar10_resnet18_epoch_3", &[(Other, 10), (Other, 18), (Epoch, 3)]),
        ("wideresnet28x10", &[(Other, 28), (Other, 10)]),
        ("lr0.1_wd5e-4_epoch_2", &[(Epoch, 2)]),
        ("lr=1e-05-epoch=3", &[(Epoch, 3)]),
        ("logits_fp16", &[(Other, 16)]),
        ("preds-3fa9c1d2", &[]),
        ("model_1", &[(Unnamed, 1)]),
        ("2024-05-01", &[(Unnamed, 2024), (Unnamed, 5), (Unnamed, 1)]),
        ("best", &[]),
        ("run_a/3", &[(Unnamed, 3)]),
        ("logits", &[]),
    ];

    #[test]
    fn names_say_what_their_numbers_are() {
        assert!(NAMES.len() >= 60);
        for (name, expected) in NAMES {
            let found = FileName::parse(name);
            let found: Vec<_> = found.numbers.iter().map(|n| (n.role, n.value)).collect();
            assert_eq!(&found, expected, "{name}");
        }
    }

    #[test]
    fn a_shard_says_how_many_there_are_and_an_epoch_is_whole() {
        assert_eq!(FileName::parse("train-00000-of-00002").numbers[0].of, Some(2));
        assert_eq!(FileName::parse("epoch_1.5").broken_epoch.as_deref(), Some("1.5"));
    }
}
