//! Opens a page in headless Chromium.
//!
//! A window of Chromium has at least 500 pixels, so the page is put into a frame of the width wanted.
//! The probe in the page tells the console what it saw, and Chromium writes its console to a file.
//! Nothing here needs a driver or a network.
//!
//! Which Chromium, and what is said where there is none: `installed.rs`.

use std::{
    env,
    fs::{self, File},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use tempfile::TempDir;

use crate::installed::browser;

const PROBE: &str = include_str!("probe.js");
const PATIENCE: Duration = Duration::from_secs(120);
const LOG: &str = "log";

/// What the reader's system prefers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Theme {
    Light,
    Dark,
}

/// How a page is looked at.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// For pictures.
    pub name: &'a str,
    /// In CSS pixels.
    pub width: u32,
    /// Colours preferred.
    pub theme: Theme,
}

/// What came of a visit.
#[derive(Debug)]
pub struct Visit {
    /// What the probe saw, as JSON.
    pub seen: String,
    /// Lines of the browser's console: errors, violations of the policy.
    pub log: Vec<String>,
}

/// Opens a page; `None` where there is no browser, which is said.
pub fn open(html: &str, view: View) -> Option<Visit> {
    let browser = browser("the report in a browser")?;
    let folder = tempfile::tempdir().expect("a folder for the page");
    let probed = html.replace("</body>", &format!("<script>{PROBE}</script></body>"));
    let address = frame(folder.path(), &probed, view.width, 900);
    let child = start(&browser, folder.path(), view, 900, &[], &address);
    let log = wait(child, folder.path(), |log| log.contains(":seen\""));
    if let Some(pictures) = env::var_os("DATADIET_SCREENSHOTS") {
        picture(&browser, folder.path(), view, html, Path::new(&pictures));
    }
    discard(folder);
    let encoded = log.split("\"seen:").nth(1).and_then(|rest| rest.split(":seen\"").next());
    let console = log.lines().filter(|line| is_console(line) && !line.contains(":seen\""));
    let console: Vec<_> = console.map(str::to_owned).collect();
    let encoded =
        encoded.unwrap_or_else(|| panic!("the probe said nothing; console: {console:#?}"));
    let seen = BASE64_STANDARD.decode(encoded).expect("the probe writes base64");
    Some(Visit { seen: String::from_utf8(seen).expect("the probe writes UTF-8"), log: console })
}

/// Removes the folder; the browser's helpers end a moment after it and may still write there.
fn discard(folder: TempDir) {
    let path = folder.keep();
    for _ in 0..40 {
        if fs::remove_dir_all(&path).is_ok() {
            return;
        }
        thread::sleep(Duration::from_millis(50));
    }
}

/// Writes the page and a document with a frame around it; gives the address of the latter.
fn frame(folder: &Path, page: &str, width: u32, height: u32) -> String {
    let owner = format!(
        "<!doctype html><style>:root{{color-scheme:light dark}}body{{margin:0}}\
         iframe{{border:0;display:block}}</style>\
         <iframe src=\"page.html\" width=\"{width}\" height=\"{height}\"></iframe>"
    );
    let path = folder.join("owner.html");
    fs::write(folder.join("page.html"), page).expect("the page can be written");
    fs::write(&path, owner).expect("the frame can be written");
    format!("file://{}", path.display())
}

fn start(
    browser: &Path,
    folder: &Path,
    view: View,
    height: u32,
    task: &[&str],
    address: &str,
) -> Child {
    let log = File::create(folder.join(LOG)).expect("a file for the browser's log");
    Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
        .args(["--no-first-run", "--enable-logging=stderr", "--hide-scrollbars"])
        .arg(format!("--user-data-dir={}", folder.join("profile").display()))
        .arg(format!("--window-size={},{}", view.width.max(500), height))
        .arg(format!("--blink-settings=preferredColorScheme={}", scheme(view.theme)))
        .args(task)
        .arg(address)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap_or_else(|cause| panic!("cannot start {}: {cause}", browser.display()))
}

/// Waits until the log says enough or the browser ends by itself; gives the log.
fn wait(mut child: Child, folder: &Path, enough: impl Fn(&str) -> bool) -> String {
    let begin = Instant::now();
    let read = || fs::read(folder.join(LOG)).unwrap_or_default();
    loop {
        thread::sleep(Duration::from_millis(50));
        let ended = child.try_wait().expect("the browser can be waited for").is_some();
        let log = String::from_utf8_lossy(&read()).into_owned();
        if ended || enough(&log) || begin.elapsed() > PATIENCE {
            let _ = child.kill();
            let _ = child.wait();
            return log;
        }
    }
}

/// The numbers that the setting `preferredColorScheme` of Blink has.
fn scheme(theme: Theme) -> u32 {
    match theme {
        Theme::Dark => 0,
        Theme::Light => 1,
    }
}

fn is_console(line: &str) -> bool {
    line.contains("CONSOLE") || line.contains("Content Security Policy")
}

/// A picture of the page, untouched, for people.
fn picture(browser: &Path, folder: &Path, view: View, html: &str, pictures: &Path) {
    fs::create_dir_all(pictures).expect("a folder for pictures");
    let height = 5600;
    let address = frame(folder, html, view.width, height);
    let file = pictures.join(format!("{}.png", view.name));
    let task = format!("--screenshot={}", file.display());
    let task = [task.as_str(), "--virtual-time-budget=5000"];
    wait(start(browser, folder, view, height, &task, &address), folder, |_| false);
    assert!(file.is_file(), "{} was not written", file.display());
}
