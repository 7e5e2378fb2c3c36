//! Properties, metrics, shared data, queues, ticks and time through the well-behaved guest.

use std::time::Duration;

use host_test::{ForeignError, ForeignFunctions, HostOptions, Process, Request, Worker};

use crate::fixture::{NOON, ask, guest, options, plugin, well_behaved, worker};

fn property(worker: &mut Worker, path: &str, request: Request) -> String {
    let exchange = worker.request(
        request
            .header("x-do", "property")
            .header("x-property", path),
    );
    exchange
        .outcome
        .forwarded()
        .unwrap()
        .headers
        .text("x-value")
        .unwrap()
}

fn text(of: &str) -> String {
    of.bytes().map(|byte| format!("{byte:02x}")).collect()
}

fn integer(of: u64) -> String {
    of.to_le_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[test]
fn properties_are_encoded_as_in_envoy() {
    let mut worker = guest();
    for (path, expected) in [
        ("source.address", text("192.0.2.7:41000")),
        ("source.port", integer(41000)),
        ("request.path", text("/a%20b?c=d")),
        ("request.url_path", text("/a%20b")),
        ("request.query", text("c=d")),
        ("request.host", text("api.example.com")),
        ("request.method", text("GET")),
        ("request.scheme", text("https")),
        ("request.protocol", text("HTTP/1.1")),
        ("request.headers.x-twice", text("a,b")),
        ("request.time", integer(NOON * 1_000_000_000)),
        ("connection.mtls", "00".to_owned()),
        ("plugin_name", text("guest")),
        ("plugin_root_id", text("root")),
        ("plugin_vm_id", text("vm")),
        ("xds.mine", text("given")),
        ("request.headers.absent", "none".to_owned()),
        ("response.code", "none".to_owned()),
        ("no.such", "none".to_owned()),
    ] {
        let mut request = Request::get("api.example.com", "/a%20b?c=d")
            .header("x-twice", "a")
            .header("x-twice", "b")
            .from("192.0.2.7:41000".parse().unwrap());
        let given = vec!["xds".to_owned(), "mine".to_owned()];
        request
            .connection
            .properties
            .push((given, b"given".to_vec()));
        assert_eq!(property(&mut worker, path, request), expected, "{path}");
    }
}

#[test]
fn all_headers_at_once_are_a_map() {
    let request = Request::get("a", "/")
        .header("x-twice", "a")
        .header("x-twice", "b");
    let value = property(&mut guest(), "request.headers", request);
    // Four pseudo-headers, x-twice, x-do and x-property: seven names, the two values joined.
    assert!(value.starts_with("07000000"), "{value}");
    assert!(value.contains(&text("x-twice\0a,b\0")), "{value}");
}

#[test]
fn a_property_that_the_filter_sets_can_be_read() {
    let exchange = guest().request(ask("state"));
    let upstream = exchange.outcome.forwarded().unwrap();
    assert_eq!(upstream.headers.text("x-kept").unwrap(), "kept");
    // As in Envoy, which looks for the first segment alone.
    assert_eq!(upstream.headers.text("x-deep").unwrap(), "false");
}

#[test]
fn metrics_add_up_over_all_workers_of_a_process() {
    let process = Process::new();
    for _ in 0..2 {
        let mut worker = Worker::new(well_behaved(), plugin("tick 50"), options(), &process);
        assert!(worker.start().configured);
        worker.request(ask(""));
        worker.request(ask("reply"));
        assert_eq!(worker.tick_period(), Some(Duration::from_millis(50)));
        worker.tick();
    }
    let metrics = process.metrics();
    assert_eq!(metrics["guest.requests"], 4);
    assert_eq!(metrics["guest.ticks"], 2);
    assert_eq!(process.histograms()["guest.latency"], (4, 1000));
}

#[test]
fn shared_data_is_shared_within_a_vm_id_and_not_beyond() {
    let process = Process::new();
    let mut last = String::new();
    for vm_id in ["a", "a", "b"] {
        let mut plugin = plugin("");
        plugin.vm_id = vm_id.to_owned();
        let mut worker = Worker::new(well_behaved(), plugin, options(), &process);
        worker.start();
        worker.request(ask("share"));
        let exchange = worker.request(ask("share"));
        last = exchange
            .outcome
            .forwarded()
            .unwrap()
            .headers
            .text("x-count")
            .unwrap();
    }
    assert_eq!(last, "2");
    assert_eq!(process.shared_data("a", b"count").unwrap().0, b"4");
    assert_eq!(process.shared_data("c", b"count"), None);
}

#[test]
fn threads_lose_no_count_in_shared_data() {
    let process = Process::new();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut worker = Worker::new(well_behaved(), plugin(""), options(), &process);
                worker.start();
                for _ in 0..200 {
                    worker.request(ask("share"));
                }
            });
        }
    });
    assert_eq!(process.shared_data("vm", b"count").unwrap().0, b"800");
}

