//! Drives Chromium by its own protocol (CDP), over a pipe: no driver program, no network.
//!
//! Chromium reads commands from descriptor 3 and writes answers to descriptor 4, JSON with a zero byte at its end.
//! A shell puts our pipes there.

#![allow(dead_code, reason = "each of its users needs a part of it")]

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::{Duration, Instant},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(60);
const REDIRECT: &str = "exec \"$0\" \"$@\" 3<&0 4>&1 0</dev/null 1>/dev/null 2>/dev/null";

/// A browser without a window.
pub struct Browser {
    child: Child,
    to: ChildStdin,
    from: Receiver<Value>,
    last: u64,
    /// What pages complained of: errors, violations of the policy.
    pub complaints: Vec<String>,
    profile: TempDir,
}

/// A page of it.
#[derive(Clone, Debug)]
pub struct Tab(String);

/// How a page is looked at.
#[derive(Clone, Copy, Debug)]
pub struct View {
    pub width: u32,
    pub height: u32,
    pub phone: bool,
    pub dark: bool,
}

pub const DESKTOP: View = View { width: 1440, height: 860, phone: false, dark: false };

impl Browser {
    pub fn start(program: &Path) -> Self {
        let profile = tempfile::tempdir().expect("a folder for the browser");
        let mut child = Command::new("sh")
            .args(["-c", REDIRECT])
            .arg(program)
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--no-first-run",
            ])
            .args(["--remote-debugging-pipe", "--hide-scrollbars"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell starts the browser");
        let to = child.stdin.take().expect("a pipe to it");
        let out = child.stdout.take().expect("a pipe from it");
        let (send, from) = channel();
        thread::spawn(move || {
            let mut out = BufReader::new(out);
            let mut bytes = Vec::new();
            while out.read_until(0, &mut bytes).is_ok_and(|count| count > 0) {
                bytes.pop();
                if let Ok(message) = serde_json::from_slice(&bytes)
                    && send.send(message).is_err()
                {
                    return;
                }
                bytes.clear();
            }
        });
        Self { child, to, from, last: 0, complaints: Vec::new(), profile }
    }

    /// The folder of its profile, which tells its processes from others.
    pub fn profile(&self) -> &Path {
        self.profile.path()
    }

    fn send(&mut self, tab: Option<&Tab>, method: &str, parameters: Value) -> u64 {
        self.last += 1;
        let mut message = json!({ "id": self.last, "method": method, "params": parameters });
        if let Some(tab) = tab {
            message["sessionId"] = json!(tab.0);
        }
        self.to.write_all(format!("{message}\0").as_bytes()).expect("the browser reads");
        self.last
    }

    fn note(&mut self, message: &Value) {
        let parameters = &message["params"];
        match message["method"].as_str() {
            Some("Runtime.exceptionThrown") => {
                self.complaints.push(parameters["exceptionDetails"].to_string())
            }
            Some("Runtime.consoleAPICalled") if parameters["type"] == "error" => {
                self.complaints.push(parameters["args"].to_string());
            }
            Some("Log.entryAdded") if parameters["entry"]["level"] == "error" => {
                self.complaints.push(parameters["entry"]["text"].to_string());
            }
            _ => {}
        }
    }

    fn call(&mut self, tab: Option<&Tab>, method: &str, parameters: Value) -> Value {
        let answer = self.answer(tab, method, parameters);
        answer.unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    /// What the browser says to a call, or what is wrong with it.
    fn answer(
        &mut self,
        tab: Option<&Tab>,
        method: &str,
        parameters: Value,
    ) -> Result<Value, Value> {
        let id = self.send(tab, method, parameters);
        let begin = Instant::now();
        loop {
            match self.from.recv_timeout(PATIENCE.saturating_sub(begin.elapsed())) {
                Ok(message) if message["id"] == id => {
                    return match &message["error"] {
                        Value::Null => Ok(message["result"].clone()),
                        error => Err(error.clone()),
                    };
                }
                Ok(message) => self.note(&message),
                Err(RecvTimeoutError::Timeout) => panic!("{method}: no answer"),
                Err(RecvTimeoutError::Disconnected) => panic!("{method}: the browser is gone"),
            }
        }
    }

    pub fn open(&mut self, url: &str, view: View) -> Tab {
        let target = self.call(None, "Target.createTarget", json!({ "url": "about:blank" }));
        let attached = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = self.call(None, "Target.attachToTarget", attached);
        let tab = Tab(attached["sessionId"].as_str().expect("a session").to_owned());
        for domain in ["Runtime.enable", "Log.enable", "Page.enable"] {
            self.call(Some(&tab), domain, json!({}));
        }
        self.look(&tab, view);
        self.call(Some(&tab), "Page.navigate", json!({ "url": url }));
        tab
    }

    pub fn look(&mut self, tab: &Tab, view: View) {
        let size = json!({ "width": view.width, "height": view.height, "mobile": view.phone,
            "deviceScaleFactor": if view.phone { 2 } else { 1 } });
        self.call(Some(tab), "Emulation.setDeviceMetricsOverride", size);
        self.call(
            Some(tab),
            "Emulation.setTouchEmulationEnabled",
            json!({ "enabled": view.phone }),
        );
        let theme = if view.dark { "dark" } else { "light" };
        let features = json!([{ "name": "prefers-color-scheme", "value": theme }]);
        self.call(Some(tab), "Emulation.setEmulatedMedia", json!({ "features": features }));
    }

    /// What an expression is; promises are waited for.
    pub fn eval(&mut self, tab: &Tab, expression: &str) -> Value {
        let found = self.evaluated(tab, expression);
        found.unwrap_or_else(|error| panic!("{expression}: {error}"))
    }

    fn evaluated(&mut self, tab: &Tab, expression: &str) -> Result<Value, Value> {
        let asked =
            json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let found = self.answer(Some(tab), "Runtime.evaluate", asked)?;
        assert!(found["exceptionDetails"].is_null(), "{expression}: {}", found["exceptionDetails"]);
        Ok(found["result"]["value"].clone())
    }

    /// Waits until an expression is true. While a page is loaded again there is none to ask, which is an error of the
    /// browser and not yet of the page.
    pub fn wait(&mut self, tab: &Tab, expression: &str) {
        let begin = Instant::now();
        while self.evaluated(tab, &format!("!!({expression})")) != Ok(Value::Bool(true)) {
            if begin.elapsed() > PATIENCE {
                let text =
                    self.eval(tab, "document.body ? document.body.innerText.slice(0, 2000) : ''");
                panic!("never: {expression}\n{:#?}\n{text}", self.complaints);
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn ready(&mut self, tab: &Tab) {
        self.wait(tab, "document.body && document.body.dataset.suspects === 'yes'");
    }

    /// A key as `KeyboardEvent.key` names it.
    pub fn key(&mut self, tab: &Tab, key: &str) {
        let code = match key {
            "Enter" => 13,
            "Escape" => 27,
            "ArrowLeft" => 37,
            "ArrowUp" => 38,
            "ArrowRight" => 39,
            "ArrowDown" => 40,
            "Tab" => 9,
            _ => key.to_uppercase().bytes().next().unwrap_or_default().into(),
        };
        let mut down = json!({ "type": "keyDown", "key": key, "windowsVirtualKeyCode": code });
        if key.chars().count() == 1 {
            down["text"] = json!(key);
        } else if key == "Enter" {
            down["text"] = json!("\r");
        }
        self.call(Some(tab), "Input.dispatchKeyEvent", down);
        let up = json!({ "type": "keyUp", "key": key, "windowsVirtualKeyCode": code });
        self.call(Some(tab), "Input.dispatchKeyEvent", up);
    }

    pub fn write(&mut self, tab: &Tab, text: &str) {
        self.call(Some(tab), "Input.insertText", json!({ "text": text }));
    }

    fn mouse(&mut self, tab: &Tab, kind: &str, [x, y]: [f64; 2], held: bool) {
        let event = json!({ "type": kind, "x": x, "y": y, "button": if kind == "mouseMoved" && !held { "none" } else { "left" },
            "buttons": u32::from(held), "clickCount": 1 });
        self.call(Some(tab), "Input.dispatchMouseEvent", event);
    }

    /// The middle of an element, in pixels of the window; `at` as shares of its box.
    pub fn place(&mut self, tab: &Tab, selector: &str, at: [f64; 2]) -> [f64; 2] {
        let expression = format!(
            "(() => {{ const one = document.querySelector({}); if (!one) return null; one.scrollIntoView({{ block: 'nearest' }});
             const box = one.getBoundingClientRect(); return [box.left, box.top, box.width, box.height]; }})()",
            json!(selector)
        );
        let found = self.eval(tab, &expression);
        let number = |index: usize| {
            found[index].as_f64().unwrap_or_else(|| panic!("there is no {selector}"))
        };
        [number(0) + at[0] * number(2), number(1) + at[1] * number(3)]
    }

    pub fn click(&mut self, tab: &Tab, selector: &str) {
        let at = self.place(tab, selector, [0.5, 0.5]);
        self.mouse(tab, "mouseMoved", at, false);
        self.mouse(tab, "mousePressed", at, true);
        self.mouse(tab, "mouseReleased", at, false);
    }

    /// Drags over an element, in so many steps.
    pub fn drag(&mut self, tab: &Tab, selector: &str, from: [f64; 2], to: [f64; 2], steps: u32) {
        let (from, to) = (self.place(tab, selector, from), self.place(tab, selector, to));
        self.mouse(tab, "mouseMoved", from, false);
        self.mouse(tab, "mousePressed", from, true);
        for step in 1..=steps {
            let share = f64::from(step) / f64::from(steps);
            let at = [from[0] + share * (to[0] - from[0]), from[1] + share * (to[1] - from[1])];
            self.mouse(tab, "mouseMoved", at, true);
        }
        self.mouse(tab, "mouseReleased", to, false);
    }

    pub fn picture(&mut self, tab: &Tab, file: &Path) {
        let found = self.call(Some(tab), "Page.captureScreenshot", json!({ "format": "png" }));
        let png =
            BASE64_STANDARD.decode(found["data"].as_str().expect("a picture")).expect("base64");
        std::fs::write(file, png).expect("the picture can be written");
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
