//! A generator of small realistic assets, for the demo and for tests.
//!
//! Everything follows from a seed, so every machine makes the same files. Classes, with what makes them typical:
//!
//! - [`texture`]: RGBA8 pixels with mips (gradients, noise, repeated tiles) and the same as BC1 blocks.
//! - [`mesh`]: interleaved 32-bit floats and triangle indices.
//! - [`audio`]: 16-bit stereo samples.
//! - [`text`]: scripts and tables.
//! - [`random`]: the noise behind all of them, and by itself a stand-in for files that are compressed already.

use std::fs;
use std::io;
use std::path::Path;

pub mod audio;
pub mod mesh;
pub mod random;
pub mod text;
pub mod texture;

use random::Random;

/// How much to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Some 2 MiB.
    Quick,
    /// Some 32 MiB.
    Full,
}

/// Writes the asset set into the directory `root`, one directory per class, calling `made` with the size of each file.
///
/// # Errors
///
/// What the system reports.
pub fn write(root: &Path, scale: Scale, seed: u64, mut made: impl FnMut(u64)) -> io::Result<()> {
    let (textures, side, meshes, grid, sounds, seconds, scripts, lines, media) = match scale {
        Scale::Quick => (1, 256, 1, 64, 2, 2, 4, 1_000, 2),
        Scale::Full => (3, 1024, 3, 192, 5, 6, 24, 2_500, 8),
    };
    let mut file = |name: String, bytes: Vec<u8>| {
        let path = root.join(name);
        // One level only: where `root` has been removed meanwhile, it stays removed.
        match path.parent().map(fs::create_dir) {
            Some(Err(e)) if e.kind() != io::ErrorKind::AlreadyExists => return Err(e),
            _ => {}
        }
        made(bytes.len() as u64);
        fs::write(path, bytes)
    };
    for i in 0..textures {
        let image = texture::Image::generate(side, &mut Random::new(seed ^ (0x100 + i)));
        let mips = image.mips();
        file(
            format!("textures/surface_{i:02}.rgba8"),
            mips.iter().flat_map(texture::Image::rgba8).collect(),
        )?;
        file(
            format!("textures-bc1/surface_{i:02}.bc1"),
            mips.iter().flat_map(texture::Image::bc1).collect(),
        )?;
    }
    for i in 0..meshes {
        file(
            format!("meshes/terrain_{i:02}.mesh"),
            mesh::terrain(grid, &mut Random::new(seed ^ (0x200 + i))),
        )?;
    }
    for i in 0..sounds {
        file(format!("audio/sound_{i:02}.pcm"), audio::music(seconds, &mut Random::new(seed ^ (0x300 + i))))?;
    }
    for i in 0..scripts {
        let mut random = Random::new(seed ^ (0x400 + i));
        file(format!("scripts/actor_{i:02}.lua"), text::script(lines, &mut random).into_bytes())?;
        file(format!("scripts/items_{i:02}.json"), text::table(lines / 4, &mut random).into_bytes())?;
    }
    for i in 0..media {
        // What a video or a photograph looks like to a compressor.
        let mut random = Random::new(seed ^ (0x500 + i));
        file(format!("media/clip_{i:02}.bin"), (0..1 << 18).map(|_| random.draw() as u8).collect())?;
    }
    file("media/empty.bin".into(), Vec::new())
}
