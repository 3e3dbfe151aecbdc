//! What stands beside Secrets Manager: KMS, STS, SQS, the addresses of credentials.

use std::sync::Arc;

use crate::double::AwsDouble;
use crate::kms::Kms;
use crate::metadata::{Container, Instance};
use crate::service::{Mount, Pages, Protocol, Service};
use crate::sqs::{Events, Queues};
use crate::sts::{Issuers, Roles, Sts};
use crate::world::{KeyAccess, World};

/// The services of a double beside Secrets Manager.
#[derive(Debug, Clone)]
pub(crate) struct Beside {
    kms: Kms,
    sts: Sts,
    instance: Instance,
    container: Container,
    queues: Queues,
    events: Events,
}

impl Beside {
    /// New ones, known to the others of this world.
    pub(crate) fn new(world: &World) -> Self {
        let kms = Kms::new();
        let keys: Arc<dyn KeyAccess> = Arc::new(kms.clone());
        world.use_keys(keys);
        let queues = Queues::new(&world.home, &world.clock);
        let events = Events::new(&queues);
        Queues::observe(world, events.clone());
        Self {
            queues,
            events,
            kms,
            sts: Sts::default(),
            instance: Instance::default(),
            container: Container::default(),
        }
    }

    /// The services, one row each.
    pub(crate) fn mounts(&self) -> Vec<Mount> {
        let row = |scope, target, protocol, service: Arc<dyn Service>| Mount {
            scope,
            target,
            protocol,
            service,
        };
        let sts = Protocol::Query("https://sts.amazonaws.com/doc/2011-06-15/");
        vec![
            row("kms", "TrentService", Protocol::Json("1.1"), Arc::new(self.kms.clone())),
            row("sqs", "AmazonSQS", Protocol::Json("1.0"), Arc::new(self.queues.clone())),
            row("sts", "2011-06-15", sts, Arc::new(self.sts.clone())),
        ]
    }

    /// Tells them where they are served.
    pub(crate) fn serve_at(&self, url: &str) {
        self.queues.serve_at(url);
    }

    /// What answers plain requests, one row each.
    pub(crate) fn pages(&self) -> Vec<Arc<dyn Pages>> {
        vec![Arc::new(self.instance.clone()), Arc::new(self.container.clone())]
    }
}

impl AwsDouble {
    /// Its KMS.
    #[must_use]
    pub fn kms(&self) -> &Kms {
        &self.beside.kms
    }

    /// Its roles.
    #[must_use]
    pub fn roles(&self) -> &Roles {
        &self.beside.sts.roles
    }

    /// The issuers of web identity tokens that its accounts know.
    #[must_use]
    pub fn issuers(&self) -> &Issuers {
        &self.beside.sts.issuers
    }

    /// Its metadata service, as an instance finds it (IMDSv2): the [`url`](Self::url) is its address.
    #[must_use]
    pub fn instance(&self) -> &Instance {
        &self.beside.instance
    }

    /// Its credentials address for containers; see [`container_url`](Self::container_url).
    #[must_use]
    pub fn container(&self) -> &Container {
        &self.beside.container
    }

    /// What a container has in `AWS_CONTAINER_CREDENTIALS_FULL_URI`.
    #[must_use]
    pub fn container_url(&self) -> String {
        format!("{}{}", self.url(), self.container().path())
    }

    /// Its queues.
    #[must_use]
    pub fn queues(&self) -> &Queues {
        &self.beside.queues
    }

    /// The rule that puts events of Secrets Manager into queues.
    #[must_use]
    pub fn events(&self) -> &Events {
        &self.beside.events
    }
}
