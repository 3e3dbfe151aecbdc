use std::time::{Duration, SystemTime};

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::operation::describe_secret::DescribeSecretOutput;
use aws_smithy_types::DateTime;
use secrets_core::{Error, ErrorKind, Operation, Result, VersionId};

use crate::error::{Call, Failure, send};
use crate::provider::labels;
use crate::provider::names::Target;

/// One operation on one secret: whom to ask, and in whose name errors speak.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) client: Client,
    pub(super) target: Target,
    operation: Option<Operation>,
}

impl Session {
    pub(super) fn new(client: Client, target: Target, operation: Option<Operation>) -> Self {
        Self { client, target, operation }
    }

    pub(super) fn id(&self) -> &str {
        self.target.id()
    }

    pub(super) fn operation(&self) -> Option<Operation> {
        self.operation
    }

    /// A request that changes nothing.
    pub(super) fn read(&self, request: &'static str) -> Call {
        Call::read(self.operation, request)
    }

    /// A request that changes something.
    pub(super) fn write(&self, request: &'static str) -> Call {
        Call::write(self.operation, request)
    }

    /// A request that brings a secret along.
    pub(super) fn write_secret(&self, request: &'static str) -> Call {
        Call::write_secret(self.operation, request)
    }

    /// An error of ours.
    pub(super) fn error(&self, kind: ErrorKind, message: &'static str) -> Error {
        named(Error::new(kind, message), self.operation)
    }

    pub(super) fn not_found(&self, message: &'static str) -> Error {
        self.error(ErrorKind::NotFound, message)
    }

    pub(super) fn conflict(&self, message: &'static str) -> Error {
        self.error(ErrorKind::Conflict, message)
    }

    /// The error of a request, with what can be said of an absent secret.
    pub(super) fn told(&self, failure: Failure) -> Error {
        match failure.code() {
            "ResourceNotFoundException" => {
                failure.told_as(ErrorKind::NotFound, self.target.absence())
            }
            _ => failure.into(),
        }
    }

    /// `DescribeSecret`; it describes deleted secrets, too.
    pub(super) async fn describe(&self) -> Result<Described, Failure> {
        let call = self.read("DescribeSecret");
        let output = send!(call, self.client.describe_secret().secret_id(self.id()))?;
        Ok(Described(output))
    }

    /// The description of a secret that is not scheduled for deletion.
    pub(super) async fn living(&self) -> Result<Described> {
        let described = self.describe().await.map_err(|failure| self.told(failure))?;
        self.not_deleted(described)
    }

    /// The same, unless its deletion is scheduled.
    pub(super) fn not_deleted(&self, described: Described) -> Result<Described> {
        match described.0.deleted_date {
            Some(_) => {
                Err(self.error(ErrorKind::PendingDeletion, "the secret is scheduled for deletion"))
            }
            None => Ok(described),
        }
    }

    /// The description of a secret that is to be changed: one that is not found may have been made
    /// a moment ago.
    pub(super) async fn existing(&self, mut patience: Patience) -> Result<Described> {
        loop {
            match self.describe().await {
                Err(failure) if failure.kind() == ErrorKind::NotFound && patience.wait().await => {}
                described => return described.map_err(|failure| self.told(failure)),
            }
        }
    }

    /// `UpdateSecretVersionStage`: moves a label, puts it somewhere, or takes it away.
    pub(super) async fn move_label(
        &self,
        call: &Call,
        label: &str,
        Move { from, to }: Move<'_>,
    ) -> Result<(), Failure> {
        let request = self
            .client
            .update_secret_version_stage()
            .secret_id(self.id())
            .version_stage(label)
            .set_remove_from_version_id(from.map(str::to_owned))
            .set_move_to_version_id(to.map(str::to_owned));
        send!(call, request).map(drop)
    }

    /// A version id that AWS gave.
    pub(super) fn version_id(&self, text: Option<&str>) -> Result<VersionId> {
        version_id(text).map_err(|error| named(error, self.operation))
    }
}

/// Where a label goes from and to; `None` is nowhere.
#[derive(Debug, Clone, Copy)]
pub(super) struct Move<'a> {
    pub(super) from: Option<&'a str>,
    pub(super) to: Option<&'a str>,
}

/// What `DescribeSecret` tells.
#[derive(Debug)]
pub(super) struct Described(pub(super) DescribeSecretOutput);

impl Described {
    /// The version that carries this label.
    pub(super) fn holder(&self, label: &str) -> Option<&str> {
        let versions = self.0.version_ids_to_stages()?;
        let carries = |labels: &Vec<String>| labels.iter().any(|one| one == label);
        versions.iter().find(|(_, labels)| carries(labels)).map(|(id, _)| id.as_str())
    }

    /// The current version.
    pub(super) fn current(&self) -> Option<&str> {
        self.holder(labels::CURRENT)
    }

    /// The version before it.
    pub(super) fn previous(&self) -> Option<&str> {
        self.holder(labels::PREVIOUS)
    }

    /// The version that waits. A finished rotation may leave `AWSPENDING` where `AWSCURRENT` is:
    /// nothing waits then.
    pub(super) fn pending(&self) -> Option<&str> {
        self.holder(labels::PENDING).filter(|pending| Some(*pending) != self.current())
    }
}

/// Names the operation of an error, where there is one.
pub(super) fn named(error: Error, operation: Option<Operation>) -> Error {
    match operation {
        Some(operation) => error.with_operation(operation),
        None => error,
    }
}

pub(super) fn version_id(text: Option<&str>) -> Result<VersionId> {
    text.and_then(|text| VersionId::new(text).ok())
        .ok_or_else(|| Error::new(ErrorKind::Internal, "the answer names no usable version"))
}

/// A time of AWS's; `None` for one that this host cannot express.
pub(super) fn time(time: Option<&DateTime>) -> Option<SystemTime> {
    SystemTime::try_from(*time?).ok()
}

/// How long reads may lag behind writes before what they tell is believed, in growing steps. AWS
/// names no bound ("all operations are eventually consistent").
#[derive(Debug)]
pub(super) struct Patience {
    left: Duration,
    pause: Duration,
}

impl Patience {
    pub(super) fn new(whole: Duration) -> Self {
        Self { left: whole, pause: Duration::from_millis(50) }
    }

    /// Waits for the next try; false when there is none.
    pub(super) async fn wait(&mut self) -> bool {
        if self.left.is_zero() {
            return false;
        }
        let pause = self.pause.min(self.left);
        tokio::time::sleep(pause).await;
        self.left = self.left.saturating_sub(pause);
        self.pause = self.pause.saturating_mul(2).min(Duration::from_secs(2));
        true
    }
}
