//! Answers of bounded size, whoever gives them.

use std::error::Error as StdError;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use http_body_util::{LengthLimitError, Limited};
use secretsync_core::error::causes;

/// A client or connector whose answers end at 32 MiB: reading on fails then.
#[derive(Debug)]
pub(super) struct Capped<T>(pub(super) T);

impl<C: HttpClient> HttpClient for Capped<C> {
    fn http_connector(&self, settings: &HttpConnectorSettings, parts: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(Capped(self.0.http_connector(settings, parts)))
    }
}

impl<C: HttpConnector> HttpConnector for Capped<C> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let answer = self.0.call(request);
        HttpConnectorFuture::new(async move { Ok(answer.await?.map(capped)) })
    }
}

fn capped(body: SdkBody) -> SdkBody {
    // What is announced as too big is not read up to there.
    let limit = if body.content_length().is_some_and(|announced| announced > LIMIT) { 0 } else { LIMIT };
    SdkBody::from_body_1_x(Limited::new(body, usize::try_from(limit).unwrap_or(usize::MAX)))
}

/// Whether an answer was too big, somewhere below an error of the SDK.
pub(crate) fn is_too_big(error: &(dyn StdError + 'static)) -> bool {
    causes(error).any(<dyn StdError>::is::<LengthLimitError>)
}

/// More than any answer of AWS, as with Vault: the biggest one has twenty secrets of 64 KiB, each byte of which JSON may write as six.
const LIMIT: u64 = 32 << 20;
