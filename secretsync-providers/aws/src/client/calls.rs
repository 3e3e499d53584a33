//! How often AWS is called: every call costs money.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Calls by kind.
#[derive(Debug, Default)]
pub(crate) struct Calls(Mutex<BTreeMap<Call, u64>>);

/// A kind of call.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Call {
    BatchGetSecretValue,
    #[cfg(feature = "kms")]
    Decrypt,
    DescribeParameters,
    DescribeSecret,
    GetParameter,
    GetParameters,
    GetParametersByPath,
    GetSecretValue,
    ListSecrets,
    ListTagsForResource,
}

impl Call {
    /// AWS's name of it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::BatchGetSecretValue => "BatchGetSecretValue",
            #[cfg(feature = "kms")]
            Self::Decrypt => "Decrypt",
            Self::DescribeParameters => "DescribeParameters",
            Self::DescribeSecret => "DescribeSecret",
            Self::GetParameter => "GetParameter",
            Self::GetParameters => "GetParameters",
            Self::GetParametersByPath => "GetParametersByPath",
            Self::GetSecretValue => "GetSecretValue",
            Self::ListSecrets => "ListSecrets",
            Self::ListTagsForResource => "ListTagsForResource",
        }
    }
}

impl Calls {
    pub(crate) fn count(&self, call: Call) {
        tracing::debug!(call = call.as_str(), "AWS is called");
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(call).or_default() += 1;
    }

    /// What was counted so far.
    pub(crate) fn by_kind(&self) -> BTreeMap<&'static str, u64> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.iter().map(|(call, count)| (call.as_str(), *count)).collect()
    }
}
