#![doc = include_str!("../README.md")]

#[cfg(feature = "aws")]
pub use secretsync_provider_aws as aws;
#[cfg(feature = "sops")]
pub use secretsync_provider_sops as sops;
#[cfg(feature = "vault")]
pub use secretsync_provider_vault as vault;

use secretsync_core::provider::ProviderRegistry;

/// Adds every provider whose feature is on.
///
/// ```
/// use secretsync_core::provider::ProviderRegistry;
///
/// let mut registry = ProviderRegistry::new();
/// secretsync_providers::register_all(&mut registry);
/// assert_eq!(registry.factory("vault").is_some(), cfg!(feature = "vault"));
/// assert_eq!(registry.generator("VaultDynamicSecret").is_some(), cfg!(feature = "vault"));
/// ```
#[cfg_attr(
    not(any(feature = "aws", feature = "sops", feature = "vault")),
    expect(unused_variables, reason = "there is nothing to add")
)]
pub fn register_all(registry: &mut ProviderRegistry) {
    #[cfg(feature = "aws")]
    let aws = aws::AwsFactory::new();
    #[cfg(feature = "sops")]
    registry.register(sops(
        #[cfg(feature = "aws-kms")]
        &aws,
    ));
    #[cfg(feature = "aws")]
    registry.register(aws);
    #[cfg(feature = "vault")]
    {
        let factory = vault::VaultFactory::new();
        registry.register_generator(factory.dynamic_secrets());
        registry.register(factory).register(vault::OpenBaoFactory::new());
    }
}

/// SOPS with every key service whose feature is on.
#[cfg(feature = "sops")]
fn sops(#[cfg(feature = "aws-kms")] aws: &aws::AwsFactory) -> sops::SopsFactory {
    let factory = sops::SopsFactory::new();
    #[cfg(feature = "aws-kms")]
    let factory = factory.with_key_service(aws::KmsFactory::beside(aws));
    #[cfg(feature = "vault")]
    let factory = factory.with_key_service(vault::TransitFactory::new());
    factory
}
