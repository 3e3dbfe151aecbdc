//! Events as OCSF has them.

use std::net::IpAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use request_context::{Actor, Code, Context, Id, Origin, SpanId, TraceId, UserKind};
use serde::Serialize;

use crate::action::{Action, Class, Entity, Grant, User};
use crate::event::Event;

/// The version of the schema that events follow.
pub const OCSF_VERSION: &str = "1.6.0";

/// The program that events come from (OCSF `metadata.product`).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Product {
    /// Who makes it.
    pub vendor: Code,
    /// Its name; stands as the actor and the origin where an event has none.
    pub name: Code,
    /// Its version.
    pub version: Option<Code>,
}

impl Product {
    /// A program.
    #[must_use]
    pub const fn new(vendor: Code, name: Code) -> Self {
        Self { vendor, name, version: None }
    }

    /// This version of it.
    #[must_use]
    pub const fn with_version(mut self, version: Code) -> Self {
        self.version = Some(version);
        self
    }
}

/// The JSON of an event, whose last member is `unmapped`. Nothing of it depends on where it is
/// written.
pub(crate) fn encode(event: &Event, product: &Product, logged: SystemTime) -> String {
    to_json(&record(event, product, logged))
}

/// The JSON of what a trail says of itself: class 1008.
pub(crate) fn encode_own(own: &OwnEvent, product: &Product, logged: SystemTime) -> String {
    let class = Class::EventLogActivity;
    let mut record = Record::new(class, own.activity_id, own.activity_name, product, logged);
    record.time = millis(logged);
    record.severity_id = if own.count.is_some() { 4 } else { 1 };
    record.count = own.count;
    record.log_name = Some("audit");
    record.actor = Some(ActorView::of_app(product.name));
    to_json(&record)
}

/// Something that a trail did: began, went on, rotated, dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OwnEvent {
    pub(crate) activity_id: u8,
    pub(crate) activity_name: &'static str,
    pub(crate) count: Option<u64>,
}

impl OwnEvent {
    pub(crate) const ROTATE: Self = Self::of(5, "Rotate");
    pub(crate) const START: Self = Self::of(6, "Start");
    pub(crate) const RESTART: Self = Self::of(8, "Restart");

    const fn of(activity_id: u8, activity_name: &'static str) -> Self {
        Self { activity_id, activity_name, count: None }
    }

    /// So many records are missing from the end of the trail that were there.
    pub(crate) const fn lost(count: u64) -> Self {
        Self { activity_id: 99, activity_name: "Lost", count: Some(count) }
    }

    /// So many events were not written.
    pub(crate) const fn dropped(count: u64) -> Self {
        Self { activity_id: 99, activity_name: "Drop", count: Some(count) }
    }
}

/// None of the parts can fail: no maps with other keys than text, no foreign `Serialize`.
fn to_json(record: &Record<'_>) -> String {
    serde_json::to_string(record).unwrap_or_default()
}

fn record<'a>(event: &'a Event, product: &'a Product, logged: SystemTime) -> Record<'a> {
    let action = &event.action;
    let class = action.class();
    let (id, name) = (action.activity_id(), action.activity_name());
    let mut record = Record::new(class, id, name, product, logged);
    record.severity_id = event.severity.id();
    record.status_id = Some(event.outcome.status_id());
    record.status = Some(event.outcome.status());
    record.status_code = event.outcome.reason();
    record.time = millis(event.time);
    record.metadata.event_code = event.code;
    if let Some(aggregate) = &event.aggregate {
        record.count = Some(aggregate.count.get());
        record.start_time = Some(millis(aggregate.start));
        record.end_time = Some(millis(aggregate.end));
    }
    record.place(&event.context, product);
    record.describe(action, &event.context);
    record.unmapped.store_requests = &event.store_requests;
    record.unmapped.store_requests_left_off = event.store_requests_left_off;
    record
}

fn millis(time: SystemTime) -> i64 {
    let whole = |span: std::time::Duration| i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => whole(since),
        Err(before) => whole(before.duration()).saturating_neg(),
    }
}

