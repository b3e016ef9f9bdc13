//! Messages to a ring, from threads that have none.

use std::os::fd::{AsFd, AsRawFd};

use io_uring::{opcode, types};
use rustix::io::Errno;

/// `IORING_REGISTER_SEND_MSG_RING`: submits one message without a ring to submit it by. Linux 6.13.
const SEND_MSG_RING: u32 = 31;

/// Has a completion with this token appear in a ring.
///
/// # Errors
/// What the kernel says: `EINVAL` if it is too old.
pub(crate) fn send(ring: impl AsFd, token: u64) -> Result<(), Errno> {
    let to = types::Fd(ring.as_fd().as_raw_fd());
    let message = opcode::MsgRingData::new(to, 0, token, None).build();
    // SAFETY: the kernel reads one submission entry, which is there, and writes nothing of ours: completions are the ring's own.
    let done = unsafe {
        libc::syscall(libc::SYS_io_uring_register, -1, SEND_MSG_RING, core::ptr::from_ref(&message), 1)
    };
    if done < 0 { Err(super::errno_of(&std::io::Error::last_os_error())) } else { Ok(()) }
}
