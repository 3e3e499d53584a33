//! Why no answer came, in the words of the HTTP client that is used here, and what to do.

use std::error::Error as StdError;

use aws_smithy_runtime_api::client::dns::ResolveDnsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::{ConnectorError, SdkError};
use secretsync_core::error::{Code, ErrorKind};
use secretsync_core::net::{Cause, Transport};

/// The failure behind an error of the SDK without an answer.
pub(super) fn dispatch<E: StdError + 'static>(error: &SdkError<E, HttpResponse>) -> Transport {
    match error {
        SdkError::DispatchFailure(failure) => {
            failure.as_connector_error().map_or_else(|| Cause::Other.into(), connector)
        }
        _ => Cause::Other.into(),
    }
}

/// The failure behind an error of the HTTP connector.
pub(crate) fn connector(error: &ConnectorError) -> Transport {
    if error.is_timeout() {
        return Cause::TimedOut.into();
    }
    Transport::read(error, |error| error.is::<ResolveDnsError>().then_some(Cause::Dns))
}

pub(super) fn verdict(cause: Cause) -> (ErrorKind, Code, &'static str) {
    let advice = match cause {
        Cause::CertificateExpired => {
            "renew the certificate of the endpoint, or of the proxy in front of it, or set the clock"
        }
        Cause::CertificateName => {
            "write the endpoint with the name that its certificate is for; a proxy that opens TLS needs one for AWS's names"
        }
        Cause::CertificateUnknown => {
            "add the authority to those of the system, or name a file with it in the variable AWS_CA_BUNDLE, which replaces them"
        }
        Cause::Dns => "check `region` of the store, an endpoint of your own, and the name service",
        Cause::NotTls => "write the endpoint with the scheme that it speaks; plain http is for loopback addresses only",
        Cause::Refused => "check the endpoint's host and port",
        Cause::RefusedAddress => {
            let advice = "correct the endpoint: it must be AWS's own, or one of yours";
            return (ErrorKind::InvalidConfig, Code::StoreInvalid, advice);
        }
        Cause::TimedOut | Cause::Unreachable => {
            "check that the network lets us reach AWS: a route, a proxy or a VPC endpoint"
        }
        Cause::Tls => "check who answers at the endpoint, and what versions of TLS it speaks",
        _ => "check the network between here and AWS",
    };
    (ErrorKind::Unavailable, Code::ProviderUnavailable, advice)
}
