//! Example: streams decoded on a microcontroller, tile by tile, into static memory.
//!
//! From this folder, `cargo run --release` builds for a Cortex-M4 and runs under QEMU (Debian package `qemu-system-arm`, Rust target
//! `thumbv7em-none-eabihf`); `cargo xtask test --only embedded` does so and provides both. All memory that the codec needs stands
//! in the first two lines of `main`: 26 KiB for the decoder, 64 KiB for a tile. There is no allocator, no `std` and no `unsafe` here.
#![no_std]
#![no_main]
#![forbid(unsafe_code)]

use cortex_m as _;
use cortex_m_rt::entry;
use cortex_m_semihosting::debug::{self, EXIT_FAILURE, EXIT_SUCCESS};
use cortex_m_semihosting::hprintln;
use ds_gdeflate::{DecodeError, Decoder, TILE_SIZE, TileStream};
use panic_semihosting as _;

/// A stream, and what it must decode to.
struct Vector {
    name: &'static str,
    stream: &'static [u8],
    raw: &'static [u8],
}

macro_rules! vector {
    ($name:literal, $encoder:literal) => {
        Vector {
            name: concat!($name, " by ", $encoder),
            stream: include_bytes!(concat!("../../ds-gdeflate/tests/vectors/", $name, ".", $encoder, ".gds")),
            raw: include_bytes!(concat!("../../ds-gdeflate/tests/vectors/", $name, ".raw")),
        }
    };
}

/// Text, code and a texture, by the reference encoder and by a GPU's.
const VECTORS: [Vector; 4] = [
    vector!("text_65537", "ref12"),
    vector!("exe_256k", "ref12"),
    vector!("bc1_like", "gpu5"),
    vector!("fibonacci", "gpu1"),
];

#[entry]
fn main() -> ! {
    static mut DECODER: Decoder = Decoder::new();
    static mut TILE: [u8; TILE_SIZE] = [0; TILE_SIZE];

    let mut status = EXIT_SUCCESS;
    for vector in &VECTORS {
        let Vector { name, stream, raw } = vector;
        match decodes_to(DECODER, TILE, stream, raw) {
            Ok(true) => hprintln!("{}: {} bytes from {}", name, raw.len(), stream.len()),
            Ok(false) => {
                hprintln!("{}: the content is wrong", name);
                status = EXIT_FAILURE;
            }
            Err(error) => {
                hprintln!("{}: {}", name, error);
                status = EXIT_FAILURE;
            }
        }
    }
    debug::exit(status);
    unreachable!("the debugger ends the program");
}

/// Whether `stream` decodes to `raw`.
fn decodes_to(
    decoder: &mut Decoder,
    tile: &mut [u8; TILE_SIZE],
    stream: &[u8],
    raw: &[u8],
) -> Result<bool, DecodeError> {
    let stream = TileStream::parse(stream)?;
    let mut same = stream.uncompressed_size() == raw.len() as u64;
    for (packed, raw) in stream.tiles().zip(raw.chunks(TILE_SIZE)) {
        let size = decoder.decode(packed, tile)?;
        same &= tile[..size] == *raw;
    }
    Ok(same)
}
