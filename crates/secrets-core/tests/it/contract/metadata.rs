//! Changes of metadata.

use proptest::prelude::*;
use secrets_core::{Change, MetadataPatch, Tags};

#[test]
fn a_change_keeps_sets_or_clears() {
    let apply = |change: Change<i32>, mut to| {
        change.apply(&mut to);
        to
    };
    assert_eq!(apply(Change::Keep, Some(1)), Some(1));
    assert_eq!(apply(Change::Keep, None), None);
    assert_eq!(apply(Change::Set(2), Some(1)), Some(2));
    assert_eq!(apply(Change::Set(2), None), Some(2));
    assert_eq!(apply(Change::Clear, Some(1)), None);
    assert!(Change::<i32>::default().is_keep() && !Change::Set(1).is_keep());
    assert!(!Change::<i32>::Clear.is_keep());
}

#[test]
fn a_patch_is_empty_until_it_changes_something() {
    let now = std::time::SystemTime::UNIX_EPOCH;
    assert!(MetadataPatch::new().is_empty());
    let changes = [
        MetadataPatch::new().tag("a", "b"),
        MetadataPatch::new().untag("a"),
        MetadataPatch::new().description(Change::Clear),
        MetadataPatch::new().not_before(Change::Set(now)),
        MetadataPatch::new().expires(Change::Clear),
    ];
    assert!(changes.iter().all(|patch| !patch.is_empty()));
}

proptest! {
    /// A tag that is both set and taken away ends up set.
    #[test]
    fn tags_are_removed_first(
        before in prop::collection::btree_map("[a-d]", "[0-9]", 0..4),
        set in prop::collection::btree_map("[a-d]", "[0-9]", 0..4),
        removed in prop::collection::btree_set("[a-d]", 0..4),
    ) {
        let mut patch = MetadataPatch::new();
        for (name, value) in &set {
            patch = patch.tag(name, value);
        }
        for name in &removed {
            patch = patch.untag(name);
        }
        let mut tags: Tags = before.clone();
        patch.apply_tags(&mut tags);
        for name in ["a", "b", "c", "d"] {
            let kept = before.get(name).filter(|_| !removed.contains(name));
            prop_assert_eq!(tags.get(name), set.get(name).or(kept));
        }
        let once = tags.clone();
        patch.apply_tags(&mut tags);
        prop_assert_eq!(tags, once);
    }
}
