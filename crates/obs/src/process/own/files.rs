//! The files of a process in `/proc` (proc(5)).

use crate::process::look::{named, number};

/// `/proc/<pid>/stat`; times in clock ticks.
#[derive(Debug)]
pub(super) struct Stat {
    pub(super) minor_faults: f64,
    pub(super) major_faults: f64,
    pub(super) user: f64,
    pub(super) system: f64,
    /// Since the system was booted.
    pub(super) start: f64,
}

impl Stat {
    /// The name of the program stands in parentheses and may have some itself: what counts is after the
    /// last one. The fields' numbers are those of proc(5).
    pub(super) fn parse(text: &str) -> Option<Self> {
        const FIRST: usize = 3;
        let (_, rest) = text.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        let field = |place: usize| number(fields.get(place - FIRST)?);
        Some(Self {
            minor_faults: field(10)?,
            major_faults: field(12)?,
            user: field(14)?,
            system: field(15)?,
            start: field(22)?,
        })
    }
}

/// `/proc/<pid>/status`; in bytes.
#[derive(Debug)]
pub(super) struct Status {
    pub(super) resident: Option<f64>,
    pub(super) resident_peak: Option<f64>,
    pub(super) mapped: Option<f64>,
    pub(super) swapped: Option<f64>,
    pub(super) threads: f64,
}

impl Status {
    pub(super) fn parse(text: &str) -> Option<Self> {
        // The first line is the program's name, in which line feeds are escaped.
        let kibibytes = |name| named(text, name).map(|size| size * 1024.0);
        Some(Self {
            resident: kibibytes("VmRSS:"),
            resident_peak: kibibytes("VmHWM:"),
            mapped: kibibytes("VmSize:"),
            swapped: kibibytes("VmSwap:"),
            threads: named(text, "Threads:")?,
        })
    }
}

/// `/proc/<pid>/io`; in bytes.
#[derive(Debug)]
pub(super) struct Io {
    pub(super) read: f64,
    pub(super) written: f64,
}

impl Io {
    pub(super) fn parse(text: &str) -> Option<Self> {
        Some(Self { read: named(text, "read_bytes:")?, written: named(text, "write_bytes:")? })
    }
}

/// The soft limit of file descriptors in `/proc/<pid>/limits`; `Some(None)` if there is none.
pub(super) fn most_descriptors(text: &str) -> Option<Option<f64>> {
    let limits = text.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    match limits.split_ascii_whitespace().next()? {
        "unlimited" => Some(None),
        limit => number(limit).map(Some),
    }
}
