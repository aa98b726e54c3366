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

/// The policy of the page: its own files, and nothing else; framed by `frames` alone.
pub fn policy(frames: &[String]) -> String {
    let frames = if frames.is_empty() { "'none'".to_owned() } else { frames.join(" ") };
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors {frames}; require-trusted-types-for 'script'"
    )
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
    fn tokens_are_compared_whole() {
        let token = token().unwrap();
        assert_eq!(token.len(), 32);
        assert!(
            is_token(&token, &token) && !is_token(&token[..31], &token) && !is_token("", &token)
        );
    }
}
