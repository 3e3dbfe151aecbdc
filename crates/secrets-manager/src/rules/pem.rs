//! PEM (RFC 7468), strictly as far as it is written by programs.

use zeroize::Zeroizing;

use crate::rules::PemFault;

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";
const DASHES: &[u8] = b"-----";

/// What OpenSSH's keys begin with (PROTOCOL.key of OpenSSH).
const OPENSSH_MAGIC: &[u8; 15] = b"openssh-key-v1\0";

/// The first fault; none when every block is whole and has one of the labels, if there are any.
pub(crate) fn fault(bytes: &[u8], labels: &[String]) -> Option<PemFault> {
    let mut lines = bytes.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end);
    let mut blocks = 0_usize;
    let mut strays = 0_usize;
    while let Some(line) = lines.next() {
        let Some(label) = label(line, BEGIN) else {
            strays += usize::from(is_boundary(line));
            continue;
        };
        blocks += 1;
        if let Some(fault) = fault_of_block(label, &mut lines, labels) {
            return Some(fault);
        }
    }
    match blocks {
        0 if is_escaped(bytes) => Some(PemFault::EscapedLineEnds),
        0 => Some(PemFault::NoBlock),
        _ if strays > 0 => Some(PemFault::Stray),
        _ => None,
    }
}

/// Whether a line begins or ends a block, or was meant to.
fn is_boundary(line: &[u8]) -> bool {
    line.starts_with(b"-----BEGIN") || line.starts_with(b"-----END")
}

/// The label in a line, if the line is such a boundary.
fn label<'a>(line: &'a [u8], boundary: &[u8]) -> Option<&'a [u8]> {
    let label = line.strip_prefix(boundary)?.strip_suffix(DASHES)?;
    let is_plain = label.iter().all(|byte| matches!(byte, b' '..=b'~'));
    (is_plain && !label.is_empty()).then_some(label)
}

/// `-----BEGIN X-----\nMII…`, in one line: what a variable makes of it.
fn is_escaped(bytes: &[u8]) -> bool {
    let has = |wanted: &[u8]| bytes.windows(wanted.len()).any(|window| window == wanted);
    has(BEGIN) && (has(b"-----\\n") || has(b"-----\\r\\n"))
}

/// Reads on to the end of the block.
fn fault_of_block<'a>(
    begun: &[u8],
    lines: &mut impl Iterator<Item = &'a [u8]>,
    labels: &[String],
) -> Option<PemFault> {
    if !labels.is_empty() && !labels.iter().any(|label| label.as_bytes() == begun) {
        return Some(PemFault::Label);
    }
    let (mut content, mut headers) = (Content::new(), Headers::Possible);
    for line in lines {
        if let Some(ended) = label(line, END) {
            return match ended == begun {
                true => content.fault(begun, headers == Headers::Encrypted),
                false => Some(PemFault::NoEnd),
            };
        }
        if line.starts_with(DASHES) {
            return Some(PemFault::NoEnd);
        }
        headers = match headers.after(line) {
            Read::Header(headers) => headers,
            Read::Content(headers) => {
                if content.take(line).is_none() {
                    return Some(PemFault::Base64);
                }
                headers
            }
        };
    }
    Some(PemFault::NoEnd)
}

/// Headers of RFC 1421, which OpenSSL's old encryption writes above the content.
#[derive(Clone, Copy, PartialEq)]
enum Headers {
    Possible,
    Begun { encrypted: bool },
    Over,
    Encrypted,
}

enum Read {
    Header(Headers),
    Content(Headers),
}

impl Headers {
    fn after(self, line: &[u8]) -> Read {
        match self {
            Self::Possible if line.contains(&b':') => {
                Read::Header(Self::Begun { encrypted: says_encrypted(line) })
            }
            Self::Begun { encrypted } if line.is_empty() => {
                Read::Header(if encrypted { Self::Encrypted } else { Self::Over })
            }
            Self::Begun { encrypted } => {
                Read::Header(Self::Begun { encrypted: encrypted || says_encrypted(line) })
            }
            Self::Possible | Self::Over => Read::Content(Self::Over),
            Self::Encrypted => Read::Content(Self::Encrypted),
        }
    }
}

