use std::error::Error;

use crate::capture::{Capture, Piece};

/// An error with all its sources: the text and the `Debug` form of each, as a log or a crash report
/// writes them.
#[derive(Debug, Clone)]
pub struct ErrorChain(Vec<Piece>);

/// Longer chains are taken for a loop.
const LONGEST: usize = 64;

impl ErrorChain {
    /// Takes down what an error says.
    pub fn of(error: &(dyn Error + 'static)) -> Self {
        let (mut pieces, mut next) = (Vec::new(), Some(error));
        while let Some(error) = next.filter(|_| pieces.len() < LONGEST) {
            let place = match pieces.len() {
                0 => "an error".to_owned(),
                depth => format!("source {depth} of an error"),
            };
            pieces.push(Piece::new(place, format!("{error}\n{error:?}\n{error:#?}")));
            next = error.source();
        }
        Self(pieces)
    }
}

impl Capture for ErrorChain {
    fn pieces(&self) -> Vec<Piece> {
        self.0.clone()
    }
}
