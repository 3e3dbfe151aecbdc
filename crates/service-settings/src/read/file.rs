use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

/// Larger settings are a mistake: another file was named.
const LARGEST: u64 = 1024 * 1024;

/// What a file holds, or why it cannot be read.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Contents {
    Text(String),
    Absent,
    Unreadable(String),
}

pub(crate) fn read_file(path: &Path) -> Contents {
    match read(path) {
        Ok(Ok(text)) => Contents::Text(text),
        Ok(Err(reason)) => Contents::Unreadable(reason),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Contents::Absent,
        Err(error) => Contents::Unreadable(format!("cannot be read: {error}")),
    }
}

fn read(path: &Path) -> io::Result<Result<String, String>> {
    // Looked at before it is opened: to open a pipe waits for a writer.
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() {
        let what = if metadata.is_dir() { "a folder" } else { "no regular file" };
        return Ok(Err(format!("is {what}")));
    }
    if metadata.len() > LARGEST {
        return Ok(Err(too_large(metadata.len())));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        return Ok(Err(too_large(bytes.len() as u64)));
    }
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    match std::str::from_utf8(text) {
        Ok(text) => Ok(Ok(text.to_owned())),
        Err(error) => {
            let line = text.iter().take(error.valid_up_to()).filter(|byte| **byte == b'\n').count();
            Ok(Err(format!("is not UTF-8 text, first in line {}", line + 1)))
        }
    }
}

fn too_large(bytes: u64) -> String {
    format!("takes {bytes} bytes; settings take {LARGEST} at most")
}
