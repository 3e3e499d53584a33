//! The one table of AWS's codes: what each means, and whether it passes. Statuses say nothing: AWS and its stand-ins differ in them.

use secretsync_core::error::{Code, ErrorKind};

/// What a refusal means.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Meaning {
    /// The right is missing, or the object: AWS tells nobody without the right.
    Denied,
    /// The endpoint is one of another region or service than the request is signed for.
    Elsewhere,
    /// The session is over.
    Expired,
    /// The identity provider of a role does not accept the token.
    IdentityRefused,
    /// The request is one that cannot work.
    Invalid,
    /// The key that protects the value refuses.
    KeyDenied,
    /// The key that protects the value cannot be used now, or at all.
    KeyUnusable,
    /// The access key or its secret is wrong.
    KeysInvalid,
    /// The secret waits for its deletion.
    MarkedDeleted,
    /// There is no such secret, or no such parameter.
    Missing,
    /// The region, or the service, is not enabled for the account.
    RegionDisabled,
    /// The tags of a session are too many.
    TagsTooBig,
    /// Our clock and AWS's differ.
    Skewed,
    /// Too many requests.
    Throttled,
    /// AWS cannot answer now.
    Unavailable,
    /// Something that this table does not know.
    Unknown,
    /// There is such a secret, but it has no such stage or version, or no value at all yet.
    ValueMissing,
    /// The parameter has no such version or label. External Secrets Operator takes only the parameter's own absence for one.
    VersionMissing,
}

impl Meaning {
    /// What a code means, and the words beside it, which are hostile until they are looked at.
    pub(super) fn of(code: &str, message: &str) -> Self {
        let message = message.to_ascii_lowercase();
        let says = |words: &[&str]| words.iter().any(|words| message.contains(words));
        let known = MEANINGS.iter().find(|(known, _)| *known == code).map(|(_, meaning)| *meaning);
        match known {
            Some(Self::KeysInvalid) if says(&["signature expired", "signature not yet current"]) => Self::Skewed,
            Some(Self::KeysInvalid) if says(&["credential should be scoped to"]) => Self::Elsewhere,
            Some(Self::Denied) if says(&KEY_DENIALS) => Self::KeyDenied,
            Some(Self::Invalid) if says(&["default kms service key"]) => Self::KeyDenied,
            Some(Self::Invalid) if DELETIONS.contains(&code) && says(&DELETED) => Self::MarkedDeleted,
            Some(Self::Missing) if says(&["the specified secret value"]) => Self::ValueMissing,
            known => known.unwrap_or(Self::Unknown),
        }
    }

    /// What happened, in words for a message.
    pub(crate) const fn says(self) -> &'static str {
        match self {
            Self::Denied => "access is denied, or it does not exist",
            Self::Expired => "the credentials have expired",
            Self::IdentityRefused => "the identity provider's token is not accepted",
            Self::Invalid => "the request is invalid",
            Self::KeyDenied => "the KMS key refuses to decrypt for this identity",
            Self::KeyUnusable => "the value could not be decrypted",
            Self::KeysInvalid => "the credentials are not accepted",
            Self::MarkedDeleted => "it is marked for deletion",
            Self::Missing => "it does not exist",
            Self::RegionDisabled => "the region or the service is not enabled for the account",
            Self::Elsewhere => "the endpoint is that of another region or service",
            Self::TagsTooBig => "the session's tags and policies are too big",
            Self::Skewed => "this machine's clock differs from that of AWS",
            Self::Throttled => "too many requests",
            Self::Unavailable => "AWS cannot answer now",
            Self::Unknown => "AWS refused",
            Self::ValueMissing => "it has no value of this version or stage",
            Self::VersionMissing => "it has no such version or label",
        }
    }

    pub(super) fn verdict(self) -> (ErrorKind, Code) {
        use ErrorKind::{
            InvalidConfig, InvalidData, NotFound, PermissionDenied, RateLimited, Unauthenticated, Unavailable,
        };
        match self {
            Self::Denied => (PermissionDenied, Code::AwsAccessDenied),
            Self::Elsewhere | Self::Invalid | Self::RegionDisabled | Self::TagsTooBig => {
                (InvalidConfig, Code::StoreInvalid)
            }
            Self::Expired | Self::KeysInvalid => (Unauthenticated, Code::AwsCredentialsInvalid),
            Self::IdentityRefused => (Unauthenticated, Code::AwsRoleRefused),
            Self::KeyDenied => (PermissionDenied, Code::AwsKmsDenied),
            Self::KeyUnusable => (InvalidData, Code::AwsKmsDenied),
            Self::MarkedDeleted | Self::Missing | Self::ValueMissing | Self::VersionMissing => {
                (NotFound, Code::SecretMissing)
            }
            Self::Skewed => (Unavailable, Code::AwsClockSkewed),
            Self::Throttled => (RateLimited, Code::ProviderRateLimited),
            Self::Unavailable | Self::Unknown => (Unavailable, Code::ProviderUnavailable),
        }
    }
}