#[test]
fn a_queue_wakes_its_last_registrant() {
    let process = Process::new();
    let mut first = Worker::new(well_behaved(), plugin(""), options(), &process);
    first.start();
    let mut second = Worker::new(well_behaved(), plugin(""), options(), &process);
    second.start();
    let logs = first.request(ask("queue")).logs;
    assert!(
        !logs.iter().any(|line| line.message.starts_with("queue:")),
        "{logs:?}"
    );
    second.poll();
    let logs = second.take_logs();
    assert_eq!(
        logs.iter()
            .filter(|line| line.message == "queue: job")
            .count(),
        1,
        "{logs:?}"
    );
}

#[test]
fn the_log_phase_reads_what_was_received_and_sent() {
    let logs = guest().request(ask("reply")).logs;
    let line = logs.last().unwrap();
    assert_eq!(
        line.message,
        "{\"context\":2,\"method\":\"GET\",\"status\":\"418\"}"
    );
}

#[test]
fn exported_globals_are_told_with_their_values() {
    let mut worker = guest();
    let mut globals = worker.globals();
    globals.sort();
    // Where linkers of Rust say that the module's own data end and its heap begins; functions and the memory are no globals.
    let [(data_end, end), (heap_base, heap)] = &globals[..] else {
        panic!("{globals:?}");
    };
    assert_eq!(
        (data_end.as_str(), heap_base.as_str()),
        ("__data_end", "__heap_base")
    );
    let memory = i32::try_from(worker.memory_bytes()).unwrap();
    assert!(0 < *end && end <= heap && *heap <= memory);
}

#[test]
fn the_same_run_says_the_same() {
    let run = || {
        let mut worker = worker(well_behaved(), "tick 5", options());
        let exchange = worker.request(ask("share"));
        (
            exchange.fuel,
            exchange.upstream,
            exchange.logs,
            worker.fuel_used(),
        )
    };
    assert_eq!(run(), run());
}

#[test]
fn foreign_functions_are_those_of_the_host() {
    const FUEL: u64 = 12_345_678;
    let call = |foreign: &ForeignFunctions, name: &str, argument: &str| {
        let options = HostOptions {
            foreign: foreign.clone(),
            ..options()
        };
        let mut worker = worker(well_behaved(), "", options);
        let exchange = worker.request(
            ask("foreign")
                .header("x-function", name)
                .header("x-argument", argument),
        );
        let forwarded = exchange.outcome.forwarded().unwrap();
        (forwarded.headers.text("x-answer").unwrap(), exchange.fuel)
    };
    let functions = ForeignFunctions::none()
        .with("backwards", FUEL, |argument| {
            Ok(argument.iter().rev().copied().collect())
        })
        .with("silence", 0, |_| Ok(Vec::new()))
        .with("failure", 0, |_| Err(ForeignError::InternalFailure));
    let (answer, fuel) = call(&functions, "backwards", "abc");
    assert_eq!(answer, "cba");
    assert!(fuel >= FUEL, "the guest pays: {fuel}");
    assert_eq!(call(&functions, "silence", "abc").0, "nothing");
    assert_eq!(call(&functions, "failure", "abc").0, "InternalFailure");
    for name in ["", "backward", "verify_signature"] {
        assert_eq!(call(&functions, name, "abc").0, "NotFound", "{name}");
    }
    let none = ForeignFunctions::none();
    assert_eq!(call(&none, "backwards", "abc").0, "NotFound");
    // No message in it, so the function is there.
    let (answer, _) = call(&ForeignFunctions::envoy(), "verify_signature", "abc");
    assert_eq!(answer, "BadArgument");
}
