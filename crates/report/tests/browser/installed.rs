//! Which Chromium pages are opened in by tests.
//!
//! Where there is no Chromium, such tests pass and one line says that they did nothing; with `CI=true`
//! they fail instead.

use std::{
    env,
    ffi::OsString,
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Once,
};

const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// The browser; `None` where there is none, which is said of `what` is left out.
pub fn browser(what: &str) -> Option<PathBuf> {
    match find(|name| env::var_os(name)) {
        Ok(browser) => Some(browser),
        Err(Without::LeftOut(why)) => {
            say_left_out(what, &why);
            None
        }
        Err(Without::Failed(why)) => panic!("{why}"),
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
fn say_left_out(what: &str, why: &str) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let line = format!("left out: {what}; {why}\n");
        io::stderr().write_all(line.as_bytes()).expect("standard error can be written");
        // Benchmarks have none, and need the browser.
        let Some(folder) = option_env!("CARGO_TARGET_TMPDIR").map(Path::new) else { return };
        fs::create_dir_all(folder).expect("a folder beside the builds can be made");
        let file = folder.join("left-out");
        // Other tests may have said something, too.
        let before = fs::read_to_string(&file).unwrap_or_default();
        fs::write(file, before + &line).expect("a file beside the builds can be written");
    });
}
