//! Random sequences of operations against a model that is too simple to be wrong.

use live_value::{Live, Publisher, Watch};
use proptest::prelude::*;
use std::task::Poll;

use crate::support::poll_changed;

#[derive(Debug, Clone)]
enum Op {
    Publish(i64),
    /// `true`: with the current version.
    CompareAndPublish(i64, bool),
    Derive {
        from: usize,
        add: i64,
    },
    DropReader(usize),
    Watch(usize),
    Poll(usize),
    Close,
}

/// Fails on every fifth number.
fn derive(value: i64, add: i64) -> Result<i64, String> {
    let sum = value.wrapping_add(add);
    if sum % 5 == 0 { Err(format!("{sum} is a multiple of five")) } else { Ok(sum) }
}

/// A root (the first node) or a derived value.
struct Node {
    real: Option<Live<i64>>,
    parent: Option<(usize, i64)>,
    value: i64,
    version: u64,
    failed: Option<u64>,
}

struct Cursor {
    real: Watch<i64>,
    node: usize,
    seen: u64,
}

struct World {
    publisher: Option<Publisher<i64>>,
    nodes: Vec<Node>,
    cursors: Vec<Cursor>,
}

impl World {
    fn new(value: i64) -> Self {
        let publisher = Publisher::new(value);
        let root =
            Node { real: Some(publisher.live()), parent: None, value, version: 1, failed: None };
        Self { publisher: Some(publisher), nodes: vec![root], cursors: Vec::new() }
    }

    fn apply(&mut self, op: Op) {
        match op {
            Op::Publish(value) => {
                let Some(publisher) = &self.publisher else { return };
                assert_eq!(publisher.publish(value).get(), self.nodes[0].version + 1);
                self.published(value);
            }
            Op::CompareAndPublish(value, current) => {
                let Some(publisher) = &self.publisher else { return };
                let older = Publisher::new(()).version();
                let expected = if current { publisher.version() } else { older };
                let outcome = publisher.compare_and_publish(expected, value);
                if expected.get() == self.nodes[0].version {
                    assert_eq!(outcome.unwrap().get(), expected.get() + 1);
                    self.published(value);
                } else {
                    assert_eq!(outcome.unwrap_err().into_value(), value);
                }
            }
            Op::Derive { from, add } => self.derive(from % self.nodes.len(), add),
            Op::DropReader(index) => {
                let index = index % self.nodes.len();
                self.nodes[index].real = None;
            }
            Op::Watch(index) => {
                let node = index % self.nodes.len();
                let Some(live) = &self.nodes[node].real else { return };
                let seen = self.nodes[node].version;
                self.cursors.push(Cursor { real: live.watch(), node, seen });
            }
            Op::Poll(index) => self.poll(index),
            Op::Close => self.publisher = None,
        }
    }

    fn published(&mut self, value: i64) {
        self.nodes[0].value = value;
        self.nodes[0].version += 1;
        // Children stand after their parents.
        for index in 1..self.nodes.len() {
            let (parent, add) = self.nodes[index].parent.unwrap();
            let (value, version) = (self.nodes[parent].value, self.nodes[parent].version);
            if version != self.nodes[0].version {
                continue;
            }
            let node = &mut self.nodes[index];
            match derive(value, add) {
                Ok(value) => (node.value, node.version, node.failed) = (value, version, None),
                Err(_) => node.failed = Some(version),
            }
        }
    }

    fn derive(&mut self, from: usize, add: i64) {
        let parent = &self.nodes[from];
        let Some(live) = &parent.real else { return };
        let outcome = live.try_map(move |value| derive(*value, add));
        assert_eq!(outcome.is_ok(), derive(parent.value, add).is_ok());
        if let Ok(real) = outcome {
            let value = derive(parent.value, add).unwrap();
            let node = Node {
                real: Some(real),
                parent: Some((from, add)),
                value,
                version: parent.version,
                failed: None,
            };
            self.nodes.push(node);
        }
    }

    fn poll(&mut self, index: usize) {
        if self.cursors.is_empty() {
            return;
        }
        let index = index % self.cursors.len();
        let cursor = &mut self.cursors[index];
        let node = &self.nodes[cursor.node];
        match poll_changed(&mut cursor.real) {
            Poll::Ready(Ok(guard)) => {
                assert!(node.version > cursor.seen);
                assert_eq!((*guard, guard.version().get()), (node.value, node.version));
                cursor.seen = node.version;
            }
            Poll::Ready(Err(_)) => {
                assert!(self.publisher.is_none() && node.version == cursor.seen);
            }
            Poll::Pending => assert!(self.publisher.is_some() && node.version == cursor.seen),
        }
    }

    fn failed(&self, index: usize) -> Option<u64> {
        let node = &self.nodes[index];
        node.failed.or_else(|| self.failed(node.parent?.0))
    }

    fn check(&self) {
        for (index, node) in self.nodes.iter().enumerate() {
            let Some(live) = &node.real else { continue };
            let guard = live.load();
            assert_eq!((*guard, guard.version().get()), (node.value, node.version));
            let failed = live.derive_error().map(|error| error.version().get());
            assert_eq!(failed, self.failed(index));
            assert_eq!(live.is_closed(), self.publisher.is_none());
        }
    }
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        8 => any::<i64>().prop_map(Op::Publish),
        3 => (any::<i64>(), any::<bool>()).prop_map(|(v, current)| Op::CompareAndPublish(v, current)),
        5 => (any::<usize>(), any::<i64>()).prop_map(|(from, add)| Op::Derive { from, add }),
        2 => any::<usize>().prop_map(Op::DropReader),
        3 => any::<usize>().prop_map(Op::Watch),
        6 => any::<usize>().prop_map(Op::Poll),
    ];
    // Most sequences go on for a while after the publisher is gone.
    (prop::collection::vec(op.clone(), 0..60), prop::collection::vec(op, 0..15)).prop_map(
        |(mut open, closed)| {
            open.push(Op::Close);
            open.extend(closed);
            open
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn behaves_like_the_model(start in any::<i64>(), ops in ops()) {
        let mut world = World::new(start);
        world.check();
        for op in ops {
            world.apply(op);
            world.check();
        }
    }
}
