//! A value is sealed and opened again: a fresh random nonce, a new buffer for what comes out on
//! both sides, the key set up outside. Everybody binds the same associated data; ours puts it
//! together each time, the peers find it made.

use std::hint::black_box;
use std::sync::Arc;

use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305};
use secrets_core::SecretName;
use secrets_local::store::hazmat::RecordCipher;
use secrets_local::store::{OsEntropy, StoreId, VersionKey};

use crate::harness::{Case, Peer, Row};

const KEY: [u8; 32] = [7; 32];
const NAME: &str = "payments/postgres/primary/passwd";
const SIZES: [usize; 5] = [32, 256, 1024, 16 * 1024, 1024 * 1024];

/// As long as what ours binds to a record with this name: domain, store, kind, name and version,
/// each after its length.
const BOUND: [u8; 17 + 16 + 1 + NAME.len() + 16 + 5 * 4] = [9; _];

pub(super) fn rows() -> Vec<Row> {
    SIZES.map(row).into()
}

fn row(size: usize) -> Row {
    Row {
        path: "crypto/seal and open a record",
        threads: 1,
        size,
        unit: "bytes",
        ours: ours(size),
        within: None,
        peers: vec![
            Peer::new("chacha20poly1305 0.11, XChaCha20", rust_crypto(size)).at_most(1.15),
            Peer::new("ring 0.17, ChaCha20", ring(size)),
            Peer::new("aws-lc-rs 1.19, ChaCha20", aws_lc(size)),
        ],
    }
}

/// A case that seals and opens `size` bytes by `round_trip`, which gives a byte of the outcome.
fn case<R>(size: usize, round_trip: R) -> Case
where
    R: Fn(&[u8]) -> u8 + Send + Sync + 'static,
{
    let round_trip = Arc::new(round_trip);
    Case::new(move || {
        let round_trip = Arc::clone(&round_trip);
        let value = vec![5; size];
        move |operations| {
            for _ in 0..operations {
                black_box(round_trip(black_box(&value)));
            }
        }
    })
}

fn ours(size: usize) -> Case {
    let cipher = RecordCipher::new(StoreId::from_bytes([1; 16]), &KEY);
    let name = SecretName::new(NAME).unwrap();
    let version = VersionKey::from_bytes([2; 16]);
    case(size, move |value| {
        let sealed = cipher.seal(&OsEntropy, &name, version, value).unwrap();
        cipher.open(&name, version, &sealed).unwrap().expose_secret()[0]
    })
}

fn rust_crypto(size: usize) -> Case {
    let cipher = XChaCha20Poly1305::new(&KEY.into());
    case(size, move |value| {
        let nonce = random::<24>().into();
        let sealed = cipher.encrypt(&nonce, Payload { msg: value, aad: &BOUND }).unwrap();
        cipher.decrypt(&nonce, Payload { msg: &sealed, aad: &BOUND }).unwrap()[0]
    })
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).unwrap();
    bytes
}

/// Both libraries have the interface of `ring`: in place, with a nonce of 12 bytes.
macro_rules! in_place {
    ($library:ident, $size:expr) => {{
        use $library::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};

        let key = LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, &KEY).unwrap());
        let overhead = CHACHA20_POLY1305.tag_len();
        case($size, move |value| {
            let nonce = random::<12>();
            let once = || Nonce::assume_unique_for_key(nonce);
            let mut sealed = Vec::with_capacity(value.len() + overhead);
            sealed.extend_from_slice(value);
            key.seal_in_place_append_tag(once(), Aad::from(BOUND), &mut sealed).unwrap();
            let mut opened = sealed.clone();
            key.open_in_place(once(), Aad::from(BOUND), &mut opened).unwrap()[0]
        })
    }};
}

fn ring(size: usize) -> Case {
    in_place!(ring, size)
}

fn aws_lc(size: usize) -> Case {
    in_place!(aws_lc_rs, size)
}
