//! One request to the API server: bounded in time and size, its answer wiped, its refusals turned into errors in one place.
//!
//! Requests are sent as bytes and answers are parsed here: the client's typed calls log a whole answer when it does not fit the type, and an
//! answer may hold values.

mod gate;
mod refusal;
mod server;

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Limited};
use kube::client::Body;
use secretsync_core::error::{Code, Error, ErrorKind, Hint, Result, causes};
use zeroize::{Zeroize, Zeroizing};

pub(crate) use gate::{Gate, Priority};
pub(crate) use refusal::{Conflict, Refusal};
pub(crate) use server::Server;

use crate::convert::is_dns_subdomain;

/// What a request is about: errors and missing rights are told in these words.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target<'a> {
    /// The kind: `Secret`.
    pub(crate) kind: &'static str,
    /// The path of its API: `/api/v1`.
    pub(crate) api: &'static str,
    /// The resource, as roles write it: `secrets`, `serviceaccounts/token`.
    pub(crate) resource: &'static str,
    pub(crate) namespace: &'a str,
    pub(crate) name: &'a str,
}

impl<'a> Target<'a> {
    /// A Secret.
    pub(crate) fn secret(namespace: &'a str, name: &'a str) -> Self {
        Self { kind: "Secret", api: "/api/v1", resource: "secrets", namespace, name }
    }

    /// An ExternalSecret.
    pub(crate) fn external_secret(namespace: &'a str, name: &'a str) -> Self {
        let (api, resource) = ("/apis/external-secrets.io/v1", "externalsecrets");
        Self { kind: "ExternalSecret", api, resource, namespace, name }
    }

    /// The status of an ExternalSecret.
    pub(crate) fn external_secret_status(namespace: &'a str, name: &'a str) -> Self {
        Self { resource: "externalsecrets/status", ..Self::external_secret(namespace, name) }
    }

    /// The status of a SecretStore.
    pub(crate) fn store_status(namespace: &'a str, name: &'a str) -> Self {
        Self { kind: "SecretStore", resource: "secretstores/status", ..Self::external_secret(namespace, name) }
    }

    /// The status of a ClusterSecretStore. It lies in no namespace.
    pub(crate) fn cluster_store_status(name: &'a str) -> Self {
        Self { kind: "ClusterSecretStore", resource: "clustersecretstores/status", ..Self::external_secret("", name) }
    }

    /// A ClusterExternalSecret. It lies in no namespace.
    pub(crate) fn cluster_external_secret(name: &'a str) -> Self {
        Self { kind: "ClusterExternalSecret", resource: "clusterexternalsecrets", ..Self::external_secret("", name) }
    }

    /// The status of a ClusterExternalSecret.
    pub(crate) fn cluster_external_secret_status(name: &'a str) -> Self {
        Self { resource: "clusterexternalsecrets/status", ..Self::cluster_external_secret(name) }
    }

    /// A namespace.
    pub(crate) fn namespace(name: &'a str) -> Self {
        Self { kind: "Namespace", api: "/api/v1", resource: "namespaces", namespace: "", name }
    }

    /// A service account.
    pub(crate) fn service_account(namespace: &'a str, name: &'a str) -> Self {
        Self { kind: "ServiceAccount", api: "/api/v1", resource: "serviceaccounts", namespace, name }
    }

    /// The tokens of a service account.
    pub(crate) fn account_tokens(namespace: &'a str, name: &'a str) -> Self {
        Self { resource: "serviceaccounts/token", ..Self::service_account(namespace, name) }
    }

    /// Its path. Names that could lead elsewhere are refused.
    pub(crate) fn path(&self) -> Result<String> {
        let cluster_wide = matches!(self.kind, "ClusterExternalSecret" | "ClusterSecretStore" | "Namespace");
        if !(cluster_wide || is_dns_subdomain(self.namespace)) || !is_dns_subdomain(self.name) {
            return Err(Error::new(ErrorKind::InvalidConfig, "find")
                .on(self)
                .because("this cannot be the name of an object")
                .with_hint(Hint::new(Code::ManifestInvalid, "use lower-case letters, digits, `-` and `.`")));
        }
        let Self { api, resource, namespace, name, .. } = self;
        let place = if cluster_wide { String::new() } else { format!("namespaces/{namespace}/") };
        Ok(match resource.split_once('/') {
            Some((resource, part)) => format!("{api}/{place}{resource}/{name}/{part}"),
            None => format!("{api}/{place}{resource}/{name}"),
        })
    }
}

impl fmt::Display for Target<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, namespace, name, .. } = self;
        f.write_str(&crate::problems::subject(kind, Some(*namespace).filter(|namespace| !namespace.is_empty()), name))
    }
}

/// How an answer is wanted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum View {
    /// Metadata only: no value comes back.
    Metadata,
    /// The whole object.
    Whole,
}

/// An answer that is no refusal.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Whether the object is new.
    pub(crate) created: bool,
    /// Its text. It is wiped when dropped.
    pub(crate) body: Zeroizing<Vec<u8>>,
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The API server refused.
    Refused(Refusal),
    /// It could not be asked.
    Unreachable(Error),
}

impl Failure {
    /// The error that the user sees.
    pub(crate) fn into_error(self, verb: Verb, target: &Target<'_>) -> Error {
        match self {
            Self::Refused(refusal) => refusal.into_error(verb, target),
            Self::Unreachable(error) => error,
        }
    }
}

/// What is done to an object: the right that it needs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Verb {
    /// Fails where there is one already.
    Create,
    Delete,
    Get,
    /// Of a service account: a token.
    Issue,
    Patch,
}

