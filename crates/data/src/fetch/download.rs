//! Downloading one file over HTTPS, with a short connection time-out and a size limit.
//!
//! Does not resume and does not retry: the callers have other sources to try.

use crate::{DataError, Result};
use datadiet_core::Progress;
use datadiet_core::progress::Count;
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::time::Duration;

/// Long enough for a far host, short enough to go on to the next source where there is no network.
const CONNECT: Duration = Duration::from_secs(5);
/// How long a host may take to begin its answer.
const ANSWER: Duration = Duration::from_secs(20);
/// How long the whole download may take.
const WHOLE: Duration = Duration::from_secs(1800);

/// Downloads `url` into a new file of at most `limit` bytes.
pub(super) fn to_file(url: &str, path: &Path, limit: u64, progress: &dyn Progress) -> Result<()> {
    let failed = |problem: String| DataError::Download { url: url.into(), problem };
    let response = agent().get(url).call().map_err(|error| failed(error.to_string()))?;
    let total = response.body().content_length();
    if total.is_some_and(|total| total > limit) {
        return Err(DataError::Oversized { path: url.into(), limit });
    }
    let count = Count::start(progress, format!("downloading {url}"), total);
    let written = copy(&mut response.into_body().into_reader(), url, path, limit, &count)?;
    drop(count);
    match total {
        Some(total) if total != written => {
            Err(failed(format!("{written} of {total} bytes arrived")))
        }
        _ => Ok(()),
    }
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .timeout_resolve(Some(CONNECT))
        .timeout_connect(Some(CONNECT))
        .timeout_recv_response(Some(ANSWER))
        .timeout_global(Some(WHOLE))
        .user_agent(concat!("datadiet/", env!("CARGO_PKG_VERSION")))
        .build()
        .into()
}

fn copy(from: &mut dyn Read, url: &str, path: &Path, limit: u64, count: &Count<'_>) -> Result<u64> {
    let mut file = File::create(path).map_err(DataError::io("write", path))?;
    let mut buffer = vec![0; 1 << 16];
    let mut written = 0;
    loop {
        let n = from
            .read(&mut buffer)
            .map_err(|error| DataError::Download { url: url.into(), problem: error.to_string() })?;
        if n == 0 {
            return Ok(written);
        }
        written += n as u64;
        if written > limit {
            return Err(DataError::Oversized { path: url.into(), limit });
        }
        file.write_all(&buffer[..n]).map_err(DataError::io("write", path))?;
        count.advance(n as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use datadiet_core::Silent;
    use std::io::BufRead;
    use std::net::TcpListener;

    /// Answers one request on this machine, then hangs up.
    fn serve(answer: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/file", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let request = std::io::BufReader::new(stream.try_clone().unwrap());
            request.lines().map_while(std::io::Result::ok).find(String::is_empty);
            stream.write_all(answer.as_bytes()).unwrap();
        });
        url
    }

    fn download(answer: &'static str, limit: u64) -> Result<Vec<u8>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        to_file(&serve(answer), &path, limit, &Silent)?;
        Ok(std::fs::read(path).unwrap())
    }

    #[test]
    fn a_file_arrives_whole() {
        assert_eq!(
            download("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", 5).unwrap(),
            b"hello"
        );
    }

    #[test]
    fn more_than_the_limit_is_refused_announced_or_not() {
        for answer in [
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
            "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nhello",
        ] {
            let error = download(answer, 4).unwrap_err();
            assert!(matches!(error, DataError::Oversized { limit: 4, .. }), "{error}");
        }
    }

    #[test]
    fn an_early_end_and_a_refusal_are_errors() {
        for answer in [
            "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello",
            "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
        ] {
            let error = download(answer, 100).unwrap_err();
            assert!(matches!(error, DataError::Download { .. }), "{error}");
        }
    }
}
