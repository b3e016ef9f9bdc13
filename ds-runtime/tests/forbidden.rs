//! Where io_uring is forbidden, `Auto` does without and says why, and who names it is told. A program of its own: it forbids itself.

use std::io::Write;

use ds_runtime::{BuildError, File, IoKind, QueueOptions, Request, Runtime};

/// Has the kernel answer io_uring_setup with EPERM from now on, as containers do.
fn forbid() {
    let load = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
    let compare = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
    let ret = libc::BPF_RET | libc::BPF_K;
    let step = |code, jt, jf, k| libc::sock_filter { code: code as u16, jt, jf, k };
    let mut filter = [
        // The number of the system call comes first.
        step(load, 0, 0, 0),
        step(compare, 0, 1, libc::SYS_io_uring_setup as u32),
        step(ret, 0, 0, libc::SECCOMP_RET_ERRNO | libc::EPERM as u32),
        step(ret, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    rustix::thread::set_no_new_privs(true).unwrap();
    // SAFETY: the program is there and as long as it says; it is copied.
    let done = unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) };
    assert_eq!(done, 0, "{}", std::io::Error::last_os_error());
}

#[test]
fn auto_does_without_and_says_why_and_a_name_is_refused() {
    forbid();
    let runtime = Runtime::builder().build().unwrap();
    let selection = runtime.selection();
    assert_eq!(selection.io, "cpu");
    let refused: Vec<_> = selection.refused.iter().filter(|refusal| refusal.engine == "uring").collect();
    let [uring] = refused[..] else { panic!("{selection:?}") };
    assert!(uring.reason.contains("io_uring"), "{uring}");

    let mut file = tempfile::tempfile().unwrap();
    file.write_all(b"read all the same").unwrap();
    let queue = runtime.queue(QueueOptions::default()).unwrap();
    let done = queue.enqueue(Request::read(&File::from(file), 5, 3)).unwrap().wait().check().unwrap();
    assert_eq!(done.buffer, b"all");

    let Err(error) = Runtime::builder().io(IoKind::Uring).build() else { panic!("there is no ring") };
    assert!(matches!(error, BuildError::Start { engine: "uring", .. }), "{error:?}");
    assert!(error.to_string().contains("io_uring, which "), "{error}");
}
