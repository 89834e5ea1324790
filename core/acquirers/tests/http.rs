//! The transport against loopback: how far did the request come?

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::future::Future;
use std::net::Ipv4Addr;

use takings_acquirers::http::{Carried, HttpConfig, HttpConfigError, HttpTransport};
use takings_acquirers::{MAX_ANSWER_BYTES, Method, SignedRequest};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Long enough for any machine; no test waits for it.
const PATIENCE_MS: u64 = 20_000;

async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, url)
}

fn request(base_url: &str) -> SignedRequest {
    SignedRequest {
        method: Method::Post,
        url: format!("{base_url}/v1/payments?a=%3A"),
        headers: vec![("idempotency-key".into(), "\"k\"".into())],
        body: b"{\"a\":1}".to_vec(),
    }
}

fn transport(base_url: &str) -> HttpTransport {
    HttpTransport::new(&HttpConfig::new(base_url)).unwrap()
}

/// Reads one request to the end of its body; the text as it came.
async fn receive(stream: &mut TcpStream) -> String {
    let mut heard = Vec::new();
    while !heard.ends_with(b"{\"a\":1}") {
        let mut part = [0; 1024];
        let count = stream.read(&mut part).await.unwrap();
        assert!(count > 0, "the client hung up");
        heard.extend_from_slice(&part[..count]);
    }
    String::from_utf8(heard).unwrap()
}

/// One exchange with a server that does `serve` with the first connection, and drops it then.
async fn exchange<F: Future<Output = ()>>(serve: impl FnOnce(TcpStream) -> F) -> Carried {
    let (listener, url) = listen().await;
    let server = async {
        let (stream, _) = listener.accept().await.unwrap();
        serve(stream).await;
    };
    let (transport, request) = (transport(&url), request(&url));
    tokio::join!(server, transport.send(&request, PATIENCE_MS)).1
}

async fn answered(bytes: &'static [u8]) -> Carried {
    exchange(|mut stream| async move {
        receive(&mut stream).await;
        stream.write_all(bytes).await.unwrap();
    })
    .await
}

fn is_maybe(carried: &Carried) -> bool {
    matches!(carried, Carried::Maybe(_))
}

#[tokio::test]
async fn the_bytes_are_carried_as_they_are() {
    let carried = exchange(|mut stream| async move {
        let heard = receive(&mut stream).await;
        assert!(heard.starts_with("POST /v1/payments?a=%3A HTTP/1.1\r\n"), "{heard}");
        assert!(heard.contains("idempotency-key: \"k\"\r\n"), "{heard}");
        assert!(!heard.to_lowercase().contains("accept-encoding"), "{heard}");
        stream.write_all(b"HTTP/1.1 201 Created\r\nKid: a\r\nContent-Length: 2\r\n\r\n{}").await.unwrap();
    })
    .await;
    let Carried::Answer(answer) = carried else { panic!("{carried:?}") };
    assert_eq!((answer.status, answer.header("kid"), answer.body.as_slice()), (201, Some("a"), &b"{}"[..]));
}

#[tokio::test]
async fn refused_is_not_sent() {
    let (listener, url) = listen().await;
    drop(listener);
    let carried = transport(&url).send(&request(&url), PATIENCE_MS).await;
    assert!(matches!(carried, Carried::NotSent(_)), "{carried:?}");
}

#[tokio::test]
async fn failed_tls_is_not_sent() {
    let (listener, url) = listen().await;
    let url = url.replace("http:", "https:");
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
    };
    let (transport, request) = (transport(&url), request(&url));
    let carried = tokio::join!(server, transport.send(&request, PATIENCE_MS)).1;
    assert!(matches!(carried, Carried::NotSent(_)), "{carried:?}");
}

#[tokio::test]
async fn accepted_and_closed_is_maybe() {
    assert!(is_maybe(&exchange(|stream| async { drop(stream) }).await));
    assert!(is_maybe(&answered(b"").await));
}

#[tokio::test]
async fn half_an_answer_is_maybe() {
    assert!(is_maybe(&answered(b"HTTP/1.1 201 Cre").await));
    assert!(is_maybe(&answered(b"HTTP/1.1 201 Created\r\nContent-Length: 20\r\n\r\n{\"half\"").await));
    assert!(is_maybe(&answered(b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab").await));
    assert!(is_maybe(&answered(b"no HTTP at all\r\n\r\n").await));
}

#[tokio::test]
async fn silence_is_maybe() {
    let (listener, url) = listen().await;
    let (transport, request) = (transport(&url), request(&url));
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        receive(&mut stream).await;
        let hung_up = stream.read(&mut [0; 1]).await;
        assert!(matches!(hung_up, Ok(0) | Err(_)));
    };
    assert!(is_maybe(&tokio::join!(server, transport.send(&request, 50)).1));
}

#[tokio::test]
async fn a_portal_is_an_answer_for_others_to_judge() {
    let html = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>";
    assert!(matches!(answered(html).await, Carried::Answer(answer) if answer.body == b"<html>"));
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let (other, elsewhere) = listen().await;
    let carried = exchange(|mut stream| async move {
        receive(&mut stream).await;
        let answer = format!("HTTP/1.1 307 Temporary Redirect\r\nLocation: {elsewhere}/\r\nContent-Length: 0\r\n\r\n");
        stream.write_all(answer.as_bytes()).await.unwrap();
    });
    tokio::select! {
        biased;
        _ = other.accept() => panic!("followed"),
        carried = carried => assert!(matches!(carried, Carried::Answer(answer) if answer.status == 307)),
    }
}

#[tokio::test]
async fn ten_megabytes_are_not_swallowed() {
    let carried = exchange(|mut stream| async move {
        receive(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10485760\r\n\r\n").await.unwrap();
        let mut sent = 0;
        // The client hangs up once it has had enough.
        while sent < 10 * 1024 * 1024 && stream.write_all(&[b'x'; 65_536]).await.is_ok() {
            sent += 65_536;
        }
        assert!(sent >= MAX_ANSWER_BYTES / 2);
    })
    .await;
    assert!(is_maybe(&carried), "{carried:?}");
}

#[tokio::test]
async fn a_request_for_another_acquirer_is_not_sent() {
    let transport = transport("http://127.0.0.1:9");
    for url in ["http://127.0.0.2:9/v1/keys", "http://127.0.0.1:99/v1/keys", "http://127.0.0.1:9/v1/../v1/keys"] {
        let request = SignedRequest { url: url.to_owned(), ..request("") };
        assert!(matches!(transport.send(&request, PATIENCE_MS).await, Carried::NotSent(_)), "{url}");
    }
}

#[test]
fn plain_http_is_for_this_machine_only() {
    let built = |url: &str| HttpTransport::new(&HttpConfig::new(url)).map(|transport| transport.base_url().to_owned());
    for url in [
        "https://acquirer.example",
        "https://a.example/base",
        "http://127.0.0.1:1",
        "http://[::1]:1",
        "http://localhost",
    ] {
        assert_eq!(built(url).as_deref(), Ok(url));
    }
    for url in ["http://acquirer.example", "http://10.0.0.1", "http://localhost.example", "ftp://127.0.0.1"] {
        assert_eq!(built(url), Err(HttpConfigError::NotHttps), "{url}");
    }
    let unusual = [
        "https://a.example/",
        "https://A.example",
        "https://a.example:443",
        "https://u@a.example",
        "a.example",
        "https://a.example?x",
    ];
    for url in unusual {
        assert_eq!(built(url), Err(HttpConfigError::BaseUrl), "{url}");
    }
}
