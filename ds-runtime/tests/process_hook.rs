//! The process-wide error hook: in a program of its own, since it hears of every queue's failures.

use ds_runtime::{File, Queue, QueueOptions, Request, Runtime, set_error_hook};

/// Fails a request when it is dropped.
struct Fails(Queue, File);

impl Drop for Fails {
    fn drop(&mut self) {
        let done = self.0.enqueue(Request::read(&self.1, 1 << 40, 1)).unwrap().wait();
        assert!(done.result.is_err());
    }
}

#[test]
fn a_hook_that_is_replaced_may_fail_one_last_time() {
    let runtime = Runtime::builder().build().unwrap();
    let queue = runtime.queue(QueueOptions::default()).unwrap();
    let owned = Fails(queue, File::open("Cargo.toml").unwrap());
    let (done, is_done) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        set_error_hook(Some(std::sync::Arc::new(move |_| {
            let _ = &owned;
        })));
        set_error_hook(None);
        done.send(()).unwrap();
    });
    is_done.recv_timeout(std::time::Duration::from_secs(30)).expect("the old hook is dropped under the lock");
}