impl Verb {
    /// The word of roles.
    pub(crate) fn right(self) -> &'static str {
        match self {
            Self::Create | Self::Issue => "create",
            Self::Delete => "delete",
            Self::Get => "get",
            Self::Patch => "patch",
        }
    }

    /// The word of messages.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Delete => "delete",
            Self::Get => "read",
            Self::Issue => "issue a token of",
            Self::Patch => "write",
        }
    }

    fn method(self) -> Method {
        match self {
            Self::Create | Self::Issue => Method::POST,
            Self::Delete => Method::DELETE,
            Self::Get => Method::GET,
            Self::Patch => Method::PATCH,
        }
    }
}

/// A request under construction.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    target: Target<'a>,
    verb: Verb,
    view: View,
    priority: Priority,
    query: String,
    content: Option<(&'static str, Bytes)>,
}

impl<'a> Call<'a> {
    pub(crate) fn new(verb: Verb, target: Target<'a>, view: View) -> Self {
        Self { target, verb, view, priority: Priority::Secret, query: String::new(), content: None }
    }

    /// Lets others go first, or not.
    pub(crate) fn with_priority(mut self, priority: Priority) -> Self {
        self.priority = priority;
        self
    }

    /// Adds a query, which must be fit for a URL as it is.
    pub(crate) fn with_query(mut self, query: String) -> Self {
        self.query = query;
        self
    }

    /// Adds a body, which is wiped when the last handle of it is dropped.
    pub(crate) fn with_body(mut self, content_type: &'static str, body: Zeroizing<Vec<u8>>) -> Self {
        self.content = Some((content_type, Bytes::from_owner(body)));
        self
    }

    /// Sends it when its turn has come. It takes at most [`LONGEST`] from then on.
    pub(crate) async fn send(self, server: &Server) -> Result<Answer, Failure> {
        let (verb, target) = (self.verb, self.target);
        let unreachable = |detail: String| {
            let hint = Hint::new(
                Code::KubernetesUnavailable,
                "check the address in the kubeconfig and that the API server is up",
            );
            Failure::Unreachable(
                Error::new(ErrorKind::Unavailable, verb.word()).on(target).because(detail).with_hint(hint),
            )
        };
        let priority = self.priority;
        let request = self.request().map_err(Failure::Unreachable)?;
        let pass = server.enter(priority).await;
        let exchange = async {
            let response =
                server.client().send(request).await.map_err(|error| unreachable(transport_problem(&error)))?;
            let status = response.status();
            let body = read_body(response.into_body()).await;
            Ok((status, body.ok_or_else(|| unreachable("the answer was cut off or is too long".to_owned()))?))
        };
        let (status, body) = match tokio::time::timeout(LONGEST, exchange).await {
            Ok(outcome) => outcome?,
            Err(_) => return Err(unreachable(format!("the API server did not answer within {} s", LONGEST.as_secs()))),
        };
        if status.is_success() {
            if let Some(pass) = pass {
                pass.answered();
            }
            return Ok(Answer { created: status == StatusCode::CREATED, body });
        }
        let refusal = Refusal::new(status, &body);
        match pass {
            Some(pass) if refusal.is_throttling() => pass.refused(refusal.retry_after()),
            Some(pass) => pass.answered(),
            None => {}
        }
        Err(Failure::Refused(refusal))
    }

    fn request(self) -> Result<Request<Body>> {
        let mut path = self.target.path()?;
        if self.verb == Verb::Create {
            // New objects are sent to where the others are.
            path.truncate(path.len() - self.target.name.len() - 1);
        }
        let uri = if self.query.is_empty() { path } else { format!("{path}?{}", self.query) };
        let accept = match self.view {
            View::Metadata => METADATA,
            View::Whole => "application/json",
        };
        let mut request = Request::builder().method(self.verb.method()).uri(uri).header(http::header::ACCEPT, accept);
        let mut body = Body::empty();
        if let Some((content_type, content)) = self.content {
            request = request.header(http::header::CONTENT_TYPE, content_type);
            body = Body::from(content);
        }
        request
            .body(body)
            .map_err(|error| Error::new(ErrorKind::Internal, self.verb.word()).on(self.target).with_source(error))
    }
}

/// The whole body in one buffer that is wiped when dropped; the pieces it came in are wiped too, as far as nobody else holds them.
async fn read_body(body: Body) -> Option<Zeroizing<Vec<u8>>> {
    let mut body = Limited::new(body, LARGEST);
    let mut pieces = Vec::new();
    while let Some(frame) = body.frame().await {
        if let Ok(piece) = frame.ok()?.into_data() {
            pieces.push(piece);
        }
    }
    let mut whole = Zeroizing::new(Vec::with_capacity(pieces.iter().map(Bytes::len).sum()));
    for piece in pieces {
        whole.extend_from_slice(&piece);
        if let Ok(mut held) = piece.try_into_mut() {
            held.as_mut().zeroize();
        }
    }
    Some(whole)
}

/// What went wrong on the way, without what a client's own message may quote (the output of a login program, for example).
fn transport_problem(error: &kube::Error) -> String {
    if let Some(io) = causes(error).find_map(<dyn StdError>::downcast_ref::<std::io::Error>) {
        return io.to_string();
    }
    match error {
        kube::Error::Auth(_) => "the login that the kubeconfig asks for failed".to_owned(),
        _ => "the connection failed".to_owned(),
    }
}

const METADATA: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";

/// The bound of one request, whatever the client's own are.
const LONGEST: Duration = Duration::from_secs(20);

/// The bound of one answer: a Secret holds at most 1 MiB.
const LARGEST: usize = 8 << 20;
