use std::io::Write as _;
use std::sync::mpsc::{self, Receiver};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Something that is said on the standard error.
#[derive(Debug)]
pub(super) struct Complaint {
    /// Its sender is gone once it is said. In a lock, since guards are shared by threads.
    said: Mutex<Receiver<()>>,
}

/// Longer than anybody takes who reads the standard error at all.
const LONGEST: Duration = Duration::from_millis(250);

impl Complaint {
    /// From a thread of its own: nobody may read the standard error, and nothing else is to wait for that.
    pub(super) fn say(text: String) -> Self {
        let (saying, said) = mpsc::channel::<()>();
        let say = move || {
            let _ = std::io::stderr().write_all(format!("{text}\n").as_bytes());
            drop(saying);
        };
        // If there are no more threads the log has it.
        let _ = std::thread::Builder::new().name("obs-complaint".to_owned()).spawn(say);
        Self { said: Mutex::new(said) }
    }

    /// Waits until it is said: a process that ends sooner would keep it to itself.
    pub(super) fn wait(self, within: Duration) {
        let said = self.said.into_inner().unwrap_or_else(PoisonError::into_inner);
        let _ = said.recv_timeout(within.min(LONGEST));
    }
}
