//! One request on its way: between the client's connection, the VM of its thread, and the upstream.

mod upstream;

use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::Rc;

use http_body_util::BodyExt;
use hyper::Response;
use hyper::body::{Body, Bytes, Frame, Incoming};
use tokio::sync::mpsc::UnboundedReceiver;

use crate::http::{Connection, Headers};
use crate::stream::{Direction, Part, ResetBy};

use super::origin::Lease;
use super::outbound;
use super::outlet::Outlet;
use super::pipe::Pipe;
use super::room::{Command, Room, Update};
use upstream::{Answer, upstream_frame};

/// A stream's line to its VM. Dropped, it ends the stream there, whatever became of the task.
struct Line {
    number: u64,
    room: Rc<Room>,
    /// To be dropped now would mean that the client has left.
    client_waits: bool,
}

impl Drop for Line {
    fn drop(&mut self) {
        if self.client_waits {
            self.room.say(Command::Reset(self.number, ResetBy::Client));
        }
        self.room.say(Command::Finish(self.number));
    }
}

/// The response's head on its way to the client.
enum Head {
    Awaited,
    /// Made, and not given to the connection yet.
    Ready(Response<()>),
    Sent,
}

/// A stream.
pub(crate) struct Stream {
    line: Line,
    /// What other events than its own did to the stream.
    updates: UnboundedReceiver<Update>,
    /// Answers to its own commands that have not been looked at.
    pending: VecDeque<Update>,
    /// The client's body, until it ends.
    client: Option<Incoming>,
    head: Head,
    to_client: Outlet,
    to_upstream: Outlet,
    /// The upstream's head, when it is awaited.
    answer: Option<Pin<Box<dyn Future<Output = Event>>>>,
    upstream: Option<(Incoming, Lease)>,
    /// The server answers in the upstream's place once the request has ended.
    answers_itself: bool,
    request_held: bool,
    response_held: bool,
    /// The messages were cut.
    broken: bool,
}

/// What moves a stream.
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

impl Stream {
    /// Opens a stream and shows the filter its head.
    pub(crate) fn open(
        room: Rc<Room>,
        connection: Connection,
        headers: Headers,
        client: Option<Incoming>,
    ) -> Self {
        let (sender, updates) = tokio::sync::mpsc::unbounded_channel();
        let number = room.number();
        room.say(Command::Open {
            number,
            connection,
            updates: sender,
        });
        let mut stream = Self {
            line: Line {
                number,
                room,
                client_waits: true,
            },
            updates,
            pending: VecDeque::new(),
            head: Head::Awaited,
            to_client: Outlet::default(),
            to_upstream: Outlet::default(),
            answer: None,
            upstream: None,
            answers_itself: false,
            request_held: false,
            response_held: false,
            broken: false,
            client: None,
        };
        let end = client.is_none();
        stream.client = client;
        stream.say(Command::Headers(number, Direction::Request, headers, end));
        stream
    }

    /// Runs until there is a response to begin with, with its body if that is whole; none when the connection is to be cut.
    pub(crate) async fn until_head(&mut self) -> Option<Response<Pipe>> {
        let mut goes_on = true;
        while goes_on && self.settle() {
            if matches!(self.head, Head::Ready(_)) {
                self.gather().await;
                break;
            }
            let event = self.next().await;
            goes_on = self.handle(event);
        }
        self.line.client_waits = false;
        match std::mem::replace(&mut self.head, Head::Sent) {
            Head::Ready(response) => {
                let pipe = self.to_client.body();
                if self.broken {
                    self.to_client.cut();
                }
                Some(response.map(|()| pipe))
            }
            Head::Awaited | Head::Sent => None,
        }
    }

    /// Nothing is left to do once the response has been given away.
    pub(crate) fn is_over(&self) -> bool {
        self.broken || self.to_client.is_done()
    }

    /// Runs the rest of the stream.
    pub(crate) async fn run(mut self) {
        while self.settle() && !self.is_over() {
            let event = self.next().await;
            if !self.handle(event) {
                return;
            }
        }
    }

    async fn next(&mut self) -> Event {
        let idle = tokio::time::sleep(self.line.room.options.idle_timeout);
        let reads_client = !self.request_held && self.to_upstream.waiting.is_empty();
        let reads_upstream = !self.response_held && self.to_client.waiting.is_empty();
        tokio::select! {
            biased;
            update = self.updates.recv() => Event::Update(update),
            sent = self.to_client.flow() => if sent { Event::Sent } else { Event::ClientLeft },
            sent = self.to_upstream.flow() => if sent { Event::Sent } else { Event::UpstreamDeaf },
            event = answered(&mut self.answer) => event,
            frame = upstream_frame(&mut self.upstream), if reads_upstream => Event::UpstreamFrame(frame),
            frame = frame(&mut self.client), if reads_client => Event::ClientFrame(frame),
            () = idle => Event::Idle,
        }
    }

