//! Tables to explore, a server of one, and a client that sends what it is told.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};

use datadiet_core::{Definition, Direction, ScoreKind, Task};
use datadiet_explore::{Explorer, Options, Place, Server, Source};
use datadiet_table::{Card, Column, ColumnSummary, DataRef, ScoreTable, Table, TimePoint};
use tempfile::TempDir;

pub const TIMES: [f64; 3] = [1.0, 2.0, 4.0];

/// Numbers that look like chance and are the same every time, in [0, 1).
pub fn chance(seed: u64) -> impl FnMut() -> f32 {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1_u32 << 24) as f32
    }
}

/// A table of scores of so many examples: a twentieth are wrongly labelled, and the scores know it.
pub fn table(rows: usize, classes: &[String], keys: Option<Vec<String>>) -> ScoreTable {
    let mut chance = chance(7);
    let k = classes.len() as u32;
    let labels: Vec<u32> =
        (0..rows as u32).map(|row| row.wrapping_mul(2_654_435_761) % k).collect();
    let wrong: Vec<bool> = (0..rows).map(|_| chance() < 0.05).collect();
    let predicted = labels
        .iter()
        .zip(&wrong)
        .map(|(&label, &wrong)| if wrong { (label + 1) % k } else { label });
    let mut table = Table::default();
    let mut push = |name: &str, column| table.push(name, column).unwrap();
    push("id", Column::U32((0..rows as u32).collect()));
    if let Some(keys) = keys {
        push("key", Column::Text(keys));
    }
    push("label", Column::U32(labels.clone()));
    push(
        "class",
        Column::Text(labels.iter().map(|&label| classes[label as usize].clone()).collect()),
    );
    let predicted: Vec<u32> = predicted.collect();
    let mut columns = Vec::new();
    let mut summary = |kind: ScoreKind, epochs: f64, name: &str| {
        columns.push(ColumnSummary {
            name: name.into(),
            score: kind,
            time: TimePoint { epochs, step: epochs as u64 * 10 },
            direction: kind.direction(),
            definition: Definition { ..kind.definition() },
            mean: 0.0,
            min: 0.0,
            max: 1.0,
            reliability: None,
        });
    };
    for time in TIMES {
        let of = |low: f32, high: f32, chance: &mut dyn FnMut() -> f32| -> Vec<f32> {
            wrong
                .iter()
                .map(|&wrong| if wrong { high } else { low } + 0.3 * (chance() - 0.5))
                .collect()
        };
        let el2n = of(0.3, 1.1, &mut chance);
        push(&format!("el2n@{time}"), Column::F32(el2n));
        summary(ScoreKind::El2n, time, &format!("el2n@{time}"));
        push(&format!("el2n@{time}.se"), Column::F32((0..rows).map(|_| 0.05 * chance()).collect()));
        // Two groups, as an estimate of wrong labels looks for.
        let mut normal = || (0..6).map(|_| chance()).sum::<f32>() - 3.0;
        let aum: Vec<f32> =
            wrong.iter().map(|&wrong| if wrong { -6.0 } else { 5.0 } + normal()).collect();
        push(&format!("aum@{time}"), Column::F32(aum));
        summary(ScoreKind::Aum, time, &format!("aum@{time}"));
        push(&format!("confidence@{time}"), Column::F32(of(0.8, 0.2, &mut chance)));
        summary(ScoreKind::Confidence, time, &format!("confidence@{time}"));
        let variability = (0..rows).map(|_| 0.4 * chance()).collect();
        push(&format!("variability@{time}"), Column::F32(variability));
        summary(ScoreKind::Variability, time, &format!("variability@{time}"));
        push(&format!("predicted@{time}"), Column::U32(predicted.clone()));
    }
    push("touched", Column::U32(wrong.iter().map(|&wrong| wrong.into()).collect()));
    let card = Card {
        data: Some(DataRef { name: "shapes".into(), fingerprint: "ab".repeat(32), limit: None }),
        replicas: Some(2),
        source: "made for tests".into(),
        ..Card::new(columns)
    };
    ScoreTable::new(table, card)
}

/// A table of a task, whose scores go up from row to row, around 0.
pub fn of_task(task: Task, rows: usize, scores: &[&str]) -> ScoreTable {
    let mut table = Table::default();
    table.push("id", Column::U32((0..rows as u32).collect())).unwrap();
    for (number, name) in scores.iter().enumerate() {
        let mut chance = chance(number as u64 + 1);
        // Of three rows −1, 0 and 1.
        let middle = (rows / 2) as f32;
        let spread = if rows > 3 { middle } else { 0.0 };
        let values = (0..rows).map(|row| row as f32 - middle + spread * (chance() - 0.5));
        table.push(*name, Column::F32(values.collect())).unwrap();
    }
    ScoreTable::new(table, Card { task, ..Card::new(Vec::new()) })
}

