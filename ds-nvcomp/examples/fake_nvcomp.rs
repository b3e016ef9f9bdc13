//! CUDA's driver and nvCOMP in one library, with the processor for a device: "device memory" is the host's, and tiles are decoded by
//! `ds-gdeflate`. What the tests open in place of the real ones, whose interface it repeats.
//!
//! `DS_FAKE_UUID` is the UUID of its only device, as 32 hexadecimal digits; `DS_FAKE_WRONG`, if it is there, has it spoil a byte of
//! the last tile.
#![allow(clippy::missing_safety_doc, missing_docs, reason = "called by name alone")]

use core::ffi::{c_char, c_int, c_uint, c_void};
use core::slice::{from_raw_parts, from_raw_parts_mut};
use std::alloc::{Layout, alloc, dealloc};
use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};
use std::time::Instant;

use ds_gdeflate::Decoder;

const NAME: &[u8] = b"a device that is none\0";
const OK: c_uint = 0;
const INVALID: c_uint = 1;

static MEMORY: LazyLock<Mutex<HashMap<u64, Layout>>> = LazyLock::new(Mutex::default);
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

#[unsafe(no_mangle)]
extern "C" fn cuInit(flags: c_uint) -> c_uint {
    flags
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuDriverGetVersion(version: *mut c_int) -> c_uint {
    // SAFETY: as the real one.
    unsafe { version.write(13_000) };
    OK
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuDeviceGetCount(count: *mut c_int) -> c_uint {
    // SAFETY: as the real one.
    unsafe { count.write(1) };
    OK
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuDeviceGet(device: *mut c_int, number: c_int) -> c_uint {
    // SAFETY: as the real one.
    unsafe { device.write(number) };
    number as c_uint
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuDeviceGetName(name: *mut c_char, len: c_int, _: c_int) -> c_uint {
    let len = (len as usize).min(NAME.len());
    // SAFETY: as the real one.
    unsafe { from_raw_parts_mut(name.cast(), len) }.copy_from_slice(&NAME[..len]);
    OK
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuDeviceGetUuid(uuid: *mut [u8; 16], _: c_int) -> c_uint {
    let digits = std::env::var("DS_FAKE_UUID").unwrap_or_default();
    let number = u128::from_str_radix(&digits, 16).unwrap_or(0);
    // SAFETY: as the real one.
    unsafe { uuid.write(number.to_be_bytes()) };
    OK
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuDevicePrimaryCtxRetain(context: *mut *mut c_void, _: c_int) -> c_uint {
    // SAFETY: as the real one.
    unsafe { context.write(core::ptr::without_provenance_mut(1)) };
    OK
}

#[unsafe(no_mangle)]
extern "C" fn cuDevicePrimaryCtxRelease_v2(_: c_int) -> c_uint {
    OK
}

#[unsafe(no_mangle)]
extern "C" fn cuCtxSetCurrent(context: *mut c_void) -> c_uint {
    c_uint::from(context.is_null())
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuMemAlloc_v2(start: *mut u64, len: usize) -> c_uint {
    // Real allocations begin at multiples of 256.
    let Ok(layout) = Layout::from_size_align(len, 256) else { return INVALID };
    // SAFETY: the real one takes no 0 either.
    let memory = unsafe { alloc(layout) }.expose_provenance() as u64;
    // SAFETY: as the real one.
    unsafe { start.write(memory) };
    MEMORY.lock().unwrap().insert(memory, layout);
    OK
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuMemFree_v2(start: u64) -> c_uint {
    let Some(layout) = MEMORY.lock().unwrap().remove(&start) else { return INVALID };
    // SAFETY: it was allocated with this layout.
    unsafe { dealloc(core::ptr::with_exposed_provenance_mut(start as usize), layout) };
    OK
}

/// Memory of the "device": all of it must lie in one allocation.
fn device<'a>(start: u64, len: usize) -> Option<&'a mut [u8]> {
    let memory = MEMORY.lock().unwrap();
    let is_in =
        |(&from, layout): (&u64, &Layout)| from <= start && start + len as u64 <= from + layout.size() as u64;
    if !memory.iter().any(is_in) {
        return None;
    }
    // SAFETY: it is there, and tests have one thread that uses it.
    Some(unsafe { from_raw_parts_mut(core::ptr::with_exposed_provenance_mut(start as usize), len) })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuMemcpyHtoD_v2(into: u64, from: *const c_void, len: usize) -> c_uint {
    let Some(into) = device(into, len) else { return INVALID };
    // SAFETY: as the real one.
    into.copy_from_slice(unsafe { from_raw_parts(from.cast(), len) });
    OK
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuMemcpyDtoH_v2(into: *mut c_void, from: u64, len: usize) -> c_uint {
    let Some(from) = device(from, len) else { return INVALID };
    // SAFETY: as the real one.
    unsafe { from_raw_parts_mut(into.cast(), len) }.copy_from_slice(from);
    OK
}

#[unsafe(no_mangle)]
extern "C" fn cuMemsetD8_v2(into: u64, byte: u8, len: usize) -> c_uint {
    device(into, len).map_or(INVALID, |into| {
        into.fill(byte);
        OK
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuEventCreate(event: *mut *mut c_void, flags: c_uint) -> c_uint {
    let made = Box::into_raw(Box::new(0.0_f64)).cast();
    // SAFETY: as the real one.
    unsafe { event.write(made) };
    flags
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuEventDestroy_v2(event: *mut c_void) -> c_uint {
    // SAFETY: it was made by `cuEventCreate`.
    drop(unsafe { Box::from_raw(event.cast::<f64>()) });
    OK
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuEventRecord(event: *mut c_void, stream: *mut c_void) -> c_uint {
    // SAFETY: it was made by `cuEventCreate`.
    unsafe { event.cast::<f64>().write(START.elapsed().as_secs_f64()) };
    c_uint::from(!stream.is_null())
}

#[unsafe(no_mangle)]
extern "C" fn cuEventSynchronize(event: *mut c_void) -> c_uint {
    c_uint::from(event.is_null())
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuEventElapsedTime(
    milliseconds: *mut f32,
    from: *mut c_void,
    to: *mut c_void,
) -> c_uint {
    // SAFETY: it was made by `cuEventCreate`.
    let from = unsafe { from.cast::<f64>().read() };
    // SAFETY: as above.
    let to = unsafe { to.cast::<f64>().read() };
    // SAFETY: as the real one.
    unsafe { milliseconds.write(((to - from) * 1e3) as f32) };
    OK
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Options {
    backend: c_int,
    reserved: [u8; 60],
}

impl Options {
    fn is_default(&self) -> bool {
        self.backend == 0 && self.reserved == [0; 60]
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn nvcompGetProperties(properties: *mut [u32; 2]) -> c_uint {
    // SAFETY: as the real one.
    unsafe { properties.write([6_000, 13_000]) };
    OK
}

#[unsafe(no_mangle)]
unsafe extern "C" fn nvcompBatchedGdeflateDecompressGetRequiredAlignments(
    options: Options,
    alignments: *mut [usize; 3],
) -> c_uint {
    // SAFETY: as the real one.
    unsafe { alignments.write([4, 1, 1]) };
    c_uint::from(!options.is_default())
}

#[unsafe(no_mangle)]
unsafe extern "C" fn nvcompBatchedGdeflateDecompressGetTempSize(
    tiles: usize,
    largest: usize,
    options: Options,
    size: *mut usize,
    total: usize,
    stream: *mut c_void,
) -> c_uint {
    // SAFETY: as the real one.
    unsafe { size.write(tiles) };
    c_uint::from(!options.is_default() || largest > 65_536 || total > tiles * largest || !stream.is_null())
}

/// Words of a table on the "device".
fn table(start: u64, tiles: usize) -> Option<Vec<u64>> {
    let bytes = device(start, 8 * tiles)?;
    Some(bytes.as_chunks().0.iter().map(|word| u64::from_ne_bytes(*word)).collect())
}

#[unsafe(no_mangle)]
extern "C" fn nvcompBatchedGdeflateDecompressAsync(
    payloads: u64,
    payload_sizes: u64,
    content_sizes: u64,
    written: u64,
    tiles: usize,
    temporary: u64,
    temporary_size: usize,
    contents: u64,
    options: Options,
    statuses: u64,
    stream: *mut c_void,
) -> c_uint {
    let tables = [payloads, payload_sizes, contents, content_sizes].map(|start| table(start, tiles));
    let [Some(payloads), Some(payload_sizes), Some(contents), Some(content_sizes)] = tables else {
        return INVALID;
    };
    let (Some(written), Some(statuses)) = (device(written, 8 * tiles), device(statuses, 4 * tiles)) else {
        return INVALID;
    };
    if device(temporary, temporary_size).is_none() || !options.is_default() || !stream.is_null() {
        return INVALID;
    }
    let mut decoder = Decoder::new();
    for tile in 0..tiles {
        let payload = device(payloads[tile], payload_sizes[tile] as usize);
        let content = device(contents[tile], content_sizes[tile] as usize);
        let (Some(payload), Some(content)) = (payload, content) else { return INVALID };
        let status: u32 = match decoder.decode_tile(payload, content) {
            Ok(_) => 0,
            Err(_) => 12,
        };
        if tile + 1 == tiles && std::env::var_os("DS_FAKE_WRONG").is_some() {
            content[0] ^= 1;
        }
        written[8 * tile..][..8].copy_from_slice(&content_sizes[tile].to_ne_bytes());
        statuses[4 * tile..][..4].copy_from_slice(&status.to_ne_bytes());
    }
    OK
}
