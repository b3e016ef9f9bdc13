//! What callers may take for granted of every public type, whatever is inside.

use core::error::Error;
use core::fmt::{Debug, Display};
use core::panic::{RefUnwindSafe, UnwindSafe};

use ds_gdeflate::{
    Code, CodecId, DecodeError, Decoder, EncodeError, EncodeOptions, Encoder, Header, Level, Scratch,
    SimdLevel, StreamError, StreamWriter, Tile, TileError, TileErrorKind, TileReport, TileStream, TileTable,
    WriteError,
};

/// Can be printed, moved to another thread and shared with one.
fn thing<T: Debug + Send + Sync + Unpin + RefUnwindSafe>() {}

/// A small value as well.
fn value<T: Debug + Send + Sync + Unpin + UnwindSafe + RefUnwindSafe + Copy + Eq>() {}

/// Boxes, travels and compares.
fn error<T: Error + Send + Sync + Unpin + UnwindSafe + Copy + Eq + 'static>() {}

#[test]
fn types_keep_their_promises() {
    thing::<Decoder>();
    thing::<Encoder>();
    thing::<Scratch>();
    thing::<StreamWriter<'_>>();
    thing::<TileStream<'_>>();
    thing::<TileTable<'_>>();
    value::<Code>();
    value::<CodecId>();
    value::<EncodeOptions>();
    value::<Header>();
    value::<Level>();
    value::<SimdLevel>();
    value::<Tile<'_>>();
    value::<TileErrorKind>();
    value::<TileReport>();
    error::<DecodeError>();
    error::<EncodeError>();
    error::<StreamError>();
    error::<TileError>();
    error::<WriteError>();
}

#[test]
fn what_people_choose_from_has_a_name() {
    fn name(thing: impl Display) -> String {
        format!("{thing:>9}|")
    }
    assert_eq!(name(Level::FASTEST), "        1|");
    assert_eq!(name(SimdLevel::SCALAR), "   scalar|");
    assert_eq!(name(CodecId::Reference), "reference|");
}
