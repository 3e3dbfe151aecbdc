//! Wrapped keys and the facts that are bound to them.

use proptest::prelude::*;
use secrets_core::{
    ContextError, DataKey, ErrorKind, KeyLen, KeyRef, VersionId, WrapContext, WrappedKey,
};

fn wrapped() -> impl Strategy<Value = WrappedKey> {
    let version = prop::option::of("[!-~]{1,40}");
    ("[!-~]{1,60}", version, prop::collection::vec(any::<u8>(), 0..100)).prop_map(
        |(key, version, ciphertext)| {
            let version = version.map(|id| VersionId::new(&id).unwrap());
            WrappedKey::new(KeyRef::new(&key).unwrap(), version, ciphertext)
        },
    )
}

#[test]
fn the_stored_form_is_pinned() {
    let key =
        WrappedKey::new(KeyRef::new("k1").unwrap(), Some(VersionId::new("7").unwrap()), vec![9, 8]);
    let bytes = [1, 0, 0, 0, 2, b'k', b'1', 0, 0, 0, 1, b'7', 0, 0, 0, 2, 9, 8];
    assert_eq!(key.to_bytes(), bytes);
    assert_eq!(WrappedKey::from_bytes(&bytes).unwrap(), key);
}

#[test]
fn what_is_not_the_form_is_an_integrity_error() {
    let fine = WrappedKey::new(KeyRef::new("k1").unwrap(), None, vec![9; 40]).to_bytes();
    let mut forms: Vec<Vec<u8>> = (0..fine.len()).map(|len| fine[..len].to_vec()).collect();
    forms.push([&fine[..], &[0]].concat()); // a byte too many
    forms.push([&[2], &fine[1..]].concat()); // another format
    forms.push(vec![1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]); // no key
    forms.push(vec![1, 0, 0, 0, 1, b' ', 0, 0, 0, 0, 0, 0, 0, 0]); // not a key's name
    forms.push(vec![1, 0, 0, 0, 1, 0xff, 0, 0, 0, 0, 0, 0, 0, 0]); // not text
    forms.push(vec![1, 0, 0, 0, 1, b'k', 0, 0, 0, 1, b' ', 0, 0, 0, 0]); // not a version
    forms.push([&[1][..], &[0xff; 4], &[b'k'; 100]].concat()); // a length of 4 GiB
    for form in forms {
        let error = WrappedKey::from_bytes(&form).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Integrity, "{form:?}");
    }
    let longest = WrappedKey::new(KeyRef::new(&"k".repeat(2048)).unwrap(), None, vec![0; 1 << 20]);
    assert_eq!(WrappedKey::from_bytes(&longest.to_bytes()).unwrap(), longest);
}

#[test]
fn a_key_has_a_name_and_a_length() {
    for unfit in ["", "a b", "ä", "a\n", &"k".repeat(2049)] {
        assert_eq!(KeyRef::new(unfit).unwrap_err().kind(), ErrorKind::InvalidName);
    }
    let lengths = [KeyLen::Bits128, KeyLen::Bits256, KeyLen::Bits512].map(KeyLen::bytes);
    assert_eq!(lengths, [16, 32, 64]);
    let key = DataKey::from_boxed(Box::new([7; 32]));
    assert_eq!((key.expose_secret(), key.to_value().len()), (&[7; 32][..], 32));
}

#[test]
fn a_context_refuses_what_would_be_ambiguous() {
    let context = WrapContext::new().with("a", "b").unwrap();
    let twice = context.clone().with("a", "c");
    assert_eq!(twice, Err(ContextError::Duplicate { name: "a".into() }));
    for (name, value) in [("", "v"), ("n", ""), (&*"n".repeat(2049), "v"), ("n", &"v".repeat(2049))]
    {
        assert_eq!(context.clone().with(name, value), Err(ContextError::Length));
    }
    assert_eq!(context.to_aad(), [1, 0, 0, 0, 1, 0, 0, 0, 1, b'a', 0, 0, 0, 1, b'b']);
    assert_eq!(WrapContext::new().to_aad(), [1, 0, 0, 0, 0]);
}

fn context() -> impl Strategy<Value = Vec<(String, String)>> {
    let facts = prop::collection::btree_map("[ab\0=]{1,3}", "[ab\0=]{1,3}", 0..4);
    facts.prop_map(|facts| facts.into_iter().collect::<Vec<_>>()).prop_shuffle()
}

fn built(facts: &[(String, String)]) -> WrapContext {
    facts
        .iter()
        .fold(WrapContext::new(), |context, (name, value)| context.with(name, value).unwrap())
}

proptest! {
    #[test]
    fn the_stored_form_reads_back(key in wrapped()) {
        prop_assert_eq!(WrappedKey::from_bytes(&key.to_bytes()).unwrap(), key);
    }

    /// Any bytes are refused, or are the one form of what they mean.
    #[test]
    fn any_bytes_are_one_form_or_none(key in wrapped(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = key.to_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(read) = WrappedKey::from_bytes(&bytes) {
            prop_assert_eq!(read.to_bytes(), bytes);
        }
    }

    #[test]
    fn the_authenticated_bytes_are_those_of_one_context(one in context(), other in context()) {
        let (a, b) = (built(&one), built(&other));
        prop_assert_eq!(a.to_aad() == b.to_aad(), a == b);
        let mut reversed = one.clone();
        reversed.reverse();
        prop_assert_eq!(built(&reversed).to_aad(), a.to_aad());
    }
}
