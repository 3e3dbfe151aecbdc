use std::fs;
use std::hint::black_box;
use std::sync::Arc;

use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{KeyInit, Tag, XChaCha20Poly1305};

use super::Store;
use crate::harness::Case;

const NONCE_LEN: usize = 24;
const TAG_LEN: usize = 16;

/// Reads the key and the file, and opens the one in place with the other.
pub(super) fn open(store: &Arc<Store>) -> Case {
    let len = usize::try_from(fs::metadata(store.path()).unwrap().len()).unwrap();
    let path = store.folder.path().join("piece");
    let key = fs::read(store.key_path()).unwrap();
    fs::write(&path, seal(&cipher(&key), &mut vec![1; len - NONCE_LEN - TAG_LEN])).unwrap();
    let store = Arc::clone(store);
    Case::new(move || {
        let (store, path) = (Arc::clone(&store), path.clone());
        move |operations| {
            for _ in 0..operations {
                let cipher = cipher(&fs::read(store.key_path()).unwrap());
                let mut file = fs::read(&path).unwrap();
                let (nonce, sealed) = file.split_first_chunk_mut::<NONCE_LEN>().unwrap();
                let (text, tag) = sealed.split_last_chunk_mut::<TAG_LEN>().unwrap();
                let tag = Tag::from(*tag);
                cipher.decrypt_inout_detached((&*nonce).into(), b"", text.into(), &tag).unwrap();
                black_box(&file);
            }
        }
    })
}

/// Seals the whole, writes it beside the old file and puts it in its place.
pub(super) fn write(store: &Arc<Store>) -> Case {
    let len = usize::try_from(fs::metadata(store.path()).unwrap().len()).unwrap();
    let path = store.folder.path().join("written piece");
    let beside = path.with_extension("new");
    let key = fs::read(store.key_path()).unwrap();
    let store = Arc::clone(store);
    Case::new(move || {
        let (path, beside) = (path.clone(), beside.clone());
        // Keeps the folder.
        let _store = Arc::clone(&store);
        let cipher = cipher(&key);
        let mut text = vec![1; len - NONCE_LEN - TAG_LEN];
        move |operations| {
            for _ in 0..operations {
                fs::write(&beside, seal(&cipher, &mut text)).unwrap();
                fs::rename(&beside, &path).unwrap();
            }
        }
    })
}

fn cipher(key: &[u8]) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(key.try_into().unwrap())
}

/// Seals in place, so that the text is another one the next time, and puts nonce, ciphertext and
/// tag together.
fn seal(cipher: &XChaCha20Poly1305, text: &mut [u8]) -> Vec<u8> {
    let mut nonce = [0; NONCE_LEN];
    getrandom::fill(&mut nonce).unwrap();
    let tag = cipher.encrypt_inout_detached(&nonce.into(), b"", (&mut *text).into()).unwrap();
    [&nonce, &*text, &tag].concat()
}
