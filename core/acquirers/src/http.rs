//! Carries one request to the acquirer and says how far it came.
//!
//! It decides nothing: no retry, no redirect, no proxy of the surroundings, no compression. Needs a tokio runtime
//! with I/O and time.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, Url};
use thiserror::Error;

use crate::message::{Answer, MAX_ANSWER_BYTES, Method, SignedRequest};

/// Where the acquirer is, and how long to wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpConfig {
    /// `https://host[:port][/path]` without a slash at its end; plain `http` for loopback addresses only.
    pub base_url: String,
    /// How long a connection may take, in milliseconds. Keep it below the request's own time-out: a connection that
    /// never stood is surely not sent, a request that timed out as a whole may be.
    pub connect_timeout_ms: u64,
    /// How long the line may be silent while an answer is read, in milliseconds.
    pub read_timeout_ms: u64,
    /// How long an unused connection is kept, in milliseconds.
    pub idle_timeout_ms: u64,
}

impl HttpConfig {
    /// The usual waits: 10 s to connect, 35 s of silence, 60 s idle.
    #[must_use]
    pub fn new(base_url: impl Into<String>) -> Self {
        Self { base_url: base_url.into(), connect_timeout_ms: 10_000, read_timeout_ms: 35_000, idle_timeout_ms: 60_000 }
    }
}

/// Why there is no transport. The caller fixes the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HttpConfigError {
    /// No URL, or not in its normal form (which is what gets signed).
    #[error("the base URL is not in its normal form: scheme://host[:port][/path], lower case, no slash at the end")]
    BaseUrl,
    /// Plain http to something that is not this machine.
    #[error("plain http is for loopback addresses only")]
    NotHttps,
    /// TLS could not be set up.
    #[error("no TLS: {0}")]
    Tls(String),
}

/// How far a request came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Carried {
    /// There is an answer. Nothing of it is believed yet.
    Answer(Answer),
    /// Nothing left this phone: no connection stood.
    NotSent(String),
    /// It may have arrived.
    Maybe(String),
}

/// The transport. Cheap to clone; connections are kept and shared.
#[derive(Debug, Clone)]
pub struct HttpTransport {
    client: Client,
    base_url: String,
}

impl HttpTransport {
    /// A transport to one acquirer.
    ///
    /// # Errors
    /// [`HttpConfigError`] if the URL is not acceptable or TLS cannot be set up.
    pub fn new(config: &HttpConfig) -> Result<Self, HttpConfigError> {
        check_base_url(&config.base_url)?;
        let tls_error = |error: &dyn std::fmt::Display| HttpConfigError::Tls(error.to_string());
        let roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        let tls = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| tls_error(&error))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let client = Client::builder()
            .tls_backend_preconfigured(tls)
            .no_proxy()
            .redirect(Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .http1_only()
            .tcp_nodelay(true)
            .connect_timeout(Duration::from_millis(config.connect_timeout_ms))
            .read_timeout(Duration::from_millis(config.read_timeout_ms))
            .pool_idle_timeout(Duration::from_millis(config.idle_timeout_ms))
            .build()
            .map_err(|error| tls_error(&error))?;
        Ok(Self { client, base_url: config.base_url.clone() })
    }

    /// The base URL requests are signed for.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Sends one request, once, and reads the whole answer within `timeout_ms`.
    pub async fn send(&self, request: &SignedRequest, timeout_ms: u64) -> Carried {
        let url = match self.url(request) {
            Ok(url) => url,
            Err(why) => return Carried::NotSent(why.to_owned()),
        };
        let mut builder = match request.method {
            Method::Get => self.client.get(url),
            Method::Post => self.client.post(url).body(request.body.clone()),
        };
        for (name, value) in &request.headers {
            builder = builder.header(name, value);
        }
        match builder.timeout(Duration::from_millis(timeout_ms)).send().await {
            Ok(response) => read(response).await,
            Err(error) if error.is_connect() || error.is_builder() => Carried::NotSent(describe(&error)),
            Err(error) => Carried::Maybe(describe(&error)),
        }
    }

    /// The URL, if the library would call exactly what was signed.
    fn url(&self, request: &SignedRequest) -> Result<Url, &'static str> {
        let rest = request.url.strip_prefix(&self.base_url).ok_or("the request is for another acquirer")?;
        let url = Url::parse(&request.url).map_err(|_| "the URL cannot be read")?;
        if rest.starts_with('/') && url.as_str() == request.url {
            Ok(url)
        } else {
            Err("the URL is not in normal form")
        }
    }
}

fn check_base_url(text: &str) -> Result<(), HttpConfigError> {
    let url = Url::parse(text).map_err(|_| HttpConfigError::BaseUrl)?;
    let bare =
        url.query().is_none() && url.fragment().is_none() && url.username().is_empty() && url.password().is_none();
    let normal = if url.path() == "/" { url.as_str().trim_end_matches('/') } else { url.as_str() };
    if !bare || normal != text || text.ends_with('/') {
        return Err(HttpConfigError::BaseUrl);
    }
    match url.scheme() {
        "https" => Ok(()),
        "http" if url.host_str().is_some_and(is_loopback) => Ok(()),
        _ => Err(HttpConfigError::NotHttps),
    }
}

/// Addresses, not names, but for `localhost`: any other name may be made to point anywhere.
fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Reads the answer, at most [`MAX_ANSWER_BYTES`]. A broken one is no answer.
async fn read(mut response: reqwest::Response) -> Carried {
    let status = response.status().as_u16();
    let headers = response
        .headers()
        .iter()
        .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
        .collect();
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() > MAX_ANSWER_BYTES => {
                return Carried::Maybe("the answer is too large".to_owned());
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => return Carried::Answer(Answer { status, headers, body }),
            Err(error) => return Carried::Maybe(describe(&error)),
        }
    }
}

/// The error's kind and innermost cause, without the URL: it names payments.
fn describe(error: &reqwest::Error) -> String {
    let kind = match error {
        error if error.is_timeout() => "timed out",
        error if error.is_connect() => "no connection",
        error if error.is_body() || error.is_decode() => "the answer broke off",
        _ => "the line broke",
    };
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    if std::ptr::addr_eq(cause, error) { kind.to_owned() } else { format!("{kind}: {cause}") }
}
