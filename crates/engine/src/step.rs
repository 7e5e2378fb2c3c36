//! What the adapter does next with a request.

use crate::call::{Call, FlightId, WaiterId};
use crate::forward::Forward;
use crate::local_answer::LocalAnswer;
use crate::paused::Paused;
use crate::reject::Reject;
use crate::shadow::Shadow;
use crate::time::UnixTime;

/// What [`Guard::begin`](crate::Guard::begin) and [`Guard::resume`](crate::Guard::resume) want done.
#[derive(Debug)]
#[must_use = "a request must be forwarded, answered or paused"]
pub enum Step {
    /// Apply the edits and let the request go on.
    Forward(Forward),
    /// Make its removals and let the request go on: its route is in shadow mode.
    Shadow(Shadow),
    /// Answer the request.
    Reject(Reject),
    /// Answer the request with what anyone may have.
    Answer(LocalAnswer),
    /// Make the call, pause the request, and keep `pending` for when its waiter is woken. The flight belongs to the
    /// guard: its reply is reported even if this request is gone by then.
    Call {
        /// Report the reply under this.
        flight: FlightId,
        /// What to fetch.
        call: Call,
        /// The paused request.
        pending: Pending,
    },
    /// Pause the request, and keep `pending` for when its waiter is woken: the call is under way for another one.
    Wait {
        /// The flight that it waits for.
        flight: FlightId,
        /// By when the waiter is woken at the latest, if the host ticks.
        deadline: UnixTime,
        /// The paused request.
        pending: Pending,
    },
}

/// A paused request: give it back by [`Guard::resume`](crate::Guard::resume) once its waiter is woken, or by
/// [`Guard::cancel`](crate::Guard::cancel) when the client left. Merely dropping it costs a waiter's place until the deadline.
#[derive(Debug)]
#[must_use = "resume or cancel it"]
pub struct Pending {
    pub(crate) waiter: WaiterId,
    pub(crate) paused: Box<Paused>,
}

impl Pending {
    pub(crate) fn new(waiter: WaiterId, paused: Paused) -> Self {
        Self {
            waiter,
            paused: Box::new(paused),
        }
    }

    /// The name by which [`Guard::complete`](crate::Guard::complete) and [`Guard::tick`](crate::Guard::tick) wake it.
    pub const fn waiter(&self) -> WaiterId {
        self.waiter
    }
}
