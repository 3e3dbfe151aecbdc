use aws_sdk_secretsmanager::types::SecretVersionsListEntry;
use secrets_core::{Operation, Page, PageRequest, Result, SecretRef, VersionInfo};

use crate::error::send;
use crate::provider::SecretsManagerProvider;
use crate::provider::labels;
use crate::provider::list::ListId;
use crate::provider::session::time;

impl SecretsManagerProvider {
    /// Versions without a label are among them, as long as AWS keeps them. That a version has no
    /// value the list does not tell: it is shown as enabled, and reading it is `NotFound`.
    pub(super) async fn versions(
        &self,
        reference: &SecretRef,
        page: &PageRequest,
    ) -> Result<Page<VersionInfo>> {
        let session = self.session(reference, Operation::ListVersions)?;
        let list = ListId::new("versions", session.id());
        let start =
            list.start(page).map_err(|error| error.with_operation(Operation::ListVersions))?;
        let request = session
            .client
            .list_secret_version_ids()
            .secret_id(session.id())
            .include_deprecated(true)
            .set_max_results(ListId::limit(page))
            .set_next_token(start);
        let call = session.read("ListSecretVersionIds");
        let output = send!(call, request).map_err(|failure| session.told(failure))?;
        let entries = output.versions.unwrap_or_default();
        let items = entries.iter().map(info).collect::<Result<_>>();
        let items = items.map_err(|error| error.with_operation(Operation::ListVersions))?;
        let next = list.next(page, output.next_token.as_deref());
        Ok(Page::new(items, next.map_err(|error| error.with_operation(Operation::ListVersions))?))
    }
}

fn info(entry: &SecretVersionsListEntry) -> Result<VersionInfo> {
    let created = time(entry.created_date());
    labels::version(entry.version_id(), entry.version_stages(), created)
}
