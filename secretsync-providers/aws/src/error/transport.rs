//! Why no answer came: the failures below HTTP, told apart.

use std::error::Error as StdError;
use std::fmt;
use std::io;

use aws_smithy_runtime_api::client::dns::ResolveDnsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::{ConnectorError, SdkError};
use secretsync_core::error::{Code, ErrorKind};
use secretsync_core::net::RefusedAddress;

/// What failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Cause {
    Closed,
    Dns,
    Other,
    Refused,
    RefusedAddress,
    TimedOut,
    Tls,
    Unreachable,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "the connection ended before the answer was complete",
            Self::Dns => "the endpoint's name could not be resolved",
            Self::Other => "the request failed on its way",
            Self::Refused => "nobody listens at the endpoint",
            Self::RefusedAddress => "the endpoint's name leads to an address that is refused",
            Self::TimedOut => "no answer came in time",
            Self::Tls => "no secure connection could be made",
            Self::Unreachable => "the endpoint's network cannot be reached",
        })
    }
}

impl Cause {
    pub(super) fn verdict(self) -> (ErrorKind, Code, &'static str) {
        let advice = match self {
            Self::RefusedAddress => {
                return (
                    ErrorKind::InvalidConfig,
                    Code::StoreInvalid,
                    "correct the endpoint: it must be AWS's own, or one of yours",
                );
            }
            Self::Dns => "check `region` of the store, an endpoint of your own, and the name service",
            Self::Refused => "check the endpoint's host and port",
            Self::TimedOut | Self::Unreachable => {
                "check that the network lets us reach AWS: a route, a proxy or a VPC endpoint"
            }
            Self::Tls => "check who answers at the endpoint, and that the system has AWS's certificate authorities",
            Self::Closed | Self::Other => "check the network between here and AWS",
        };
        (ErrorKind::Unavailable, Code::ProviderUnavailable, advice)
    }
}

/// The cause of an error of the SDK without an answer.
pub(super) fn cause<E: StdError + 'static>(error: &SdkError<E, HttpResponse>) -> Cause {
    let SdkError::DispatchFailure(failure) = error else { return Cause::Other };
    failure.as_connector_error().map_or(Cause::Other, connector)
}

/// The cause of a failure of the HTTP connector.
pub(crate) fn connector(error: &ConnectorError) -> Cause {
    if error.is_timeout() {
        return Cause::TimedOut;
    }
    let mut found = Cause::Other;
    let mut next: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = next {
        match recognise(error) {
            Some(Cause::RefusedAddress) => return Cause::RefusedAddress,
            // The resolver's own failures are I/O errors of any kind.
            Some(cause) if found != Cause::Dns => found = cause,
            _ => {}
        }
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = wrapped.map(|wrapped| wrapped as &(dyn StdError + 'static)).or_else(|| error.source());
    }
    found
}

fn recognise(error: &(dyn StdError + 'static)) -> Option<Cause> {
    if error.is::<RefusedAddress>() {
        return Some(Cause::RefusedAddress);
    }
    if error.is::<ResolveDnsError>() {
        return Some(Cause::Dns);
    }
    let Some(error) = error.downcast_ref::<io::Error>() else {
        // The TLS and HTTP libraries are not ours to name by type.
        let text = error.to_string();
        if text.contains("certificate") || text.contains("received corrupt message") {
            return Some(Cause::Tls);
        }
        return text.contains("connection closed before message completed").then_some(Cause::Closed);
    };
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Some(Cause::Refused),
        io::ErrorKind::BrokenPipe
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::UnexpectedEof => Some(Cause::Closed),
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => Some(Cause::Unreachable),
        io::ErrorKind::TimedOut => Some(Cause::TimedOut),
        _ => None,
    }
}
