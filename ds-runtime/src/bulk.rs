//! Many requests at once.

use core::panic::Location as Caller;

use ds_core::Error;

use crate::queue::{Queue, place};
use crate::request::Request;
use crate::slots::Delivery;

impl Queue {
    /// [`post`](Self::post)s a list of requests, in order, taking the queue's lock once and not for each. What has been posted is
    /// taken out of `requests`, which keeps its memory for the next list. Names none of them: tags do
    /// ([`Request::tag`], [`cancel_tagged`](Self::cancel_tagged)).
    ///
    /// Waits while the queue is full, as [`enqueue`](Self::enqueue) does.
    ///
    /// # Errors
    /// As [`enqueue`](Self::enqueue): why the request that is now the first of `requests` was refused. Those before it have been
    /// posted; it and those behind it have not.
    #[track_caller]
    pub fn post_all(&self, requests: &mut Vec<Request>) -> Result<(), Error> {
        let caller = Caller::caller();
        let mut posted = 0;
        let refusal = loop {
            let rest = &mut requests[posted..];
            if rest.is_empty() {
                break None;
            }
            let (count, refusal) = self.post_some(rest, caller);
            posted += count;
            if let Some(error) = refusal
                && !self.wait_for_room(&error)
            {
                break Some(error);
            }
        };
        requests.drain(..posted);
        refusal.map_or(Ok(()), Err)
    }

    /// Posts requests until one is refused or something else must be done first. Returns how many, and the refusal.
    fn post_some(
        &self,
        requests: &mut [Request],
        caller: &'static Caller<'static>,
    ) -> (usize, Option<Error>) {
        // Memory is got without the lock, and not for more requests than there is room for.
        let room = self.inner.lock().core.vacancies().max(1) as usize;
        let mut refusal = None;
        let mut ready = 0;
        for request in requests.iter_mut().take(room) {
            if let Err(error) = self.prepare(request) {
                refusal = Some(error);
                break;
            }
            ready += 1;
        }
        let mut state = self.inner.lock();
        for (before, request) in requests[..ready].iter_mut().enumerate() {
            match place(&mut state, &self.shared, request, None, Delivery::Inbox, caller) {
                Ok(placed) if placed.must_poll => {
                    drop(state);
                    self.shared.poll(&self.inner);
                    return (before + 1, None);
                }
                Ok(_) => {}
                Err(refused) => return (before, Some(refused.error)),
            }
        }
        (ready, refusal)
    }
}
