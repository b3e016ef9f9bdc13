//! nvCOMP's GDeflate decoder, to measure ours against on the same tiles and the same device.
//!
//! nvCOMP is NVIDIA's: nothing of it is here, and nothing links to it. It is opened at run time where it is installed, together with
//! the driver's `libcuda.so.1`; where one of them is missing, [`Nvcomp::open`] says so.
//!
//! ```no_run
//! use ds_nvcomp::{Nvcomp, Tile};
//!
//! let nvcomp = Nvcomp::open(None)?;
//! let device = nvcomp.device(|device| device.name.contains("H200"))?;
//! # let (packed, raw_size) = (Vec::new(), 0);
//! let tiles = [Tile { payload: 0..1000, content: 0..65_536 }];
//! let mut decode = device.decode(&packed, raw_size, &tiles)?;
//! decode.poison(0xA5)?;
//! let timing = decode.run()?;
//! # Ok::<(), ds_nvcomp::Error>(())
//! ```
//!
//! 1. `library`: the two libraries' functions;
//! 2. `device`: a device, its memory, its clock;
//! 3. `decode`: tiles, decoded again and again.
//!
//! # Safety
//!
//! Declarations of foreign functions follow the headers of CUDA 12 and 13 and of nvCOMP 6, whose interfaces are the same for all
//! that is used here. nvCOMP makes no promise about damaged tiles: it may read and write anywhere on the device. It is for
//! tiles that another decoder has decoded before, and its process's device memory is at risk, not the host's.

mod decode;
mod device;
mod library;

use core::fmt;
use core::time::Duration;

pub use decode::{Decode, Tile};
pub use device::{Device, DeviceInfo};
pub use library::Nvcomp;

/// How long a run took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// By the device's clock, between two events around the call.
    pub device: Duration,
    /// By the host's clock, from the call until the end was seen.
    pub wall: Duration,
}

/// Why nvCOMP cannot be measured.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// A library that cannot be opened, or lacks a function.
    Library {
        /// Its name.
        name: String,
        /// What the loader says.
        why: String,
    },
    /// The driver has no device that was meant.
    NoDevice {
        /// The names of those it has.
        found: Vec<String>,
    },
    /// A call of CUDA's failed.
    Cuda {
        /// Which.
        what: &'static str,
        /// What it returned.
        code: u32,
    },
    /// A call of nvCOMP's failed, or a tile.
    Nvcomp {
        /// Which call, or which tile.
        what: String,
        /// What it returned.
        code: u32,
    },
    /// A tile that does not lie in its buffers, or not as nvCOMP wants it aligned.
    Tile {
        /// Which.
        tile: usize,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Library { name, why } => write!(f, "{name}: {why}"),
            Self::NoDevice { found } if found.is_empty() => f.write_str("CUDA sees no device"),
            Self::NoDevice { found } => {
                write!(f, "CUDA does not see that device, but {}", found.join(", "))
            }
            Self::Cuda { what, code } => write!(f, "{what} failed with CUDA's error {code}"),
            Self::Nvcomp { what, code } => write!(f, "{what} failed with nvCOMP's error {code}"),
            Self::Tile { tile } => write!(f, "tile {tile} does not lie in its buffers as nvCOMP wants it"),
        }
    }
}

impl core::error::Error for Error {}
