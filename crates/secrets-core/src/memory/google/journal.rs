use crate::memory::google::project::SecretMeta;

/// What is about to be added, written before it is: `token:base:pending`.
const INTENT: &str = "mainstay-intent";
/// What was added, newest first: `token:number:base:pending`, joined by commas.
const DONE: &str = "mainstay-done";
/// So many are remembered; older ones are not known any more when they are repeated.
const KEPT: usize = 16;
/// The alias of the version that was current before.
pub(crate) const PREVIOUS: &str = "previous";
/// Stands for a token where the caller gave none.
pub(crate) const NO_TOKEN: &str = "-";

/// One addition of a version. Versions carry no metadata, so it is kept in the annotations of the
/// secret, in two steps around the addition: a call that was cut short is found by them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) token: String,
    /// The number that it got; 0 while that is not known.
    pub(crate) number: u64,
    /// The number that was current before; 0 where there was none.
    pub(crate) base: u64,
    /// The companion's number that was promoted; 0 where none was.
    pub(crate) pending: u64,
}

impl Entry {
    pub(crate) fn new(token: &str, base: u64, pending: u64) -> Self {
        Self { token: token.to_owned(), number: 0, base, pending }
    }

    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(':');
        let token = parts.next()?.to_owned();
        let mut number = || parts.next()?.parse().ok();
        let (number, base, pending) = (number()?, number()?, number()?);
        Some(Self { token, number, base, pending })
    }

    fn text(&self) -> String {
        format!("{}:{}:{}:{}", self.token, self.number, self.base, self.pending)
    }
}

/// The addition that was begun last; it may be finished or not.
pub(crate) fn intent(meta: &SecretMeta) -> Option<Entry> {
    Entry::parse(meta.annotations.get(INTENT)?)
}

/// The additions that were finished, newest first.
pub(crate) fn done(meta: &SecretMeta) -> Vec<Entry> {
    let text = meta.annotations.get(DONE).map_or("", String::as_str);
    text.split(',').filter_map(Entry::parse).collect()
}

/// The finished addition with this token.
pub(crate) fn done_with(meta: &SecretMeta, token: &str) -> Option<Entry> {
    done(meta).into_iter().find(|entry| entry.token == token)
}

/// The number that was current before `current`. Where the newest finished addition is another one
/// somebody else has added since: numbers have no gaps, so it is the number below.
pub(crate) fn before(meta: &SecretMeta, current: u64) -> Option<u64> {
    let base = match done(meta).first() {
        Some(entry) if entry.number == current => entry.base,
        _ => current.saturating_sub(1),
    };
    (base > 0).then_some(base)
}

pub(crate) fn begin(meta: &mut SecretMeta, entry: &Entry) {
    meta.annotations.insert(INTENT.to_owned(), entry.text());
    alias(meta, entry);
}

pub(crate) fn finish(meta: &mut SecretMeta, entry: &Entry) {
    let mut all = done(meta);
    all.insert(0, entry.clone());
    all.truncate(KEPT);
    let text: Vec<String> = all.iter().map(Entry::text).collect();
    meta.annotations.insert(DONE.to_owned(), text.join(","));
    alias(meta, entry);
}

fn alias(meta: &mut SecretMeta, entry: &Entry) {
    if entry.base > 0 {
        meta.aliases.insert(PREVIOUS.to_owned(), entry.base);
    }
}
