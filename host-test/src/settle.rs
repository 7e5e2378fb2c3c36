//! What follows a callback: asked actions are done, local replies go out, a trap ends streams, queues are announced.

use std::time::Instant;

use crate::http::Headers;
use crate::local_reply;
use crate::metering::Metering;
use crate::profile::{AfterTrap, Pause};
use crate::stream::{Direction, Ending, Hold, LocalReply, ResetBy};
use crate::vm::{Action, AskedReply};
use crate::worker::Worker;

/// Queue announcements that one event may lead to; the rest come with the next one.
const MOST_NOTICES: usize = 1000;

/// Actions that one event may lead to, those that actions lead to included.
const MOST_ACTIONS: usize = 100_000;

impl Worker {
    /// The action that a callback answered, or none when it trapped and the stream has ended.
    pub(crate) fn judge(&mut self, id: u32, action: Option<u32>) -> Option<u32> {
        if action.is_none() {
            self.after_callback(Some(id));
        }
        action
    }

    /// Ends streams after a trap: the one that trapped, and all others of that VM, unless the VM goes on.
    pub(crate) fn after_callback(&mut self, id: Option<u32>) {
        let Some(why) = self.guest.failed.clone() else {
            return;
        };
        if let Some(id) = id {
            self.end_unserved(id, Ending::Trapped(why));
        }
        self.guest.vm().actions.clear();
        if matches!(self.after_trap(), AfterTrap::SameVm(_)) && !self.guest.crashed {
            self.guest.failed = None;
            return;
        }
        // Streams that pass the filter by have been dealt with, or the policy lets them through.
        let streams = &self.guest.vm().streams;
        let filtered = streams.iter().filter(|(_, stream)| !stream.bypass);
        let all: Vec<u32> = filtered.map(|(id, _)| *id).collect();
        for other in all {
            self.end_unserved(other, Ending::Unavailable);
        }
        self.guest.vm().callouts.clear();
        self.guest.vm().grpc.clear();
    }

    pub(crate) fn after_trap(&self) -> AfterTrap {
        self.module.profile().facts().after_trap
    }

    /// The client gets the status of a trap, 503 in Envoy, or a broken connection when a response is under way already.
    pub(crate) fn end_unserved(&mut self, id: u32, ending: Ending) {
        self.touched.insert(id);
        let status = self.after_trap().status();
        let Some(stream) = self.guest.vm().streams.get_mut(&id) else {
            return;
        };
        let finished = stream.response.ended && (stream.request.ended || stream.ending.is_some());
        stream.bypass = true;
        if finished || stream.ending.is_some() {
            return;
        }
        stream.request.shut();
        stream.response.shut();
        if stream.response.sent.is_some() {
            stream.ending = Some(Ending::Reset(ResetBy::Filter));
            return;
        }
        stream.ending = Some(ending);
        let half = &mut stream.response;
        half.begun = true;
        half.head_held = true;
        half.headers = [(":status", status.to_string())].into_iter().collect();
        half.send_head(true);
    }

    /// Where a request goes on by itself once its callouts are answered, it does.
    pub(crate) fn go_on(&mut self, id: u32) {
        let waits = self.guest.vm().callouts.awaited_by(id);
        if self.module.profile().facts().pause == Pause::Holds || waits || !self.runs() {
            return;
        }
        let held = self
            .half(id, Direction::Request)
            .is_some_and(|half| half.hold == Hold::All);
        if held {
            self.resume(id, Direction::Request);
            self.settle();
        }
    }

    /// Does what callbacks asked for, until nothing is left.
    pub(crate) fn settle(&mut self) {
        let mut notices = 0usize;
        let mut done = 0usize;
        let began = Instant::now();
        loop {
            // It was about the callback that has ended; what follows is judged by callbacks of its own.
            self.guest.vm().stop_iteration = false;
            self.after_callback(None);
            let actions = std::mem::take(&mut self.guest.vm().actions);
            if !actions.is_empty() {
                done = done.saturating_add(actions.len());
                if done > MOST_ACTIONS {
                    self.guest.failed = Some("endless actions".to_owned());
                    continue;
                }
                for action in actions {
                    self.act(action);
                }
                continue;
            }
            if let Some(root) = self.guest.vm().done.pop() {
                self.delete_root(root);
                continue;
            }
            // Each callback has its own time; together they have no more than one, or a guest could hold its worker.
            let late = self.module.metering == Metering::Time
                && began.elapsed() > self.options.limits.time_per_callback;
            if !self.runs() || notices >= MOST_NOTICES || late {
                return;
            }
            let Some((context, queue)) = self.take_notice() else {
                return;
            };
            notices = notices.saturating_add(1);
            if let Some(ready) = self.guest.exports.on_queue_ready.clone()
                && self.guest.vm().roots.contains_key(&context)
            {
                self.guest
                    .call("proxy_on_queue_ready", context, &ready, (context, queue));
            }
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Continue(id, direction) => self.resume(id, direction),
            Action::Reply(id, asked) => self.reply(id, asked, true),
            Action::Close(id) => {
                self.touched.insert(id);
                if let Some(stream) = self.guest.vm().streams.get_mut(&id) {
                    stream.request.shut();
                    stream.response.shut();
                    stream.ending.get_or_insert(Ending::Reset(ResetBy::Filter));
                }
            }
        }
    }

