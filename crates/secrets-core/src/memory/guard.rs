//! What the capabilities rule out is refused here, before any request.

use crate::capability::{Capabilities, Cas, Scope, Support};
use crate::error::{Error, ErrorKind, Operation, Result};
use crate::metadata::MetadataPatch;
use crate::options::{DeleteMode, Precondition, SetOptions};
use crate::version::{VersionId, VersionState, WriteStage};

pub(crate) fn set(capabilities: &Capabilities, options: &SetOptions) -> Result<()> {
    let operation = Operation::SetSecret;
    match &options.precondition {
        Precondition::Any => {}
        Precondition::Absent if options.stage == WriteStage::Pending => {
            let message = "a pending value needs a current one beside it";
            return Err(Error::new(ErrorKind::InvalidValue, message).with_operation(operation));
        }
        Precondition::Absent | Precondition::CurrentIs(_) => {
            require(capabilities.cas.set != Cas::No, operation, "no precondition is kept")?;
        }
        Precondition::Etag(_) => {
            return Err(Error::unsupported(operation, "values have no etag to compare"));
        }
    }
    patch(capabilities, operation, &options.metadata)?;
    let own_validity = capabilities.validity_scope == Scope::Version
        || options.stage == WriteStage::Current
        || !changes_validity(&options.metadata);
    let message = "validity belongs to the secret here: a pending value has none of its own";
    require(own_validity, operation, message)
}

pub(crate) fn update(
    capabilities: &Capabilities,
    version: Option<&VersionId>,
    changes: &MetadataPatch,
    precondition: &Precondition,
) -> Result<()> {
    let operation = Operation::UpdateMetadata;
    patch(capabilities, operation, changes)?;
    match precondition {
        Precondition::Any => {}
        Precondition::Etag(_) if capabilities.cas.metadata != Cas::No => {}
        Precondition::Etag(_) => {
            return Err(Error::unsupported(operation, "this backend has no etags"));
        }
        Precondition::Absent | Precondition::CurrentIs(_) => {
            let message = "metadata is guarded by its etag, not by the current version";
            return Err(Error::unsupported(operation, message));
        }
    }
    if version.is_some() {
        let message = "versions have no metadata of their own here";
        require(capabilities.tags_scope == Scope::Version, operation, message)?;
    }
    Ok(())
}

fn patch(capabilities: &Capabilities, operation: Operation, patch: &MetadataPatch) -> Result<()> {
    let tags =
        !patch.set_tags.is_empty() || !patch.remove_tags.is_empty() || !patch.description.is_keep();
    if tags {
        require_support(capabilities.tags, operation, "this backend keeps no tags")?;
    }
    if changes_validity(patch) {
        let message = "this backend keeps no bounds of validity";
        require_support(capabilities.validity, operation, message)?;
    }
    Ok(())
}

fn changes_validity(patch: &MetadataPatch) -> bool {
    !patch.not_before.is_keep() || !patch.expires.is_keep()
}

pub(crate) fn state(capabilities: &Capabilities, state: VersionState) -> Result<()> {
    let operation = Operation::SetVersionState;
    match state {
        VersionState::Empty => {
            let message = "no version can be made empty";
            Err(Error::new(ErrorKind::InvalidValue, message).with_operation(operation))
        }
        VersionState::Enabled | VersionState::Disabled => {
            require_support(capabilities.disable, operation, "versions cannot be disabled here")
        }
        VersionState::Destroyed => {
            require_support(capabilities.destroy, operation, "versions cannot be destroyed here")
        }
    }
}

pub(crate) fn delete(capabilities: &Capabilities, mode: DeleteMode) -> Result<()> {
    let operation = Operation::DeleteSecret;
    match mode {
        DeleteMode::Recoverable { .. } => {
            require_support(capabilities.recover, operation, "a deletion is final here")
        }
        DeleteMode::Immediate => {
            require_support(capabilities.delete, operation, "no deletion is final here")
        }
    }
}

pub(crate) fn recovery(capabilities: &Capabilities, operation: Operation) -> Result<()> {
    require_support(capabilities.recover, operation, "a deletion is final here")
}

fn require_support(support: Support, operation: Operation, message: &'static str) -> Result<()> {
    require(support.is_available(), operation, message)
}

fn require(holds: bool, operation: Operation, message: &'static str) -> Result<()> {
    if holds { Ok(()) } else { Err(Error::unsupported(operation, message)) }
}
