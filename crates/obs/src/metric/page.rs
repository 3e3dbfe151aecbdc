use std::io::{self, Write};

#[cfg(feature = "gzip")]
use flate2::{Compression, write::GzEncoder};

use super::{ContentCoding, Exposition, MetricBackend};

/// What a collector of metrics is answered: the body, and the headers that go with it. For those who serve the
/// page themselves; the admin listener answers with it.
///
/// ```
/// use obs::metric::{ContentCoding, Exposition, MetricPage, MetricRecorder};
///
/// # let recorder = MetricRecorder::builder().build();
/// // Of the request: `Accept` and `Accept-Encoding`.
/// let format = Exposition::accepted("text/plain;version=0.0.4");
/// let coding = ContentCoding::accepted("gzip");
/// let page = MetricPage::render(&recorder, format, coding)?;
/// for (name, value) in page.headers() {
///     // … to the answer
/// #   assert!(!name.is_empty() && !value.is_empty());
/// }
/// let body: Vec<u8> = page.into_body();
/// # assert!(body.starts_with(b"# HELP"));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricPage {
    format: Exposition,
    coding: ContentCoding,
    body: Vec<u8>,
}

/// What is shorter is not compressed: it fits into one packet as it is.
#[cfg(feature = "gzip")]
const WORTH: usize = 1 << 10;

/// Compressed to a ninth at 700 MB/s. The next levels win a tenth of the rest for twice the time and more.
#[cfg(feature = "gzip")]
const LEVEL: Compression = Compression::fast();

impl MetricPage {
    /// Everything that a backend keeps, in a format that it has, compressed while it is written: the whole text is
    /// never in memory then. Less than 1 KiB is not compressed, nor is anything without the feature `gzip`.
    ///
    /// # Errors
    /// Those of the backend.
    pub fn render(
        backend: &dyn MetricBackend,
        format: Exposition,
        coding: ContentCoding,
    ) -> io::Result<Self> {
        let format = if backend.has(format) { format } else { Exposition::Text };
        let mut encoder = Encoder::new(coding);
        backend.render(format, &mut encoder)?;
        let (coding, mut body) = encoder.finish()?;
        body.shrink_to_fit();
        Ok(Self { format, coding, body })
    }

    /// In which format it is.
    #[must_use]
    pub const fn format(&self) -> Exposition {
        self.format
    }

    /// How it is encoded: not necessarily as it was asked for.
    #[must_use]
    pub const fn coding(&self) -> ContentCoding {
        self.coding
    }

    /// The headers of the answer, by their names in lower case: `content-type`, `vary`, and `content-encoding`
    /// if it is compressed.
    pub fn headers(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let always = [("content-type", self.format.content_type()), ("vary", Self::VARY)];
        always.into_iter().chain(self.coding.name().map(|name| ("content-encoding", name)))
    }

    /// The body. Its length is that of what is sent.
    #[must_use]
    pub fn into_body(self) -> Vec<u8> {
        self.body
    }

    /// The headers of requests by which pages differ.
    pub(crate) const VARY: &'static str = "accept, accept-encoding";
}

/// What is written, as it is or compressed.
enum Encoder {
    Plain(Vec<u8>),
    /// As it is until it is worth to be compressed.
    #[cfg(feature = "gzip")]
    Short(Vec<u8>),
    #[cfg(feature = "gzip")]
    Gzip(GzEncoder<Vec<u8>>),
}

impl Encoder {
    fn new(coding: ContentCoding) -> Self {
        match coding {
            #[cfg(feature = "gzip")]
            ContentCoding::Gzip => Self::Short(Vec::new()),
            _ => Self::Plain(Vec::new()),
        }
    }

    fn finish(self) -> io::Result<(ContentCoding, Vec<u8>)> {
        match self {
            Self::Plain(body) => Ok((ContentCoding::Identity, body)),
            #[cfg(feature = "gzip")]
            Self::Short(body) => Ok((ContentCoding::Identity, body)),
            #[cfg(feature = "gzip")]
            Self::Gzip(encoder) => Ok((ContentCoding::Gzip, encoder.finish()?)),
        }
    }
}

impl Write for Encoder {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(body) => body.write(bytes),
            #[cfg(feature = "gzip")]
            Self::Short(body) if body.len() + bytes.len() < WORTH => body.write(bytes),
            #[cfg(feature = "gzip")]
            Self::Short(body) => {
                let mut encoder = GzEncoder::new(Vec::new(), LEVEL);
                encoder.write_all(body)?;
                let written = encoder.write(bytes);
                *self = Self::Gzip(encoder);
                written
            }
            #[cfg(feature = "gzip")]
            Self::Gzip(encoder) => encoder.write(bytes),
        }
    }

    /// A flush in the middle of a page would only make it longer.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