fn says_encrypted(line: &[u8]) -> bool {
    line.starts_with(b"Proc-Type:") && line.ends_with(b",ENCRYPTED")
}

/// The content as far as it is needed: its first bytes and its length.
struct Content {
    first: Zeroizing<[u8; 16]>,
    len: usize,
    /// Of the group of four characters that is being read.
    bits: Zeroizing<u32>,
    characters: usize,
    padding: usize,
}

impl Content {
    fn new() -> Self {
        Self {
            first: Zeroizing::new([0; 16]),
            len: 0,
            bits: Zeroizing::new(0),
            characters: 0,
            padding: 0,
        }
    }

    /// `None` when the line is no base64 (RFC 4648, section 4), or comes after its end.
    fn take(&mut self, line: &[u8]) -> Option<()> {
        for character in line {
            let bits = match sextet(*character) {
                Some(bits) if self.padding == 0 => bits,
                None if *character == b'=' && self.characters % 4 + self.padding >= 2 => {
                    self.padding += 1;
                    continue;
                }
                _ => return None,
            };
            self.characters += 1;
            *self.bits = *self.bits << 6 | bits;
            if self.characters.is_multiple_of(4) {
                self.push(16);
                self.push(8);
                self.push(0);
                *self.bits = 0;
            }
        }
        Some(())
    }

    fn push(&mut self, shift: u32) {
        if let Some(place) = self.first.get_mut(self.len) {
            *place = u8::try_from(*self.bits >> shift & 0xff).unwrap_or(0);
        }
        self.len += 1;
    }

    /// The end has come.
    fn fault(mut self, label: &[u8], is_encrypted: bool) -> Option<PemFault> {
        let unused = match (self.characters % 4, self.padding) {
            (0, 0) => 0,
            (2, 2) => {
                self.push(4);
                *self.bits & 0xf
            }
            (3, 1) => {
                self.push(10);
                self.push(2);
                *self.bits & 0x3
            }
            _ => return Some(PemFault::Base64),
        };
        if unused != 0 {
            return Some(PemFault::Base64);
        }
        let is_whole = match label {
            b"OPENSSH PRIVATE KEY" => self.first.starts_with(OPENSSH_MAGIC),
            _ if is_encrypted => self.len > 0,
            // Everything that RFC 7468 and OpenSSL write is a SEQUENCE but these parameters, which
            // may be one OID.
            b"EC PARAMETERS" => self.is_der(),
            _ => self.first.first() == Some(&0x30) && self.is_der(),
        };
        (!is_whole).then_some(PemFault::Content)
    }

    /// Whether it is one element of DER as long as it says (X.690, sections 8.1.3 and 10.1).
    fn is_der(&self) -> bool {
        let Some((_tag, rest)) = self.first.split_first() else { return false };
        let Some((first, rest)) = rest.split_first() else { return false };
        let (header, said) = match usize::from(*first) {
            short @ 0..=0x7f => (2, Some(short)),
            long @ 0x81..=0x84 => {
                let count = long - 0x80;
                let octets = rest.get(..count).unwrap_or_default();
                let len = octets.iter().fold(0, |len, octet| len << 8 | usize::from(*octet));
                // The shortest form alone is DER.
                let is_least = len >= 0x80 && octets.first() != Some(&0);
                (2 + count, is_least.then_some(len))
            }
            _ => return false,
        };
        self.len >= header && said == self.len.checked_sub(header)
    }
}

/// The value of a character of base64.
fn sextet(character: u8) -> Option<u32> {
    Some(u32::from(match character {
        b'A'..=b'Z' => character - b'A',
        b'a'..=b'z' => character - b'a' + 26,
        b'0'..=b'9' => character - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    }))
}
