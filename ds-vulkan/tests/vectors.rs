//! Streams of other encoders, in all their modes, decode to what they were made from: from host memory and from the device's.
//!
//! `DS_VECTORS` names the folder they are in, where that is not the repository's.

mod common;
#[path = "../../ds-cpu/tests/common/mod.rs"]
mod jobs;
#[allow(dead_code, reason = "only those of one folder are read")]
#[path = "../../ds-gdeflate/tests/support/vectors.rs"]
mod vectors;

use std::collections::BTreeMap;
use std::path::PathBuf;

use ds_core::Transform;
use ds_engine::CodecEngine;
use ds_vulkan::{DecoderPath, VulkanConfig};

use common::bench::{Bench, at, host, with_engine};
use jobs::Memory;
use vectors::Vector;

/// Streams in one go.
const ROUND: usize = 16;

fn folder() -> PathBuf {
    let there = concat!(env!("CARGO_MANIFEST_DIR"), "/../ds-gdeflate/tests/vectors");
    std::env::var_os("DS_VECTORS").map_or_else(|| there.into(), PathBuf::from)
}

fn check(bench: &Bench, vectors: &[Vector], resident: bool) {
    let sources: Vec<_> = vectors.iter().map(|vector| Memory::of(&vector.stream)).collect();
    let buffer_of = |bytes: &[u8]| {
        let buffer = bench.buffer(bytes.len() as u64);
        bench.put(&buffer, 0, bytes);
        buffer
    };
    let packed: Vec<_> = match resident {
        true => vectors.iter().map(|vector| buffer_of(&vector.stream)).collect(),
        false => Vec::new(),
    };
    let targets: Vec<_> = vectors.iter().map(|vector| buffer_of(&vec![0xEE; vector.raw.len()])).collect();
    let jobs: Vec<_> = targets
        .iter()
        .enumerate()
        .map(|(n, target)| {
            let from = match packed.get(n) {
                Some(packed) => at(packed, 0, packed.size()),
                None => host(sources[n].lend()),
            };
            bench.job(Transform::GDeflate, from, at(target, 0, target.size()))
        })
        .collect();
    bench.engine.submit(&mut jobs.clone());
    for (n, job) in jobs.into_iter().enumerate() {
        let Vector { name, raw, .. } = &vectors[n];
        let step = bench.answer(job).unwrap_or_else(|fault| panic!("{name}: {fault:?}"));
        assert!(step.finished && step.produced == raw.len() as u64, "{name}: {step:?}");
        assert!(bench.get(&targets[n], 0, raw.len()) == raw[..], "{name}: other bytes");
    }
}

#[test]
fn streams_of_other_encoders_decode() {
    let vectors = vectors::read(&folder()).expect("there are vectors: see DS_VECTORS");
    let mut encoders = BTreeMap::<_, usize>::new();
    vectors.iter().for_each(|vector| *encoders.entry(vector.encoder()).or_default() += 1);
    assert!(encoders.len() >= 7, "{encoders:?}");
    let paths = [(DecoderPath::Auto, false), (DecoderPath::AnySize, true)];
    for (path, resident) in paths {
        with_engine(VulkanConfig::default().decoder_path(path), |bench| {
            vectors.chunks(ROUND).for_each(|some| check(bench, some, resident));
            println!("{path:?}, resident: {resident}: {encoders:?}");
        });
    }
}
