//! One request on its way: a task between the client's connection, the worker thread, and the upstream.

use std::sync::Arc;
use std::sync::mpsc::Sender;

use http_body_util::BodyExt;
use hyper::Response;
use hyper::body::{Body, Bytes, Frame, Incoming};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::http::{Headers, Message};
use crate::stream::{Direction, Part, ResetBy};

use super::options::Options;
use super::origin::{Failure, Lease};
use super::outbound;
use super::outlet::Outlet;
use super::pipe::{Broken, Pipe};
use super::vm_thread::{Command, Update};

/// A stream's line to its worker. Dropped, it ends the stream there, whatever became of the task.
pub(crate) struct Line {
    pub(crate) number: u64,
    pub(crate) worker: Sender<Command>,
}

impl Line {
    fn say(&self, command: Command) {
        // A worker that has ended takes no streams; their tasks see the closed updates.
        let _ = self.worker.send(command);
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.say(Command::Finish(self.number));
    }
}

type Answer = Result<(Response<Incoming>, Lease), Failure>;

/// The task's state.
pub(crate) struct StreamTask {
    line: Line,
    options: Arc<Options>,
    updates: UnboundedReceiver<Update>,
    /// The client's body, until it ends.
    client: Option<Incoming>,
    /// Where the response's head goes.
    head: Option<oneshot::Sender<Response<Pipe>>>,
    to_client: Outlet,
    to_upstream: Outlet,
    /// The upstream's head, when it is awaited, and until when.
    answer: Option<(oneshot::Receiver<Answer>, Instant)>,
    upstream: Option<(Incoming, Lease)>,
    request_held: bool,
    response_held: bool,
    /// Commands that the worker has not taken yet.
    unanswered: usize,
}

/// What woke the task.
enum Event {
    Update(Option<Update>),
    ClientFrame(Option<Result<Frame<Bytes>, hyper::Error>>),
    UpstreamHead(Answer),
    UpstreamTimedOut,
    UpstreamFrame(Option<Result<Frame<Bytes>, hyper::Error>>),
    Sent,
    ClientLeft,
    UpstreamDeaf,
    Idle,
}

impl StreamTask {
    pub(crate) fn new(
        line: Line,
        options: Arc<Options>,
        updates: UnboundedReceiver<Update>,
        client: Option<Incoming>,
        head: oneshot::Sender<Response<Pipe>>,
    ) -> Self {
        Self {
            line,
            options,
            updates,
            client,
            head: Some(head),
            to_client: Outlet::default(),
            to_upstream: Outlet::default(),
            answer: None,
            upstream: None,
            request_held: false,
            response_held: false,
            // The head that came with the stream.
            unanswered: 1,
        }
    }

    /// Runs the stream to its end.
    pub(crate) async fn run(mut self) {
        loop {
            let event = self.next().await;
            if !self.handle(event) {
                return;
            }
            if self.to_client.is_done() && self.head.is_none() {
                return;
            }
        }
    }

    async fn next(&mut self) -> Event {
        let idle = tokio::time::sleep(self.options.idle_timeout);
        let reads_client =
            !self.request_held && self.unanswered == 0 && self.to_upstream.waiting.is_empty();
        let reads_upstream =
            !self.response_held && self.unanswered == 0 && self.to_client.waiting.is_empty();
        tokio::select! {
            update = self.updates.recv() => Event::Update(update),
            sent = self.to_client.flow() => if sent { Event::Sent } else { Event::ClientLeft },
            sent = self.to_upstream.flow() => if sent { Event::Sent } else { Event::UpstreamDeaf },
            () = gone(&mut self.head) => Event::ClientLeft,
            frame = frame(&mut self.client), if reads_client => Event::ClientFrame(frame),
            answer = answered(&mut self.answer) => answer,
            frame = upstream_frame(&mut self.upstream), if reads_upstream => Event::UpstreamFrame(frame),
            () = idle => Event::Idle,
        }
    }

    /// False when the stream is over.
    fn handle(&mut self, event: Event) -> bool {
        match event {
            Event::Update(Some(update)) => return self.apply(update),
            // The worker has ended.
            Event::Update(None) => return false,
            Event::Sent => {}
            Event::ClientLeft => {
                self.line
                    .say(Command::Reset(self.line.number, ResetBy::Client));
                return false;
            }
            // An upstream may answer before it has read everything.
            Event::UpstreamDeaf => {
                self.to_upstream = Outlet {
                    ended: true,
                    ..Outlet::default()
                }
            }
            Event::ClientFrame(frame) => return self.client_sent(frame),
            Event::UpstreamHead(answer) => {
                self.answer = None;
                match answer {
                    Ok((response, lease)) => self.upstream_answered(response, lease),
                    Err(failure) => self.answer_for_upstream(503, &failure.to_string()),
                }
            }
            Event::UpstreamTimedOut => {
                self.answer = None;
                self.answer_for_upstream(504, "upstream request timeout");
            }
            Event::UpstreamFrame(frame) => return self.upstream_sent(frame),
            Event::Idle => {
                self.line
                    .say(Command::Reset(self.line.number, ResetBy::Client));
                self.answer_client(504, "stream timeout");
                self.break_off();
                return false;
            }
        }
        true
    }

