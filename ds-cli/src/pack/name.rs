//! What an entry may be called.
//!
//! A name is a relative path: components separated by single slashes, none of them empty, `.` or `..`. Names that
//! keep these rules cannot leave the directory a pack is unpacked into; the kernel is asked to see to that as well.

use core::cmp::Ordering;
use core::fmt;

/// Longest name in bytes: the longest path Linux accepts, without its terminator.
pub const MAX_NAME: usize = 4095;

/// Longest component of a name in bytes: what Linux file systems hold.
pub const MAX_COMPONENT: usize = 255;

/// Why bytes cannot name an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NameError {
    /// No bytes at all.
    Empty,
    /// More than [`MAX_NAME`] bytes.
    TooLong {
        /// Bytes in the name.
        len: usize,
    },
    /// Not UTF-8.
    NotUtf8 {
        /// Byte position of the first fault.
        at: usize,
    },
    /// Begins with a slash.
    Absolute,
    /// Two slashes in a row, or a slash at the end.
    EmptyComponent,
    /// A component is `.` or `..`.
    Dots,
    /// A component of more than [`MAX_COMPONENT`] bytes.
    ComponentTooLong {
        /// Bytes in the component.
        len: usize,
    },
    /// A character that separates paths elsewhere or steers a terminal.
    Forbidden {
        /// The character.
        character: char,
    },
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Empty => write!(f, "the name is empty"),
            Self::TooLong { len } => write!(f, "the name has {len} bytes, {MAX_NAME} are allowed"),
            Self::NotUtf8 { at } => write!(f, "the name is not UTF-8 from byte {at} on"),
            Self::Absolute => write!(f, "the name begins with '/'"),
            Self::EmptyComponent => write!(f, "the name has an empty component"),
            Self::Dots => write!(f, "the name has a component '.' or '..'"),
            Self::ComponentTooLong { len } => {
                write!(f, "the name has a component of {len} bytes, {MAX_COMPONENT} are allowed")
            }
            Self::Forbidden { character } => write!(f, "the name contains the character {character:?}"),
        }
    }
}

impl core::error::Error for NameError {}

/// Checks that `bytes` may name an entry.
///
/// # Errors
///
/// The first rule that `bytes` breaks.
pub fn check(bytes: &[u8]) -> Result<&str, NameError> {
    if bytes.is_empty() {
        return Err(NameError::Empty);
    }
    if bytes.len() > MAX_NAME {
        return Err(NameError::TooLong { len: bytes.len() });
    }
    let name = str::from_utf8(bytes).map_err(|e| NameError::NotUtf8 { at: e.valid_up_to() })?;
    if name.starts_with('/') {
        return Err(NameError::Absolute);
    }
    if let Some(character) = name.chars().find(|c| *c == '\\' || c.is_control()) {
        return Err(NameError::Forbidden { character });
    }
    for component in name.split('/') {
        match component.len() {
            0 => return Err(NameError::EmptyComponent),
            _ if component == "." || component == ".." => return Err(NameError::Dots),
            len if len > MAX_COMPONENT => return Err(NameError::ComponentTooLong { len }),
            _ => {}
        }
    }
    Ok(name)
}

/// The order of entries in a pack: component by component, each compared by its bytes.
///
/// A directory's entries are neighbours in this order, so one look at the next name tells whether anything lies inside.
pub fn compare(a: &str, b: &str) -> Ordering {
    a.split('/').map(str::as_bytes).cmp(b.split('/').map(str::as_bytes))
}

/// Whether `name` lies inside the directory `parent`.
pub fn is_inside(name: &str, parent: &str) -> bool {
    name.strip_prefix(parent).is_some_and(|rest| rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_names_pass() {
        for name in ["a", "a/b.c", "..a/b..", ".hidden", "Käse/日本.txt", "a b/c:d"] {
            assert_eq!(check(name.as_bytes()), Ok(name));
        }
        let long = format!("{}/{}", "d".repeat(255), "f".repeat(255));
        assert_eq!(check(long.as_bytes()), Ok(long.as_str()));
    }

    #[test]
    fn each_rule_has_its_error() {
        let long = "x".repeat(256);
        let deep = "d/".repeat(2048);
        for (bytes, expected) in [
            (&b""[..], NameError::Empty),
            (b"/etc/passwd", NameError::Absolute),
            (b"a//b", NameError::EmptyComponent),
            (b"a/", NameError::EmptyComponent),
            (b"../a", NameError::Dots),
            (b"a/../b", NameError::Dots),
            (b"a/..", NameError::Dots),
            (b"./a", NameError::Dots),
            (b"a\0b", NameError::Forbidden { character: '\0' }),
            (b"a\\b", NameError::Forbidden { character: '\\' }),
            (b"a\x1b[2J", NameError::Forbidden { character: '\x1b' }),
            (b"ab\xff", NameError::NotUtf8 { at: 2 }),
            (long.as_bytes(), NameError::ComponentTooLong { len: 256 }),
            (deep.as_bytes(), NameError::TooLong { len: 4096 }),
        ] {
            assert_eq!(check(bytes), Err(expected));
        }
    }

    #[test]
    fn a_directory_sorts_right_before_its_content() {
        let mut names = ["a-b", "a/c", "a", "a.b/c", "a/b/d", "B"];
        names.sort_by(|a, b| compare(a, b));
        assert_eq!(names, ["B", "a", "a/b/d", "a/c", "a-b", "a.b/c"]);
        assert!(is_inside("a/b", "a") && !is_inside("a-b", "a") && !is_inside("a", "a"));
    }
}
