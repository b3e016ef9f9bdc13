//! What an engine has to say that concerns no job.

use core::fmt;

/// An engine works, but not as it was asked to: it goes without something, or waits. See [`Sink::warn`](crate::Sink::warn).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Warning {
    /// The engine's name.
    pub engine: &'static str,
    /// What it does instead, in a clause: `memory is not registered`, say.
    pub what: &'static str,
    /// What the kernel said, as a number of `errno`'s.
    pub errno: i32,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { engine, what, errno } = *self;
        write!(f, "{engine}: {what}: {}", std::io::Error::from_raw_os_error(errno))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_who_what_and_why() {
        let warning = Warning { engine: "uring", what: "memory is not registered", errno: 12 };
        assert_eq!(
            warning.to_string(),
            "uring: memory is not registered: Cannot allocate memory (os error 12)"
        );
    }
}
