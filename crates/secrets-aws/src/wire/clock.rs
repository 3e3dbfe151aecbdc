use std::sync::Arc;
use std::time::SystemTime;

use aws_types::sdk_config::TimeSource;
use secrets_core::Clock;

/// Our clock, as the SDK takes it: it signs by it.
#[derive(Debug, Clone)]
pub(super) struct SdkClock(pub(super) Arc<dyn Clock>);

impl TimeSource for SdkClock {
    fn now(&self) -> SystemTime {
        self.0.now()
    }
}
