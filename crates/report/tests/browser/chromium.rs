//! Opens a page in headless Chromium.
//!
//! A window of Chromium has at least 500 pixels, so the page is put into a frame of the width wanted.
//! The probe in the page tells the console what it saw, and Chromium writes its console to a file.
//! Nothing here needs a driver or a network.
//!
//! Where there is no Chromium, its tests pass and one line says that they did nothing; with `CI=true`
//! they fail instead.

use std::{
    env,
    ffi::OsString,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Once,
    thread,
    time::{Duration, Instant},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use tempfile::TempDir;

const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];
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
    let browser = match find(|name| env::var_os(name)) {
        Ok(browser) => browser,
        Err(Without::LeftOut(why)) => {
            say_left_out(&why);
            return None;
        }
        Err(Without::Failed(why)) => panic!("{why}"),
    };
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

/// Why there is no browser.
#[derive(Debug, PartialEq, Eq)]
pub enum Without {
    /// The tests pass, and say this.
    LeftOut(String),
    /// The tests fail with this.
    Failed(String),
}

/// The browser to use, by the environment.
///
/// # Errors
/// When there is none. Continuous integration must have one, or say that it does without.
pub fn find(variable: impl Fn(&str) -> Option<OsString>) -> Result<PathBuf, Without> {
    if variable("DATADIET_SKIP_BROWSER").is_some_and(|value| value == "1") {
        return Err(Without::LeftOut("DATADIET_SKIP_BROWSER=1".into()));
    }
    if let Some(named) = variable("DATADIET_CHROMIUM") {
        return Ok(named.into());
    }
    let paths = variable("PATH").unwrap_or_default();
    let mut found = env::split_paths(&paths)
        .flat_map(|folder| NAMES.map(|name| folder.join(name)))
        .filter(|program| program.is_file());
    found.next().ok_or_else(|| {
        let why = "there is no Chromium: install the package `chromium` (Debian, Ubuntu: apt-get \
                   install chromium), or name one in DATADIET_CHROMIUM";
        if variable("CI").is_some_and(|value| value == "true") {
            let way_out = "or set DATADIET_SKIP_BROWSER=1 to leave these tests out";
            return Without::Failed(format!("CI=true, and {why}, {way_out}"));
        }
        Without::LeftOut(why.into())
    })
}

/// Says once that pages are not looked at, past the test harness, which keeps what passing tests
/// print. The file lets `make test` say it again at its end.
fn say_left_out(why: &str) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let line = format!("left out: the report in a browser; {why}\n");
        io::stderr().write_all(line.as_bytes()).expect("standard error can be written");
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        fs::create_dir_all(folder).expect("a folder beside the builds can be made");
        let file = folder.join("left-out");
        // Other tests may have said something, too.
        let before = fs::read_to_string(&file).unwrap_or_default();
        fs::write(file, before + &line).expect("a file beside the builds can be written");
    });
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
