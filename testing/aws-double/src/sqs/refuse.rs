//! What SQS says no with: the shape's name; the code of the older query protocol goes with it in a header (SDK: the trait
//! `awsQueryCompatible`).

use crate::service::Refusal;

/// Shapes whose code in the query protocol is another.
const CODES: [(&str, &str); 10] = [
    ("QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"),
    ("QueueNameExists", "QueueAlreadyExists"),
    ("QueueDeletedRecently", "AWS.SimpleQueueService.QueueDeletedRecently"),
    ("PurgeQueueInProgress", "AWS.SimpleQueueService.PurgeQueueInProgress"),
    ("MessageNotInflight", "AWS.SimpleQueueService.MessageNotInflight"),
    ("EmptyBatchRequest", "AWS.SimpleQueueService.EmptyBatchRequest"),
    ("TooManyEntriesInBatchRequest", "AWS.SimpleQueueService.TooManyEntriesInBatchRequest"),
    ("BatchEntryIdsNotDistinct", "AWS.SimpleQueueService.BatchEntryIdsNotDistinct"),
    ("InvalidBatchEntryId", "AWS.SimpleQueueService.InvalidBatchEntryId"),
    ("UnsupportedOperation", "AWS.SimpleQueueService.UnsupportedOperation"),
];

/// What `x-amzn-query-error` names for a code of SQS.
pub(crate) fn query_code(code: &str) -> &str {
    CODES.iter().find(|(shape, _)| *shape == code).map_or(code, |(_, query)| query)
}

pub(super) fn no_queue() -> Refusal {
    Refusal::new("QueueDoesNotExist", "The specified queue does not exist.")
}

/// A parameter that is out of its bounds.
pub(super) fn value(why: &str) -> Refusal {
    Refusal::new("InvalidParameterValue", why)
}

pub(super) fn missing(name: &str) -> Refusal {
    let text = format!("The request must contain the parameter {name}.");
    Refusal::new("MissingParameter", text)
}

pub(super) fn bad_handle(handle: &str) -> Refusal {
    let text = format!("The input receipt handle \"{handle}\" is not a valid receipt handle.");
    Refusal::new("ReceiptHandleIsInvalid", text)
}
