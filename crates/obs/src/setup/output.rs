use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::time::SystemTime;

use crate::log::{
    FileTargetBuilder, Layout, LogOutput, RateLimit, Sampling, Standard, Target, Writer,
    WriterGuard,
};
use crate::record::{Filter, Record, Resource};
use crate::setup::SetupError;
use crate::setup::layout::{Format, LayoutOptions};
use crate::setup::probe::Tap;

/// Where logs go, and how.
#[derive(Debug)]
pub struct Output {
    pub(super) name: Box<str>,
    to: To,
    layout: How,
    filter: Option<Filter>,
    sampling: Option<Sampling>,
    limit: Option<RateLimit>,
    room: Option<usize>,
    options: LayoutOptions,
    /// Where it stands in the settings, if it does.
    place: Box<str>,
}

#[derive(Debug)]
enum To {
    Stdout,
    Stderr,
    File(FileTargetBuilder),
    Target(Box<dyn Target>),
}

#[derive(Debug)]
enum How {
    OfProfile,
    Format(Format),
    Layout(Box<dyn Layout>),
}

impl Output {
    /// The standard output, called `stdout`.
    #[must_use]
    pub fn stdout() -> Self {
        Self::new("stdout", To::Stdout)
    }

    /// The standard error, called `stderr`.
    #[must_use]
    pub fn stderr() -> Self {
        Self::new("stderr", To::Stderr)
    }

    /// A file. `name` is what the output is called in metrics.
    #[must_use]
    pub fn file(name: &str, file: FileTargetBuilder) -> Self {
        Self::new(name, To::File(file))
    }

    /// Anything else. `name` is what the output is called in metrics.
    #[must_use]
    pub fn target(name: &str, target: impl Target) -> Self {
        Self::new(name, To::Target(Box::new(target)))
    }

    fn new(name: &str, to: To) -> Self {
        Self {
            name: name.into(),
            to,
            layout: How::OfProfile,
            filter: None,
            sampling: None,
            limit: None,
            room: None,
            options: LayoutOptions::default(),
            place: Box::default(),
        }
    }

    /// The format: instead of the one of the profile.
    #[must_use]
    pub fn format(mut self, format: Format) -> Self {
        self.layout = How::Format(format);
        self
    }

    /// A layout of one's own.
    #[must_use]
    pub fn layout(mut self, layout: impl Layout) -> Self {
        self.layout = How::Layout(Box::new(layout));
        self
    }

    /// What this output takes of what the filter of all lets through: instead of all of it.
    #[must_use]
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filter = Some(filter);
        self
    }

    /// Of which records only some are written: instead of none.
    #[must_use]
    pub fn sampling(mut self, sampling: Sampling) -> Self {
        self.sampling = Some(sampling);
        self
    }

    /// How often each place in the program is heard: instead of always.
    #[must_use]
    pub fn rate_limit(mut self, limit: RateLimit) -> Self {
        self.limit = Some(limit);
        self
    }

    /// How many bytes may wait there: see [`WriterBuilder::room`](crate::log::WriterBuilder::room).
    #[must_use]
    pub const fn room(mut self, bytes: usize) -> Self {
        self.room = Some(bytes);
        self
    }

    /// What it is called in metrics, instead of by where it goes.
    #[must_use]
    pub fn name(mut self, name: &str) -> Self {
        self.name = name.into();
        self
    }

    /// What its format leaves to choose.
    #[cfg(feature = "settings")]
    pub(crate) fn options(mut self, options: LayoutOptions) -> Self {
        self.options = options;
        self
    }

    /// Where it stands in the settings, for errors.
    #[cfg(feature = "settings")]
    pub(crate) fn place(mut self, place: String) -> Self {
        self.place = place.into();
        self
    }

    /// Whether a line of it has ids, and every line comes there.
    pub(super) fn shows_probes(&self, of_profile: Format) -> bool {
        let has_ids = match &self.layout {
            How::OfProfile => self.options.shows_ids(of_profile),
            How::Format(format) => self.options.shows_ids(*format),
            How::Layout(_) => false,
        };
        has_ids && self.filter.is_none() && self.sampling.is_none()
    }

    /// Opens it and starts its writer.
    pub(super) fn start(
        self,
        of_profile: Format,
        resource: &Resource,
        clock: fn() -> SystemTime,
        tap: Option<Arc<Tap>>,
    ) -> Result<Started, SetupError> {
        let (name, place) = (self.name.clone(), self.place.clone());
        self.open(of_profile, resource, clock, tap)
            .map_err(|error| SetupError::output(&name, &place).because(error))
    }

    fn open(
        self,
        of_profile: Format,
        resource: &Resource,
        clock: fn() -> SystemTime,
        tap: Option<Arc<Tap>>,
    ) -> io::Result<Started> {
        let is_terminal = match &self.to {
            To::Stdout => io::stdout().is_terminal(),
            To::Stderr => io::stderr().is_terminal(),
            To::File(_) | To::Target(_) => false,
        };
        let layout = match self.layout {
            How::OfProfile => self.options.layout(of_profile, resource, is_terminal),
            How::Format(format) => self.options.layout(format, resource, is_terminal),
            How::Layout(layout) => layout,
        };
        let target: Box<dyn Target> = match self.to {
            To::Stdout => Box::new(Standard::output()?),
            To::Stderr => Box::new(Standard::error()?),
            To::File(file) => Box::new(file.open()?),
            To::Target(target) => target,
        };
        let mut builder = Writer::builder(&self.name);
        if let Some(room) = self.room {
            builder = builder.room(room);
        }
        let (writer, guard) = builder.start(Tapped { target, tap })?;
        let mut output = LogOutput::builder(AnyLayout(layout), &writer).clock(clock);
        if let Some(filter) = self.filter {
            output = output.filter(filter);
        }
        if let Some(sampling) = self.sampling {
            output = output.sampling(sampling);
        }
        if let Some(limit) = self.limit {
            output = output.rate_limit(limit);
        }
        Ok(Started { name: self.name, sink: output.build(), writer, guard })
    }
}

/// An output that is open.
pub(super) struct Started {
    pub(super) name: Box<str>,
    pub(super) sink: Arc<LogOutput>,
    pub(super) writer: Writer,
    pub(super) guard: WriterGuard,
}

#[derive(Debug)]
struct AnyLayout(Box<dyn Layout>);

impl Layout for AnyLayout {
    fn write(&self, record: &Record<'_>, line: &mut Vec<u8>) {
        self.0.write(record, line);
    }
}

/// A target that a probe may listen at.
#[derive(Debug)]
struct Tapped {
    target: Box<dyn Target>,
    tap: Option<Arc<Tap>>,
}

impl Target for Tapped {
    fn ready(&mut self, length: usize) -> io::Result<usize> {
        self.target.ready(length)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.target.write(bytes)?;
        if let Some(tap) = &self.tap {
            tap.hear(bytes.get(..written).unwrap_or_default());
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.target.flush()
    }

    fn problem(&mut self) -> Option<io::Error> {
        self.target.problem()
    }
}
