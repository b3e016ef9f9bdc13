//! Errors a person can act on: which file, what happened, what to do.

use core::fmt;
use std::borrow::Cow;
use std::io;
use std::path::Path;

/// Whose fault it is. Decides the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// The system refused something: a missing file, a full disk, no permission.
    System,
    /// What was asked for makes no sense.
    Usage,
    /// The input is damaged, or is not what it should be.
    Data,
    /// Whoever read our standard output has gone away. Nothing to report: it was their choice.
    ReaderGone,
}

/// An error of a command.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    message: String,
    hint: Option<Hint>,
}

/// What to do about an error.
#[derive(Debug)]
enum Hint {
    Text(String),
    /// To choose another place to write to; how to do that is not said yet.
    Elsewhere(&'static str),
}

/// What commands return.
pub type Result<T, E = Error> = core::result::Result<T, E>;

impl Error {
    /// An error with this message, without a hint.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None }
    }

    /// A system error: `action` is what was tried ("read", "create"), `path` what it was tried on.
    pub fn system(action: &str, path: &Path, error: impl Into<io::Error>) -> Self {
        let error = error.into();
        let this = Self::new(Kind::System, format!("cannot {action} {}: {}", quoted(path), plain(&error)));
        Self { hint: advice(error.kind()), ..this }
    }

    /// Standard output could not be written.
    pub fn stdout(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::new(Kind::ReaderGone, "standard output was closed");
        }
        let message = format!("cannot write to standard output: {}", plain(&error));
        let hint = match advice(error.kind()) {
            Some(Hint::Elsewhere(_)) => {
                Some(Hint::Text("free some space, or send standard output somewhere else".to_owned()))
            }
            hint => hint,
        };
        Self { hint, ..Self::new(Kind::System, message) }
    }

    /// A file that is damaged or is not what it should be.
    pub fn data(path: &Path, problem: impl fmt::Display) -> Self {
        Self::new(Kind::Data, format!("{}: {problem}", quoted(path)))
    }

    /// A request that makes no sense.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }

    /// Adds what the user can do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(Hint::Text(hint.into()));
        self
    }

    /// Where the advice is to write somewhere else, says how, for commands that have no `-o`.
    #[must_use]
    pub fn elsewhere(self, how: &str) -> Self {
        match self.hint {
            Some(Hint::Elsewhere(why)) => self.hint(format!("{why}; {how}")),
            _ => self,
        }
    }

    /// Whose fault it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The program's exit code for this error.
    pub fn exit_code(&self) -> u8 {
        match self.kind {
            Kind::System => 1,
            Kind::Usage => 2,
            Kind::Data => 3,
            Kind::ReaderGone => 141,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.message)?;
        match &self.hint {
            Some(Hint::Text(hint)) => write!(f, "\n    hint: {hint}"),
            Some(Hint::Elsewhere(why)) => write!(f, "\n    hint: {why} with -o"),
            None => Ok(()),
        }
    }
}

impl core::error::Error for Error {}

/// The path as shown in messages. Names with control characters cannot upset a terminal.
pub fn quoted(path: &Path) -> String {
    format!("{:?}", path.display().to_string())
}

/// The name of an entry as shown in tables. Names have no control characters, but may have some that turn the direction of
/// writing, or cannot be seen.
pub fn printable(name: &str) -> Cow<'_, str> {
    if name.is_ascii() {
        return name.into();
    }
    // Nor have they backslashes, so one before a quotation mark was put there.
    name.escape_debug().to_string().replace("\\\"", "\"").replace("\\'", "'").into()
}

/// The system's own words, without the number that `io::Error` adds.
pub(crate) fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}

fn advice(kind: io::ErrorKind) -> Option<Hint> {
    let text = match kind {
        io::ErrorKind::NotFound => "check the spelling; relative paths start at the current directory",
        io::ErrorKind::PermissionDenied => "check the permissions of the file and of its directories",
        io::ErrorKind::NotADirectory => "part of the path is a file, and only a directory has others in it",
        io::ErrorKind::AlreadyExists => "choose another name, or give --force to replace it",
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            return Some(Hint::Elsewhere("the disk is full: free some space, or choose another place"));
        }
        io::ErrorKind::FileTooLarge => {
            "`ulimit -f` says how long files may get; file systems have limits, too"
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            return Some(Hint::Elsewhere("the file system is read-only: choose another place"));
        }
        _ => return None,
    };
    Some(Hint::Text(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_name_the_file_and_say_what_to_do() {
        let error = Error::system("create", Path::new("out\x1b.gds"), io::Error::from_raw_os_error(28));
        let text = error.to_string();
        assert!(text.starts_with(r#"cannot create "out\u{1b}.gds": No space left on device"#), "{text}");
        assert!(text.contains("hint: the disk is full") && !text.contains("os error"), "{text}");
        assert_eq!(error.exit_code(), 1);
    }

    #[test]
    fn what_cannot_be_seen_is_shown() {
        for name in ["a b", "K\u{e4}se/\u{65e5}\u{672c}", "e\u{301}", "it's \"it\""] {
            assert_eq!(printable(name), name);
        }
        assert_eq!(printable("a\u{202e}b\u{200b}"), r"a\u{202e}b\u{200b}");
    }

    #[test]
    fn a_closed_pipe_is_told_from_a_full_disk() {
        assert_eq!(Error::stdout(io::ErrorKind::BrokenPipe.into()).exit_code(), 141);
        let full = Error::stdout(io::ErrorKind::StorageFull.into());
        assert_eq!(full.exit_code(), 1);
        assert!(full.to_string().starts_with("cannot write to standard output: "), "it is no file: {full}");
        assert!(full.to_string().contains("somewhere else"), "{full}");
        assert!(!full.to_string().contains("-o"), "not every command has that: {full}");
    }
}
