//! What an engine goes without is told to the error hooks: in a program of its own, since it lowers the limits of its process.

use std::io::Write;
use std::sync::{Arc, Mutex};

use ds_runtime::{File, QueueOptions, Report, Request, Runtime, set_error_hook};
use ds_uring::{Features, UringConfig, UringIo};
use rustix::process::{Resource, Rlimit, setrlimit};
use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};

/// What a hook has heard, in words.
type Heard = Arc<Mutex<Vec<String>>>;

fn listener() -> (Heard, impl Fn(&Report) + Send + Sync + 'static) {
    let heard = Heard::default();
    let log = Arc::clone(&heard);
    (heard, move |report: &Report| {
        let kind = if matches!(report, Report::Warning(_)) { "warning" } else { "failure" };
        log.lock().unwrap().push(format!("{kind}|{report}"));
    })
}

/// Less locked memory than an engine's aligned memory.
fn lock_little() {
    setrlimit(Resource::Memlock, Rlimit { current: Some(1 << 20), maximum: Some(1 << 20) }).unwrap();
    // Who may lock as much as they like are not held to the limit.
    let nothing = CapabilitySet::empty();
    let none = CapabilitySets { effective: nothing, permitted: nothing, inheritable: nothing };
    set_capabilities(None, none).unwrap();
}

fn ring() -> Arc<UringIo> {
    Arc::new(UringIo::new(UringConfig::default().features(Features::DEFAULT | Features::FIXED_BUFFERS)))
}

fn assert_warned(heard: &Heard) {
    let heard = heard.lock().unwrap();
    let [warning] = heard.as_slice() else { panic!("{heard:?}") };
    for part in ["warning|warning: uring: ", "fixed_buffers", "ulimit -l", "os error 12"] {
        assert!(warning.contains(part), "{part} in {warning}");
    }
}

#[test]
fn a_ring_without_registered_memory_works_and_says_so() {
    lock_little();
    let (own, hook) = listener();
    let (everybodys, process_hook) = listener();
    set_error_hook(Some(Arc::new(process_hook)));
    let runtime = Runtime::builder().io_engine(ring()).error_hook(hook).build().unwrap();
    // Told by the time there is a runtime, and to its own hook alone.
    assert_warned(&own);
    assert!(everybodys.lock().unwrap().is_empty());

    let mut file = tempfile::tempfile().unwrap();
    file.write_all(b"some bytes").unwrap();
    let file = File::from(file);
    let queue = runtime.queue(QueueOptions::default()).unwrap();
    assert_eq!(queue.enqueue(Request::read(&file, 5, 5)).unwrap().wait().check().unwrap().buffer, b"bytes");
    // A queue without a hook of its own has the runtime's.
    queue.enqueue(Request::read(&file, 5, 50)).unwrap().wait().check().unwrap_err();
    queue.close();
    let failure = own.lock().unwrap().pop().unwrap();
    assert!(failure.starts_with("failure|queue "), "{failure}");
    assert_warned(&own);

    let second = Runtime::builder().io_engine(ring()).build().unwrap();
    assert_warned(&everybodys);
    set_error_hook(None);
    drop((runtime, second));
}
