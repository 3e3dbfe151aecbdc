//! `/proc/net/tcp` and `/proc/net/tcp6` (the kernel's `Documentation/networking/proc_net_tcp.rst`).

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;

use crate::process::look::Look;

/// The states as the kernel numbers them (`include/net/tcp_states.h`), from 1, by their names in OpenTelemetry's
/// conventions (`network.connection.state`).
pub(super) const STATES: [&str; 11] = [
    "established",
    "syn_sent",
    "syn_received",
    "fin_wait_1",
    "fin_wait_2",
    "time_wait",
    "closed",
    "close_wait",
    "last_ack",
    "listen",
    "closing",
];

const ESTABLISHED: usize = 0;
const LISTEN: usize = 9;
/// A request for a connection in the kernel's newer form, which is none in this table: `TCP_NEW_SYN_RECV`.
const NEW_SYN_RECEIVED: (u8, usize) = (12, 2);

/// Bytes of a table.
const LONGEST: u64 = 32 * 1024 * 1024;
/// Bytes of a line; those of IPv6 have some 180.
const LONGEST_LINE: u64 = 1024;

/// Sockets, counted.
#[derive(Debug)]
pub(super) struct Sockets {
    by_state: [u64; STATES.len()],
    /// Established ones, by local port.
    by_port: Vec<u32>,
    /// How many wait to be accepted, by port.
    waiting: BTreeMap<u16, u64>,
}

/// A port on which somebody listens.
#[derive(Debug, Clone, Copy)]
pub(super) struct Listener {
    pub(super) port: u16,
    pub(super) connections: u32,
    pub(super) waiting: u64,
}

/// How it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Read {
    Whole,
    Absent,
    Failed,
}

impl Sockets {
    pub(super) fn new() -> Self {
        let by_port = vec![0; usize::from(u16::MAX) + 1];
        Self { by_state: [0; STATES.len()], by_port, waiting: BTreeMap::new() }
    }

    pub(super) fn by_state(&self) -> [u64; STATES.len()] {
        self.by_state
    }

    /// By port.
    pub(super) fn listeners(&self) -> impl Iterator<Item = Listener> {
        self.waiting.iter().map(|(port, waiting)| {
            let connections = self.by_port.get(usize::from(*port)).copied().unwrap_or_default();
            Listener { port: *port, connections, waiting: *waiting }
        })
    }

    /// Counts those of a table.
    pub(super) fn read(&mut self, file: &str, look: &mut Look<'_>) -> Read {
        let path = Path::new(file);
        let Some(table) = look.open(path) else {
            // If it is there, it was noted that it cannot be opened.
            return if look.has(path) { Read::Failed } else { Read::Absent };
        };
        let mut table = BufReader::with_capacity(64 * 1024, table.take(LONGEST));
        let (mut line, mut is_heading, mut length) = (Vec::with_capacity(256), true, 0);
        loop {
            line.clear();
            match table.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line) {
                Ok(0) => break,
                Ok(read) => length += read as u64,
                Err(error) => {
                    look.fail(path, error);
                    return Read::Failed;
                }
            }
            if !std::mem::take(&mut is_heading) && self.count(&line).is_none() {
                look.fail_to_understand(path);
                return Read::Failed;
            }
        }
        if length >= LONGEST {
            look.fail(path, "it is longer than 32 MiB");
            return Read::Failed;
        }
        Read::Whole
    }

    /// A line: number, local address, remote address, state, queues, and more. Numbers are hexadecimal.
    fn count(&mut self, line: &[u8]) -> Option<()> {
        let mut words = line.split(|byte| byte.is_ascii_whitespace()).filter(|it| !it.is_empty());
        let (local, state) = (words.nth(1)?, words.nth(1)?);
        let port = u16::try_from(hexadecimal(local.rsplit(|byte| *byte == b':').next()?)?).ok()?;
        let number = u8::try_from(hexadecimal(state)?).ok()?;
        let state = match number {
            number if number == NEW_SYN_RECEIVED.0 => NEW_SYN_RECEIVED.1,
            number => usize::from(number).checked_sub(1)?,
        };
        let Some(count) = self.by_state.get_mut(state) else {
            // A state of a kernel to come is none of ours.
            return Some(());
        };
        *count += 1;
        if state == ESTABLISHED {
            let count = self.by_port.get_mut(usize::from(port))?;
            *count = count.saturating_add(1);
        }
        if state == LISTEN {
            // What is received is, of a listener, who waits to be accepted.
            let mut queues = words.next()?.split(|byte| *byte == b':');
            let waiting = self.waiting.entry(port).or_default();
            *waiting = waiting.saturating_add(hexadecimal(queues.nth(1)?)?);
        }
        Some(())
    }
}

fn hexadecimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 16 {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, digit| {
        Some(number << 4 | u64::from(char::from(*digit).to_digit(16)?))
    })
}
