//! Telling the application: the one place where its callbacks, hooks and wakers run.
//!
//! Rounds put news into their queue, and the queue into the runtime's mail. When a thread has nothing more to drive, it goes
//! through the mail, one piece of news of one queue at a time, with no lock held. So no outcome waits for a callback to return,
//! several threads can tell the news of one queue, and whoever waits for a queue's end can tell what others have not come to.
//! A thread of its own, the teller, tells what a thread has to leave: see [`Mail`].

use core::task::Waker;
use std::collections::VecDeque;
use std::sync::{Arc, MutexGuard as QueueGuard};
use std::thread::JoinHandle;

use ds_core::RequestId;

use crate::completion::Completion;
use crate::here::{Doing, Here, in_a_call, times};
use crate::queue::{QueueInner, State};
use crate::report::{ErrorReport, Report, guarded, report};
use crate::runtime::Shared;
use crate::slots::{Callback, Delivery};
use crate::sync::{Condvar, Mutex, MutexGuard, lock, wait};
use crate::threads;

/// Something the application is to be told.
pub(crate) enum News {
    /// A future can be polled.
    Wake(Waker),
    /// A request failed.
    Failure(Box<ErrorReport>),
    /// A request is over, and its callback is to be called. Its slot is free when that has returned.
    Over(RequestId),
}

/// News not told yet, and who is telling: part of a queue's state.
#[derive(Default)]
pub(crate) struct Told {
    pub(crate) news: VecDeque<News>,
    /// Calls into the application that have not returned.
    calling: usize,
    /// Those of them whose thread waits, within the call, for the queue's end.
    closing: usize,
    /// Whether the queue is in the runtime's mail.
    mailed: bool,
}

impl Told {
    /// Whether anything will still be told, or is being told.
    pub(crate) fn is_busy(&self) -> bool {
        self.calling > 0 || !self.news.is_empty()
    }

    /// Whether nothing is left that a thread in `here` calls could wait for. Of several threads that wait within a call, none can
    /// wait for the others' calls to return.
    pub(crate) fn is_over(&self, here: usize) -> bool {
        self.news.is_empty() && (self.calling == 0 || here > 0 && self.calling <= self.closing)
    }
}

impl State {
    /// Whom to call with what. The slot stays the request's.
    fn over(&mut self, id: RequestId) -> Option<(Callback, Completion)> {
        let completion = self.core.peek(id)?;
        let mut beside = self.beside[id.index()].take()?;
        let Delivery::Callback(callback) = core::mem::replace(&mut beside.delivery, Delivery::Discard) else {
            return None;
        };
        Some((callback, beside.complete(completion)))
    }
}

/// Pieces of news that a thread tells before it leaves the rest to the teller: nobody's `submit` may end up telling for ever.
const SHARE: usize = if cfg!(all(test, loom)) { 1 } else { 64 };

/// Queues with news, and the thread that tells when those who left news have better or worse things to do.
pub(crate) struct Mail<Q = Arc<QueueInner>> {
    state: Mutex<MailState<Q>>,
    changed: Condvar,
}

struct MailState<Q> {
    /// Each once.
    queues: VecDeque<Q>,
    /// Whether the teller is to look.
    called: bool,
    stop: bool,
    teller: Option<JoinHandle<()>>,
}

impl<Q> Default for Mail<Q> {
    fn default() -> Self {
        let state = MailState { queues: VecDeque::new(), called: false, stop: false, teller: None };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }
}

impl Mail {
    /// Starts the teller.
    pub(crate) fn start(shared: &Arc<Shared>) -> std::io::Result<()> {
        let runtime = Arc::clone(shared);
        let teller = threads::spawn("ds-teller", move || {
            while runtime.mail.is_called() {
                runtime.driving(|| {});
            }
        })?;
        shared.mail.lock().teller = Some(teller);
        Ok(())
    }

    /// Puts a queue that has news into the mail.
    pub(crate) fn post(&self, queue: &Arc<QueueInner>, state: &mut State) {
        self.put(queue, !state.told.news.is_empty(), &mut state.told.mailed);
    }
}

