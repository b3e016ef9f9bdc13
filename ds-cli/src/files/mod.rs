//! Files as the commands need them.
//!
//! - [`input`]: what is read, and noticing when it changes meanwhile.
//! - [`staged`]: a file that has no name until it is complete.
//! - [`output`]: what is written: a staged file, a device, standard output.
//! - [`scratch`]: a directory that is gone afterwards.
//! - [`confined`]: writing below a directory without ever leaving it.

pub mod confined;
pub mod input;
pub mod output;
pub mod scratch;
pub mod staged;
