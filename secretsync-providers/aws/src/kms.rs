//! KMS as a key service of SOPS documents.
