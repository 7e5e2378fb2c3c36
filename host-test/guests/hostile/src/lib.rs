//! Guest filter for host-test's own tests.
