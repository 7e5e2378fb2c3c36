//! Start, configuration, reload and the end of a plugin.

use host_test::{Level, Process, Worker};

use crate::fixture::{ask, guest, options, plugin, well_behaved};

fn messages(logs: &[host_test::LogLine]) -> Vec<&str> {
    logs.iter().map(|line| line.message.as_str()).collect()
}

#[test]
fn the_filter_reads_its_configurations() {
    let mut worker = Worker::new(well_behaved(), plugin(""), options(), &Process::new());
    let started = worker.start();
    assert!(started.configured);
    assert_eq!(messages(&started.logs), ["vm start: 6 bytes, the vm"]);
}

#[test]
fn a_refused_configuration_is_told_with_what_the_filter_logged() {
    let mut worker = Worker::new(well_behaved(), plugin("refuse"), options(), &Process::new());
    let started = worker.start();
    assert!(!started.configured);
    assert_eq!(started.failure, None);
    let line = started.logs.last().unwrap();
    assert_eq!(
        (line.level, line.message.as_str()),
        (Level::Error, "configuration: line says refuse")
    );
}

#[test]
fn a_bad_reload_leaves_the_old_configuration_serving() {
    let mut worker = guest();
    let reloaded = worker.reconfigure(plugin("refuse"));
    assert!(!reloaded.configured);
    assert_eq!(reloaded.logs.last().unwrap().level, Level::Error);
    assert_eq!(worker.plugin().configuration, b"cluster backend");
    worker.begin(ask("call"));
    assert_eq!(worker.callouts().next().unwrap().cluster, "backend");
}

#[test]
fn a_good_reload_serves_new_requests_and_ends_the_old_root() {
    let mut worker = guest();
    let reloaded = worker.reconfigure(plugin("cluster other\ntick 9"));
    assert!(reloaded.configured);
    assert!(messages(&reloaded.logs).contains(&"root done"));
    worker.begin(ask("call"));
    assert_eq!(worker.callouts().next().unwrap().cluster, "other");
    worker.tick();
    assert_eq!(messages(&worker.take_logs()), ["tick"]);
}

#[test]
fn shutdown_lets_the_filter_say_goodbye() {
    assert_eq!(messages(&guest().shutdown()), ["root done"]);
}
