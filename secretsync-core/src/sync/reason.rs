//! Why a sync ended as it did: the one source of condition, event, metric label and CLI row.

use std::fmt;

/// Why a sync ended as it did.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Reason {
    /// `creationPolicy: None`: nothing is written.
    CreationPolicyNone,
    /// The sources are gone and `deletionPolicy: Delete` removes the target.
    Deleted,
    /// The sources are gone and `deletionPolicy: Delete` could not remove the target, or may not.
    DeletionFailed,
    /// The sources are gone and `deletionPolicy: Delete` will remove the target, unless too many others of the store are to go as well.
    DeletionHeld,
    /// The sources are gone, and so are those of too many others of the store: nothing is removed.
    DeletionPaused,
    /// `target.immutable: true` and the target exists, so changed sources are not written.
    Immutable,
    /// Nothing of the sources is there, and `onMissing: Keep` keeps the target.
    Kept,
    /// `refreshPolicy: CreatedOnce` and the target exists.
    KeptOnce,
    /// The target belongs to somebody else.
    NotOwned,
    /// The sources gave nothing and `deletionPolicy: Retain` keeps the target.
    Retained,
    /// An object, a property or a provider failed.
    SourceFailed,
    /// The manifest asks for something that cannot be done.
    SpecInvalid,
    /// `suspend: true`: nothing is read or written until it goes.
    Suspended,
    /// The target is in line with its sources.
    Synced,
    /// `creationPolicy: Merge` and there is no target to merge into.
    TargetMissing,
    /// A template failed.
    TemplateFailed,
    /// An issuing read would have to be sent to tell; plans send none.
    WouldBeIssued,
    /// The target could not be read or written.
    WriteFailed,
}

impl Reason {
    /// The reason of the `Ready` condition, in External Secrets Operator's words.
    pub fn condition_reason(self) -> &'static str {
        match self {
            Self::Deleted => "SecretDeleted",
            Self::TargetMissing => "SecretMissing",
            Self::DeletionFailed
            | Self::DeletionPaused
            | Self::NotOwned
            | Self::SourceFailed
            | Self::SpecInvalid
            | Self::TemplateFailed
            | Self::WriteFailed => "SecretSyncedError",
            _ => "SecretSynced",
        }
    }

    /// The message of the `Ready` condition, in External Secrets Operator's words.
    pub fn condition_message(self) -> &'static str {
        match self {
            Self::Deleted => "secret deleted due to DeletionPolicy=Delete",
            Self::DeletionFailed | Self::DeletionPaused => "could not delete secret",
            Self::NotOwned => "target is owned by another ExternalSecret",
            Self::Retained => "secret retained due to DeletionPolicy=Retain",
            Self::SourceFailed => "could not get secret data from provider",
            Self::Suspended => "suspended",
            Self::TargetMissing => "secret will not be created due to CreationPolicy=Merge",
            Self::SpecInvalid | Self::TemplateFailed | Self::WriteFailed => "could not update secret",
            _ => "secret synced",
        }
    }

    /// One word for labels and scripts: `synced`, `kept_once`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CreationPolicyNone => "creation_policy_none",
            Self::Deleted => "deleted",
            Self::DeletionFailed => "deletion_failed",
            Self::DeletionHeld => "deletion_held",
            Self::DeletionPaused => "deletion_paused",
            Self::Immutable => "immutable",
            Self::Kept => "kept",
            Self::KeptOnce => "kept_once",
            Self::NotOwned => "not_owned",
            Self::Retained => "retained",
            Self::SourceFailed => "source_failed",
            Self::SpecInvalid => "spec_invalid",
            Self::Suspended => "suspended",
            Self::Synced => "synced",
            Self::TargetMissing => "target_missing",
            Self::TemplateFailed => "template_failed",
            Self::WouldBeIssued => "would_be_issued",
            Self::WriteFailed => "write_failed",
        }
    }
}

impl fmt::Display for Reason {
    /// A few words for a person.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CreationPolicyNone => "creationPolicy is None",
            Self::Deleted => "the sources are gone and deletionPolicy is Delete",
            Self::DeletionFailed => "the sources are gone and the target could not be removed",
            Self::DeletionHeld => {
                "the sources are gone, and the others of the store are asked before the target is removed"
            }
            Self::DeletionPaused => "too many targets of the store would be removed",
            Self::Immutable => "target.immutable is true and the target exists",
            Self::Kept => "the sources are missing and onMissing is Keep",
            Self::KeptOnce => "refreshPolicy is CreatedOnce and the target exists",
            Self::NotOwned => "the target belongs to somebody else",
            Self::Retained => "the sources are empty and deletionPolicy is Retain",
            Self::SourceFailed => "a source failed",
            Self::SpecInvalid => "the manifest cannot be used",
            Self::Suspended => "suspend is true",
            Self::Synced => "in line with its sources",
            Self::TargetMissing => "there is no target to merge into and creationPolicy is Merge",
            Self::TemplateFailed => "a template failed",
            Self::WouldBeIssued => "a credential would be issued",
            Self::WriteFailed => "the target could not be read or written",
        })
    }
}
