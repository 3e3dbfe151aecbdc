//! What providers without versions and metadata of their own take.

use secrets_core::{Error, Operation, Result, VersionSelector};
#[cfg(feature = "dotenv")]
use secrets_core::{Precondition, SetOptions, WriteStage};

/// Only the current version can be read.
pub(crate) fn only_current(version: &VersionSelector) -> Result<()> {
    match version {
        VersionSelector::Current => Ok(()),
        _ => Err(Error::unsupported(
            Operation::GetSecret,
            "the provider keeps the current version only",
        )),
    }
}

/// Only a value can be written, to the current stage; gives what must hold before.
#[cfg(feature = "dotenv")]
pub(crate) fn only_value(options: SetOptions) -> Result<Precondition> {
    let unsupported = if options.stage != WriteStage::Current {
        "the provider has no pending versions"
    } else if options.token.is_some() {
        "the provider does not remember tokens of writes"
    } else if !options.metadata.is_empty() {
        "the provider keeps no metadata"
    } else if matches!(options.precondition, Precondition::Etag(_)) {
        "the provider has no etags"
    } else {
        return Ok(options.precondition);
    };
    Err(Error::unsupported(Operation::SetSecret, unsupported))
}
