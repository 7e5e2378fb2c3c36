//! How one request ended: what the audit event and the metrics are made from.

use std::rc::Rc;
use std::time::Duration;

use crate::config::Credentials;
use crate::event_id::EventId;
use crate::head::Request;
use crate::identity::Identity;
use crate::metrics::Series;
use crate::permit::Permit;
use crate::reason::{Reason, Verdict};
use crate::time::UnixTime;
use crate::trace::Trace;
use crate::verified::Verified;

/// How one request ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub(crate) id: EventId,
    pub(crate) began: UnixTime,
    pub(crate) reason: Reason,
    /// What exactly, from a closed set of words: which part of the token, which claim.
    pub(crate) cause: Option<&'static str>,
    /// The HTTP status of the answer; `None` if the upstream gives it. In shadow mode the one that would have been.
    pub(crate) status: Option<u16>,
    pub(crate) route: Option<Rc<str>>,
    /// Who called: only of a token whose signature was verified.
    pub(crate) identity: Option<Rc<Identity>>,
    /// As which credential that token came, or which one the refusal is about, where the document names them.
    pub(crate) credential: Option<Rc<str>>,
    /// In which of several places of that credential it stood.
    pub(crate) place: Option<Rc<str>>,
    /// The further verified tokens of an allowed request, by the names of their credentials.
    pub(crate) further: Vec<(Rc<str>, Rc<Identity>)>,
    /// Which issuer a token that was *not* verified names. Anyone can write anything there.
    pub(crate) claimed_issuer: Option<Box<str>>,
    pub(crate) request: Seen,
    /// It passed, whatever was decided.
    pub(crate) shadow: bool,
    pub(crate) audited: bool,
    pub(crate) trace: Trace,
    /// It waited for keys, or a signature was verified: how long that took is worth a record.
    pub(crate) timed: bool,
}

/// What was seen of the request.
#[derive(Clone, Debug)]
pub(crate) enum Seen {
    /// The head is good.
    Whole(Box<Request>),
    /// The head was refused: what could be read of it, as it came.
    Raw {
        method: Option<Box<str>>,
        path: Option<Box<str>>,
        source: Option<Box<str>>,
    },
}

impl Outcome {
    /// The beginning of an outcome: a refusal of unknown reason, until somebody says better.
    pub(crate) fn refused(
        id: EventId,
        began: UnixTime,
        request: Seen,
        route: Option<Rc<str>>,
    ) -> Self {
        Self {
            id,
            began,
            reason: Reason::StateMissing,
            cause: None,
            status: None,
            route,
            identity: None,
            credential: None,
            place: None,
            further: Vec::new(),
            claimed_issuer: None,
            request,
            shadow: false,
            audited: true,
            trace: Trace::default(),
            timed: false,
        }
    }

    /// Notes that the request was permitted, and to whom.
    pub(crate) fn permitted(&mut self, permit: &Permit, credentials: &Credentials) {
        self.reason = permit.reason();
        let Some(verified) = permit.verified() else {
            return;
        };
        let name = |one: &Verified| credentials.name(one.origin().credential).cloned();
        self.credential = name(&verified.first);
        self.place = credentials.label(verified.first.origin().place).cloned();
        self.identity = Some(Rc::clone(verified.first.identity()));
        let further = verified.further.iter();
        self.further = further
            .filter_map(|one| Some((name(one)?, Rc::clone(one.identity()))))
            .collect();
    }

    /// The name of this decision; the client got it too if it was refused.
    pub const fn id(&self) -> EventId {
        self.id
    }

    /// Why the request ended so.
    pub const fn reason(&self) -> Reason {
        self.reason
    }

    /// How the request ended. In shadow mode all are let through.
    pub const fn verdict(&self) -> Verdict {
        if self.shadow {
            Verdict::Allow
        } else {
            self.reason.verdict()
        }
    }

    /// Whether it passed in shadow mode: [`Outcome::reason`] is then that of the decision which was not enforced.
    pub const fn is_shadow(&self) -> bool {
        self.shadow
    }

    /// The counter of such decisions.
    pub const fn series(&self) -> Series {
        if self.shadow {
            Series::Shadow(self.reason)
        } else {
            Series::Decision(self.reason)
        }
    }

    /// The HTTP status of the answer; `None` for a forwarded request, whose answer the upstream gives.
    pub const fn status(&self) -> Option<u16> {
        if self.shadow { None } else { self.status }
    }

    /// The `name` of the route that was selected.
    pub fn route(&self) -> Option<&str> {
        self.route.as_deref()
    }

    /// Whether the configuration wants this decision in the log.
    pub const fn is_audited(&self) -> bool {
        self.audited
    }

    /// How the decision was made, step by step, as one line of JSON of at most 1,800 bytes, if `debug.trace` asks for it. It bears
    /// the `id` of the audit event.
    pub fn trace_line(&self) -> Option<String> {
        self.trace.line(self.id)
    }

    /// When the request head came.
    pub const fn began(&self) -> UnixTime {
        self.began
    }

    /// Whether its latency belongs in [`Series::Latency`](crate::Series::Latency): it waited for keys, or a signature was
    /// verified. All else is decided at once, and to ask the clock would cost more than the decision.
    pub const fn is_timed(&self) -> bool {
        self.timed
    }

    /// From the request head to `ended`, waits included, for the histogram and the event.
    pub const fn latency(&self, ended: UnixTime) -> Duration {
        ended.since(self.began)
    }
}