impl<Q> Mail<Q> {
    fn lock(&self) -> MutexGuard<'_, MailState<Q>> {
        lock(&self.state)
    }

    /// Puts a queue in, if it has news and is not there; `mailed` says whether it is, and is looked at with the queue's lock held.
    pub(crate) fn put(&self, queue: &Q, has_news: bool, mailed: &mut bool)
    where
        Q: Clone,
    {
        if has_news && !core::mem::replace(mailed, true) {
            self.lock().queues.push_back(queue.clone());
        }
    }

    /// Has some queues' news told, each when it is taken out, and leaves the rest to the teller.
    pub(crate) fn go_through(&self, mut tell: impl FnMut(Q)) {
        for _ in 0..SHARE {
            let Some(queue) = self.lock().queues.pop_front() else { return };
            tell(queue);
        }
        self.call_teller();
    }

    /// Waits until there is something to tell; false at the end.
    pub(crate) fn is_called(&self) -> bool {
        let mut state = self.lock();
        while !state.called && !state.stop {
            state = wait(&self.changed, state);
        }
        state.called = false;
        !state.stop
    }

    /// Leaves what news there is to the teller.
    pub(crate) fn call_teller(&self) {
        let mut state = self.lock();
        if !state.queues.is_empty() && !core::mem::replace(&mut state.called, true) {
            self.changed.notify_one();
        }
    }

    /// Ends the teller.
    pub(crate) fn stop(&self) {
        let teller = {
            let mut state = self.lock();
            state.stop = true;
            self.changed.notify_one();
            state.teller.take()
        };
        threads::join(teller);
    }
}

impl Shared {
    /// Drives the runtime, and tells the application what comes of it once that is all done; or leaves the telling to an outer
    /// call of this, if this thread is in one.
    pub(crate) fn driving(self: &Arc<Self>, drive: impl FnOnce()) {
        let outermost = times(Doing::Driving, &**self) == 0;
        let _here = Here::mark(Doing::Driving, &**self);
        drive();
        if !outermost {
            return;
        }
        self.mail.go_through(|queue| {
            let mut state = queue.lock();
            state.told.mailed = false;
            let news = state.told.news.pop_front();
            // Back to the end of the line: queues take turns, and another thread may tell the next.
            self.mail.post(&queue, &mut state);
            self.tell(&queue, state, news);
        });
    }

    /// Drives the runtime on a thread that must not run the application's code.
    pub(crate) fn driving_only(self: &Arc<Self>, drive: impl FnOnce()) {
        let here = Here::mark(Doing::Driving, &**self);
        drive();
        drop(here);
        self.mail.call_teller();
    }

    /// Tells one piece of a queue's news, even within a call: for those who wait for the queue's end. Returns whether there was any.
    fn tell_next(self: &Arc<Self>, queue: &Arc<QueueInner>) -> bool {
        let mut state = queue.lock();
        let news = state.told.news.pop_front();
        let any = news.is_some();
        self.tell(queue, state, news);
        any
    }

    fn tell(self: &Arc<Self>, queue: &Arc<QueueInner>, mut state: QueueGuard<'_, State>, news: Option<News>) {
        let Some(news) = news else { return };
        state.told.calling += 1;
        let id = if let News::Over(id) = news { Some(id) } else { None };
        let over = id.and_then(|id| state.over(id));
        drop(state);
        let here = Here::mark(Doing::Calling, &**queue);
        match news {
            News::Wake(waker) => guarded("waker", || waker.wake()),
            News::Failure(failure) => report(queue.hook.as_ref(), &Report::Failure(failure)),
            News::Over(_) => {
                if let Some((callback, completion)) = over {
                    guarded("completion callback", || callback(completion));
                }
            }
        }
        drop(here);
        let mut state = queue.lock();
        if let Some(id) = id {
            state.core.take(id);
        }
        state.told.calling -= 1;
        queue.wake_waiters(&state);
        drop(state);
        self.bury(queue);
    }

    /// Waits for a queue's end: nothing of it is outstanding, and all is told but what this very thread is being told.
    pub(crate) fn wait_for_end(
        self: &Arc<Self>,
        queue: &Arc<QueueInner>,
        deadline: Option<std::time::Instant>,
    ) -> bool {
        let here = times(Doing::Calling, &**queue);
        if times(Doing::Closing, &**queue) > 0 {
            // Called from what the wait below tells: that wait goes on.
            return true;
        }
        let is_over = |state: &mut State| state.core.is_idle() && state.told.is_over(here);
        if !in_a_call() {
            return self.wait_until(queue, deadline, is_over);
        }
        let _closing = Here::mark(Doing::Closing, &**queue);
        let mut state = queue.lock();
        state.told.closing += here;
        // Another thread may have been waiting just for this one to wait as well.
        queue.wake_waiters(&state);
        drop(state);
        let mut over = false;
        let ended = loop {
            // Nobody else may come to tell what this thread has put off.
            while self.tell_next(queue) {}
            let woken = self.wait_until(queue, deadline, |state| {
                over = is_over(state);
                over || !state.told.news.is_empty()
            });
            if over || !woken {
                break over;
            }
        };
        queue.lock().told.closing -= here;
        ended
    }
}
