//! The one table of AWS's codes: what each means, whether it passes, and what to do. Statuses say nothing: AWS and its stand-ins differ in them.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use secretsync_core::error::{Code, ErrorKind};

/// A refusal by AWS. Its own words are kept only where they have the form of a name.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) meaning: Meaning,
    /// AWS's name of the failure, or `?` where it had not the form of one.
    code: String,
    /// The right that is missing, `secretsmanager:GetSecretValue`.
    action: Option<String>,
    /// The ARN of who asked.
    principal: Option<String>,
    /// How long AWS asks us to wait, at most an hour.
    pub(crate) pause: Option<Duration>,
}

/// What a refusal means.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Meaning {
    /// The right is missing, or the object: AWS tells nobody without the right.
    Denied,
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
    /// There is no such secret, or it has no such stage or version, or there is no such parameter.
    Missing,
    /// The region is not enabled for the account.
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
    /// The parameter has no such version or label. External Secrets Operator takes only the parameter's own absence for one.
    VersionMissing,
}

impl Refusal {
    /// Sorts a refusal. `message` is AWS's own text: hostile until it is looked at.
    pub(crate) fn new(code: &str, message: &str, pause: Option<u64>) -> Self {
        let code = code.rsplit('#').next().unwrap_or_default().split(':').next().unwrap_or_default();
        Self {
            meaning: meaning(code, message),
            code: if is_name(code, "") { code.to_owned() } else { "?".to_owned() },
            action: after(message, "perform: ").filter(|name| is_name(name, ":*")).map(str::to_owned),
            principal: after(message, "User: ")
                .filter(|arn| arn.starts_with("arn:") && is_name(arn, ":/@+=,.-_"))
                .map(str::to_owned),
            // Zero would be an invitation to hammer, and a time without end would keep the store from being asked ever again.
            pause: pause.filter(|seconds| *seconds > 0).map(|seconds| Duration::from_secs(seconds).min(LONGEST_PAUSE)),
        }
    }

    /// Whether AWS named a right, and it is this one.
    pub(crate) fn lacks(&self, action: &str) -> bool {
        self.action.as_deref() == Some(action)
    }

    pub(super) fn verdict(&self) -> (ErrorKind, Code, Cow<'static, str>) {
        use ErrorKind::{
            InvalidConfig, InvalidData, NotFound, PermissionDenied, RateLimited, Unauthenticated, Unavailable,
        };
        let (kind, code, advice) = match self.meaning {
            Meaning::Denied => return (PermissionDenied, Code::AwsAccessDenied, self.grant().into()),
            Meaning::KeyDenied => return (PermissionDenied, Code::AwsKmsDenied, self.key_grant().into()),
            Meaning::Expired => {
                (Unauthenticated, Code::AwsCredentialsInvalid, "give the store credentials that are still valid")
            }
            Meaning::IdentityRefused => (
                Unauthenticated,
                Code::AwsRoleRefused,
                "register the cluster's issuer as an OIDC provider in IAM, with the token's audience, and name it in the role's trust policy",
            ),
            Meaning::Invalid => {
                (InvalidConfig, Code::StoreInvalid, "check the key, its version, and `service` of the store")
            }
            Meaning::KeyUnusable => (
                InvalidData,
                Code::AwsKmsDenied,
                "check the KMS key that protects the secret: it is disabled, waits for deletion, or may not be used by this identity",
            ),
            Meaning::KeysInvalid => (
                Unauthenticated,
                Code::AwsCredentialsInvalid,
                "check the access key id and its secret: AWS does not know them, or they do not belong together; AWS says the same in a region that the account has not enabled",
            ),
            Meaning::MarkedDeleted => (NotFound, Code::SecretMissing, RESTORE),
            Meaning::Missing => {
                (NotFound, Code::SecretMissing, "create it, or correct the key, its version and `region` of the store")
            }
            Meaning::RegionDisabled => (
                InvalidConfig,
                Code::StoreInvalid,
                "enable the region for the account, or correct `region` of the store",
            ),
            Meaning::TagsTooBig => (InvalidConfig, Code::StoreInvalid, "use fewer or shorter session tags"),
            Meaning::Skewed => (
                Unavailable,
                Code::AwsClockSkewed,
                "set the clock of this machine: AWS accepts five minutes of difference",
            ),
            Meaning::Throttled => (
                RateLimited,
                Code::ProviderRateLimited,
                "refresh less often; `secretsync cost` tells how many calls the manifests make",
            ),
            Meaning::Unavailable => {
                (Unavailable, Code::ProviderUnavailable, "wait, and look at AWS's service health if it lasts")
            }
            Meaning::VersionMissing => {
                (NotFound, Code::SecretMissing, "correct the version or label: AWS keeps the last hundred versions")
            }
            Meaning::Unknown => {
                (Unavailable, Code::ProviderUnavailable, "look the code up in AWS's documentation of the service")
            }
        };
        (kind, code, advice.into())
    }

    fn grant(&self) -> String {
        let action = self.action.as_deref().unwrap_or("the call");
        let to = self.principal.as_deref().map(|arn| format!(" to `{arn}`")).unwrap_or_default();
        format!(
            "allow `{action}`{to} in its IAM policy, and look for a deny in the object's own policy; or the object does not exist: AWS answers the same to \
             whoever may not see it"
        )
    }

