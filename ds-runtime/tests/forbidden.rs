//! Where io_uring is forbidden, `Auto` does without and says why, and who names it is told. A program of its own: it forbids itself.

#[path = "../../ds-uring/tests/forbid/mod.rs"]
mod forbid;

use std::io::Write;

use ds_runtime::{BuildError, File, IoKind, QueueOptions, Request, Runtime};
use forbid::forbid;

#[test]
fn auto_does_without_and_says_why_and_a_name_is_refused() {
    forbid();
    let runtime = Runtime::builder().build().unwrap();
    let selection = runtime.selection();
    assert_eq!(selection.io, "cpu");
    let refused: Vec<_> = selection.refused.iter().filter(|refusal| refusal.engine == "uring").collect();
    let [uring] = refused[..] else { panic!("{selection:?}") };
    assert!(uring.reason.contains("io_uring"), "{uring}");
    assert_eq!(runtime.uring(), None);

    let mut file = tempfile::tempfile().unwrap();
    file.write_all(b"read all the same").unwrap();
    let queue = runtime.queue(QueueOptions::default()).unwrap();
    let done = queue.enqueue(Request::read(&File::from(file), 5, 3)).unwrap().wait().check().unwrap();
    assert_eq!(done.buffer, b"all");

    let Err(error) = Runtime::builder().io(IoKind::Uring).build() else { panic!("there is no ring") };
    assert!(matches!(error, BuildError::Start { engine: "uring", .. }), "{error:?}");
    assert!(error.to_string().contains("io_uring, which "), "{error}");
}
