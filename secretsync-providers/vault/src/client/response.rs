//! From a response to an answer, under a size cap.

use std::time::Duration;

use reqwest::header::RETRY_AFTER;
use reqwest::{Response, StatusCode};
use secretsync_core::json::Json;
use zeroize::{Zeroize, Zeroizing};

use super::{status, transport};
use crate::error::Failure;

/// What Vault said, as far as it is no failure.
#[derive(Debug)]
pub(crate) enum Answer {
    /// Done, and nothing to tell.
    Empty,
    /// The whole answer: an object with `data` and what surrounds it.
    Found(Json),
    /// Status 404 from Vault itself. With `data` where it describes what is no longer there: a deleted version.
    Missing(Option<Json>),
}

/// Reads a response to its end.
pub(super) async fn read(response: Response) -> Result<Answer, Failure> {
    let status = response.status();
    let retry_after = retry_after(&response);
    if status.is_redirection() {
        return Err(Failure::Redirect(status.as_u16()));
    }
    let body = capped(response, BODY_LIMIT).await?;
    if status == StatusCode::NO_CONTENT && body.is_empty() {
        return Ok(Answer::Empty);
    }
    let json = Json::parse(&body).ok().filter(|json| json.as_object().is_some());
    match (status, json) {
        (StatusCode::OK, Some(json)) => Ok(Answer::Found(json)),
        (StatusCode::OK, None) => Err(Failure::NotVault(status.as_u16())),
        (StatusCode::NOT_FOUND, Some(json)) if json.get("data").is_some_and(|data| data.as_object().is_some()) => {
            Ok(Answer::Missing(Some(json)))
        }
        // An engine that answers with a warning (KV version 2 asked in the manner of version 1) names no errors.
        (StatusCode::NOT_FOUND, Some(json)) if errors(&json).is_some() || json.get("request_id").is_some() => {
            Ok(Answer::Missing(None))
        }
        (status, json) => {
            let errors = json.as_ref().and_then(errors);
            Err(status::failure(status.as_u16(), errors, retry_after))
        }
    }
}

/// The texts of Vault's error answer. They are looked at and go no further.
fn errors(json: &Json) -> Option<&[Json]> {
    match json.get("errors") {
        Some(Json::Array(texts)) => Some(texts),
        _ => None,
    }
}

/// The body, never more than the cap, and no copy of it left behind where that is in our hands.
pub(crate) async fn capped(mut response: Response, limit: usize) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let announced = response.content_length().unwrap_or_default();
    if announced > limit as u64 {
        return Err(Failure::TooBig);
    }
    let mut body = Zeroizing::new(Vec::with_capacity(usize::try_from(announced).unwrap_or_default()));
    while let Some(chunk) = response.chunk().await.map_err(|error| transport::failure(&error))? {
        let length = body.len() + chunk.len();
        if length > limit {
            return Err(Failure::TooBig);
        }
        if length > body.capacity() {
            // Growing in place would leave the old bytes behind.
            let mut bigger = Zeroizing::new(Vec::with_capacity(length.max(2 * body.capacity())));
            bigger.extend_from_slice(&body);
            body = bigger;
        }
        body.extend_from_slice(&chunk);
        if let Ok(mut chunk) = chunk.try_into_mut() {
            chunk.as_mut().zeroize();
        }
    }
    Ok(body)
}

/// The pause that the server asks for, at most an hour. (A date is left to the caller's own pauses: Vault sends seconds.)
fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim().parse::<u64>().ok()?;
    // Zero would be an invitation to hammer.
    (seconds > 0).then(|| Duration::from_secs(seconds.min(3600)))
}

/// The size of the biggest request that Vault takes.
const BODY_LIMIT: usize = 32 * 1024 * 1024;