    fn key_grant(&self) -> String {
        let to = self.principal.as_deref().map(|arn| format!(" to `{arn}`")).unwrap_or_default();
        format!(
            "allow `kms:Decrypt`{to} in the policy of the KMS key that protects the value, and in IAM; a value that other accounts read needs a key of your \
             own, because AWS's default key serves its own account only"
        )
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let says = match self.meaning {
            Meaning::Denied => "access is denied, or it does not exist",
            Meaning::Expired => "the credentials have expired",
            Meaning::IdentityRefused => "the identity provider's token is not accepted",
            Meaning::Invalid => "the request is invalid",
            Meaning::KeyDenied => "the KMS key refuses to decrypt for this identity",
            Meaning::KeyUnusable => "the value could not be decrypted",
            Meaning::KeysInvalid => "the credentials are not accepted",
            Meaning::MarkedDeleted => "it is marked for deletion",
            Meaning::Missing => "it does not exist",
            Meaning::RegionDisabled => "the region is not enabled for the account",
            Meaning::TagsTooBig => "the session's tags and policies are too big",
            Meaning::Skewed => "this machine's clock differs from that of AWS",
            Meaning::Throttled => "too many requests",
            Meaning::Unavailable => "AWS cannot answer now",
            Meaning::Unknown => "AWS refused",
            Meaning::VersionMissing => "it has no such version or label",
        };
        write!(f, "{says} ({})", self.code)
    }
}

impl std::error::Error for Refusal {}

fn meaning(code: &str, message: &str) -> Meaning {
    let message = message.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|words| message.contains(words));
    let known = MEANINGS.iter().find(|(known, _)| *known == code).map(|(_, meaning)| *meaning);
    match known {
        Some(Meaning::KeysInvalid) if says(&["signature expired", "signature not yet current"]) => Meaning::Skewed,
        Some(Meaning::Denied) if says(&KEY_DENIALS) => Meaning::KeyDenied,
        Some(Meaning::Invalid) if says(&["default kms service key"]) => Meaning::KeyDenied,
        Some(Meaning::Invalid) if says(&["marked for deletion", "marked deleted", "scheduled for deletion"]) => {
            Meaning::MarkedDeleted
        }
        known => known.unwrap_or(Meaning::Unknown),
    }
}

/// What to do about a secret that waits for its deletion.
pub(super) const RESTORE: &str = "restore the secret with `aws secretsmanager restore-secret`";

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
    ("InvalidParameterException", Meaning::Invalid),
    ("InvalidRequestException", Meaning::Invalid),
    ("InvalidResourceId", Meaning::Missing),
    ("InvalidSignatureException", Meaning::KeysInvalid),
    ("KMSInternalException", Meaning::Unavailable),
    ("KMSInvalidStateException", Meaning::KeyUnusable),
    ("KeyUnavailableException", Meaning::Unavailable),
    ("LimitExceededException", Meaning::Invalid),
    ("MissingAuthenticationToken", Meaning::KeysInvalid),
    ("MissingAuthenticationTokenException", Meaning::KeysInvalid),
    ("NotAuthorized", Meaning::KeysInvalid),
    ("NotFoundException", Meaning::KeyUnusable),
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

/// Nobody waits longer because an answer says so.
const LONGEST_PAUSE: Duration = Duration::from_hours(1);

/// The word behind some words.
fn after<'a>(message: &'a str, words: &str) -> Option<&'a str> {
    let (_, rest) = message.split_once(words)?;
    rest.split(|letter: char| letter.is_whitespace()).next()
}

fn is_name(text: &str, more: &str) -> bool {
    !text.is_empty()
        && text.len() <= 512
        && text.chars().all(|letter| letter.is_ascii_alphanumeric() || more.contains(letter))
}

#[cfg(test)]
mod tests {
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
            (
                "InvalidRequestException",
                "You can't access a secret from a different AWS account if you encrypt the secret with the default KMS service key.",
                Meaning::KeyDenied,
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
            ("Novelty", "", Meaning::Unknown),
        ] {
            assert_eq!(Refusal::new(code, message, None).meaning, meaning, "{code} {message}");
        }
    }

    #[test]
    fn of_the_words_of_aws_only_names_are_kept() {
        let message = "User: arn:aws:sts::123456789012:assumed-role/app/secretsync is not authorized to perform: \
                       secretsmanager:GetSecretValue on resource: app/db because of hunter2";
        let refusal = Refusal::new("AccessDeniedException", message, None);
        let (_, code, advice) = refusal.verdict();
        assert_eq!(code, Code::AwsAccessDenied);
        assert!(advice.contains(
            "allow `secretsmanager:GetSecretValue` to `arn:aws:sts::123456789012:assumed-role/app/secretsync`"
        ));
        assert!(advice.contains("does not exist"), "{advice}");
        let hostile = Refusal::new("Bad\nCode", "User: arn:`x`\u{1b} perform: hunter2\n", None);
        assert_eq!((hostile.to_string().as_str(), hostile.principal), ("AWS refused (?)", None));
        assert!(!format!("{refusal:?}").contains("hunter2"));
    }
}
