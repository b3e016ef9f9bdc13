//! Running code of the application's on a thread that must survive it.

use core::any::Any;
use core::fmt;
use core::panic::AssertUnwindSafe;
use std::panic::catch_unwind;

/// Runs code that is not ours: a decoder, a callback, a hook, a logger. A panic in it ends here, even one whose payload
/// panics in turn when it is dropped.
///
/// What the code leaves half done when it panics is for its owner to keep sound, as with any lock it poisons. A panic while
/// another one unwinds aborts the process before this function can help.
///
/// # Errors
/// [`Panicked`] if it did, with what the panic said.
pub fn contain<T>(run: impl FnOnce() -> T) -> Result<T, Panicked> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|payload| {
        let message = message_of(&*payload).to_owned();
        if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            // Whoever throws a payload that throws when dropped may do so for ever: a leak is what stops it.
            core::mem::forget(again);
        }
        Panicked { message }
    })
}

fn message_of(payload: &(dyn Any + Send)) -> &str {
    let literal = payload.downcast_ref::<&str>().copied();
    literal.or_else(|| payload.downcast_ref().map(String::as_str)).unwrap_or("it did not say why")
}

/// Code run by [`contain`] panicked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Panicked {
    message: String,
}

impl Panicked {
    /// What the panic said, where it said something.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Panicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "panicked: {}", self.message)
    }
}

impl core::error::Error for Panicked {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::panic_any;

    /// Panics when dropped, so many times over.
    struct Bomb(u32);

    impl Drop for Bomb {
        fn drop(&mut self) {
            if self.0 > 0 {
                panic_any(Self(self.0 - 1));
            }
        }
    }

    #[test]
    fn what_panics_says_why_and_what_does_not_gives_its_result() {
        assert_eq!(contain(|| 7), Ok(7));
        let said = |run: fn()| contain(run).unwrap_err().to_string();
        assert_eq!(said(|| panic!("a literal")), "panicked: a literal");
        assert_eq!(said(|| panic!("the number {}", [1][0])), "panicked: the number 1");
        assert_eq!(said(|| panic_any(7)), "panicked: it did not say why");
    }

    #[test]
    fn payloads_that_panic_when_dropped_are_contained_too() {
        for depth in 0..4 {
            assert!(contain(|| panic_any(Bomb(depth))).is_err());
        }
    }
}
