//! Why no answer came, in the words of the HTTP client that is used here.

use secretsync_core::net::{Cause, Transport};

use crate::error::Failure;

/// The failure behind an error of the HTTP stack.
pub(crate) fn failure(error: &reqwest::Error) -> Failure {
    if error.is_timeout() {
        return Failure::Transport(Cause::TimedOut.into());
    }
    let found = Transport::read(error, |error| {
        let ours: Option<&reqwest::Error> = error.downcast_ref();
        ours.is_some_and(reqwest::Error::is_dns).then_some(Cause::Dns)
    });
    let cut = found.cause() == Cause::Other && (error.is_body() || error.is_decode());
    Failure::Transport(if cut { Cause::Closed.into() } else { found })
}
