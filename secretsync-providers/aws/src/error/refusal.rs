//! A refusal by AWS: what happened, and what to do.

mod meaning;

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use secretsync_core::error::{Code, ErrorKind};

pub(crate) use self::meaning::Meaning;

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

impl Refusal {
    /// Sorts a refusal. `message` is AWS's own text: hostile until it is looked at.
    pub(crate) fn new(code: &str, message: &str, pause: Option<Duration>) -> Self {
        let code = code.rsplit('#').next().unwrap_or_default().split(':').next().unwrap_or_default();
        Self {
            meaning: Meaning::of(code, message),
            code: if is_name(code, "") { code.to_owned() } else { "?".to_owned() },
            action: after(message, "perform: ").filter(|name| is_name(name, ":*")).map(str::to_owned),
            principal: after(message, "User: ")
                .filter(|arn| arn.starts_with("arn:") && is_name(arn, ":/@+=,.-_"))
                .map(str::to_owned),
            // Zero would be an invitation to hammer, and a time without end would keep the store from being asked ever again.
            pause: pause.filter(|pause| !pause.is_zero()).map(|pause| pause.min(LONGEST_PAUSE)),
        }
    }

    /// The right that is missing, and who lacks it, as far as AWS names them.
    pub(crate) fn wanted(&self) -> (Option<&str>, Option<&str>) {
        (self.action.as_deref(), self.principal.as_deref())
    }

    /// Whether AWS named a right, and it is this one.
    pub(crate) fn lacks(&self, action: &str) -> bool {
        self.action.as_deref() == Some(action)
    }

    pub(super) fn verdict(&self) -> (ErrorKind, Code, Cow<'static, str>) {
        let (kind, code) = self.meaning.verdict();
        (kind, code, self.advice())
    }

    fn advice(&self) -> Cow<'static, str> {
        let advice = match self.meaning {
            Meaning::Denied => return self.grant().into(),
            Meaning::Elsewhere => {
                "correct `region` of the store, or the endpoint that the environment or the profile names: it is one of another region or service"
            }
            Meaning::Expired => "give the store credentials that are still valid",
            Meaning::IdentityRefused => {
                "register the cluster's issuer as an OIDC provider in IAM, with the token's audience, and name it in the role's trust policy"
            }
            Meaning::Invalid => "check the key, its version, and `service` of the store",
            Meaning::KeyDenied => return self.key_grant().into(),
            Meaning::KeyUnusable => {
                "check the KMS key that protects the secret: it is disabled, waits for deletion, or may not be used by this identity"
            }
            Meaning::KeysInvalid => {
                "check the access key id and its secret: AWS does not know them, or they do not belong together; AWS says the same in a region that the account has not enabled"
            }
            Meaning::MarkedDeleted => RESTORE,
            Meaning::Missing => "create it, or correct the key, its version and `region` of the store",
            Meaning::RegionDisabled => {
                "enable the region, or the service, for the account, or correct `region` of the store"
            }
            Meaning::TagsTooBig => "use fewer or shorter session tags",
            Meaning::Skewed => "set the clock of this machine: AWS accepts five minutes of difference",
            Meaning::Throttled => "refresh less often; `secretsync cost` tells how many calls the manifests make",
            Meaning::Unavailable => "wait, and look at AWS's service health if it lasts",
            Meaning::Unknown => "look the code up in AWS's documentation of the service",
            Meaning::ValueMissing => "give it a value, or correct `remoteRef.version`",
            Meaning::VersionMissing => "correct the version or label: AWS keeps the last hundred versions",
        };
        advice.into()
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
        write!(f, "{} ({})", self.meaning.says(), self.code)
    }
}

impl std::error::Error for Refusal {}

/// What to do about a secret that waits for its deletion.
pub(super) const RESTORE: &str = "restore the secret with `aws secretsmanager restore-secret`";

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
