//! Decoders an application brings along, for `Transform::Custom`.

use std::fmt;

/// Decodes one of the application's own formats. Runs on codec threads, several at once.
pub trait CustomDecoder: Send + Sync {
    /// Decodes all of `input` into all of `output`, whose length is the request's uncompressed size.
    ///
    /// # Errors
    /// The decoder's own number for what was wrong; the request then fails as corrupt, with that number.
    fn decode(&self, input: &[u8], output: &mut [u8]) -> Result<(), CustomError>;
}

impl<F> CustomDecoder for F
where
    F: Fn(&[u8], &mut [u8]) -> Result<(), CustomError> + Send + Sync,
{
    fn decode(&self, input: &[u8], output: &mut [u8]) -> Result<(), CustomError> {
        self(input, output)
    }
}

/// Why a custom decoder refused its input: a number the application knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CustomError(pub u64);

impl fmt::Display for CustomError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "refused by the application's decoder: error {}", self.0)
    }
}

impl core::error::Error for CustomError {}
