//! The stream over the pages of a list.

use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::{FutureExt, StreamExt};
use secrets_core::{Error, ErrorKind, Page, PageRequest, PageStream, PageToken, Result};

type Pages = Vec<Result<Page<u32>>>;

fn page(items: &[u32], next: Option<&str>) -> Result<Page<u32>> {
    Ok(Page::new(items.to_vec(), next.map(PageToken::new)))
}

/// A stream over these pages, and the tokens that it asked with.
async fn read(pages: Pages) -> (Vec<Result<u32, ErrorKind>>, Vec<Option<String>>) {
    let mut pages = pages.into_iter();
    let mut asked = Vec::new();
    let stream = PageStream::new(|request: PageRequest| {
        asked.push(request.token.map(|token| token.as_str().to_owned()));
        let page = pages.next().expect("no more pages were announced");
        Box::pin(async move {
            tokio::task::yield_now().await;
            page
        })
    });
    let items = stream.map(|item| item.map_err(|error| error.kind())).collect().await;
    (items, asked)
}

fn some(tokens: &[&str]) -> Vec<Option<String>> {
    let tokens = tokens.iter().map(|token| Some((*token).to_owned()));
    std::iter::once(None).chain(tokens).collect()
}

#[tokio::test]
async fn items_come_across_pages_empty_ones_among_them() {
    let pages = vec![
        page(&[], Some("a")),
        page(&[1, 2], Some("b")),
        page(&[], Some("c")),
        page(&[], Some("a")), // a token may come again later on
        page(&[3], None),
    ];
    let (items, asked) = read(pages).await;
    assert_eq!(items, [Ok(1), Ok(2), Ok(3)]);
    assert_eq!(asked, some(&["a", "b", "c", "a"]));
    assert_eq!(read(vec![page(&[], None)]).await.0, []);
}

#[tokio::test]
async fn an_error_ends_it() {
    let failure = Err(Error::new(ErrorKind::Throttled, "slow down"));
    let (items, _) = read(vec![page(&[1], Some("a")), failure]).await;
    assert_eq!(items, [Ok(1), Err(ErrorKind::Throttled)]);
}

#[tokio::test]
async fn the_same_token_twice_in_a_row_is_an_error_and_no_endless_list() {
    let (items, asked) = read(vec![page(&[1], Some("a")), page(&[2], Some("a"))]).await;
    assert_eq!(items, [Ok(1), Err(ErrorKind::Internal)]);
    assert_eq!(asked, some(&["a"]));
}

#[tokio::test]
async fn nothing_is_asked_before_it_is_needed() {
    let mut asked = 0;
    {
        let mut stream = PageStream::new(|_: PageRequest| {
            asked += 1;
            Box::pin(async { page(&[1, 2], Some("a")) })
        });
        assert_eq!(stream.next().now_or_never().flatten().unwrap().unwrap(), 1);
        assert_eq!(stream.next().now_or_never().flatten().unwrap().unwrap(), 2);
    }
    assert_eq!(asked, 1);
}

#[tokio::test]
async fn a_page_that_is_not_there_yet_is_waited_for() {
    let (send, receive) = tokio::sync::oneshot::channel();
    let mut receive = Some(receive);
    let mut stream = PageStream::new(move |_| {
        let receive = receive.take().unwrap();
        Box::pin(async move { receive.await.unwrap() })
    });
    for _ in 0..3 {
        assert!(stream.next().now_or_never().is_none());
    }
    send.send(page(&[7], None)).unwrap();
    assert_eq!(stream.next().await.unwrap().unwrap(), 7);
    assert!(stream.next().await.is_none() && stream.next().await.is_none());
}

#[tokio::test]
async fn a_circle_of_empty_pages_ends_and_lets_other_tasks_run() {
    let fetched = AtomicU32::new(0);
    let stream = PageStream::<u32>::new(|_| {
        let next =
            if fetched.fetch_add(1, Ordering::Relaxed).is_multiple_of(2) { "a" } else { "b" };
        Box::pin(std::future::ready(page(&[], Some(next))))
    });
    // Every page is ready at once: only the stream itself lets others run.
    let mut items = std::pin::pin!(stream.collect::<Vec<_>>());
    assert!((&mut items).now_or_never().is_none());
    assert_eq!(fetched.load(Ordering::Relaxed), 1);
    let items = items.await;
    assert_eq!(items.len(), 1);
    assert_eq!(items[0].as_ref().unwrap_err().kind(), ErrorKind::Internal);
    assert_eq!(fetched.load(Ordering::Relaxed), 10_000);
}

#[tokio::test]
async fn the_size_of_pages_is_passed_on() {
    let limit = std::num::NonZeroU32::new(7).unwrap();
    let mut asked = Vec::new();
    let stream = PageStream::new(|request: PageRequest| {
        asked.push(request.limit);
        let next = request.token.is_none().then_some("a");
        Box::pin(std::future::ready(page(&[1], next)))
    });
    assert_eq!(stream.with_page_limit(limit).count().await, 2);
    assert_eq!(asked, [Some(limit), Some(limit)]);
}
