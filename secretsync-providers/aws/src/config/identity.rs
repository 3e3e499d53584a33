//! Whose credentials a store uses, in the end.

use std::collections::BTreeMap;

use secretsync_core::error::{Code, Error, ErrorKind, Hint, Result};
use secretsync_core::provider::{BuildContext, CredentialRef, SelectorProblem, ServiceAccountSelector, StoreOrigin};

use super::{AwsAuth, AwsConfig, JwtAuth, KeyAuth, Region, SecretKeySelector, SessionTag, SessionTagsPolicy, invalid};
use crate::KIND;
use crate::auth::{Identity, Role, Source};

/// Checks `auth` and the roles, and names the identity that they lead to.
pub(crate) fn identity(config: &AwsConfig, region: &Region, context: &BuildContext) -> Result<Identity> {
    Ok(Identity {
        source: source(config.auth.as_ref(), context)?,
        roles: roles(config, context)?,
        region: region.clone(),
    })
}

/// What `auth` reads from outside.
pub(crate) fn references(auth: Option<&AwsAuth>, origin: &StoreOrigin) -> Result<Vec<CredentialRef>> {
    Ok(match configured(auth, origin)? {
        Some(Configured::Account { account, .. }) => vec![account],
        Some(Configured::Keys { id, secret, token }) => [Some(id), Some(secret), token].into_iter().flatten().collect(),
        None => Vec::new(),
    })
}

/// Whether sessions differ from consumer to consumer because their tags name the namespace.
pub(crate) fn tags_follow_consumer(config: &AwsConfig) -> bool {
    role(config).is_some() && matches!(policy(config), SessionTagsPolicy::Simple | SessionTagsPolicy::Custom)
}

/// What `auth` names, before it is decided who asks.
enum Configured {
    Account { account: CredentialRef, audiences: Vec<String> },
    Keys { id: CredentialRef, secret: CredentialRef, token: Option<CredentialRef> },
}

fn configured(auth: Option<&AwsAuth>, origin: &StoreOrigin) -> Result<Option<Configured>> {
    let Some(AwsAuth { jwt, secret_ref }) = auth else { return Ok(None) };
    if let Some(JwtAuth { service_account_ref: Some(selector) }) = jwt {
        let ServiceAccountSelector { audiences, namespace, .. } = selector;
        let field = "auth.jwt.serviceAccountRef";
        let account = admitted(origin, field, namespace.as_deref(), selector.reference())?;
        return Ok(Some(Configured::Account { account, audiences: audiences.clone().unwrap_or_default() }));
    }
    let Some(KeyAuth { access_key_id, secret_access_key, session_token }) = secret_ref else { return Ok(None) };
    let key = |field: &str, selector: &Option<SecretKeySelector>| {
        let Some(selector) = selector else {
            return Err(invalid(
                origin,
                &format!("auth.secretRef.{field}"),
                "it is missing",
                "name the Secret and the key that hold it",
            ));
        };
        admitted(origin, &format!("auth.secretRef.{field}"), selector.namespace.as_deref(), selector.reference(None))
    };
    Ok(Some(Configured::Keys {
        id: key("accessKeyIDSecretRef", access_key_id)?,
        secret: key("secretAccessKeySecretRef", secret_access_key)?,
        token: session_token.as_ref().map(|_| key("sessionTokenSecretRef", session_token)).transpose()?,
    }))
}

fn source(auth: Option<&AwsAuth>, context: &BuildContext) -> Result<Source> {
    let configured = configured(auth, &context.origin)?;
    if let Some(environment) = &context.ambient {
        return Ok(Source::own(environment.clone()));
    }
    match configured {
        Some(Configured::Account { account, audiences }) => Ok(Source::Account { account, audiences }),
        Some(Configured::Keys { id, secret, token }) => Ok(Source::Keys { id, secret, token }),
        None => match &context.own_identity {
            Some(environment) => Ok(Source::own(environment.clone())),
            None => Err(not_lent(&context.origin)),
        },
    }
}

fn not_lent(origin: &StoreOrigin) -> Error {
    Error::new(ErrorKind::InvalidConfig, "use")
        .on(format!("`spec.provider.{KIND}.auth` of {origin}"))
        .because("it names no credentials, and this process does not lend its own to the store")
        .with_hint(Hint::new(
            Code::CredentialMissing,
            "add `auth.secretRef` or `auth.jwt.serviceAccountRef`; the operator lends its own to ClusterSecretStores, and with `--allow-ambient=namespaced` to others, the command line with `--ambient`",
        ))
}

