//! Who may speak with the server.
//!
//! - Every address begins with a token of 128 random bits: other users of the machine, and pages of other
//!   sites, do not know it. It is no cookie, since those of 127.0.0.1 go to every port of it.
//! - The host that a request names is a number, `localhost`, or a name that was allowed: a page of another site
//!   whose name is made to point here (DNS rebinding) is refused. Ports may differ, as through `ssh -L`.
//! - Where a browser says from which page a request comes (`Origin`, `Sec-Fetch-Site`), it is this one. Only
//!   the page itself may be opened from elsewhere.
//! - Marks are written by `POST` with a body of JSON, which no form can send.

use std::net::IpAddr;

use crate::ExploreError;

/// What is looked at of a request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked<'a> {
    /// `Host`.
    pub host: Option<&'a str>,
    /// `Origin`.
    pub origin: Option<&'a str>,
    /// `Sec-Fetch-Site`.
    pub site: Option<&'a str>,
    /// `Sec-Fetch-Mode`.
    pub mode: Option<&'a str>,
}

/// Whether the host is one by which this server may be known, `allowed` being names beside numbers and localhost.
pub fn is_own_host(host: Option<&str>, allowed: &[String]) -> bool {
    let Some(host) = host else { return false };
    let Some(name) = without_port(host) else { return false };
    let number = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    number.parse::<IpAddr>().is_ok()
        || name.eq_ignore_ascii_case("localhost")
        || allowed.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// Whether a request comes from this page, or from no page at all. `is_page`: it is for the page itself, which
/// may be opened by a click elsewhere.
pub fn is_own_origin(asked: &Asked<'_>, is_page: bool) -> bool {
    if is_page && asked.mode.is_none_or(|mode| mode == "navigate") {
        return true;
    }
    let site = asked.site.is_none_or(|site| site == "same-origin" || site == "none");
    let origin = asked.origin.is_none_or(|origin| {
        let host = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        host.is_some() && host == asked.host
    });
    site && origin
}

/// Whether two tokens are equal, in a time that does not tell where they differ.
pub fn is_token(given: &str, token: &str) -> bool {
    let differ = given.bytes().zip(token.bytes()).fold(0, |all, (a, b)| all | (a ^ b));
    given.len() == token.len() && differ == 0
}

/// A new token: 32 hexadecimal digits.
///
/// # Errors
/// When the system has no random numbers.
pub fn token() -> std::io::Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| std::io::Error::other(error.to_string()))?;
    Ok(datadiet_core::hex(&bytes))
}

/// The policy of the page: its own files, and nothing else; framed by `frames` alone, of which `None` is everybody.
pub fn policy(frames: Option<&[String]>) -> String {
    let ancestors = match frames {
        None => String::new(),
        Some([]) => "frame-ancestors 'none'; ".to_owned(),
        Some(frames) => format!("frame-ancestors {}; ", frames.join(" ")),
    };
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; {ancestors}require-trusted-types-for 'script'"
    )
}

/// Schemes of the pages around a notebook of Visual Studio Code: its own frame, and the window around that. A policy
/// has to name all that are around.
const EDITOR: [&str; 2] = ["vscode-webview:", "vscode-file:"];

/// Whom the policy lets frame the page, of what was allowed: origins as they are, both schemes of Visual Studio Code
/// for either of them; `None`, which is everybody, where one is `null`: what has no origin, such as a page that was
/// opened as a file, cannot be named in a policy. Who frames the page must know its address, token included.
///
/// # Errors
/// When one is no origin.
pub fn frame_sources(allowed: &[String]) -> Result<Option<Vec<String>>, ExploreError> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]*".contains(&byte);
    let mut sources: Vec<String> = Vec::new();
    for frame in allowed {
        let host = frame.strip_prefix("http://").or_else(|| frame.strip_prefix("https://"));
        let editor = EDITOR.iter().find_map(|scheme| frame.strip_prefix(scheme));
        if frame == "null" {
            return Ok(None);
        } else if editor.is_some_and(|rest| rest.bytes().all(|byte| is_plain(byte) || byte == b'/'))
        {
            sources.extend(EDITOR.map(str::to_owned));
        } else if host.is_some_and(|host| !host.is_empty() && host.bytes().all(is_plain)) {
            sources.push(frame.clone());
        } else {
            return Err(ExploreError::Option(format!(
                "{frame} is not the origin of a page: give scheme, host and port, such as http://localhost:8888; \
                 vscode-webview: for Visual Studio Code; null for a page without an origin, such as a file"
            )));
        }
    }
    sources.sort_unstable();
    sources.dedup();
    Ok(Some(sources))
}

