//! Versions, their stages, and the small types around them.

use std::time::{Duration, SystemTime};

use proptest::prelude::*;
use secrets_core::{
    ErrorKind, GetOptions, IdempotencyKey, Precondition, SetOptions, Stage, StageSet, Tags,
    Validity, VersionId, VersionInfo, VersionSelector, VersionState, WriteStage,
};

const STAGES: [Stage; 3] = [Stage::Current, Stage::Previous, Stage::Pending];

#[test]
fn ids_cannot_escape_a_path_or_a_header() {
    for fine in ["1", "AWSPENDING", "a/b", "EXAMPLE1-90ab-cdef-fedc-ba987EXAMPLE", &"x".repeat(512)]
    {
        assert_eq!(VersionId::new(fine).unwrap().as_str(), fine);
    }
    for unfit in ["", " ", "a b", "a\r\nHost: x", "a\0", "ä", "\u{202e}", &"x".repeat(513)] {
        let error = VersionId::new(unfit).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidValue);
        assert_eq!(error.to_string(), "invalid value: not a version id");
    }
}

#[test]
fn a_version_without_tags_is_like_one_whose_tags_were_taken_away() {
    let bare = VersionInfo::new(VersionId::new("1").unwrap(), SystemTime::UNIX_EPOCH);
    let tags = Tags::from([("team".to_owned(), "blue".to_owned())]);
    let tagged = bare.clone().with_tags(tags.clone());
    assert_eq!((tagged.tags(), bare.tags().len()), (&tags, 0));
    assert_ne!(tagged, bare);
    assert_eq!(tagged.with_tags(Tags::new()), bare);
}

#[test]
fn tokens_have_the_strictest_clouds_form() {
    let from_random = IdempotencyKey::from_random([0xa5; 16]);
    assert_eq!(from_random.as_str(), "a5".repeat(16));
    assert_eq!(IdempotencyKey::new(from_random.as_str()).unwrap(), from_random);
    for fine in ["a".repeat(32), "Z9-".repeat(21), "x".repeat(64)] {
        assert!(IdempotencyKey::new(&fine).is_ok(), "{fine}");
    }
    for unfit in ["", "short", &"x".repeat(31), &"x".repeat(65), &"_".repeat(40), &"ä".repeat(20)]
    {
        assert_eq!(IdempotencyKey::new(unfit).unwrap_err().kind(), ErrorKind::InvalidValue);
    }
}

#[test]
fn bounds_of_validity_include_the_start_and_not_the_end() {
    let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    let mut info = VersionInfo::new(VersionId::new("1").unwrap(), at(0));
    assert_eq!((info.state, info.stages), (VersionState::Enabled, StageSet::EMPTY));
    assert!(info.check_validity(at(0)).is_ok());
    info.not_before = Some(at(10));
    info.expires = Some(at(20));
    let kind = |now| info.check_validity(now).err().map(|error| error.kind());
    let late = at(20) - Duration::from_nanos(1);
    assert_eq!([kind(at(10)), kind(late)], [None, None]);
    assert_eq!(kind(at(10) - Duration::from_nanos(1)), Some(ErrorKind::NotYetValid));
    assert_eq!([kind(at(20)), kind(at(99))], [Some(ErrorKind::Expired); 2]);
}

#[test]
fn options_say_what_they_were_told() {
    let id = VersionId::new("1").unwrap();
    let read = GetOptions::version(VersionSelector::Id(id.clone()));
    assert_eq!(
        (read.version.clone(), read.validity),
        (VersionSelector::Id(id.clone()), Validity::Enforce)
    );
    assert_eq!(read.ignore_validity().validity, Validity::Ignore);
    assert_eq!(GetOptions::default().version, VersionSelector::Current);
    let write = SetOptions::pending().when(Precondition::CurrentIs(id.clone()));
    assert_eq!(
        (write.stage, write.precondition),
        (WriteStage::Pending, Precondition::CurrentIs(id))
    );
    assert_eq!(
        (SetOptions::new().stage, SetOptions::new().precondition),
        (WriteStage::Current, Precondition::Any)
    );
}

proptest! {
    #[test]
    fn a_stage_set_is_a_set(steps in prop::collection::vec((0_usize..3, any::<bool>()), 0..12)) {
        let mut set = StageSet::EMPTY;
        let mut model = std::collections::BTreeSet::new();
        for (stage, add) in steps {
            set = if add { set.with(STAGES[stage]) } else { set.without(STAGES[stage]) };
            if add { model.insert(stage); } else { model.remove(&stage); }
        }
        let wanted: Vec<Stage> = model.iter().map(|stage| STAGES[*stage]).collect();
        prop_assert_eq!(set.iter().collect::<Vec<_>>(), wanted.clone());
        prop_assert_eq!(set.is_empty(), model.is_empty());
        prop_assert_eq!(wanted.iter().copied().collect::<StageSet>(), set);
        prop_assert!(STAGES.iter().all(|stage| set.contains(*stage) == wanted.contains(stage)));
        prop_assert_eq!(format!("{set:?}").matches("Current").count(), usize::from(set.contains(Stage::Current)));
    }
}
