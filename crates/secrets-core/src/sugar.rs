use std::fmt;
use std::future::Future;
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

/// The items of a list across its pages. After an error it ends; a backend that gives the same
/// token twice in a row is an `Internal` error, not an endless list.
#[must_use = "a stream does nothing unless it is polled"]
pub struct PageStream<'a, T> {
    fetch: FetchPage<'a, T>,
    items: std::vec::IntoIter<T>,
    position: Position<'a, T>,
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
            items: Vec::new().into_iter(),
            position: Position::Before(None),
        }
    }

    fn take_page(&mut self, from: Option<PageToken>, page: Page<T>) -> Result<()> {
        self.items = page.items.into_iter();
        self.position = match page.next {
            None => Position::Done,
            next if next == from => {
                self.position = Position::Done;
                let message = "the backend gave the same page token twice";
                return Err(Error::new(ErrorKind::Internal, message));
            }
            next => Position::Before(next),
        };
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
                    let request = PageRequest { limit: None, token: from.clone() };
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
                            self.items = Vec::new().into_iter();
                            return Poll::Ready(Some(Err(error)));
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
