//! What is asked of the system by calls.

use std::io;
use std::path::Path;

/// Clock ticks of a second, in which `/proc` counts time (proc(5), `sysconf(_SC_CLK_TCK)`).
#[cfg(target_os = "linux")]
pub(super) fn ticks_per_second() -> f64 {
    rustix::param::clock_ticks_per_second() as f64
}

/// Bytes of a page of memory.
#[cfg(target_os = "linux")]
pub(super) fn page_size() -> f64 {
    rustix::param::page_size() as f64
}

#[cfg(not(target_os = "linux"))]
pub(super) const fn ticks_per_second() -> f64 {
    100.0
}

#[cfg(not(target_os = "linux"))]
pub(super) const fn page_size() -> f64 {
    4096.0
}

/// How often the threads of this process gave their processors away and had to, those that have ended among them
/// (getrusage(2)). `/proc` tells it of single threads that live.
#[cfg(target_os = "linux")]
pub(super) fn context_switches() -> io::Result<[f64; 2]> {
    use nix::sys::resource::{UsageWho, getrusage};

    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let switches = [usage.voluntary_context_switches(), usage.involuntary_context_switches()];
    Ok(switches.map(|count| count as f64))
}

#[cfg(not(target_os = "linux"))]
pub(super) fn context_switches() -> io::Result<[f64; 2]> {
    Err(io::ErrorKind::NotFound.into())
}

/// Room of a file system (statvfs(3)).
#[derive(Debug, Clone, Copy)]
pub(super) struct Space {
    /// Bytes in all, free, and free for those without privileges.
    pub(super) bytes: [f64; 3],
    /// Inodes in all and free. There are none where the file system makes them as it goes.
    pub(super) inodes: [f64; 2],
}

/// The room of the file system that a path is on.
#[cfg(target_os = "linux")]
pub(super) fn space(path: &Path) -> io::Result<Space> {
    let told = rustix::fs::statvfs(path)?;
    let bytes = |blocks: u64| blocks as f64 * told.f_frsize as f64;
    Ok(Space {
        bytes: [bytes(told.f_blocks), bytes(told.f_bfree), bytes(told.f_bavail)],
        inodes: [told.f_files as f64, told.f_ffree as f64],
    })
}

#[cfg(not(target_os = "linux"))]
pub(super) fn space(_: &Path) -> io::Result<Space> {
    Err(io::ErrorKind::NotFound.into())
}

/// Whether an error says that there is nothing to be read: no such file, a process or control group that is
/// gone, a kernel that was told not to measure (pressure with `psi=0`).
#[cfg(target_os = "linux")]
pub(super) fn is_absent(error: &io::Error) -> bool {
    use rustix::io::Errno;

    let errno = Errno::from_io_error(error);
    let absent = [Errno::NOENT, Errno::NOTDIR, Errno::NODEV, Errno::SRCH, Errno::OPNOTSUPP];
    errno.is_some_and(|errno| absent.contains(&errno))
}

#[cfg(not(target_os = "linux"))]
pub(super) fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
