//! One request: what its `x-do` header asks for.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;

use crate::{Settings, info};

/// A stream context.
pub(crate) struct Request {
    id: u32,
    settings: Rc<RefCell<Settings>>,
    shout: bool,
    mark: bool,
    /// It says nothing about a callout's reply.
    hush: bool,
}

impl Request {
    pub(crate) const fn new(id: u32, settings: Rc<RefCell<Settings>>) -> Self {
        Self {
            id,
            settings,
            shout: false,
            mark: false,
            hush: false,
        }
    }

    fn edit(&self) {
        self.add_http_request_header("x-added", "one");
        self.add_http_request_header("x-added", "two");
        self.set_http_request_header("x-replaced", Some("new"));
        self.set_http_request_header("x-removed", None);
        self.set_http_request_header(":path", Some("/edited"));
    }

    fn reply(&self) -> Action {
        let headers = vec![("x-by", "guest"), ("content-type", "text/teapot")];
        self.send_http_response(418, headers, Some(b"short and stout"));
        Action::Pause
    }

    fn call(&self) -> Action {
        let cluster = self.settings.borrow().cluster.clone();
        let headers = vec![
            (":method", "POST"),
            (":path", "/lookup"),
            (":authority", "backend.internal"),
            ("x-for", "guest"),
        ];
        let timeout = Duration::from_secs(2);
        match self.dispatch_http_call(&cluster, headers, Some(b"question"), vec![], timeout) {
            Ok(_) => Action::Pause,
            Err(status) => {
                self.add_http_request_header("x-dispatch", &format!("{status:?}"));
                Action::Continue
            }
        }
    }

    /// Answers the property whose path, with dots, stands in `x-property`, as hexadecimal digits.
    fn property(&self) {
        let path = self
            .get_http_request_header("x-property")
            .unwrap_or_default();
        let value = match self.get_property(path.split('.').collect()) {
            Some(value) => value.iter().map(|byte| format!("{byte:02x}")).collect(),
            None => "none".to_owned(),
        };
        self.add_http_request_header("x-value", &value);
    }

    /// Calls the foreign function that `x-function` names, with `x-argument`.
    fn foreign(&self) {
        let name = self
            .get_http_request_header("x-function")
            .unwrap_or_default();
        let argument = self.get_http_request_header("x-argument");
        let argument = argument.as_deref().map(str::as_bytes);
        let said = match hostcalls::call_foreign_function(&name, argument) {
            Ok(Some(answer)) => String::from_utf8_lossy(&answer).into_owned(),
            Ok(None) => "nothing".to_owned(),
            Err(status) => format!("{status:?}"),
        };
        self.add_http_request_header("x-answer", &said);
    }

    /// Asks a gRPC service once.
    fn grpc(&self) -> Action {
        let cluster = self.settings.borrow().cluster.clone();
        let metadata: Vec<(&str, &[u8])> = vec![("x-for", b"guest")];
        let timeout = Duration::from_secs(2);
        let message = Some(&b"question"[..]);
        match self.dispatch_grpc_call(&cluster, "shop.Prices", "Get", metadata, message, timeout) {
            Ok(_) => Action::Pause,
            Err(status) => {
                self.add_http_request_header("x-dispatch", &format!("{status:?}"));
                Action::Continue
            }
        }
    }

    /// Opens a gRPC stream and sends the first of two messages on it.
    fn grpc_stream(&self) -> Action {
        let cluster = self.settings.borrow().cluster.clone();
        match self.open_grpc_stream(&cluster, "shop.Prices", "Watch", vec![]) {
            Ok(stream) => {
                self.send_grpc_stream_message(stream, Some(b"first"), false);
                Action::Pause
            }
            Err(status) => {
                self.add_http_request_header("x-dispatch", &format!("{status:?}"));
                Action::Continue
            }
        }
    }

    /// Counts in shared data with a compare-and-swap loop.
    fn share(&self) {
        for _ in 0..100 {
            let (value, cas) = self.get_shared_data("count");
            let count = value
                .and_then(|value| String::from_utf8(value).ok())
                .and_then(|text| text.parse::<u64>().ok())
                .unwrap_or(0)
                .saturating_add(1)
                .to_string();
            if self
                .set_shared_data("count", Some(count.as_bytes()), cas)
                .is_ok()
            {
                self.add_http_request_header("x-count", &count);
                return;
            }
        }
    }
}

impl Context for Request {
    fn on_http_call_response(
        &mut self,
        _token: u32,
        headers: usize,
        body_size: usize,
        _trailers: usize,
    ) {
        if self.hush {
            return;
        }
        let failure = self.get_http_call_response_header(":dispatch_status");
        self.add_http_request_header("x-dispatch-status", failure.as_deref().unwrap_or("none"));
        let status = self
            .get_http_call_response_header(":status")
            .unwrap_or_else(|| "none".to_owned());
        let body = self
            .get_http_call_response_body(0, body_size)
            .unwrap_or_default();
        self.add_http_request_header("x-call-status", &status);
        self.add_http_request_header("x-call-headers", &headers.to_string());
        self.add_http_request_header("x-call-body", &String::from_utf8_lossy(&body));
        if status == "403" {
            self.send_http_response(403, vec![], Some(b"refused by lookup"));
        } else {
            self.resume_http_request();
        }
    }

