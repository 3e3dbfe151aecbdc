//! The two forms of an ECDSA signature, and the names of algorithms.

use proptest::prelude::*;
use secrets_core::{ErrorKind, KeyRef, Signature, SignatureAlgorithm, ToSign};

use SignatureAlgorithm::{
    Ed25519, Es256, Es256k, Es384, Es512, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512,
};

fn key() -> KeyRef {
    KeyRef::new("k").unwrap()
}

fn fixed(der: &[u8]) -> Option<Vec<u8>> {
    match Signature::from_der(key(), Es256, der) {
        Ok(signature) => Some(signature.bytes),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Integrity);
            None
        }
    }
}

fn der(algorithm: SignatureAlgorithm, bytes: &[u8]) -> Vec<u8> {
    Signature::new(key(), algorithm, bytes.to_vec()).to_der().unwrap()
}

/// `r` and `s` filled up to 32 bytes each.
fn pair(r: &[u8], s: &[u8]) -> Vec<u8> {
    [r, s].into_iter().flat_map(|n| [vec![0; 32 - n.len()], n.to_vec()].concat()).collect()
}

#[test]
fn the_forms_are_pinned() {
    let forms: [(&[u8], Vec<u8>); 4] = [
        (&[0x30, 6, 2, 1, 1, 2, 1, 0x7f], pair(&[1], &[0x7f])),
        (&[0x30, 8, 2, 2, 0, 0x80, 2, 2, 0, 0xff], pair(&[0x80], &[0xff])),
        (&[0x30, 7, 2, 2, 1, 0, 2, 1, 2], pair(&[1, 0], &[2])),
        // Zero is no signature, and still a number.
        (&[0x30, 6, 2, 1, 0, 2, 1, 0], pair(&[], &[])),
    ];
    for (form, bytes) in forms {
        assert_eq!(fixed(form).as_deref(), Some(&*bytes), "{form:02x?}");
        assert_eq!(der(Es256, &bytes), form, "{form:02x?}");
    }
}

#[test]
fn the_pair_of_p521_has_a_long_length() {
    let form = der(Es512, &[0x81; 132]);
    assert_eq!(form[..6], [0x30, 0x81, 138, 2, 67, 0]);
    assert_eq!(form.len(), 141);
    let read = Signature::from_der(key(), Es512, &form).unwrap();
    assert_eq!(read.bytes, [0x81; 132]);
}

#[test]
fn what_is_not_the_one_der_form_is_refused() {
    let forms: [&[u8]; 15] = [
        &[],
        &[0x30],
        &[0x30, 0],
        &[0x31, 6, 2, 1, 1, 2, 1, 1],       // a set
        &[0x30, 7, 2, 1, 1, 2, 1, 1],       // longer than it is
        &[0x30, 5, 2, 1, 1, 2, 1, 1],       // shorter
        &[0x30, 0x81, 6, 2, 1, 1, 2, 1, 1], // not the shortest length
        &[0x30, 0x80, 2, 1, 1, 2, 1, 1],    // no definite length
        &[0x30, 6, 2, 1, 1, 3, 1, 1],       // a bit string
        &[0x30, 5, 2, 1, 1, 2, 0],          // no digits
        &[0x30, 6, 2, 1, 0x80, 2, 1, 1],    // negative
        &[0x30, 7, 2, 2, 0, 1, 2, 1, 1],    // a zero too many
        &[0x30, 3, 2, 1, 1],                // one number
        &[0x30, 9, 2, 1, 1, 2, 1, 1, 2, 1, 1],
        &[0x30, 6, 2, 9, 1, 2, 1, 1], // a number past the end
    ];
    for form in forms {
        assert_eq!(fixed(form), None, "{form:02x?}");
    }
    let longer = [&[0x30, 38, 2, 33, 1][..], &[0; 32], &[2, 1, 1]].concat();
    assert_eq!(fixed(&longer), None, "a number that is longer than the curve's");
}

#[test]
fn a_pair_of_another_length_has_no_der_form() {
    for len in [0, 63, 65, 96] {
        let error = Signature::new(key(), Es256, vec![1; len]).to_der().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Integrity);
    }
}

#[test]
fn other_signatures_have_one_form() {
    for algorithm in [Ps256, Rs512, Ed25519] {
        let read = Signature::from_der(key(), algorithm, &[0x30, 1]).unwrap();
        assert_eq!((&*read.bytes, read.to_der().unwrap()), (&[0x30, 1][..], vec![0x30, 1]));
    }
}

#[test]
fn algorithms_have_the_names_and_lengths_of_jose() {
    let all = [
        (Ps256, "PS256", Some(32), None),
        (Ps384, "PS384", Some(48), None),
        (Ps512, "PS512", Some(64), None),
        (Rs256, "RS256", Some(32), None),
        (Rs384, "RS384", Some(48), None),
        (Rs512, "RS512", Some(64), None),
        (Es256, "ES256", Some(32), Some(32)),
        (Es256k, "ES256K", Some(32), Some(32)),
        (Es384, "ES384", Some(48), Some(48)),
        (Es512, "ES512", Some(64), Some(66)),
        (Ed25519, "Ed25519", None, None),
    ];
    for (algorithm, name, digest, coordinate) in all {
        assert_eq!(algorithm.to_string(), name);
        assert_eq!((algorithm.digest_len(), algorithm.coordinate_len()), (digest, coordinate));
    }
}

#[test]
fn what_is_signed_does_not_show() {
    let message = b"confidential";
    for (input, shown) in [
        (ToSign::Message(message), "Message(12 bytes)"),
        (ToSign::Digest(message), "Digest(12 bytes)"),
    ] {
        assert_eq!(format!("{input:?}"), shown);
    }
}

proptest! {
    #[test]
    fn every_pair_reads_back(bytes in prop::collection::vec(any::<u8>(), 132), zeros in 0..132_usize) {
        let mut bytes = bytes;
        bytes[..zeros].fill(0);
        for algorithm in [Es256, Es256k, Es384, Es512] {
            let len = 2 * algorithm.coordinate_len().unwrap();
            let form = der(algorithm, &bytes[132 - len..]);
            let read = Signature::from_der(key(), algorithm, &form).unwrap();
            prop_assert_eq!(&read.bytes, &bytes[132 - len..]);
        }
    }

    /// Any bytes are refused, or are the one form of the pair that they mean.
    #[test]
    fn any_bytes_are_the_one_form_or_none(
        r in prop::collection::vec(any::<u8>(), 32),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut form = der(Es256, &[&r[..], &r[..]].concat());
        let at = at.index(form.len());
        form[at] = byte;
        if let Some(bytes) = fixed(&form) {
            prop_assert_eq!(der(Es256, &bytes), form);
        }
    }
}
