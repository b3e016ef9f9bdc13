//! The reference encoder, given more room than it asks for.

use core::ffi::c_void;
use core::fmt;
use core::ptr::NonNull;

use gdeflate_sys as sys;

use crate::TILE_SIZE;

/// Bytes of output room beyond what the reference's bound function asks for.
///
/// It has been seen to overrun its bound by 36 bytes.
pub const ENCODER_SLACK: usize = 8192;

/// The reference declined to compress a tile, though the tile is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused;

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the reference encoder refused the tile")
    }
}

impl core::error::Error for Refused {}

/// A reference compressor at one level.
pub struct Encoder {
    raw: NonNull<sys::libdeflate_gdeflate_compressor>,
    scratch: Vec<u8>,
}

impl Encoder {
    /// A compressor at `level` (0 to 12), or `None` where the reference has no such level.
    pub fn new(level: u8) -> Option<Self> {
        // SAFETY: the call has no preconditions; a level out of range gives NULL.
        let raw = unsafe { sys::libdeflate_alloc_gdeflate_compressor(i32::from(level)) };
        let raw = NonNull::new(raw)?;
        let mut pages = 0;
        // SAFETY: `raw` came from the allocation above; `pages` is a valid place for one `usize`.
        let bound =
            unsafe { sys::libdeflate_gdeflate_compress_bound(raw.as_ptr(), TILE_SIZE, &raw mut pages) };
        debug_assert_eq!(pages, 1);
        Some(Self { raw, scratch: vec![0; bound + ENCODER_SLACK] })
    }

    /// Compresses one tile of 1 to 65 536 bytes.
    ///
    /// # Errors
    ///
    /// [`Refused`] where the reference gives up.
    ///
    /// # Panics
    ///
    /// If `raw` is empty (the reference would divide by zero) or larger than a tile.
    pub fn encode_tile(&mut self, raw: &[u8]) -> Result<Vec<u8>, Refused> {
        self.encode_borrowed(raw).map(<[u8]>::to_vec)
    }

    /// The same without a copy of the payload, for measurements.
    ///
    /// # Errors
    ///
    /// [`Refused`] where the reference gives up.
    ///
    /// # Panics
    ///
    /// As [`encode_tile`](Self::encode_tile).
    pub fn encode_borrowed(&mut self, raw: &[u8]) -> Result<&[u8], Refused> {
        assert!((1..=TILE_SIZE).contains(&raw.len()), "{} bytes are not one tile", raw.len());
        let mut page = sys::libdeflate_gdeflate_out_page {
            data: self.scratch.as_mut_ptr().cast::<c_void>(),
            nbytes: self.scratch.len(),
        };
        // SAFETY: the compressor is live and exclusively ours; `raw` is readable for its length; the single
        // page describes `scratch`, larger than anything the reference writes for one tile.
        let written = unsafe {
            sys::libdeflate_gdeflate_compress(
                self.raw.as_ptr(),
                raw.as_ptr().cast::<c_void>(),
                raw.len(),
                &raw mut page,
                1,
            )
        };
        if written == 0 {
            return Err(Refused);
        }
        assert!(page.nbytes <= self.scratch.len(), "the reference overran even the slack");
        Ok(&self.scratch[..page.nbytes])
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        // SAFETY: allocated in `new`, freed once.
        unsafe { sys::libdeflate_free_gdeflate_compressor(self.raw.as_ptr()) };
    }
}
