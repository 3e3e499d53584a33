//! The operator's own endpoints: `/healthz`, `/readyz` and `/metrics`. They only tell; nothing can be done through them.

use std::convert::Infallible;
use std::future::Future;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::metrics::Metrics;

/// What is served at an address.
#[derive(Clone, Copy, Debug)]
pub(super) enum Page {
    Health,
    Metrics,
}

/// Serves pages for ever. An address that cannot be had is an error at once. Every address of the machine is every address of IPv4 where that is all it has.
pub(super) async fn serve(
    address: SocketAddr,
    page: Page,
    metrics: Arc<Metrics>,
) -> std::io::Result<impl Future<Output = ()>> {
    let listener = match TcpListener::bind(address).await {
        Err(_) if address.ip() == Ipv6Addr::UNSPECIFIED => {
            TcpListener::bind((Ipv4Addr::UNSPECIFIED, address.port())).await?
        }
        bound => bound?,
    };
    Ok(async move {
        let slots = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
            let Ok((stream, _)) = listener.accept().await else {
                // Too many open files, for example: others may close some.
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            let metrics = Arc::clone(&metrics);
            tokio::spawn(async move {
                let _slot = slot;
                let answer = service_fn(move |request| {
                    let response = answer(&request, page, &metrics);
                    async move { Ok::<_, Infallible>(response) }
                });
                let mut server = http1::Builder::new();
                server.timer(TokioTimer::new()).header_read_timeout(PATIENCE).keep_alive(false);
                let connection = server.serve_connection(TokioIo::new(stream), answer);
                // Whoever asked has gone, or is too slow: nothing is lost.
                drop(tokio::time::timeout(PATIENCE * 2, connection).await);
            });
        }
    })
}

fn answer(request: &Request<Incoming>, page: Page, metrics: &Metrics) -> Response<Full<Bytes>> {
    let path = request.uri().path();
    let (status, body) = match (request.method(), page, path) {
        (&Method::GET, Page::Health, "/healthz") => (StatusCode::OK, "ok".to_owned()),
        (&Method::GET, Page::Health, "/readyz") if metrics.is_ready() => (StatusCode::OK, "ok".to_owned()),
        (&Method::GET, Page::Health, "/readyz") => {
            (StatusCode::SERVICE_UNAVAILABLE, "the cluster is not known yet".to_owned())
        }
        (&Method::GET, Page::Metrics, "/metrics") => (StatusCode::OK, metrics.render()),
        _ => (StatusCode::NOT_FOUND, "not found".to_owned()),
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let text = http::HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(http::header::CONTENT_TYPE, text);
    response
}

/// How many may ask at once.
const CONNECTIONS: usize = 32;
const PATIENCE: Duration = Duration::from_secs(5);