    fn say(&mut self, command: Command) {
        self.unanswered = self.unanswered.saturating_add(1);
        self.line.say(command);
    }

    fn client_sent(&mut self, frame: Option<Result<Frame<Bytes>, hyper::Error>>) -> bool {
        let direction = Direction::Request;
        let end = self.client.as_ref().is_none_or(Body::is_end_stream);
        if end {
            self.client = None;
        }
        match frame {
            Some(Ok(frame)) => self.pass(frame, direction, end),
            Some(Err(_)) => {
                self.line
                    .say(Command::Reset(self.line.number, ResetBy::Client));
                self.break_off();
                return false;
            }
            None => {
                self.client = None;
                self.say(Command::Body(self.line.number, direction, Vec::new(), true));
            }
        }
        true
    }

    fn upstream_sent(&mut self, frame: Option<Result<Frame<Bytes>, hyper::Error>>) -> bool {
        let direction = Direction::Response;
        let end = self
            .upstream
            .as_ref()
            .is_none_or(|(body, _)| body.is_end_stream());
        if (end || frame.is_none())
            && let Some((_, lease)) = self.upstream.take()
        {
            lease.give_back();
        }
        match frame {
            Some(Ok(frame)) => self.pass(frame, direction, end),
            Some(Err(_)) => {
                self.line
                    .say(Command::Reset(self.line.number, ResetBy::Upstream));
                self.break_off();
                return false;
            }
            None => self.say(Command::Body(self.line.number, direction, Vec::new(), true)),
        }
        true
    }

    /// Gives a piece of body, or the trailers, to the filter.
    fn pass(&mut self, frame: Frame<Bytes>, direction: Direction, end: bool) {
        let number = self.line.number;
        match frame.into_data() {
            Ok(data) => self.say(Command::Body(number, direction, data.to_vec(), end)),
            Err(frame) => {
                let fields = frame.into_trailers().unwrap_or_default();
                let trailers = fields
                    .iter()
                    .map(|(name, value)| (name.as_str(), value.as_bytes()))
                    .collect();
                self.end_of(direction);
                self.say(Command::Trailers(number, direction, trailers));
            }
        }
    }

    /// Nothing more is read from there.
    fn end_of(&mut self, direction: Direction) {
        match direction {
            Direction::Request => self.client = None,
            Direction::Response => {
                if let Some((_, lease)) = self.upstream.take() {
                    lease.give_back();
                }
            }
        }
    }

    fn upstream_answered(&mut self, response: Response<Incoming>, lease: Lease) {
        let (parts, body) = response.into_parts();
        match outbound::received(parts.status, &parts.headers) {
            Ok(headers) => {
                let end = body.is_end_stream();
                if end {
                    lease.give_back();
                } else {
                    self.upstream = Some((body, lease));
                }
                self.say(Command::Headers(
                    self.line.number,
                    Direction::Response,
                    headers,
                    end,
                ));
            }
            Err(unwritable) => self.answer_for_upstream(502, &unwritable.0),
        }
    }

    /// A response in the upstream's place; the filter sees it as any other.
    fn answer_for_upstream(&mut self, status: u16, body: &str) {
        let message = Message::response(status)
            .header("content-length", body.len().to_string())
            .header("content-type", "text/plain");
        let number = self.line.number;
        self.say(Command::Headers(
            number,
            Direction::Response,
            message.headers,
            false,
        ));
        self.say(Command::Body(
            number,
            Direction::Response,
            body.into(),
            true,
        ));
    }

    /// Takes what the worker says.
    fn apply(&mut self, update: Update) -> bool {
        self.unanswered = self
            .unanswered
            .saturating_sub(usize::from(update.answers_command));
        self.request_held = update.request_held;
        self.response_held = update.response_held;
        for part in update.request {
            match part {
                Part::Head { headers, end } => self.ask_upstream(&headers, end),
                Part::Body { bytes, end } => self.to_upstream.push_bytes(bytes, end),
                Part::Trailers(trailers) => self.to_upstream.push_trailers(&trailers),
            }
        }
        for part in update.response {
            match part {
                Part::Head { headers, end } => self.send_head(&headers, end),
                Part::Body { bytes, end } => self.to_client.push_bytes(bytes, end),
                Part::Trailers(trailers) => self.to_client.push_trailers(&trailers),
            }
        }
        if update.reset && !self.to_client.ended {
            self.break_off();
            return false;
        }
        true
    }