    /// Answers instead of the upstream. The first answer counts; one that comes too late breaks the stream off.
    fn reply(&mut self, id: u32, asked: AskedReply, by_filter: bool) {
        self.touched.insert(id);
        let Some(stream) = self.guest.vm().streams.get_mut(&id) else {
            return;
        };
        if stream.ending.is_some() {
            return;
        }
        if by_filter {
            let vm = self.guest.vm();
            match vm.facts().pause {
                // The callout is made, and the reply is forgotten.
                Pause::OnlyForCallout if vm.callouts.awaited_by(id) => return,
                Pause::HoldsUntilCallouts => vm.callouts.forget_context(id),
                Pause::Holds | Pause::OnlyForCallout => {}
            }
        }
        let Some(stream) = self.guest.vm().streams.get_mut(&id) else {
            return;
        };
        if stream.response.sent.is_some() {
            stream.ending = Some(Ending::Reset(ResetBy::Filter));
            return;
        }
        let reply = local_reply::build(asked, &stream.request.headers, by_filter);
        // Envoy shows a local reply to the filters, unless an upstream's response had begun already.
        let shown = !stream.response.begun;
        let LocalReply { headers, body, .. } = reply.clone();
        stream.ending = Some(Ending::LocalReply(reply));
        stream.response.shut();
        self.send_reply(id, headers, &body, shown);
    }

    fn send_reply(&mut self, id: u32, headers: Headers, body: &[u8], shown: bool) {
        let Some(half) = self.half(id, Direction::Response) else {
            return;
        };
        half.begun = true;
        half.head_held = true;
        half.hold = Hold::None;
        half.headers = headers;
        let end = body.is_empty();
        if shown {
            self.deliver_headers(id, Direction::Response, end);
            let held = self
                .half(id, Direction::Response)
                .is_some_and(|half| half.head_held);
            if held {
                if let Some(half) = self.half(id, Direction::Response) {
                    half.waiting_body = body.to_vec();
                    half.waiting_end = !end;
                }
            } else if !end {
                self.deliver_body(id, Direction::Response, body, true);
            }
        } else {
            half.send_head(end);
            half.body = body.to_vec();
            if !end {
                half.send_body(true);
            }
        }
    }

    /// Too much body while the filter holds it: 413 for a request, 500 for a response, as in Envoy.
    pub(crate) fn refuse_body(&mut self, id: u32, direction: Direction) {
        let (status, body) = match direction {
            Direction::Request => (413, "Payload Too Large"),
            Direction::Response => (500, "Internal Server Error"),
        };
        self.host_reply(id, status, body, "held_body_too_large");
    }

    /// Lets a head go on. A filter that removed what every request needs gets it refused, as in Envoy.
    pub(crate) fn pass_head(&mut self, id: u32, direction: Direction, end: bool) {
        let view = self.module.profile().facts().request_view;
        let Some(half) = self.half(id, direction) else {
            return;
        };
        if direction == Direction::Request && half.head_held {
            view.send(&mut half.headers, &half.target);
        }
        let needs: &[&str] = match direction {
            Direction::Request => &[":method", ":path", ":authority"],
            Direction::Response => &[":status"],
        };
        let missing = needs.iter().find(|name| half.headers.get(name).is_none());
        match missing {
            Some(name) if half.head_held => {
                let body = format!("missing required header: {name}");
                half.head_held = false;
                self.host_reply(id, 503, &body, "filter_removed_required_headers");
            }
            _ => half.send_head(end),
        }
    }

    pub(crate) fn host_reply(&mut self, id: u32, status: u32, body: &str, details: &str) {
        let asked = AskedReply {
            status,
            details: details.into(),
            body: body.into(),
            headers: Headers::new(),
            grpc_status: u32::MAX,
        };
        self.reply(id, asked, false);
    }
}