pub fn names(count: usize) -> Vec<String> {
    const WORDS: [&str; 10] =
        ["disc", "square", "cross", "ring", "bar", "dot", "wedge", "star", "arc", "grid"];
    (0..count)
        .map(|class| {
            WORDS.get(class).map_or_else(|| format!("class {class}"), |word| (*word).to_owned())
        })
        .collect()
}

/// A folder with a table in it.
pub struct Folder {
    pub folder: TempDir,
    pub table: ScoreTable,
}

impl Folder {
    pub fn new(table: ScoreTable) -> Self {
        let folder = tempfile::tempdir().unwrap();
        table.write(&folder.path().join("scores.parquet")).unwrap();
        Self { folder, table }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn marks(&self) -> PathBuf {
        self.path().join("marks.jsonl")
    }

    /// Pictures of all rows, named by their ids.
    pub fn pictures(&self) -> PathBuf {
        let folder = self.path().join("pictures");
        std::fs::create_dir_all(&folder).unwrap();
        let labels = self.table.columns().integers("label").unwrap();
        for (row, &label) in labels.iter().enumerate() {
            let mut chance = chance(row as u64 + 3);
            let hue = [(40, 90, 200), (210, 90, 20), (20, 150, 110), (170, 80, 140), (150, 110, 0)]
                [label as usize % 5];
            let picture = image::RgbImage::from_fn(24, 24, |x, y| {
                let (dx, dy) = (x as f32 - 11.5, y as f32 - 11.5);
                let inside = match label % 5 {
                    0 => dx * dx + dy * dy < 64.0,
                    1 => dx.abs().max(dy.abs()) < 7.0,
                    2 => dx.abs() < 3.0 || dy.abs() < 3.0,
                    3 => (36.0..90.0).contains(&(dx * dx + dy * dy)),
                    _ => dy.abs() < 3.0,
                };
                let noise = (chance() * 40.0) as u8;
                match inside {
                    true => image::Rgb([hue.0 + noise, hue.1 + noise, hue.2 + noise]),
                    false => image::Rgb([200 + noise, 200 + noise, 200 + noise]),
                }
            });
            picture.save(folder.join(format!("{row}.png"))).unwrap();
        }
        folder
    }

    pub fn options(&self, source: Source) -> Options {
        Options {
            scores: self.path().to_owned(),
            source,
            classes: None,
            by: None,
            hard: None,
            marks: None,
            who: "ann".into(),
            truth: None,
            measured: Vec::new(),
        }
    }

    pub fn explorer(&self) -> Explorer {
        Explorer::open(self.options(Source::Table)).unwrap()
    }
}

/// Which end of a column is hard.
pub fn hard(name: &str) -> Direction {
    datadiet_table::direction_of(name).unwrap()
}

/// Serves on a thread of its own, as long as the test runs; gives the address.
pub fn serve(explorer: Explorer) -> String {
    let server: Server = explorer.bind(&Place::default()).unwrap();
    let url = server.url();
    std::thread::spawn(move || server.run().unwrap());
    url
}

/// What came back.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }
}

/// Host and path of an address.
pub fn parts(url: &str) -> (&str, &str) {
    let rest = url.strip_prefix("http://").unwrap();
    rest.split_at(rest.find('/').unwrap())
}

/// Sends a request as it is told; `headers` as lines, the host too.
pub fn send(host: &str, method: &str, target: &str, headers: &[&str], body: &[u8]) -> Reply {
    let mut stream = TcpStream::connect(host).unwrap();
    let mut head = format!(
        "{method} {target} HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n",
        body.len()
    );
    headers.iter().for_each(|line| head += &format!("{line}\r\n"));
    head += "\r\n";
    // A server may have answered, and closed, before it has read all.
    let _ = stream.write_all(&[head.as_bytes(), body].concat());
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("an answer has a head");
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap();
    let mut body = bytes[end + 4..].to_vec();
    if head.to_lowercase().contains("transfer-encoding: chunked") {
        body = unchunked(&body);
    }
    Reply { status, head: head.to_lowercase(), body }
}

fn unchunked(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|two| two == b"\r\n").unwrap();
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..end]).unwrap(), 16).unwrap();
        if size == 0 {
            return body;
        }
        body.extend_from_slice(&rest[end + 2..end + 2 + size]);
        rest = &rest[end + 4 + size..];
    }
}

pub fn get(url: &str, path: &str) -> Reply {
    let (host, root) = parts(url);
    send(host, "GET", &format!("{root}{path}"), &[&format!("Host: {host}")], b"")
}

pub fn post(url: &str, path: &str, body: &serde_json::Value) -> Reply {
    let (host, root) = parts(url);
    let headers = [&format!("Host: {host}") as &str, "Content-Type: application/json"];
    send(host, "POST", &format!("{root}{path}"), &headers, body.to_string().as_bytes())
}

pub fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks_exact(4).map(|four| f32::from_le_bytes(four.try_into().unwrap())).collect()
}

pub fn wholes(bytes: &[u8]) -> Vec<u32> {
    bytes.chunks_exact(4).map(|four| u32::from_le_bytes(four.try_into().unwrap())).collect()
}