    fn ask_upstream(&mut self, headers: &Headers, end: bool) {
        let pipe = if end {
            self.to_upstream.finish(true);
            Pipe::empty()
        } else {
            let (sender, pipe) = Pipe::new();
            self.to_upstream.pipe = Some(sender);
            pipe
        };
        let request = match outbound::request(headers, pipe) {
            Ok(request) => request,
            Err(unwritable) => {
                // What the filter made of the request can't be sent.
                self.answer_for_upstream(
                    503,
                    &format!("the request can't be forwarded: {}", unwritable.0),
                );
                return;
            }
        };
        let (sender, receiver) = oneshot::channel();
        let origin = self.options.upstream.clone();
        tokio::spawn(async move {
            let mut sender: oneshot::Sender<Answer> = sender;
            tokio::select! {
                answer = origin.send(request) => {
                    let _ = sender.send(answer);
                }
                // Nobody waits any more: the connection is dropped with the request on it.
                () = sender.closed() => {}
            }
        });
        let now = Instant::now();
        let until = now
            .checked_add(self.options.upstream_timeout)
            .unwrap_or(now);
        self.answer = Some((receiver, until));
    }

    fn send_head(&mut self, headers: &Headers, end: bool) {
        let Some(head) = self.head.take() else {
            return;
        };
        let pipe = if end {
            self.to_client.finish(true);
            Pipe::empty()
        } else {
            let (sender, pipe) = Pipe::new();
            self.to_client.pipe = Some(sender);
            pipe
        };
        self.to_client.promised = headers
            .text("content-length")
            .and_then(|length| length.parse().ok());
        match outbound::response(headers, pipe) {
            Ok(response) => {
                // A client that left is noticed by the pipe.
                let _ = head.send(response);
            }
            Err(_) => {
                self.head = Some(head);
                self.answer_client(502, "the response can't be sent");
            }
        }
    }

    /// The last word when the filter can't be asked any more.
    fn answer_client(&mut self, status: u16, body: &'static str) {
        if let Some(head) = self.head.take() {
            let _ = head.send(plain(status, body));
            self.to_client = Outlet {
                ended: true,
                ..Outlet::default()
            };
        }
    }

    /// Cuts both messages: their readers must not take them for whole.
    fn break_off(&mut self) {
        for outlet in [&mut self.to_client, &mut self.to_upstream] {
            if let Some(pipe) = outlet.pipe.take() {
                let _ = pipe.try_send(Err(Broken));
            }
        }
    }
}

/// A response of the host's own.
pub(crate) fn plain(status: u16, body: &'static str) -> Response<Pipe> {
    let (pieces, pipe) = Pipe::new();
    let _ = pieces.try_send(Ok(Frame::data(Bytes::from_static(body.as_bytes()))));
    let mut response = Response::new(pipe);
    let length = hyper::header::HeaderValue::from(body.len());
    response
        .headers_mut()
        .insert(hyper::header::CONTENT_LENGTH, length);
    *response.status_mut() =
        hyper::StatusCode::from_u16(status).unwrap_or(hyper::StatusCode::INTERNAL_SERVER_ERROR);
    response
}

async fn gone(head: &mut Option<oneshot::Sender<Response<Pipe>>>) {
    match head {
        Some(head) => head.closed().await,
        None => std::future::pending().await,
    }
}

async fn frame(body: &mut Option<Incoming>) -> Option<Result<Frame<Bytes>, hyper::Error>> {
    match body {
        Some(body) => body.frame().await,
        None => std::future::pending().await,
    }
}

async fn upstream_frame(
    upstream: &mut Option<(Incoming, Lease)>,
) -> Option<Result<Frame<Bytes>, hyper::Error>> {
    match upstream {
        Some((body, _)) => body.frame().await,
        None => std::future::pending().await,
    }
}

async fn answered(answer: &mut Option<(oneshot::Receiver<Answer>, Instant)>) -> Event {
    let Some((receiver, until)) = answer else {
        return std::future::pending().await;
    };
    match tokio::time::timeout_at(*until, receiver).await {
        Ok(Ok(answer)) => Event::UpstreamHead(answer),
        Ok(Err(_)) => Event::UpstreamHead(Err(Failure::Broken("the exchange ended".to_owned()))),
        Err(_) => Event::UpstreamTimedOut,
    }
}