#[derive(Serialize)]
struct Record<'a> {
    activity_id: u8,
    activity_name: &'static str,
    category_uid: u32,
    class_uid: u32,
    class_name: &'static str,
    type_uid: u32,
    severity_id: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_id: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_code: Option<Code>,
    time: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_time: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_time: Option<i64>,
    metadata: Metadata<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    actor: Option<ActorView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    src_endpoint: Option<Endpoint>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<UserView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<Named>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_protocol_id: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_protocol: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_mfa: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<Uid<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    privileges: Option<&'a [Id]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<Uid<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    entity: Option<EntityView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    entity_result: Option<EntityView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    api: Option<Api<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resources: Option<Vec<EntityView<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    log_name: Option<&'static str>,
    /// Last, since the chain is added to it.
    unmapped: Unmapped<'a>,
}

#[derive(Serialize)]
struct Metadata<'a> {
    version: &'static str,
    product: ProductView,
    logged_time: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    correlation_uid: Option<&'a Id>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_code: Option<Code>,
}

#[derive(Serialize)]
struct ProductView {
    vendor_name: Code,
    name: Code,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<Code>,
}

#[derive(Serialize)]
struct ActorView<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<UserView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<Uid<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    app_name: Option<Code>,
}

#[derive(Serialize)]
struct UserView<'a> {
    uid: &'a Id,
    type_id: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    credential_uid: Option<&'a Id>,
}

#[derive(Serialize)]
struct Uid<'a> {
    uid: &'a Id,
}

#[derive(Serialize)]
struct Named {
    name: Code,
}

#[derive(Serialize)]
struct Endpoint {
    #[serde(skip_serializing_if = "Option::is_none")]
    ip: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    svc_name: Option<Code>,
}

#[derive(Serialize)]
struct EntityView<'a> {
    #[serde(rename = "type")]
    kind: Code,
    uid: &'a Id,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'a Id>,
}

#[derive(Serialize)]
struct Api<'a> {
    operation: Code,
    service: Named,
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<Uid<'a>>,
}

#[derive(Serialize, Default)]
struct Unmapped<'a> {
    /// The request at this service, where the correlation names more than it.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a Id>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<TraceId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    span_id: Option<SpanId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<OriginView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    entity_store: Option<&'a Id>,
    #[serde(skip_serializing_if = "<[Id]>::is_empty")]
    store_requests: &'a [Id],
    #[serde(skip_serializing_if = "is_none")]
    store_requests_left_off: u64,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_none(count: &u64) -> bool {
    *count == 0
}

/// What OCSF has no place for: who told what of a request's origin.
#[derive(Serialize)]
struct OriginView<'a> {
    peer: String,
    client_from: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    scheme: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scheme_from: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<&'a Id>,
    #[serde(skip_serializing_if = "Option::is_none")]
    host_from: Option<&'static str>,
}

impl<'a> Record<'a> {
    fn new(
        class: Class,
        activity_id: u8,
        activity_name: &'static str,
        product: &Product,
        logged: SystemTime,
    ) -> Self {
        let product = ProductView {
            vendor_name: product.vendor,
            name: product.name,
            version: product.version,
        };
        let logged_time = millis(logged);
        Self {
            activity_id,
            activity_name,
            category_uid: class.category_uid(),
            class_uid: class.uid(),
            class_name: class.name(),
            type_uid: class.uid() * 100 + u32::from(activity_id),
            severity_id: 1,
            status_id: None,
            status: None,
            status_code: None,
            time: logged_time,
            count: None,
            start_time: None,
            end_time: None,
            metadata: Metadata {
                version: OCSF_VERSION,
                product,
                logged_time,
                correlation_uid: None,
                event_code: None,
            },
            actor: None,
            src_endpoint: None,
            user: None,
            service: None,
            auth_protocol_id: None,
            auth_protocol: None,
            is_mfa: None,
            session: None,
            privileges: None,
            group: None,
            entity: None,
            entity_result: None,
            api: None,
            resources: None,
            log_name: None,
            unmapped: Unmapped::default(),
        }
    }

