//! AWS Secrets Manager: staging labels.

mod adapter;
mod cloud;
mod write;

pub(crate) use adapter::AwsAdapter;
