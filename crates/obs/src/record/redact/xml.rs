//! Elements of XML.

use std::ops::Range;

/// Longest tag of an element that is looked at, in bytes.
const LONGEST_TAG: usize = 256;

/// How far the end of an element with others in it is looked for, in bytes.
const LONGEST_ELEMENT: usize = 4 << 10;

/// An element, from its tag on.
pub(super) struct Element<'a> {
    text: &'a str,
    tag: &'a str,
    is_cut: bool,
}

impl<'a> Element<'a> {
    /// The element that `text` begins with, if it is one that is not closed at once.
    pub(super) fn at(text: &'a str, is_cut: bool) -> Option<Self> {
        let tag = text.strip_prefix('<')?;
        let tag = tag.get(..tag.floor_char_boundary(LONGEST_TAG))?;
        let tag = tag.get(..tag.find(['>', '<'])?)?;
        let is_closed = text.as_bytes().get(1 + tag.len()) == Some(&b'>');
        (is_closed && !tag.ends_with('/')).then_some(Self { text, tag, is_cut })
    }

    /// Its name, without the prefix of its namespace.
    pub(super) fn name(&self) -> &'a str {
        let name = self.full_name();
        name.rsplit(':').next().unwrap_or(name)
    }

    fn full_name(&self) -> &'a str {
        self.tag.split_whitespace().next().unwrap_or_default()
    }

    /// The names and values of its attributes.
    pub(super) fn attributes(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        self.tag.split_whitespace().filter_map(|pair| pair.split_once('='))
    }

    /// Where what is in it is: a text, or other elements.
    pub(super) fn inner(&self) -> Option<Range<usize>> {
        let begin = 1 + self.tag.len() + 1;
        let inner = self.text.get(begin..)?;
        let length = match inner.trim_start().strip_prefix('<') {
            Some(rest) if rest.starts_with("![CDATA[") => inner.find("]]>").unwrap_or(inner.len()),
            Some(_) => self.end_of_others(inner)?,
            None => match inner.find('<') {
                Some(end) => inner.get(end..)?.starts_with("</").then_some(end)?,
                // What was not ended was cut off.
                None => self.is_cut.then_some(inner.len())?,
            },
        };
        Some(begin..begin + length)
    }

    /// Where its own end begins.
    fn end_of_others(&self, inner: &str) -> Option<usize> {
        let near = inner.get(..inner.floor_char_boundary(LONGEST_ELEMENT))?;
        let ends = |at: &usize| {
            let rest = near.get(at + "</".len()..).unwrap_or_default();
            rest.strip_prefix(self.full_name()).is_some_and(|rest| rest.starts_with('>'))
        };
        let end = near.match_indices("</").map(|(at, _)| at).find(ends);
        end.or_else(|| self.is_cut.then_some(inner.len()))
    }
}
