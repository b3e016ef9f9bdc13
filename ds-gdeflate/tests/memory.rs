//! The decoder's promises about memory: a small workspace, and no allocation.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use ds_gdeflate::{Decoder, SimdLevel, TileStream};

mod support;

/// The system's allocator, counting what each thread asks of it.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator as it came; counting touches no memory of the allocator's.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn a_workspace_is_at_most_32_kib() {
    let size = size_of::<Decoder>();
    println!("Decoder: {size} bytes");
    assert!(size <= 32 * 1024, "{size} bytes");
}

#[test]
fn decoding_allocates_nothing() {
    let vectors = support::vectors::committed();
    let longest = vectors.iter().map(|vector| vector.raw.len()).max().expect("there are vectors");
    let mut out = vec![0; longest];

    let before = ALLOCATIONS.get();
    assert_ne!(before, 0, "the count works");
    for level in SimdLevel::available() {
        let mut decoder = Decoder::with_simd(level);
        for vector in &vectors {
            let stream = TileStream::parse(&vector.stream).expect("a good stream");
            assert_eq!(decoder.decode_stream(&stream, &mut out), Ok(vector.raw.len()));
            // Errors are values too.
            let tile = stream.tile(0).expect("no vector is empty");
            let payload = &tile.payload()[..tile.payload().len() / 8 * 4];
            assert!(decoder.decode_tile(payload, &mut out[..tile.uncompressed_size()]).is_err());
        }
    }
    assert_eq!(ALLOCATIONS.get(), before);
}