    /// Who and where: the program itself where nobody else is known.
    fn place(&mut self, context: &'a Context, product: &Product) {
        let correlation = context.correlation_id.as_ref();
        self.metadata.correlation_uid = correlation.or(context.request_id.as_ref());
        self.actor = Some(match &context.actor {
            Some(actor) => ActorView::of(actor),
            None => ActorView::of_app(product.name),
        });
        self.src_endpoint = Some(match &context.origin {
            Some(origin) => Endpoint::of(origin),
            None => Endpoint { ip: None, port: None, svc_name: Some(product.name) },
        });
        self.unmapped = Unmapped {
            request_id: correlation.and(context.request_id.as_ref()),
            trace_id: context.trace.map(|trace| trace.trace_id),
            span_id: context.trace.map(|trace| trace.span_id),
            origin: context.origin.as_ref().map(OriginView::of),
            entity_store: None,
            store_requests: &[],
            store_requests_left_off: 0,
        };
    }

    /// What its class has to say.
    fn describe(&mut self, action: &'a Action, context: &'a Context) {
        match action {
            Action::Account { user, .. } => self.user = Some(UserView::of(user)),
            Action::Authentication { user, service, protocol, is_mfa, session, .. } => {
                self.user = Some(UserView::of(user));
                self.service = Some(Named { name: *service });
                self.auth_protocol_id = protocol.map(|protocol| protocol.id());
                self.auth_protocol = protocol.map(|protocol| protocol.name());
                self.is_mfa = *is_mfa;
                self.session = session.as_ref().map(|uid| Uid { uid });
            }
            Action::Authorization { user, grant, session } => {
                self.user = Some(UserView::of(user));
                self.session = session.as_ref().map(|uid| Uid { uid });
                match grant {
                    Grant::Privileges(privileges) => self.privileges = Some(privileges),
                    Grant::Group(uid) => self.group = Some(Uid { uid }),
                }
            }
            Action::Entity { entity, result, .. } => {
                self.entity = Some(EntityView::of(entity));
                self.unmapped.entity_store = entity.store.as_ref();
                self.entity_result = result.as_ref().map(EntityView::of);
            }
            Action::Api { operation, service, resources, .. } => {
                let request = context.request_id.as_ref().map(|uid| Uid { uid });
                let service = Named { name: *service };
                self.api = Some(Api { operation: *operation, service, request });
                self.resources = Some(resources.iter().map(EntityView::of).collect());
            }
        }
    }
}

impl<'a> ActorView<'a> {
    fn of(actor: &'a Actor) -> Self {
        let user = UserView {
            uid: &actor.id,
            type_id: type_id(actor.kind),
            credential_uid: actor.credential.as_ref(),
        };
        let session = actor.session.as_ref().map(|uid| Uid { uid });
        Self { user: Some(user), session, app_name: None }
    }

    const fn of_app(name: Code) -> Self {
        Self { user: None, session: None, app_name: Some(name) }
    }
}

/// `user.type_id` of OCSF.
const fn type_id(kind: UserKind) -> u8 {
    match kind {
        UserKind::User => 1,
        UserKind::Admin => 2,
        UserKind::System => 3,
        UserKind::Service => 4,
        _ => 0,
    }
}

impl<'a> UserView<'a> {
    const fn of(user: &'a User) -> Self {
        Self { uid: &user.id, type_id: type_id(user.kind), credential_uid: None }
    }
}

impl<'a> EntityView<'a> {
    const fn of(entity: &'a Entity) -> Self {
        Self { kind: entity.kind, uid: &entity.id, version: entity.version.as_ref() }
    }
}

impl Endpoint {
    fn of(origin: &Origin) -> Self {
        let is_peer = origin.client.value == origin.peer.ip();
        let port = is_peer.then_some(origin.peer.port());
        Self { ip: Some(origin.client.value), port, svc_name: None }
    }
}

impl<'a> OriginView<'a> {
    fn of(origin: &'a Origin) -> Self {
        Self {
            peer: origin.peer.to_string(),
            client_from: origin.client.from.as_str(),
            scheme: origin.scheme.map(|scheme| scheme.value.as_str()),
            scheme_from: origin.scheme.map(|scheme| scheme.from.as_str()),
            host: origin.host.as_ref().map(|host| &host.value),
            host_from: origin.host.as_ref().map(|host| host.from.as_str()),
        }
    }
}
