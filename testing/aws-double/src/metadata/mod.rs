//! The addresses that hand out credentials: of an instance (IMDSv2), of a container.

mod container;
mod instance;

use std::time::{Duration, SystemTime};

pub use self::container::Container;
pub use self::instance::Instance;
use crate::identity::Credentials;
use crate::stamp;
use crate::sts;
use crate::world::World;

/// New credentials are there at least five minutes before the old ones end (EC2 User Guide, "Retrieve security credentials from
/// instance metadata").
const AHEAD: Duration = Duration::from_secs(300);

/// A role, and the credentials of it that are handed out now.
#[derive(Debug, Clone)]
struct Holding {
    role: String,
    session: &'static str,
    lasting: Duration,
    stuck: bool,
    current: Option<Current>,
}

#[derive(Debug, Clone)]
struct Current {
    credentials: Credentials,
    issued: SystemTime,
    expires: SystemTime,
}

impl Holding {
    fn new(role: &str, session: &'static str, lasting: Duration) -> Self {
        Self { role: role.to_owned(), session, lasting, stuck: false, current: None }
    }

    /// The credentials to hand out: the same ones to everyone, until new ones are due.
    fn current(&mut self, world: &World, now: SystemTime) -> Current {
        let ahead = AHEAD.min(self.lasting / 2);
        if let Some(current) = &self.current
            && (self.stuck || stamp::later(now, ahead) < current.expires)
        {
            return current.clone();
        }
        let current = Current {
            credentials: sts::session_of(world, &self.role, self.session, self.lasting),
            issued: now,
            expires: stamp::later(now, self.lasting),
        };
        self.current = Some(current.clone());
        current
    }
}