/// The codes under which AWS says that a secret waits for its deletion; others may quote what was asked.
const DELETIONS: [&str; 2] = ["InvalidParameterException", "InvalidRequestException"];

const DELETED: [&str; 3] = ["marked for deletion", "marked deleted", "scheduled for deletion"];

/// How AWS says that it is the key that refuses.
const KEY_DENIALS: [&str; 3] = ["kms:", "access to kms is not allowed", "ciphertext refers to a customer master key"];

/// What AWS's codes mean, before its words are looked at.
const MEANINGS: &[(&str, Meaning)] = &[
    ("AccessDenied", Meaning::Denied),
    ("AccessDeniedException", Meaning::Denied),
    ("AuthFailure", Meaning::KeysInvalid),
    ("BandwidthLimitExceeded", Meaning::Throttled),
    ("DecryptionFailure", Meaning::KeyUnusable),
    ("DependencyTimeoutException", Meaning::Unavailable),
    ("DisabledException", Meaning::KeyUnusable),
    ("EncryptionFailure", Meaning::KeyUnusable),
    ("ExpiredToken", Meaning::Expired),
    ("ExpiredTokenException", Meaning::Expired),
    ("IDPCommunicationError", Meaning::Unavailable),
    ("IDPRejectedClaim", Meaning::IdentityRefused),
    ("IDPRejectedClaimException", Meaning::IdentityRefused),
    ("IncompleteSignature", Meaning::KeysInvalid),
    ("IncompleteSignatureException", Meaning::KeysInvalid),
    ("IncorrectKeyException", Meaning::KeyUnusable),
    ("InternalFailure", Meaning::Unavailable),
    ("InternalServerError", Meaning::Unavailable),
    ("InternalServiceError", Meaning::Unavailable),
    ("InvalidAccessKeyId", Meaning::KeysInvalid),
    ("InvalidCiphertextException", Meaning::KeyUnusable),
    ("InvalidClientTokenId", Meaning::KeysInvalid),
    ("InvalidFilterKey", Meaning::Invalid),
    ("InvalidFilterOption", Meaning::Invalid),
    ("InvalidFilterValue", Meaning::Invalid),
    ("InvalidIdentityToken", Meaning::IdentityRefused),
    ("InvalidIdentityTokenException", Meaning::IdentityRefused),
    ("InvalidKeyId", Meaning::KeyUnusable),
    ("InvalidKeyUsageException", Meaning::KeyUnusable),
    ("InvalidNextToken", Meaning::Unavailable),
    ("InvalidNextTokenException", Meaning::Unavailable),
    ("InvalidParameterCombination", Meaning::Invalid),
    ("InvalidParameterException", Meaning::Invalid),
    ("InvalidParameterValue", Meaning::Invalid),
    ("InvalidRequestException", Meaning::Invalid),
    ("InvalidResourceId", Meaning::Missing),
    ("InvalidSignatureException", Meaning::KeysInvalid),
    ("KMSInternalException", Meaning::Unavailable),
    ("KMSInvalidStateException", Meaning::KeyUnusable),
    ("KeyUnavailableException", Meaning::Unavailable),
    ("LimitExceededException", Meaning::Invalid),
    ("MalformedPolicyDocument", Meaning::Invalid),
    ("MalformedPolicyDocumentException", Meaning::Invalid),
    ("MissingAuthenticationToken", Meaning::KeysInvalid),
    ("MissingAuthenticationTokenException", Meaning::KeysInvalid),
    ("MissingParameter", Meaning::Invalid),
    ("NotAuthorized", Meaning::Denied),
    ("NotFoundException", Meaning::KeyUnusable),
    ("OptInRequired", Meaning::RegionDisabled),
    ("PackedPolicyTooLarge", Meaning::TagsTooBig),
    ("PackedPolicyTooLargeException", Meaning::TagsTooBig),
    ("ParameterNotFound", Meaning::Missing),
    ("ParameterVersionNotFound", Meaning::VersionMissing),
    ("PriorRequestNotComplete", Meaning::Unavailable),
    ("ProvisionedThroughputExceededException", Meaning::Throttled),
    ("RegionDisabledException", Meaning::RegionDisabled),
    ("RequestExpired", Meaning::Expired),
    ("RequestLimitExceeded", Meaning::Throttled),
    ("RequestThrottled", Meaning::Throttled),
    ("RequestThrottledException", Meaning::Throttled),
    ("RequestTimeTooSkewed", Meaning::Skewed),
    ("RequestTimeout", Meaning::Unavailable),
    ("RequestTimeoutException", Meaning::Unavailable),
    ("ResourceNotFoundException", Meaning::Missing),
    ("SerializationException", Meaning::Invalid),
    ("ServiceUnavailable", Meaning::Unavailable),
    ("ServiceUnavailableException", Meaning::Unavailable),
    ("SignatureDoesNotMatch", Meaning::KeysInvalid),
    ("SlowDown", Meaning::Throttled),
    ("SubscriptionRequiredException", Meaning::RegionDisabled),
    ("ThrottledException", Meaning::Throttled),
    ("Throttling", Meaning::Throttled),
    ("ThrottlingException", Meaning::Throttled),
    ("TooManyRequestsException", Meaning::Throttled),
    ("UnauthorizedOperation", Meaning::Denied),
    ("UnknownOperationException", Meaning::Invalid),
    ("UnrecognizedClientException", Meaning::KeysInvalid),
    ("ValidationError", Meaning::Invalid),
    ("ValidationException", Meaning::Invalid),
];

