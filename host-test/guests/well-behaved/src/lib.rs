//! A well-behaved filter over the public SDK. Its tests show that host-test runs filters that know nothing of it.
//!
//! The request header `x-do` says what it does: `edit`, `reply`, `call`, `body`, `property`, `share`, `queue`, `state` and so on.
//! Configuration, one word a line: `refuse`, `tick MILLISECONDS`, `cluster NAME`, `call` (a callout at once), `bare` (no
//! metrics, no queue).

#![allow(
    missing_docs,
    reason = "the SDK's `main` macro exports one function without"
)]

mod request;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{ContextType, LogLevel, MetricType};

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Trace);
    proxy_wasm::set_root_context(|_| Box::new(Root { settings: Rc::default() }));
}}

/// What the configuration said, and the metrics that `configure` defined.
#[derive(Default)]
struct Settings {
    cluster: String,
    requests: Option<u32>,
    ticks: Option<u32>,
    latency: Option<u32>,
    queue: Option<u32>,
}

struct Root {
    settings: Rc<RefCell<Settings>>,
}

fn info(message: &str) {
    // A lost line is no reason to fail a request.
    let _ = hostcalls::log(LogLevel::Info, message);
}

impl Context for Root {
    fn on_done(&mut self) -> bool {
        info("root done");
        true
    }
}

impl RootContext for Root {
    fn on_vm_start(&mut self, size: usize) -> bool {
        let configuration = self.get_vm_configuration().unwrap_or_default();
        info(&format!(
            "vm start: {size} bytes, {}",
            String::from_utf8_lossy(&configuration)
        ));
        true
    }

    fn on_configure(&mut self, _size: usize) -> bool {
        let configuration = self.get_plugin_configuration().unwrap_or_default();
        let text = String::from_utf8_lossy(&configuration).into_owned();
        let mut settings = self.settings.borrow_mut();
        for line in text.lines() {
            match line.split_once(' ').unwrap_or((line, "")) {
                ("refuse", _) => {
                    let _ = hostcalls::log(LogLevel::Error, "configuration: line says refuse");
                    return false;
                }
                ("tick", period) => match period.parse() {
                    Ok(period) => self.set_tick_period(Duration::from_millis(period)),
                    Err(_) => return false,
                },
                ("cluster", name) => settings.cluster = name.to_owned(),
                ("call", _) => {
                    let headers = vec![(":method", "GET"), (":path", "/"), (":authority", "a")];
                    let made = self.dispatch_http_call(
                        &settings.cluster,
                        headers,
                        None,
                        vec![],
                        Duration::from_secs(1),
                    );
                    info(&format!("call at start: {:?}", made.is_ok()));
                }
                // The SDK panics where a host has no metrics or queues.
                ("bare", _) => {
                    info("configured bare");
                    return true;
                }
                _ => {}
            }
        }
        settings.requests = hostcalls::define_metric(MetricType::Counter, "guest.requests").ok();
        settings.ticks = hostcalls::define_metric(MetricType::Gauge, "guest.ticks").ok();
        settings.latency = hostcalls::define_metric(MetricType::Histogram, "guest.latency").ok();
        settings.queue = Some(self.register_shared_queue("work"));
        true
    }

    fn on_tick(&mut self) {
        if let Some(ticks) = self.settings.borrow().ticks {
            let _ = hostcalls::increment_metric(ticks, 1);
        }
        info("tick");
    }

    fn on_queue_ready(&mut self, queue: u32) {
        while let Ok(Some(entry)) = self.dequeue_shared_queue(queue) {
            info(&format!("queue: {}", String::from_utf8_lossy(&entry)));
        }
    }

    fn create_http_context(&self, context_id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(request::Request::new(
            context_id,
            Rc::clone(&self.settings),
        )))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}
