//! KMS as a key service of SOPS documents.

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_kms::Client;
use aws_sdk_kms::primitives::Blob;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use secretsync_core::error::{Code, Error, ErrorKind, Hint, Result};
use secretsync_core::provider::{
    BuildContext, CredentialRef, KeyKind, KeyService, KeyServiceFactory, RawConfig, StoreOrigin, WrappedKey,
};
use secretsync_core::secret::SecretValue;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::client::{Api, Call, Calls, Clients};
use crate::config::{self, AwsAuth, AwsConfig, Region, SessionTag, SessionTagsPolicy};
use crate::error::Failure;
use crate::factory::{AwsFactory, Shared};

/// `awsKms` of a SOPS store's key: who asks KMS, and which keys it may be asked for.
///
/// A document names its key by ARN. It is asked for only in the configured region, and then only if `keys` has it; without `keys`, only if it lies in the account of
/// `role`, where there is a role. The roles and profiles that a document names are never used.
#[non_exhaustive]
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KmsConfig {
    /// The region of the keys.
    pub region: String,
    /// Whose credentials are used. Without it, the identity of the process, where it may lend it.
    pub auth: Option<AwsAuth>,
    /// The role that the credentials take in the end.
    pub role: Option<String>,
    /// Roles on the way to `role`.
    pub additional_roles: Option<Vec<String>>,
    /// The external id that `role` demands.
    #[serde(rename = "externalID")]
    pub external_id: Option<String>,
    /// Tags of the session of `role`.
    pub session_tags: Option<Vec<SessionTag>>,
    /// Which tags the session of `role` has.
    pub session_tags_policy: Option<SessionTagsPolicy>,
    /// The ARNs of the keys that documents may name. Without it, every key in reach.
    pub keys: Option<Vec<String>>,
}

impl KmsConfig {
    /// Who asks, in the words of a store.
    fn asker(&self) -> AwsConfig {
        AwsConfig {
            region: self.region.clone(),
            auth: self.auth.clone(),
            role: self.role.clone(),
            additional_roles: self.additional_roles.clone(),
            external_id: self.external_id.clone(),
            session_tags: self.session_tags.clone(),
            session_tags_policy: self.session_tags_policy,
            ..AwsConfig::default()
        }
    }
}

/// The factory of `awsKms`.
#[derive(Clone, Debug)]
pub struct KmsFactory {
    shared: Arc<Shared>,
}

impl KmsFactory {
    /// A factory that shares connections and sessions with the stores of `stores`.
    pub fn beside(stores: &AwsFactory) -> Self {
        Self { shared: Arc::clone(stores.shared()) }
    }
}

#[async_trait]
impl KeyServiceFactory for KmsFactory {
    fn member(&self) -> &'static str {
        MEMBER
    }

    fn kind(&self) -> KeyKind {
        KeyKind::AwsKms
    }

    fn references(&self, config: &RawConfig, origin: &StoreOrigin) -> Result<Vec<CredentialRef>> {
        let config: KmsConfig = config.read(origin, PLACE)?;
        config::references(config.auth.as_ref(), origin)
    }

    fn depends_on_consumer(&self, config: &RawConfig, origin: &StoreOrigin) -> Result<bool> {
        let config: KmsConfig = config.read(origin, PLACE)?;
        Ok(config::tags_follow_consumer(&config.asker()))
    }

    async fn build(&self, config: &RawConfig, context: BuildContext) -> Result<Arc<dyn KeyService>> {
        let config: KmsConfig = config.read(&context.origin, PLACE)?;
        let region = Region::parse(&config.region).ok_or_else(|| {
            invalid(
                &context.origin,
                "region",
                "it is no name of a region",
                "write it as AWS does, `eu-central-1` for example",
            )
        })?;
        let keys = config.keys.clone().filter(|keys| !keys.is_empty());
        for arn in keys.iter().flatten() {
            if KeyArn::parse(arn).is_none_or(|arn| arn.region != region.name) {
                return Err(invalid(
                    &context.origin,
                    "keys",
                    "one of them is no ARN of a KMS key in the region",
                    "write them as `arn:aws:kms:eu-central-1:123456789012:key/…`",
                ));
            }
        }
        let (network, session) = self.shared.connect(&config.asker(), &region, &context).await?;
        let calls = Arc::new(Calls::default());
        let clients = Clients::new(Api::Kms, network, session, Client::new, calls);
        let account = config.role.as_deref().and_then(|arn| arn.split(':').nth(4)).map(str::to_owned);
        Ok(Arc::new(Kms { clients, region, keys, account, origin: context.origin }))
    }
}

