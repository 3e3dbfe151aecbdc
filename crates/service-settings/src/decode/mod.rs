//! From trees of values to the application's types, finding everything that is wrong on the way.
//!
//! A `Deserialize` stops at the first error. So it is run again and again: what failed is written
//! down, and the next time stands in with something of the right type, until nothing new is found.

mod base;
mod decoder;
mod deserializer;
mod error;
mod hand_over;
mod key;
mod numbers;
mod parts;
mod pass;
mod path;
mod stand_in;
mod unknown;

pub(crate) use base::{Base, Noted};
pub(crate) use hand_over::{Handed, PLACED, SUBTREE, handed_over};
pub(crate) use pass::Rename;
pub(crate) use path::{joined, names, segment, shown, under};

use serde::de::Deserialize;

use crate::node::Node;
use crate::problem::Problem;
use decoder::Decoder;
use pass::Pass;
use path::Path;

/// The name by which a type says that what it reads is a secret, and must not be shown.
pub(crate) const SECRET: &str = "$service-settings::secret";

/// More problems than this help nobody.
const MOST_PROBLEMS: usize = 200;

/// Reads settings out of a tree, and gives what variables set the names that its types have.
pub(crate) fn decode<T: for<'de> Deserialize<'de>>(
    root: &mut Node,
    base: &Base,
) -> Result<T, Vec<Problem>> {
    let mut twice = Vec::new();
    let mut renamed = Vec::new();
    loop {
        let Attempt { result, pass } = attempt(root, base);
        let renames = pass.renames.take();
        if renames.is_empty() {
            return match result {
                Some(settings) if twice.is_empty() => {
                    base.reads.note(base, pass.shown.into_inner(), renamed);
                    Ok(settings)
                }
                _ => {
                    let found = pass.problems.into_inner().into_iter();
                    twice.extend(found.map(|problem| Problem {
                        path: joined(&base.path, &problem.path),
                        ..problem
                    }));
                    Err(twice)
                }
            };
        }
        for rename in &renames {
            let origin = root.rename(&rename.way, &rename.key, &rename.field);
            twice.extend(origin.map(|origin| base.set_twice(rename, origin)));
        }
        renamed.extend(renames);
    }
}

struct Attempt<'b, T> {
    result: Option<T>,
    pass: Pass<'b>,
}

fn attempt<'b, T: for<'de> Deserialize<'de>>(root: &Node, base: &'b Base) -> Attempt<'b, T> {
    let pass = Pass::new(base);
    for _ in 0..MOST_PROBLEMS {
        let decoder = Decoder { node: root, path: &Path::Root, pass: &pass };
        match decoder.at_here(T::deserialize(decoder)) {
            Ok(settings) if pass.problems.borrow().is_empty() => {
                return Attempt { result: Some(settings), pass };
            }
            Ok(_) => break,
            Err(error) => {
                if !pass.note(error) {
                    break;
                }
            }
        }
    }
    Attempt { result: None, pass }
}
