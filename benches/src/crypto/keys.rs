//! An empty store is opened, out of memory: from a passphrase or a key file over its slot to the
//! data key and on to the keys of records and index, and the index with the last. The peers
//! derive and open as many bytes and do nothing else.

use std::hint::black_box;
use std::sync::Arc;

use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305};
use futures_executor::block_on;
use hkdf::Hkdf;
use secrets_local::store::{
    Environment, FileStore, KeyFile, Passphrase, PassphraseCost, Unlock, inspect,
};
use sha2::Sha256;

use super::image::Image;
use crate::harness::{Case, Peer, Row};

const PASSPHRASE: &str = "correct horse battery staple";
const SALT: [u8; 16] = [3; 16];

pub(super) fn rows() -> Vec<Row> {
    let folder = tempfile::tempdir().unwrap();
    let key_file = KeyFile::generate(folder.path().join("key")).unwrap();
    let passphrase = Passphrase::from_string(PASSPHRASE.to_owned()).unwrap();
    let empty = |unlock: Unlock| {
        let path = folder.path().join("store");
        block_on(FileStore::at(&path).create(unlock)).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        bytes
    };
    let by_key_file = empty(key_file.clone().into());
    let row = |path, ours, peer| Row {
        path,
        threads: 1,
        size: 0,
        unit: "secrets",
        ours,
        within: None,
        peers: vec![peer],
    };
    vec![
        row(
            "crypto/open an empty store in memory, by key file",
            ours(&by_key_file, key_file.into()),
            Peer::new("hkdf 0.13, chacha20poly1305 0.11", schedule(&by_key_file)),
        ),
        row(
            "crypto/open an empty store in memory, by passphrase (64 MiB, 3 passes, 4 lanes)",
            ours(&empty(passphrase.clone().into()), passphrase.into()),
            Peer::new("argon2 0.6", stretch()),
        ),
    ]
}

fn ours(file: &[u8], unlock: Unlock) -> Case {
    let environment = Environment { files: Arc::new(Image::new(file)), ..Environment::system() };
    Case::new(move || {
        let (environment, unlock) = (environment.clone(), unlock.clone());
        move |operations| {
            for _ in 0..operations {
                let opening = FileStore::at("store").environment(environment.clone());
                black_box(block_on(opening.open(unlock.clone())).unwrap());
            }
        }
    })
}

/// The key of a slot, the data key in it, the keys under that, and the index.
fn schedule(file: &[u8]) -> Case {
    let shape = inspect(file).unwrap();
    let header = vec![1; usize::try_from(shape.header_len).unwrap()];
    let index = vec![2; usize::try_from(shape.index_len).unwrap() - 16];
    let nonce = [4; 24].into();
    let slot_key = derive(&[5; 32], &["commitment", "key"])[1];
    let cipher = XChaCha20Poly1305::new(&slot_key.into());
    let slot = cipher.encrypt(&nonce, Payload { msg: &[6; 32], aad: &header }).unwrap();
    let index_key = derive(&[6; 32], &["commitment", "records", "index"])[2];
    let cipher = XChaCha20Poly1305::new(&index_key.into());
    let index = cipher.encrypt(&nonce, Payload { msg: &index, aad: &header }).unwrap();
    let sealed = Arc::new((header, slot, index));
    Case::new(move || {
        let sealed = Arc::clone(&sealed);
        move |operations| {
            let (header, slot, index) = &*sealed;
            for _ in 0..operations {
                let [_, slot_key] = derive(black_box(&[5; 32]), &["commitment", "key"]);
                let cipher = XChaCha20Poly1305::new(&slot_key.into());
                let data_key = cipher.decrypt(&nonce, Payload { msg: slot, aad: header }).unwrap();
                let [_, _, key] = derive(&data_key, &["commitment", "records", "index"]);
                let cipher = XChaCha20Poly1305::new(&key.into());
                let index = cipher.decrypt(&nonce, Payload { msg: index, aad: header });
                black_box(index.unwrap());
            }
        }
    })
}

fn derive<const N: usize>(input: &[u8], labels: &[&str; N]) -> [[u8; 32]; N] {
    let schedule = Hkdf::<Sha256>::new(Some(&SALT), input);
    labels.map(|label| {
        let mut key = [0; 32];
        schedule.expand_multi_info(&[b"mainstay store v1 ", label.as_bytes()], &mut key).unwrap();
        key
    })
}

fn stretch() -> Case {
    Case::new(move || {
        let cost = PassphraseCost::default();
        let params = Params::new(cost.memory_kib(), cost.passes(), cost.lanes(), Some(32)).unwrap();
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        move |operations| {
            for _ in 0..operations {
                let mut key = [0; 32];
                argon2.hash_password_into(PASSPHRASE.as_bytes(), &SALT, &mut key).unwrap();
                black_box(key);
            }
        }
    })
}
