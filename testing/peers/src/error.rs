use std::fmt;

/// Why a peer could not be installed, started or asked.
///
/// `Debug` reads as `Display` does, since a test that unwraps shows the former.
#[derive(Clone)]
pub struct PeerError {
    message: String,
    told: String,
}

impl PeerError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), told: String::new() }
    }

    /// With the last lines of what the other program printed.
    pub(crate) fn with_output(mut self, output: &str) -> Self {
        self.told = last_lines(output);
        self
    }
}

/// How much of a program's output is shown: a Python traceback and what led to it.
const SHOWN_LINES: usize = 40;

pub(crate) fn last_lines(output: &str) -> String {
    let mut lines: Vec<&str> = output.lines().rev().take(SHOWN_LINES).collect();
    lines.reverse();
    lines.join("\n")
}

impl fmt::Display for PeerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if self.told.is_empty() {
            return Ok(());
        }
        write!(f, "; its last lines:\n{}", self.told)
    }
}

impl fmt::Debug for PeerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for PeerError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_the_output_is_shown() {
        let output: String = (1..=100).map(|line| format!("line {line}\n")).collect();
        let error = PeerError::new("pip ended with 1").with_output(&output);
        let shown = format!("{error:?}");
        assert!(shown.starts_with("pip ended with 1; its last lines:\nline 61\n"), "{shown}");
        assert!(shown.ends_with("\nline 100"), "{shown}");
        assert_eq!(PeerError::new("gone").to_string(), "gone");
    }
}
