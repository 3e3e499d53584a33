//! What a request carries.

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Url};
use zeroize::Zeroizing;

use crate::auth::Token;
use crate::error::Failure;

/// One request below `/v1/`.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    method: Method,
    path: &'a str,
    query: Option<(&'static str, &'a str)>,
    pairs: &'a [(String, String)],
    namespace: Option<&'a HeaderValue>,
    body: Option<Zeroizing<Vec<u8>>>,
}

impl<'a> Request<'a> {
    /// Reads a path. Its segments are plain text: they are escaped here and nowhere else.
    pub(crate) fn get(path: &'a str) -> Self {
        Self { method: Method::GET, path, query: None, pairs: &[], namespace: None, body: None }
    }

    /// Deletes what a path names.
    pub(crate) fn delete(path: &'a str) -> Self {
        Self { method: Method::DELETE, ..Self::get(path) }
    }

    /// Writes JSON to a path.
    pub(crate) fn post(path: &'a str, body: Zeroizing<Vec<u8>>) -> Self {
        Self { method: Method::POST, body: Some(body), ..Self::get(path) }
    }

    pub(crate) fn with_query(mut self, query: Option<(&'static str, &'a str)>) -> Self {
        self.query = query;
        self
    }

    /// Adds names and values of a manifest to the query.
    pub(crate) fn with_pairs(mut self, pairs: &'a [(String, String)]) -> Self {
        self.pairs = pairs;
        self
    }

    pub(crate) fn in_namespace(mut self, namespace: Option<&'a HeaderValue>) -> Self {
        self.namespace = namespace;
        self
    }

    pub(super) fn build(
        self,
        http: &reqwest::Client,
        server: &Url,
        token: Option<&Token>,
    ) -> Result<reqwest::Request, Failure> {
        let mut url = url(server, self.path);
        if let Some((name, value)) = self.query {
            url.query_pairs_mut().append_pair(name, value);
        }
        if !self.pairs.is_empty() {
            url.query_pairs_mut().extend_pairs(self.pairs);
        }
        let mut request =
            http.request(self.method, url).build().map_err(|error| Failure::Setup(error.without_url()))?;
        let headers = request.headers_mut();
        headers.insert(REQUEST, HeaderValue::from_static("true"));
        if let Some(namespace) = self.namespace {
            headers.insert(NAMESPACE, namespace.clone());
        }
        if let Some(token) = token.and_then(Token::header) {
            headers.insert(TOKEN, token);
        }
        if let Some(body) = self.body {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            *request.body_mut() = Some(body.to_vec().into());
        }
        Ok(request)
    }
}

/// The URL of a path below `/v1/`.
pub(crate) fn url(server: &Url, path: &str) -> Url {
    let mut url = server.clone();
    // Only URLs without a host have no segments, and those are no servers.
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().push("v1").extend(path.split('/'));
    }
    url
}

/// Asks for an answer that is not older than what was seen.
pub(super) fn consistency(headers: &mut HeaderMap, state: Option<HeaderValue>, forward: bool) {
    if let Some(state) = state {
        headers.insert(STATE, state);
    }
    if forward {
        headers.insert(INCONSISTENT, HeaderValue::from_static("forward-active-node"));
    }
}

pub(crate) const TOKEN: HeaderName = HeaderName::from_static("x-vault-token");
pub(super) const STATE: HeaderName = HeaderName::from_static("x-vault-index");
const INCONSISTENT: HeaderName = HeaderName::from_static("x-vault-inconsistent");
const NAMESPACE: HeaderName = HeaderName::from_static("x-vault-namespace");
/// An agent or proxy in front may demand it, so that no confused client can be made to send requests.
const REQUEST: HeaderName = HeaderName::from_static("x-vault-request");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_segment_is_escaped_once() {
        let at = |server: &str, path: &str| url(&Url::parse(server).unwrap(), path).to_string();
        assert_eq!(at("https://h:1", "kv/data/a b"), "https://h:1/v1/kv/data/a%20b");
        assert_eq!(at("https://h/vault", "kv/x"), "https://h/vault/v1/kv/x");
        assert_eq!(at("https://h", "kv/%2e%2e/50%"), "https://h/v1/kv/%252e%252e/50%25");
        assert_eq!(at("https://h", r"kv/a?b#c+d\e;f&g=h"), "https://h/v1/kv/a%3Fb%23c+d%5Ce;f&g=h");
        assert_eq!(at("https://h", "kv/ä/😀"), "https://h/v1/kv/%C3%A4/%F0%9F%98%80");
    }
}
