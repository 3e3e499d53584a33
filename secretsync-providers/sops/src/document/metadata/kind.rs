//! The kinds of keys that can wrap a data key.

use std::fmt;

use secretsync_core::provider::KeyKind as ServiceKind;

use super::keys::Identity;

/// The kinds of master keys that sops knows, in the order of its readers.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum KeyKind {
    AwsKms,
    GcpKms,
    HuaweiKms,
    AzureKeyVault,
    VaultTransit,
    Pgp,
    Age,
}

impl KeyKind {
    pub(super) const ALL: [Self; 7] =
        [Self::AwsKms, Self::GcpKms, Self::HuaweiKms, Self::AzureKeyVault, Self::VaultTransit, Self::Pgp, Self::Age];

    /// The list in the metadata.
    pub(crate) fn list(self) -> &'static str {
        match self {
            Self::Age => "age",
            Self::AwsKms => "kms",
            Self::AzureKeyVault => "azure_kv",
            Self::GcpKms => "gcp_kms",
            Self::HuaweiKms => "hckms",
            Self::Pgp => "pgp",
            Self::VaultTransit => "hc_vault",
        }
    }

    /// The members of an entry that tell keys of this kind apart; the first names it.
    pub(super) fn attributes(self) -> &'static [&'static str] {
        match self {
            Self::Age => &["recipient"],
            Self::AwsKms => &["arn", "role", "aws_profile"],
            Self::AzureKeyVault => &["name", "vault_url", "version"],
            Self::GcpKms => &["resource_id"],
            Self::HuaweiKms => &["key_id"],
            Self::Pgp => &["fp"],
            Self::VaultTransit => &["key_name", "vault_address", "engine_path"],
        }
    }

    /// What tells two keys apart, from the name and the encryption context in the words of sops: spelling does not count, nor the version of an
    /// Azure key, which sops may choose itself.
    pub(crate) fn identity(self, name: &str, context: &str) -> Identity {
        let name = match self {
            Self::Pgp => name.replace(' ', "").to_uppercase(),
            Self::AzureKeyVault => match name.split_once("/keys/") {
                Some((vault, key)) => format!("{vault}/keys/{}", key.split('/').next().unwrap_or_default()),
                None => name.to_owned(),
            },
            _ => name.trim_end_matches('/').to_owned(),
        };
        (self, if context.is_empty() { name } else { format!("{name}|{context}") })
    }

    /// The services that unwrap keys of this kind, if there are any.
    pub(crate) fn service(self) -> Option<ServiceKind> {
        match self {
            Self::AwsKms => Some(ServiceKind::AwsKms),
            Self::VaultTransit => Some(ServiceKind::VaultTransit),
            _ => None,
        }
    }
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Age => "age recipient",
            Self::AwsKms => "AWS KMS key",
            Self::AzureKeyVault => "Azure Key Vault key",
            Self::GcpKms => "GCP KMS key",
            Self::HuaweiKms => "Huawei Cloud KMS key",
            Self::Pgp => "PGP key",
            Self::VaultTransit => "Vault transit key",
        })
    }
}
