//! The stable codes of `docs/errors.md`.

use std::fmt;

macro_rules! codes {
    ($($variant:ident $text:literal $meaning:literal;)*) => {
        /// A stable name of a failure that a user can act on. `docs/errors.md` has a section for each.
        #[non_exhaustive]
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub enum Code {
            $(#[doc = $meaning] $variant,)*
        }

        impl Code {
            /// Every code, in alphabetical order of the variants.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The code as users see it, `vault-sealed` for example.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// One sentence on what happened.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)* }
            }
        }
    };
}

codes! {
    AccessDenied "access-denied" "A ClusterSecretStore does not grant the object to this namespace.";
    AwsAccessDenied "aws-access-denied" "The AWS identity may not do this, or the object does not exist.";
    AwsClockSkewed "aws-clock-skewed" "This machine's clock differs from that of AWS.";
    AwsCredentialsInvalid "aws-credentials-invalid" "AWS does not accept the credentials.";
    AwsKmsDenied "aws-kms-denied" "The KMS key that protects a value cannot be used by the AWS identity.";
    AwsRoleRefused "aws-role-refused" "An AWS role could not be taken.";
    CredentialMissing "credential-missing" "A store refers to a credential that could not be found.";
    DataInvalid "data-invalid" "A remote value could not be used the way the manifest asks.";
    DeletionPaused "deletion-paused" "Too many targets of one store were due for deletion at once, so none was deleted.";
    DeletionUnconfirmed "deletion-unconfirmed" "Something was due for deletion, but a second read did not confirm that its source is gone.";
    EnvKeyConflict "env-key-conflict" "Two syncs give the same variable of an env file.";
    EnvKeyInvalid "env-key-invalid" "A key cannot be the name of an environment variable.";
    GenericTarget "generic-target" "The target is to be something else than a Secret, which is not supported.";
    InternalDefect "internal-defect" "secretsync itself failed.";
    IssuingRefused "issuing-refused" "Something would have to be issued, and this command only looks.";
    KeyInvalid "key-invalid" "A key cannot be a key of a Secret.";
    KubernetesDenied "kubernetes-denied" "The Kubernetes API server refused the request.";
    KubernetesUnavailable "kubernetes-unavailable" "The Kubernetes API server could not be reached.";
    ManifestDuplicate "manifest-duplicate" "Two manifests describe the same object.";
    ManifestInvalid "manifest-invalid" "A manifest has a field that is unknown, missing or not of the expected form.";
    ManifestKindUnknown "manifest-kind-unknown" "A manifest of External Secrets Operator's groups has a kind that is not known here.";
    ManifestUnreadable "manifest-unreadable" "A manifest file could not be read or parsed.";
    NotOwned "not-owned" "The target belongs to something else, so it was not touched.";
    PropertyMissing "property-missing" "The remote object exists, but has no such property.";
    ProviderRateLimited "provider-rate-limited" "The provider asked to slow down.";
    ProviderUnavailable "provider-unavailable" "The provider could not be reached or could not answer.";
    RewriteFailed "rewrite-failed" "The keys of an entry could not be rewritten.";
    SecretMissing "secret-missing" "The remote object does not exist.";
    SopsDocumentInvalid "sops-document-invalid" "A SOPS document is damaged or is not a SOPS document.";
    SopsKeyMissing "sops-key-missing" "None of the configured keys opens the SOPS document.";
    SopsMacMismatch "sops-mac-mismatch" "A SOPS document was changed after it was encrypted.";
    SopsNamespaceRefused "sops-namespace-refused" "A SOPS document is not bound to the namespace that asks for it.";
    SopsPathRefused "sops-path-refused" "A document's path leaves the folder of its store.";
    StoreInvalid "store-invalid" "The store's configuration cannot work.";
    StoreMissing "store-missing" "An ExternalSecret refers to a store that does not exist.";
    TargetControlled "target-controlled" "The target belongs to a controller that is no ExternalSecret, so it was not touched.";
    TargetImmutable "target-immutable" "The target Secret is immutable and its data would change.";
    TargetUnwritable "target-unwritable" "The target could not be written.";
    TemplateInvalid "template-invalid" "A template does not parse or failed while it was rendered.";
    TemplateMissing "template-missing" "A template refers to a ConfigMap, a Secret or a key that does not exist.";
    Unsupported "unsupported" "The manifest asks for a feature that secretsync does not support.";
    UsageInvalid "usage-invalid" "The command line cannot work as written.";
    VaultLeaseLost "vault-lease-lost" "A lease of Vault ended before its time, or can no longer be renewed.";
    VaultLoginRefused "vault-login-refused" "Vault refused the credentials of a store.";
    VaultMountMissing "vault-mount-missing" "No secrets engine answers at the path, or it has another version.";
    VaultPermissionDenied "vault-permission-denied" "The Vault token may not do this.";
    VaultSealed "vault-sealed" "Vault is sealed.";
    VaultTokenInvalid "vault-token-invalid" "Vault does not accept the token.";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_sorted_and_unique() {
        let texts: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        let mut sorted = texts.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(texts, sorted);
    }
}