fn without_port(host: &str) -> Option<&str> {
    if host.starts_with('[') {
        let end = host.find(']')? + 1;
        let rest = &host[end..];
        return (rest.is_empty() || is_port(rest)).then_some(&host[..end]);
    }
    match host.split_once(':') {
        Some((name, port)) => is_port(&format!(":{port}")).then_some(name),
        None => Some(host),
    }
}

fn is_port(text: &str) -> bool {
    text.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_numbers_localhost_and_what_was_allowed() {
        let allowed = ["gpu7".to_owned()];
        for host in
            ["127.0.0.1:80", "localhost", "LOCALHOST:9", "[::1]:7", "[::1]", "10.0.0.7:1", "gpu7:3"]
        {
            assert!(is_own_host(Some(host), &allowed), "{host}");
        }
        for host in [
            "evil.example",
            "127.0.0.1.evil.example:80",
            "localhost.evil:80",
            "localhost:x",
            "",
            "[::1",
            "a:b:c",
            "localhost@evil",
        ] {
            assert!(!is_own_host(Some(host), &allowed), "{host}");
        }
        assert!(!is_own_host(None, &allowed));
    }

    #[test]
    fn other_pages_may_open_this_one_and_nothing_else() {
        let own = Asked { host: Some("127.0.0.1:7"), ..Asked::default() };
        let from = |origin, site, mode| Asked { origin, site, mode, ..own };
        assert!(is_own_origin(&own, false));
        assert!(is_own_origin(&from(Some("http://127.0.0.1:7"), Some("same-origin"), None), false));
        for other in ["http://127.0.0.1:8", "http://evil.example", "null", "file://"] {
            assert!(!is_own_origin(&from(Some(other), None, None), false), "{other}");
        }
        for site in ["cross-site", "same-site"] {
            assert!(!is_own_origin(&from(None, Some(site), Some("no-cors")), false));
            assert!(is_own_origin(&from(None, Some(site), Some("navigate")), true));
            assert!(!is_own_origin(&from(None, Some(site), Some("cors")), true));
        }
    }

    #[test]
    fn frames_are_origins_the_editor_or_everybody() {
        let of = |frames: &[&str]| {
            frame_sources(&frames.iter().map(|&frame| frame.to_owned()).collect::<Vec<_>>())
        };
        let some = |frames: &[&str]| of(frames).unwrap().unwrap();
        assert!(policy(Some(&some(&[]))).contains("frame-ancestors 'none';"));
        let both = ["http://localhost:8888", "https://*.vscode-cdn.net"];
        assert_eq!(some(&both), both);
        // One webview has an id, and the window around it another scheme.
        for editor in ["vscode-webview:", "vscode-webview://0a1b", "vscode-file://vscode-app"] {
            assert_eq!(some(&[editor]), ["vscode-file:", "vscode-webview:"], "{editor}");
        }
        assert_eq!(of(&[both[0], "null"]).unwrap(), None);
        assert!(!policy(None).contains("frame-ancestors"));
        for wrong in [
            "*",
            "*; script-src *",
            "'self'",
            "localhost",
            "http://a b",
            "http://",
            "vscode-webview:; script-src *",
            "vscode-webview",
            "data:",
            "",
        ] {
            let error = of(&[wrong]).unwrap_err().to_string();
            assert!(error.contains("http://localhost:8888"), "{wrong}: {error}");
        }
    }

    #[test]
    fn tokens_are_compared_whole() {
        let token = token().unwrap();
        assert_eq!(token.len(), 32);
        assert!(
            is_token(&token, &token) && !is_token(&token[..31], &token) && !is_token("", &token)
        );
    }
}
