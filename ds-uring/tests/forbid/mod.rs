//! A process that may not use io_uring.

/// Has the kernel answer io_uring_setup with EPERM from now on, as containers do.
pub(crate) fn forbid() {
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
