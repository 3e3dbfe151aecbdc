use std::fmt;
use std::io::{self, Write};

/// Where lines go. It is called by the thread of a [`Writer`](crate::log::Writer) alone: it may
/// block, and harms nobody but that thread.
pub trait Target: fmt::Debug + Send + 'static {
    /// Gets ready for a record of `length` bytes, and says how many bytes it takes before it wants to be
    /// asked again. Records are not cut for that: one at least is given.
    ///
    /// # Errors
    /// It cannot take anything now. It is asked again later.
    fn ready(&mut self, length: usize) -> io::Result<usize> {
        let _ = length;
        Ok(usize::MAX)
    }

    /// Takes the beginning of `bytes`, and says how much.
    ///
    /// # Errors
    /// It took nothing. It is given the same bytes later.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// Hands on what it keeps.
    ///
    /// # Errors
    /// It could not. It is asked again later.
    fn flush(&mut self) -> io::Result<()>;

    /// Takes out an error that did not keep it from taking records: a rotation that failed.
    fn problem(&mut self) -> Option<io::Error> {
        None
    }
}

/// Anything that can be written to, as a [`Target`].
pub struct Stream<W>(W);

impl<W: Write + Send + 'static> Stream<W> {
    /// Writes to `stream`.
    pub const fn new(stream: W) -> Self {
        Self(stream)
    }
}

impl<W: Write + Send + 'static> Target for Stream<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl<W> fmt::Debug for Stream<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stream")
    }
}

/// The standard output or the standard error of the process.
///
/// It writes beside Rust's own handle of it, without that one's lock and buffer: while nobody reads
/// the output, whoever else writes a line there is not kept waiting by a lock that a log holds.
#[derive(Debug)]
pub struct Standard(Handle);

impl Standard {
    /// The standard output.
    ///
    /// # Errors
    /// It is closed, or there are too many open files.
    pub fn output() -> io::Result<Self> {
        Handle::of(io::stdout()).map(Self)
    }

    /// The standard error.
    ///
    /// # Errors
    /// It is closed, or there are too many open files.
    pub fn error() -> io::Result<Self> {
        Handle::of(io::stderr()).map(Self)
    }
}

impl Target for Standard {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.0.flush()
    }
}

#[cfg(unix)]
#[derive(Debug)]
struct Handle(std::fs::File);

#[cfg(unix)]
impl Handle {
    fn of(stream: impl std::os::fd::AsFd) -> io::Result<Self> {
        stream.as_fd().try_clone_to_owned().map(|file| Self(file.into()))
    }
}

#[cfg(not(unix))]
struct Handle(Box<dyn Write + Send>);

#[cfg(not(unix))]
impl Handle {
    fn of(stream: impl Write + Send + 'static) -> io::Result<Self> {
        Ok(Self(Box::new(stream)))
    }
}

#[cfg(not(unix))]
impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handle")
    }
}