    /// False when the stream is over.
    fn handle(&mut self, event: Event) -> bool {
        match event {
            Event::Update(Some(update)) => self.pending.push_back(update),
            // The VM knows nothing of it any more.
            Event::Update(None) => return false,
            Event::Sent => {}
            Event::ClientLeft => {
                self.reset(ResetBy::Client);
                return false;
            }
            // An upstream may answer before it has read everything.
            Event::UpstreamDeaf => self.to_upstream = Outlet::done(),
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
                self.reset(ResetBy::Client);
                self.answer_client(504, "stream timeout");
                self.break_off();
                return false;
            }
        }
        true
    }

    fn reset(&mut self, by: ResetBy) {
        self.line.client_waits = false;
        let number = self.line.number;
        self.line.room.say(Command::Reset(number, by));
    }

    fn say(&mut self, command: Command) {
        let update = self.line.room.say(command);
        self.pending.extend(update);
    }

    /// Takes what the VM said. False when the stream is over.
    fn settle(&mut self) -> bool {
        while let Some(update) = self.pending.pop_front() {
            if !self.apply(update) {
                return false;
            }
        }
        true
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
                self.reset(ResetBy::Client);
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

    /// Takes one update. False when the stream is over.
    fn apply(&mut self, update: Update) -> bool {
        self.request_held = update.request_held;
        self.response_held = update.response_held;
        let mut head = None;
        for part in update.request {
            match part {
                Part::Head { headers, end } => {
                    self.to_upstream.begin(None);
                    self.to_upstream.finish(end);
                    head = Some(headers);
                }
                Part::Body { bytes, end } => self.to_upstream.push_bytes(bytes, end),
                Part::Trailers(trailers) => self.to_upstream.push_trailers(&trailers),
            }
        }
        if let Some(headers) = head {
            self.ask_upstream(&headers);
        }
        if self.answers_itself && self.to_upstream.ended {
            self.answers_itself = false;
            self.answer_itself();
        }
        for part in update.response {
            match part {
                Part::Head { headers, end } => {
                    self.make_head(&headers);
                    self.to_client.finish(end);
                }
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

    fn make_head(&mut self, headers: &Headers) {
        if !matches!(self.head, Head::Awaited) {
            return;
        }
        let length = headers.get("content-length").unwrap_or_default();
        let promised = std::str::from_utf8(length)
            .ok()
            .and_then(|length| length.parse().ok());
        match outbound::response(headers) {
            Ok(response) => {
                self.head = Head::Ready(response);
                self.to_client.begin(promised);
            }
            Err(_) => self.answer_client(502, "the response can't be sent"),
        }
    }

    /// The last word when the filter can't be asked any more.
    fn answer_client(&mut self, status: u16, body: &'static str) {
        if matches!(self.head, Head::Sent) {
            return;
        }
        self.head = Head::Ready(head(status, body.len()));
        self.to_client = Outlet::default();
        self.to_client.begin(None);
        self.to_client.push_bytes(body.into(), true);
    }

    /// Cuts both messages: their readers must not take them for whole.
    fn break_off(&mut self) {
        self.broken = true;
        self.to_client.cut();
        self.to_upstream.cut();
    }
}

/// A response of the host's own.
pub(crate) fn plain(status: u16, body: &'static str) -> Response<Pipe> {
    head(status, body.len()).map(|()| Pipe::whole(Bytes::from_static(body.as_bytes())))
}

fn head(status: u16, length: usize) -> Response<()> {
    let mut response = Response::new(());
    let length = hyper::header::HeaderValue::from(length);
    response
        .headers_mut()
        .insert(hyper::header::CONTENT_LENGTH, length);
    *response.status_mut() =
        hyper::StatusCode::from_u16(status).unwrap_or(hyper::StatusCode::INTERNAL_SERVER_ERROR);
    response
}

async fn frame(body: &mut Option<Incoming>) -> Option<Result<Frame<Bytes>, hyper::Error>> {
    match body {
        Some(body) => body.frame().await,
        None => std::future::pending().await,
    }
}

async fn answered(answer: &mut Option<Pin<Box<dyn Future<Output = Event>>>>) -> Event {
    match answer {
        Some(answer) => answer.await,
        None => std::future::pending().await,
    }
}