    fn on_grpc_call_response(&mut self, _token: u32, status: u32, size: usize) {
        let body = self.get_grpc_call_response_body(0, size);
        let text = String::from_utf8_lossy(&body.unwrap_or_default()).into_owned();
        let (_, message) = self.get_grpc_status();
        self.add_http_request_header("x-grpc", &format!("{status} {text}"));
        self.add_http_request_header("x-grpc-message", &message.unwrap_or_default());
        self.resume_http_request();
    }

    fn on_grpc_stream_initial_metadata(&mut self, _token: u32, _fields: u32) {
        let opened = self.get_grpc_stream_initial_metadata_value("x-opened");
        info(&format!("stream opened: {opened:?}"));
    }

    fn on_grpc_stream_message(&mut self, token: u32, size: usize) {
        let message = self.get_grpc_stream_message(0, size).unwrap_or_default();
        let text = String::from_utf8_lossy(&message).into_owned();
        self.add_http_request_header("x-message", &text);
        if text == "go on" {
            self.send_grpc_stream_message(token, Some(b"second"), true);
        }
    }

    fn on_grpc_stream_trailing_metadata(&mut self, _token: u32, _fields: u32) {
        let cost = self.get_grpc_stream_trailing_metadata_value("x-cost");
        info(&format!("stream cost: {cost:?}"));
    }

    fn on_grpc_stream_close(&mut self, _token: u32, status: u32) {
        self.add_http_request_header("x-closed", &status.to_string());
        self.resume_http_request();
    }
}

impl HttpContext for Request {
    fn on_http_request_headers(&mut self, count: usize, end: bool) -> Action {
        if let Some(requests) = self.settings.borrow().requests {
            let _ = hostcalls::increment_metric(requests, 1);
        }
        if let Some(latency) = self.settings.borrow().latency {
            let _ = hostcalls::record_metric(latency, 250);
        }
        match self
            .get_http_request_header("x-do")
            .unwrap_or_default()
            .as_str()
        {
            "edit" => self.edit(),
            "reply" => return self.reply(),
            "call" => return self.call(),
            "grpc" => return self.grpc(),
            "stream" => return self.grpc_stream(),
            "property" => self.property(),
            "share" => self.share(),
            "foreign" => self.foreign(),
            "body" => self.shout = true,
            "mark" => self.mark = true,
            "pause" => return Action::Pause,
            "hush" => {
                self.hush = true;
                return self.call();
            }
            "both" => {
                self.hush = true;
                self.call();
                return self.reply();
            }
            "twice" => {
                self.reply();
                return self.reply();
            }
            "counts" => self.add_http_request_header("x-counts", &format!("{count} {end}")),
            "head" => {
                for name in [":path", ":authority", "host"] {
                    let seen = self.get_http_request_header(name);
                    let field = format!("x-saw-{}", name.trim_start_matches(':'));
                    self.add_http_request_header(&field, seen.as_deref().unwrap_or("none"));
                }
            }
            "long" => info(&"long ".repeat(1000)),
            "trap" => std::process::abort(),
            "late" => drop(self.get_http_response_headers()),
            "pairs" => {
                let pairs = self.get_http_request_headers();
                let names: Vec<String> = pairs.into_iter().map(|(name, _)| name).collect();
                info(&format!("fields: {}", names.join(" ")));
            }
            "state" => {
                self.set_property(vec!["guest_note"], Some(b"kept"));
                self.set_property(vec!["guest", "deep"], Some(b"lost"));
                let kept = self.get_property(vec!["guest_note"]).unwrap_or_default();
                let deep = self.get_property(vec!["guest", "deep"]).is_some();
                self.add_http_request_header("x-kept", &String::from_utf8_lossy(&kept));
                self.add_http_request_header("x-deep", &deep.to_string());
            }
            "queue" => {
                if let Some(queue) = self.settings.borrow().queue {
                    let _ = self.enqueue_shared_queue(queue, Some(b"job"));
                }
            }
            _ => {}
        }
        Action::Continue
    }

    /// Buffers the whole body, then passes it on in capitals.
    fn on_http_request_body(&mut self, size: usize, end: bool) -> Action {
        if self.mark {
            // Replaces the second byte of every piece and answers the one that begins with `?`.
            let piece = self.get_http_request_body(0, size).unwrap_or_default();
            self.set_http_request_body(1, 1, b"--");
            if piece.starts_with(b"?") {
                self.send_http_response(400, vec![("x-by", "body")], Some(b"no questions"));
            }
            info(&format!("piece of {size}, last {end}"));
        }
        if !self.shout {
            return Action::Continue;
        }
        if !end {
            return Action::Pause;
        }
        let body = self.get_http_request_body(0, size).unwrap_or_default();
        self.set_http_request_body(0, size, &body.to_ascii_uppercase());
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _count: usize, _end: bool) -> Action {
        self.add_http_response_header("x-guest", "well-behaved");
        if self.get_http_response_header("x-do").as_deref() == Some("reply") {
            return self.reply();
        }
        Action::Continue
    }

    fn on_log(&mut self) {
        let method = self.get_http_request_header(":method").unwrap_or_default();
        let status = self.get_http_response_header(":status").unwrap_or_default();
        info(&format!(
            "{{\"context\":{},\"method\":\"{method}\",\"status\":\"{status}\"}}",
            self.id
        ));
    }
}