fn admitted(
    origin: &StoreOrigin,
    field: &str,
    namespace: Option<&str>,
    reference: Result<CredentialRef, SelectorProblem>,
) -> Result<CredentialRef> {
    let told = |problem: SelectorProblem| invalid(origin, field, problem.detail, problem.advice);
    origin.admits(namespace).map_err(told)?;
    reference.map_err(told)
}

fn roles(config: &AwsConfig, context: &BuildContext) -> Result<Vec<Role>> {
    let reserved = |key: &String| RESERVED_TAGS.contains(&key.as_str());
    if config.custom_session_tags.iter().flat_map(BTreeMap::keys).any(reserved) {
        return Err(invalid(&context.origin, "customSessionTags", RESERVED_TAG, "remove the reserved keys"));
    }
    let mut roles = Vec::new();
    for (index, arn) in config.additional_roles.iter().flatten().enumerate() {
        roles.push(Role::new(checked(arn, &format!("additionalRoles[{index}]"), &context.origin)?));
    }
    if let Some(arn) = role(config) {
        roles.push(Role {
            external_id: config.external_id.clone().filter(|id| !id.is_empty()),
            tags: tags(config, context)?,
            transitive: config.transitive_tag_keys.clone().unwrap_or_default(),
            ..Role::new(checked(arn, "role", &context.origin)?)
        });
    }
    Ok(roles)
}

fn checked(arn: &str, field: &str, origin: &StoreOrigin) -> Result<String> {
    if is_role(arn) {
        return Ok(arn.to_owned());
    }
    Err(invalid(origin, field, "it is no ARN of a role", "write it as `arn:aws:iam::123456789012:role/name`"))
}

/// Whether a text has the form of a role's ARN.
pub(crate) fn is_role(arn: &str) -> bool {
    let parts: Vec<_> = arn.splitn(6, ':').collect();
    let [scheme, partition, "iam", "", account, name] = parts[..] else { return false };
    scheme == "arn"
        && partition.starts_with("aws")
        && account.bytes().all(|letter| letter.is_ascii_digit())
        && name.strip_prefix("role/").is_some_and(|name| !name.is_empty())
        && arn.bytes().all(|letter| letter.is_ascii_graphic())
}

fn role(config: &AwsConfig) -> Option<&str> {
    config.role.as_deref().filter(|role| !role.is_empty())
}

fn policy(config: &AwsConfig) -> SessionTagsPolicy {
    config.session_tags_policy.unwrap_or_default()
}

fn tags(config: &AwsConfig, context: &BuildContext) -> Result<Vec<SessionTag>> {
    let mut tags: BTreeMap<String, String> = match policy(config) {
        SessionTagsPolicy::None => return Ok(config.session_tags.clone().unwrap_or_default()),
        SessionTagsPolicy::Simple => BTreeMap::new(),
        SessionTagsPolicy::Custom => config.custom_session_tags.clone().unwrap_or_default(),
    };
    tags.retain(|key, value| !key.is_empty() && !value.is_empty());
    let origin = &context.origin;
    let namespace = context.consumer.as_deref().or_else(|| origin.namespace()).ok_or_else(|| {
        invalid(
            origin,
            "sessionTagsPolicy",
            "it is not known for which namespace",
            "use `sessionTags` with the policy `None`",
        )
    })?;
    let kind = if origin.namespace().is_some() { "SecretStore" } else { "ClusterSecretStore" };
    for (key, value) in RESERVED_TAGS.into_iter().zip([namespace, origin.name(), kind]) {
        tags.insert(key.to_owned(), value.to_owned());
    }
    Ok(tags.into_iter().map(|(key, value)| SessionTag { key, value }).collect())
}

/// The tags that some policies add by themselves.
pub(super) const RESERVED_TAGS: [&str; 3] = ["esoNamespace", "esoStoreName", "esoStoreKind"];

/// Why nobody else may.
pub(super) const RESERVED_TAG: &str =
    "customSessionTags cannot contain automatically injected reserved keys: esoNamespace, esoStoreName, esoStoreKind";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_told_from_other_names() {
        for good in ["arn:aws:iam::123456789012:role/app", "arn:aws-cn:iam::123456789012:role/path/to/app"] {
            assert!(is_role(good), "{good}");
        }
        for bad in [
            "",
            "app",
            "arn:aws:iam::123456789012:user/app",
            "arn:aws:sts::1:role/x",
            "arn:aws:iam::1:role/",
            "arn:aws:iam::1:role/a b",
        ] {
            assert!(!is_role(bad), "{bad}");
        }
    }
}
