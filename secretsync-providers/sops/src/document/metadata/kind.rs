//! The kinds of keys that can wrap a data key.

use std::fmt;

use secretsync_core::provider::KeyKind as ServiceKind;

/// The kinds of master keys that sops knows, in the order of its readers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
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
