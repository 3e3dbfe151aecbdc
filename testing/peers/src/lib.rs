#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod boto3;
mod endpoint;
mod error;
mod http;
mod moto;
mod nursery;
mod prometheus;
mod prometheus_client;
mod python;
mod venv;

pub use boto3::{Boto3, Credentials, Refused};
pub use error::PeerError;
pub use moto::Moto;
pub use prometheus::{Prometheus, promtool_check_metrics};
pub use prometheus_client::PrometheusClient;
pub use venv::Venv;
