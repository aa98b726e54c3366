//! The server: one address, one page, one person.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE,
    HOST, HeaderName, ORIGIN, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::Response;

use crate::access::{Asked, frame_sources, is_own_host, is_own_origin, is_token, policy, token};
use crate::explorer::Answer;
use crate::{ExploreError, Explorer};

/// The largest body that is read: 1,000,000 rows of a mark.
const MOST_BODY: usize = 16 << 20;

/// Where to serve.
#[derive(Clone, Debug)]
pub struct Place {
    /// Loopback unless somebody wants otherwise.
    pub host: IpAddr,
    /// 0 for a free one.
    pub port: u16,
    /// Names by which the server may be known, beside numbers and `localhost`.
    pub allowed: Vec<String>,
    /// Whose pages may frame this one: origins such as `http://localhost:8888`, `vscode-webview:` for the notebooks
    /// of Visual Studio Code, `null` for a page that has no origin.
    pub frames: Vec<String>,
}

impl Default for Place {
    fn default() -> Self {
        let host = Ipv4Addr::LOCALHOST.into();
        Self { host, port: 0, allowed: Vec::new(), frames: Vec::new() }
    }
}

/// A server that has its port.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    explorer: Explorer,
    token: String,
    allowed: Vec<String>,
    policy: HeaderValue,
}

impl Explorer {
    /// Takes a port.
    ///
    /// # Errors
    /// When it is taken, the place is not ours, or an origin is not one.
    pub fn bind(self, place: &Place) -> Result<Server, ExploreError> {
        let frames = frame_sources(&place.frames)?;
        let policy = HeaderValue::from_str(&policy(frames.as_deref()))
            .map_err(|error| ExploreError::Option(error.to_string()))?;
        let wanted = SocketAddr::new(place.host, place.port);
        let listener = TcpListener::bind(wanted)
            .map_err(|cause| ExploreError::Bind { address: wanted, cause })?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let allowed = place.allowed.clone();
        let shared = Shared { explorer: self, token: token()?, allowed, policy };
        Ok(Server { listener, address, shared: Arc::new(shared) })
    }
}

impl Server {
    /// The address to open, with its token. Of a server on all addresses the one of this machine.
    pub fn url(&self) -> String {
        let host = match self.address.ip() {
            IpAddr::V4(host) if host.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            host => host,
        };
        format!("http://{}/{}/", SocketAddr::new(host, self.address.port()), self.shared.token)
    }

    /// What is served.
    pub fn explorer(&self) -> &Explorer {
        &self.shared.explorer
    }

    /// Serves until the process ends.
    ///
    /// # Errors
    /// When the system does not let it.
    pub fn run(self) -> Result<(), ExploreError> {
        Ok(runtime()?.block_on(self.serve())?)
    }

    /// Serves until `over` returns, which waits for that. What is being answered is finished: a mark is saved, or was
    /// never taken.
    ///
    /// # Errors
    /// When the system does not let it.
    pub fn run_until(self, over: impl FnOnce() + Send + 'static) -> Result<(), ExploreError> {
        let runtime = runtime()?;
        // Not shut down gracefully: that waits for connections, which browsers keep open.
        let serving = runtime.spawn(self.serve());
        let waited = runtime.block_on(runtime.spawn_blocking(over));
        serving.abort();
        waited.map_err(|error| std::io::Error::other(error).into())
    }

    async fn serve(self) -> std::io::Result<()> {
        let listener = tokio::net::TcpListener::from_std(self.listener)?;
        let router = Router::new().fallback(handle).with_state(self.shared);
        axum::serve(listener, router).await
    }
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    // One of the blocking threads may wait for the end.
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(5)
        .enable_all()
        .build()
}

async fn handle(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let answer = match admitted(&shared, &request) {
        Err(refusal) => refusal,
        Ok(path) => {
            let post = request.method() == Method::POST;
            let query = request.uri().query().unwrap_or_default().to_owned();
            match to_bytes(request.into_body(), MOST_BODY).await {
                Err(_) => Answer::error(413, "that is too much at a time"),
                Ok(body) => {
                    let shared = Arc::clone(&shared);
                    let work = move || shared.explorer.answer(post, &path, &query, &body);
                    let done = tokio::task::spawn_blocking(work).await;
                    done.unwrap_or_else(|_| {
                        Answer::error(500, "a mistake of datadiet's; its window says more")
                    })
                }
            }
        }
    };
    respond(&shared, answer)
}

/// The path below the token of a request that may be answered.
fn admitted(shared: &Shared, request: &Request) -> Result<String, Answer> {
    let header =
        |name: &HeaderName| request.headers().get(name).map(|value| value.to_str().unwrap_or("?"));
    let named = |name: &'static str| header(&HeaderName::from_static(name));
    let one_host = request.headers().get_all(HOST).iter().count() == 1;
    let asked = Asked {
        host: header(&HOST).filter(|_| one_host),
        origin: header(&ORIGIN),
        site: named("sec-fetch-site"),
        mode: named("sec-fetch-mode"),
    };
    if !is_own_host(asked.host, &shared.allowed) {
        return Err(Answer::error(
            403,
            "this server is not known by that name; allow it with --allow-host NAME",
        ));
    }
    let path = request.uri().path();
    let (given, rest) =
        path.strip_prefix('/').and_then(|path| path.split_once('/')).unwrap_or_default();
    if !is_token(given, &shared.token) {
        return Err(Answer::error(
            404,
            "open the address that `datadiet explore` has printed, all of it: its long number is the key",
        ));
    }
    if !is_own_origin(&asked, rest.is_empty() && request.method() == Method::GET) {
        return Err(Answer::error(403, "other pages may not ask here"));
    }
    let length = header(&CONTENT_LENGTH).and_then(|length| length.parse::<u64>().ok());
    if length.is_some_and(|length| length > MOST_BODY as u64) {
        return Err(Answer::error(413, "that is too much at a time"));
    }
    match *request.method() {
        Method::GET => Ok(rest.to_owned()),
        Method::POST if header(&CONTENT_TYPE) == Some("application/json") => Ok(rest.to_owned()),
        Method::POST => Err(Answer::error(415, "a body of JSON is expected")),
        _ => Err(Answer::error(405, "GET and POST are understood")),
    }
}

fn respond(shared: &Shared, answer: Answer) -> Response {
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() =
        StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    let text = HeaderValue::from_static;
    headers.insert(CONTENT_TYPE, text(answer.kind));
    headers.insert(CONTENT_SECURITY_POLICY, shared.policy.clone());
    headers.insert(X_CONTENT_TYPE_OPTIONS, text("nosniff"));
    headers.insert(REFERRER_POLICY, text("no-referrer"));
    headers.insert("cross-origin-resource-policy", text("same-origin"));
    headers.insert("cross-origin-opener-policy", text("same-origin"));
    let cache = if answer.constant { "private, max-age=86400, immutable" } else { "no-store" };
    headers.insert(CACHE_CONTROL, text(cache));
    if let Some(name) = answer.save_as.map(|name| format!("attachment; filename=\"{name}\"")) {
        headers.extend(HeaderValue::from_str(&name).ok().map(|value| (CONTENT_DISPOSITION, value)));
    }
    response
}
