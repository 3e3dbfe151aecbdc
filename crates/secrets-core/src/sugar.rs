use std::fmt;
use std::future::Future;
use std::num::NonZeroU32;
use std::pin::Pin;
use std::task::{Context, Poll};

use async_trait::async_trait;
use futures_core::Stream;

use crate::error::{Error, ErrorKind, Result};
use crate::metadata::SecretInfo;
use crate::name::SecretName;
use crate::options::{GetOptions, SetOptions};
use crate::page::{Page, PageRequest, PageToken, SecretFilter};
use crate::provider::SecretProvider;
use crate::reference::SecretRef;
use crate::value::{Secret, SecretValue};
use crate::version::VersionInfo;

/// Shorter calls for users of any provider.
///
/// ```
/// # #[cfg(feature = "memory")] {
/// use secrets_core::{SecretProviderExt, memory::{MemoryProvider, Personality}};
///
/// # async fn demo() -> secrets_core::Result<()> {
/// let provider = MemoryProvider::new(Personality::Aws);
/// provider.put_text("billing/db-password", "correct horse").await?;
/// let secret = provider.read("billing/db-password").await?;
/// assert_eq!(secret.value.expose_secret_text()?, "correct horse");
/// # Ok(()) }
/// # }
/// ```
#[async_trait]
pub trait SecretProviderExt: SecretProvider {
    /// Reads the current version by name.
    ///
    /// # Errors
    /// `InvalidName`, and those of [`get_secret`](SecretProvider::get_secret).
    async fn read(&self, name: &str) -> Result<Secret> {
        let reference = SecretRef::Name(SecretName::new(name)?);
        self.get_secret(&reference, GetOptions::default()).await
    }

    /// Writes a text as the current version.
    ///
    /// # Errors
    /// `InvalidName`, and those of [`set_secret`](SecretProvider::set_secret).
    async fn put_text(&self, name: &str, text: &str) -> Result<VersionInfo> {
        let value = SecretValue::copy_from_slice(text.as_bytes());
        self.put(name, value).await
    }

    /// Writes a value as the current version.
    ///
    /// # Errors
    /// `InvalidName`, and those of [`set_secret`](SecretProvider::set_secret).
    async fn put(&self, name: &str, value: SecretValue) -> Result<VersionInfo> {
        let reference = SecretRef::Name(SecretName::new(name)?);
        self.set_secret(&reference, value, SetOptions::new()).await
    }

    /// All secrets that pass the filter, page by page as they are asked for.
    fn secrets(&self, filter: SecretFilter) -> PageStream<'_, SecretInfo> {
        PageStream::new(move |request| {
            let filter = filter.clone();
            Box::pin(async move { self.list_secrets(&filter, request).await })
        })
    }

    /// All versions of a secret, page by page as they are asked for.
    fn versions(&self, reference: SecretRef) -> PageStream<'_, VersionInfo> {
        PageStream::new(move |request| {
            let reference = reference.clone();
            Box::pin(async move { self.list_versions(&reference, request).await })
        })
    }
}

impl<P: SecretProvider + ?Sized> SecretProviderExt for P {}

type PageFuture<'a, T> = Pin<Box<dyn Future<Output = Result<Page<T>>> + Send + 'a>>;
type FetchPage<'a, T> = Box<dyn FnMut(PageRequest) -> PageFuture<'a, T> + Send + 'a>;

/// So many pages without an item in a row are no list any more. Filters of backends leave some.
const MOST_EMPTY_PAGES: u32 = 10_000;

/// The items of a list across its pages. After an error it ends.
///
/// A backend cannot keep it busy for ever: the same token twice in a row, or 10,000 pages in a row
/// without an item, are an `Internal` error, and after each empty page other tasks get a turn.
#[must_use = "a stream does nothing unless it is polled"]
pub struct PageStream<'a, T> {
    fetch: FetchPage<'a, T>,
    limit: Option<NonZeroU32>,
    items: std::vec::IntoIter<T>,
    position: Position<'a, T>,
    empty_pages: u32,
}

enum Position<'a, T> {
    Before(Option<PageToken>),
    Fetching { from: Option<PageToken>, page: PageFuture<'a, T> },
    Done,
}

impl<'a, T> PageStream<'a, T> {
    /// A stream over the pages that `fetch` gives.
    pub fn new(fetch: impl FnMut(PageRequest) -> PageFuture<'a, T> + Send + 'a) -> Self {
        Self {
            fetch: Box::new(fetch),
            limit: None,
            items: Vec::new().into_iter(),
            position: Position::Before(None),
            empty_pages: 0,
        }
    }

    /// Asks for so many items a page at most.
    pub fn with_page_limit(mut self, limit: NonZeroU32) -> Self {
        self.limit = Some(limit);
        self
    }

    fn take_page(&mut self, from: Option<PageToken>, page: Page<T>) -> Result<()> {
        self.empty_pages = if page.items.is_empty() { self.empty_pages + 1 } else { 0 };
        self.position = Position::Done;
        if page.next.is_some() && page.next == from {
            let message = "the backend gave the same page token twice";
            return Err(Error::new(ErrorKind::Internal, message));
        }
        if self.empty_pages == MOST_EMPTY_PAGES {
            let message = "the backend gave page after page without an item";
            return Err(Error::new(ErrorKind::Internal, message));
        }
        self.items = page.items.into_iter();
        if page.next.is_some() {
            self.position = Position::Before(page.next);
        }
        Ok(())
    }
}

impl<T: Unpin> Stream for PageStream<'_, T> {
    type Item = Result<T>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<T>>> {
        loop {
            if let Some(item) = self.items.next() {
                return Poll::Ready(Some(Ok(item)));
            }
            match std::mem::replace(&mut self.position, Position::Done) {
                Position::Done => return Poll::Ready(None),
                Position::Before(from) => {
                    let request = PageRequest { limit: self.limit, token: from.clone() };
                    let page = (self.fetch)(request);
                    self.position = Position::Fetching { from, page };
                }
                Position::Fetching { from, mut page } => match page.as_mut().poll(cx) {
                    Poll::Pending => {
                        self.position = Position::Fetching { from, page };
                        return Poll::Pending;
                    }
                    Poll::Ready(Err(error)) => return Poll::Ready(Some(Err(error))),
                    Poll::Ready(Ok(page)) => {
                        if let Err(error) = self.take_page(from, page) {
                            return Poll::Ready(Some(Err(error)));
                        }
                        if self.empty_pages > 0 && matches!(self.position, Position::Before(_)) {
                            cx.waker().wake_by_ref();
                            return Poll::Pending;
                        }
                    }
                },
            }
        }
    }
}

impl<T> fmt::Debug for PageStream<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PageStream").finish_non_exhaustive()
    }
}
