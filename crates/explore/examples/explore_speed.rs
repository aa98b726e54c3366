//! How long the explorer takes with many examples, in Chromium: first view, brushing, memory.
//!
//!     cargo build --release --package datadiet-explore --example explore_speed
//!     target/release/examples/explore_speed --datadiet target/release/datadiet --rows 1000000
//!
//! `bench/explore.py` runs it, and writes bench/README.md.

#[path = "../tests/common/mod.rs"]
mod common;
#[path = "../tests/browser/driver.rs"]
mod driver;
#[path = "../../report/tests/browser/installed.rs"]
#[allow(dead_code, reason = "tests use the rest")]
mod installed;

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Instant;

use driver::{Browser, DESKTOP};
use serde_json::{Value, json};

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let option = |name: &str| {
        let place = arguments.iter().position(|argument| argument == name);
        place.and_then(|place| arguments.get(place + 1)).unwrap_or_else(|| panic!("give {name}"))
    };
    let rows: usize = option("--rows").parse().expect("a number of rows");
    let program = installed::browser("the speed of the explorer").expect("this needs Chromium");
    let folder = common::Folder::new(common::table(rows, &common::names(10), None));

    let began = Instant::now();
    let mut server = Command::new(option("--datadiet"))
        .arg("explore")
        .arg(folder.path())
        .args(["--json", "--no-open"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the command starts");
    let mut line = String::new();
    let mut lines = BufReader::new(server.stdout.take().expect("a pipe"));
    lines.read_line(&mut line).expect("it says where it is");
    let address: Value = serde_json::from_str(&line).expect("JSON");
    let address = address["address"].as_str().expect("an address").to_owned();
    let serving = began.elapsed().as_secs_f64();

    let mut browser = Browser::start(&program);
    // So that its own start is not counted.
    let empty = browser.open("about:blank", DESKTOP);
    browser.eval(&empty, "1");
    let began = Instant::now();
    let tab = browser.open(&address, DESKTOP);
    browser.wait(&tab, "document.body && document.body.dataset.ready === 'yes'");
    let opened = began.elapsed().as_secs_f64();
    browser.ready(&tab);
    let with_suspects = began.elapsed().as_secs_f64();
    let ready = browser.eval(&tab, "performance.getEntriesByName('ready')[0].startTime / 1000");

    // As fast as events come: what is measured is what the page draws.
    let mut brushed = |selector: &str, from: [f64; 2], to: [f64; 2]| {
        browser.eval(&tab, "datadiet.frames.length = 0");
        browser.drag(&tab, selector, from, to, 240);
        let frames = browser.eval(&tab, "datadiet.frames");
        let frames: Vec<[f64; 2]> = serde_json::from_value(frames).expect("times");
        let seconds = (frames.last().expect("frames")[1] - frames[0][0]) / 1000.0;
        let mut work: Vec<f64> = frames.iter().map(|[begin, end]| end - begin).collect();
        let mut between: Vec<f64> = frames.windows(2).map(|two| two[1][0] - two[0][0]).collect();
        work.sort_by(f64::total_cmp);
        between.sort_by(f64::total_cmp);
        let at = |sorted: &[f64], share: f64| sorted[((sorted.len() - 1) as f64 * share) as usize];
        json!({
            "frames": frames.len(),
            "frames_a_second": frames.len() as f64 / seconds,
            "median_work_ms": at(&work, 0.5),
            "p95_between_ms": at(&between, 0.95),
        })
    };
    let map = brushed("#map", [0.2, 0.2], [0.9, 0.9]);
    let histogram = brushed("#hist", [0.2, 0.5], [0.8, 0.5]);
    browser.eval(&tab, "document.querySelector('#gallery').scrollTop = 4e6");
    browser.wait(&tab, "datadiet.gallery.tiles.size > 0");
    let began = Instant::now();
    browser.key(&tab, "d");
    browser
        .wait(&tab, "datadiet.state.marks.some(Boolean) && datadiet.marking.waiting.length === 0");
    let marked = began.elapsed().as_secs_f64();

    let memory = |pid: &str, field: &str| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap_or("0").trim();
        line.split(' ').next().and_then(|kib| kib.parse::<f64>().ok()).unwrap_or_default() / 1024.0
    };
    let renderers: f64 = std::fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|pid| {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line);
            line.contains("--type=renderer")
                && line.contains(&browser.profile().display().to_string())
        })
        .map(|pid| memory(&pid, "VmRSS:"))
        .fold(0.0, f64::max);
    let answer = json!({
        "rows": rows,
        "serving_s": serving,
        "first_view_s": opened,
        "first_view_by_page_s": ready,
        "with_suspects_s": with_suspects,
        "map": map,
        "histogram": histogram,
        "mark_s": marked,
        "server_mib": memory(&server.id().to_string(), "VmHWM:"),
        "page_mib": renderers,
    });
    println!("{}", serde_json::to_string_pretty(&answer).expect("plain data"));
    server.kill().expect("it was running");
    server.wait().expect("it ends");
}
