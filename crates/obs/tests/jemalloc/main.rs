//! What jemalloc says in a program that has it as its allocator: a program of its own, for that.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests fail by panicking")]

use std::hint::black_box;

use obs::allocator::{Jemalloc, METRICS};
use obs::metric::{Exposition, MetricRecorder};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Far more than anything else here takes.
const MUCH: usize = 64 << 20;

fn page(recorder: &MetricRecorder) -> String {
    let mut page = Vec::new();
    recorder.render(Exposition::Text, &mut page).unwrap();
    String::from_utf8(page).unwrap()
}

fn bytes(recorder: &MetricRecorder, name: &str) -> f64 {
    let page = page(recorder);
    let line = page.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
    line.unwrap_or_else(|| panic!("no {name} in {page}")).parse().unwrap()
}

/// One test: others would allocate beside it.
#[test]
fn it_tells_what_is_allocated_and_given_back() {
    let recorder = MetricRecorder::builder().source(Jemalloc::new().unwrap()).build();
    let (allocated, resident) = ("jemalloc_allocated_bytes", "jemalloc_resident_bytes");
    let before = bytes(&recorder, allocated);
    let held = black_box(vec![1_u8; MUCH]);
    let with = bytes(&recorder, allocated);
    assert!(with - before >= MUCH as f64, "{before} {with}");
    assert!(bytes(&recorder, resident) >= MUCH as f64, "what was written is in memory");
    drop(held);
    let after = bytes(&recorder, allocated);
    assert!(with - after >= MUCH as f64, "{with} {after}");

    let page = page(&recorder);
    for metric in METRICS {
        let name = format!("\n{}_bytes ", metric.name.replace('.', "_"));
        assert!(page.contains(&name), "{name} in {page}");
    }
    // What is asked for lies in what is active, and that in what is mapped.
    let value = |name: &str| bytes(&recorder, name);
    assert!(value(allocated) <= value("jemalloc_active_bytes"));
    assert!(value("jemalloc_active_bytes") <= value("jemalloc_mapped_bytes"));
}
