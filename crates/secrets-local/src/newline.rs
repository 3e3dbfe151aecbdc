use zeroize::Zeroizing;

/// What becomes of a line end at the end of a file that holds one secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum TrailingNewline {
    /// The secret is the bytes of the file as they are.
    #[default]
    Keep,
    /// One line end at the end of the file (LF or CRLF) is not part of the secret. For files that
    /// were written by an editor or by `echo`.
    Trim,
}

impl TrailingNewline {
    pub(crate) fn apply(self, mut bytes: Zeroizing<Vec<u8>>) -> Zeroizing<Vec<u8>> {
        if self == Self::Trim && bytes.last() == Some(&b'\n') {
            bytes.pop();
            if bytes.last() == Some(&b'\r') {
                bytes.pop();
            }
        }
        bytes
    }
}