#[cfg(test)]
mod tests {
    use super::super::Refusal;
    use super::*;

    #[test]
    fn each_code_has_its_meaning() {
        for (code, message, meaning) in [
            ("ResourceNotFoundException", "", Meaning::Missing),
            ("com.amazonaws.secretsmanager#ResourceNotFoundException", "", Meaning::Missing),
            ("ResourceNotFoundException:http://internal", "", Meaning::Missing),
            ("AccessDeniedException", "User: arn:aws:iam::1:user/a is not authorized", Meaning::Denied),
            ("AccessDeniedException", "Access to KMS is not allowed", Meaning::KeyDenied),
            ("AccessDeniedException", "not authorized to perform: kms:Decrypt on this resource", Meaning::KeyDenied),
            (
                "InvalidRequestException",
                "You can't perform this operation on the secret because it was marked for deletion.",
                Meaning::MarkedDeleted,
            ),
            ("InvalidRequestException", "You can't perform this operation on a secret replica", Meaning::Invalid),
            ("ValidationException", "Value 'marked for deletion' at 'versionId' is too short", Meaning::Invalid),
            (
                "InvalidRequestException",
                "You can't access a secret from a different AWS account if you encrypt the secret with the default KMS service key.",
                Meaning::KeyDenied,
            ),
            (
                "ResourceNotFoundException",
                "Secrets Manager can't find the specified secret value for staging label: blue",
                Meaning::ValueMissing,
            ),
            ("ParameterNotFound", "", Meaning::Missing),
            ("ParameterVersionNotFound", "", Meaning::VersionMissing),
            ("DecryptionFailure", "", Meaning::KeyUnusable),
            ("ThrottlingException", "Rate exceeded", Meaning::Throttled),
            ("LimitExceededException", "", Meaning::Invalid),
            ("InvalidSignatureException", "Signature expired: 20260101T000000Z is now earlier", Meaning::Skewed),
            ("InvalidSignatureException", "The request signature we calculated does not match", Meaning::KeysInvalid),
            ("ExpiredTokenException", "", Meaning::Expired),
            ("RegionDisabledException", "", Meaning::RegionDisabled),
            ("OptInRequired", "", Meaning::RegionDisabled),
            ("NotAuthorized", "", Meaning::Denied),
            ("InvalidParameterValue", "Duplicate tag keys found", Meaning::Invalid),
            (
                "InvalidSignatureException",
                "Credential should be scoped to a valid region, not 'eu-cental-1'.",
                Meaning::Elsewhere,
            ),
            ("SignatureDoesNotMatch", "Credential should be scoped to correct service: 'sts'.", Meaning::Elsewhere),
            ("Novelty", "", Meaning::Unknown),
        ] {
            assert_eq!(Refusal::new(code, message, None).meaning, meaning, "{code} {message}");
        }
    }
}
