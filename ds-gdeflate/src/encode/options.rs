//! What to ask of the encoder.

use super::Level;
use super::codes::Coding;
use crate::format::MAX_CODE_BITS;

/// The longest code word that [`crate::Decoder`] decodes in one look-up.
const FRIENDLY_CODE_BITS: usize = 11;

/// How to encode a tile: a [`Level`], and for whom.
///
/// A level alone will do wherever options are asked for.
///
/// ```
/// use ds_gdeflate::{EncodeOptions, Encoder, Level};
///
/// let mut encoder = Encoder::new();
/// let mut payload = [0; 200];
/// let options = EncodeOptions::new(Level::BEST_RATIO).decoder_friendly(true);
/// let len = encoder.encode_tile(options, b"a tile", &mut payload)?;
/// assert_eq!(encoder.encode_tile(Level::BEST_RATIO, b"a tile", &mut payload), Ok(len));
/// # Ok::<(), ds_gdeflate::EncodeError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct EncodeOptions {
    level: Level,
    decoder_friendly: bool,
}

impl EncodeOptions {
    /// A level, and the smallest output that it finds.
    #[must_use]
    pub const fn new(level: Level) -> Self {
        Self { level, decoder_friendly: false }
    }

    /// Whether to make the decoder's work easier for a slightly larger output; `false` unless set.
    ///
    /// Code words get no longer than the 11 bits that decoders look up at once, and from level 8 on matches that
    /// reach back less than a round of the lanes have to save more than others. Any decoder reads either. The
    /// repository's `docs/encoder.md` says what it costs and gains.
    #[must_use]
    pub const fn decoder_friendly(mut self, friendly: bool) -> Self {
        self.decoder_friendly = friendly;
        self
    }

    /// The level.
    #[must_use]
    pub const fn level(self) -> Level {
        self.level
    }

    /// The same at another level.
    pub(super) const fn at(mut self, level: Level) -> Self {
        self.level = level;
        self
    }

    /// How codes are chosen.
    pub(super) const fn coding(self) -> Coding {
        let max_bits = if self.decoder_friendly { FRIENDLY_CODE_BITS } else { MAX_CODE_BITS };
        Coding { max_bits, thorough: self.level.is_thorough() }
    }

    /// What matches that reach back less than a round cost extra, in bits.
    pub(super) const fn same_round_penalty(self) -> u16 {
        if self.decoder_friendly { 1 } else { 0 }
    }
}

impl From<Level> for EncodeOptions {
    fn from(level: Level) -> Self {
        Self::new(level)
    }
}