/// KMS in one region, asked as one identity.
#[derive(Debug)]
struct Kms {
    clients: Clients<Client>,
    region: Region,
    keys: Option<Vec<String>>,
    account: Option<String>,
    origin: StoreOrigin,
}

#[async_trait]
impl KeyService for Kms {
    fn serves(&self, key: &WrappedKey) -> Result<(), String> {
        if key.kind != KeyKind::AwsKms {
            return Err("it is no key of AWS KMS".to_owned());
        }
        let text = key.attribute("arn").unwrap_or_default();
        let Some(arn) = KeyArn::parse(text) else { return Err("its ARN is none of a KMS key".to_owned()) };
        if arn.region != self.region.name {
            return Err(format!("it lies in another region than `{}`", self.region.name));
        }
        match (&self.keys, &self.account) {
            (Some(keys), _) if !keys.iter().any(|known| known == text) => Err("it is not among `keys`".to_owned()),
            (None, Some(account)) if arn.account != account => Err("it lies in another account than `role`".to_owned()),
            _ => Ok(()),
        }
    }

    async fn unwrap(&self, key: &WrappedKey) -> Result<SecretValue> {
        let arn = key.attribute("arn").unwrap_or_default();
        let subject = format!("a data key by `{arn}` for {}", self.origin);
        // Checked again: only what the store configures is ever asked.
        if let Err(reason) = self.serves(key) {
            return Err(refused(&subject, reason));
        }
        let wrapped =
            BASE64.decode(key.ciphertext.trim()).map_err(|_| refused(&subject, "the wrapped key is no base64"))?;
        let context = (!key.context.is_empty()).then(|| key.context.clone().into_iter().collect());
        let asked = self.clients.send(&self.region, Call::Decrypt, |client| {
            // With the key's id, no other key can be slipped in.
            let call = client.decrypt().key_id(arn).ciphertext_blob(Blob::new(wrapped.clone()));
            call.set_encryption_context(context.clone()).send()
        });
        let answer = asked.await.map_err(|failure| failure.into_error("decrypt", &subject))?;
        let plain = answer.plaintext.ok_or(Failure::Malformed("it has no plain text"));
        let plain = plain.map_err(|failure| failure.into_error("decrypt", &subject))?;
        Ok(SecretValue::from(Zeroizing::new(plain.into_inner())))
    }

    async fn close(&self) {
        self.clients.close().await;
    }
}

/// The parts of a KMS key's ARN that decide whether it is asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct KeyArn<'a> {
    region: &'a str,
    account: &'a str,
}

impl<'a> KeyArn<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let parts: Vec<_> = text.splitn(6, ':').collect();
        let ["arn", partition, "kms", region, account, name] = parts[..] else { return None };
        let named =
            name.strip_prefix("key/").or_else(|| name.strip_prefix("alias/")).is_some_and(|name| !name.is_empty());
        let plain = text.len() <= 2048 && text.bytes().all(|byte| byte.is_ascii_graphic());
        let account_is_number = !account.is_empty() && account.bytes().all(|byte| byte.is_ascii_digit());
        (partition.starts_with("aws") && named && plain && account_is_number).then_some(Self { region, account })
    }
}

fn refused(subject: &str, reason: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidData, "decrypt")
        .on(subject)
        .because(reason)
        .with_hint(Hint::new(Code::SopsKeyMissing, "encrypt the document for a key that the store configures"))
}

fn invalid(origin: &StoreOrigin, field: &str, detail: &'static str, advice: &'static str) -> Error {
    Error::new(ErrorKind::InvalidConfig, "use")
        .on(format!("`spec.provider.{PLACE}.{field}` of {origin}"))
        .because(detail)
        .with_hint(Hint::new(Code::StoreInvalid, advice))
}

const MEMBER: &str = "awsKms";
/// Where the configuration stands, for messages.
const PLACE: &str = "sops.keys[].awsKms";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_keys_and_aliases_of_kms_are_arns_of_keys() {
        let good = KeyArn::parse("arn:aws:kms:eu-west-1:123456789012:key/1-2").unwrap();
        assert_eq!((good.region, good.account), ("eu-west-1", "123456789012"));
        assert!(KeyArn::parse("arn:aws-cn:kms:cn-north-1:1:alias/sops").is_some());
        for bad in [
            "",
            "key/1",
            "arn:aws:s3:eu-west-1:1:key/1",
            "arn:aws:kms:eu-west-1::key/1",
            "arn:aws:kms:eu-west-1:1:key/",
            "arn:aws:kms:eu-west-1:1:key/a b",
        ] {
            assert_eq!(KeyArn::parse(bad), None, "{bad}");
        }
    }
}
