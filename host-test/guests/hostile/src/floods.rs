//! Floods: the same call again and again until the host refuses, or the fuel is gone.

use crate::host::*;
use crate::{address, scratch, size, word};

const KIB: [u8; 1024] = [b'x'; 1024];

/// Adds headers for as long as the host takes them; answers how many it took.
pub(crate) fn headers() -> u32 {
    let (name, value) = (b"x-flood", &KIB);
    (0..100_000)
        .take_while(|_| {
            proxy_add_header_map_value(0, address(name), size(name), address(value), size(value))
                == 0
        })
        .fold(0, |count: u32, _| count.wrapping_add(1))
}

/// A map of 4,000 pairs at once.
pub(crate) fn pairs() {
    let count = 4000u32;
    let mut map = count.to_le_bytes().to_vec();
    for _ in 0..count {
        map.extend(1u32.to_le_bytes());
        map.extend(1u32.to_le_bytes());
    }
    for _ in 0..count {
        map.extend(b"a\0b\0");
    }
    proxy_set_header_map_pairs(0, address(&map), size(&map));
}

pub(crate) fn log() {
    for _ in 0..100_000 {
        proxy_log(2, address(&KIB), size(&KIB));
    }
}

/// A new metric for every number; answers how many the host took.
pub(crate) fn metrics() -> u32 {
    (0..100_000u32)
        .take_while(|n| {
            let name = format!("flood.{n}");
            proxy_define_metric(
                n & 1,
                address(name.as_bytes()),
                size(name.as_bytes()),
                scratch(0),
            ) == 0
        })
        .fold(0, |count: u32, _| count.wrapping_add(1))
}

/// A new key for every number, a mebibyte each.
pub(crate) fn shared() -> u32 {
    (0..100_000u32)
        .take_while(|n| {
            let key = n.to_le_bytes();
            proxy_set_shared_data(address(&key), size(&key), scratch(0), 1 << 20, 0) == 0
        })
        .fold(0, |count: u32, _| count.wrapping_add(1))
}

/// Fills a queue whose every entry leads to another one.
pub(crate) fn queue() {
    let name = b"flood";
    proxy_register_shared_queue(address(name), size(name), scratch(0));
    proxy_enqueue_shared_queue(word(0), address(&KIB), size(&KIB));
}

/// Callouts until the host refuses; answers how many it took.
pub(crate) fn callouts() -> u32 {
    (0..100_000)
        .take_while(|_| callout(&[]) == 0)
        .fold(0, |count: u32, _| count.wrapping_add(1))
}

fn callout(body: &[u8]) -> u32 {
    let mut headers = 3u32.to_le_bytes().to_vec();
    for (name, value) in [(":method", "GET"), (":path", "/"), (":authority", "a")] {
        headers.extend(size(name.as_bytes()).to_le_bytes());
        headers.extend(size(value.as_bytes()).to_le_bytes());
    }
    for text in [":method", "GET", ":path", "/", ":authority", "a"] {
        headers.extend(text.as_bytes());
        headers.push(0);
    }
    let cluster = b"anywhere";
    let (head, head_size) = (address(&headers), size(&headers));
    let (body, body_size) = (address(body), size(body));
    proxy_http_call(
        address(cluster),
        size(cluster),
        head,
        head_size,
        body,
        body_size,
        0,
        0,
        1000,
        scratch(0),
    )
}

/// Local replies until the host refuses; answers how many it took.
pub(crate) fn replies() -> u32 {
    (0..100_000)
        .take_while(|_| {
            proxy_send_local_response(403, 0, 0, address(&KIB), size(&KIB), 0, 0, u32::MAX) == 0
        })
        .fold(0, |count: u32, _| count.wrapping_add(1))
}

/// Reads all the randomness there is.
pub(crate) fn random() -> ! {
    loop {
        wasi::random_get(scratch(0), 65_536);
    }
}

/// A million empty pieces to write, again and again.
pub(crate) fn vectors() -> ! {
    loop {
        wasi::fd_write(1, scratch(0), 400_000, scratch(0));
    }
}

/// Names that would fill the process if each were kept.
pub(crate) fn names() -> u32 {
    let long = vec![b'n'; 1 << 20];
    let metric = proxy_define_metric(0, address(&long), size(&long), scratch(0));
    let queue = proxy_register_shared_queue(address(&long), size(&long), scratch(0));
    metric.saturating_mul(100).saturating_add(queue)
}

/// Callouts with a body of a mebibyte; answers how many the host took.
pub(crate) fn large_callouts() -> u32 {
    let body = vec![b'b'; 1 << 20];
    (0..100_000)
        .take_while(|_| callout(&body) == 0)
        .fold(0, |count: u32, _| count.wrapping_add(1))
}

/// A reply with a body that no client should get.
pub(crate) fn large_reply() -> u32 {
    let body = vec![b'b'; 17 << 20];
    proxy_send_local_response(403, 0, 0, address(&body), size(&body), 0, 0, u32::MAX)
}
