//! Signals that end the program: what is half done is undone first.
//!
//! Destructors do not run on signals, so a thread waits for them instead. It runs what [`on_signal`] registered, newest
//! first, and exits with 128 plus the signal's number, which is what a shell reports for a program that a signal ended.

use std::collections::BTreeMap;
use std::fs;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::flag;
use signal_hook::iterator::Signals;

static STATE: Mutex<State> = Mutex::new(State { holds: 0, ending: false, next: 0, undos: BTreeMap::new() });
static RELEASED: Condvar = Condvar::new();

struct State {
    /// How many [`Hold`]s there are.
    holds: usize,
    /// A signal has come, and the program ends any moment.
    ending: bool,
    next: u64,
    undos: BTreeMap<u64, Box<dyn FnOnce() + Send>>,
}

/// Has signals dealt with from now on, except those that are ignored: whoever started the program wants it so (`nohup`).
///
/// Where the system refuses a thread to wait for them, signals do what they always do. That a file may not get any longer is no reason
/// to end, but an error of whoever writes it.
pub fn watch() {
    // Nobody looks: where the signal is caught, the write fails.
    let _ = flag::register(SIGXFSZ, Arc::default());
    let (sender, receiver) = mpsc::channel::<Signals>();
    // The thread comes first: a signal that is caught and that nobody waits for would be lost.
    let watcher = thread::Builder::new().name("ds-signals".into()).spawn(move || {
        let Ok(mut signals) = receiver.recv() else { return };
        if let Some(signal) = signals.forever().next() {
            end(signal);
        }
    });
    let ignored = ignored();
    let caught = [SIGHUP, SIGINT, SIGTERM].into_iter().filter(|signal| ignored >> (signal - 1) & 1 == 0);
    if watcher.is_ok()
        && let Ok(signals) = Signals::new(caught)
    {
        let _ = sender.send(signals);
    }
}

/// The signals this process ignores, bit by bit from signal 1. None where the system does not tell.
fn ignored() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

fn end(signal: i32) -> ! {
    let mut state = state();
    while state.holds > 0 {
        state = RELEASED.wait(state).unwrap_or_else(PoisonError::into_inner);
    }
    state.ending = true;
    let undos = core::mem::take(&mut state.undos);
    drop(state);
    undos.into_values().rev().for_each(|undo| undo());
    std::process::exit(128 + signal)
}

/// While one of these lives, no signal ends the program.
#[derive(Debug)]
#[must_use = "signals are held as long as this lives"]
pub struct Hold(());

/// Keeps signals waiting, so that doing something and taking note of it are one. May be nested. Does not return when a
/// signal is ending the program already.
pub fn hold() -> Hold {
    unless_ending().holds += 1;
    Hold(())
}

impl Drop for Hold {
    fn drop(&mut self) {
        state().holds -= 1;
        RELEASED.notify_all();
    }
}

/// Something that a signal undoes, until this is dropped.
#[derive(Debug)]
#[must_use = "what was registered is forgotten when this is dropped"]
pub struct Registration(u64);

/// Has `undo` run when a signal ends the program. It must not hold signals or register anything itself.
pub fn on_signal(undo: impl FnOnce() + Send + 'static) -> Registration {
    let mut state = unless_ending();
    let number = state.next;
    state.next += 1;
    state.undos.insert(number, Box::new(undo));
    Registration(number)
}

impl Drop for Registration {
    fn drop(&mut self) {
        let undo = unless_ending().undos.remove(&self.0);
        // What it owns goes after the lock.
        drop(undo);
    }
}

fn state() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The state while the program goes on. Waits for good where it does not.
fn unless_ending() -> MutexGuard<'static, State> {
    RELEASED.wait_while(state(), |state| state.ending).unwrap_or_else(PoisonError::into_inner)
}
