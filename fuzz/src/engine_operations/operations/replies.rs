//! What comes back from an issuer: keys or metadata, good or bad, in time or late.

use portcullis_engine::Reply;
use serde_json::json;

use super::super::mint::{KIDS, Signer};
use super::{Open, Story};

impl Story<'_> {
    pub(super) fn reply(&mut self) {
        let (which, kind, mask) = (self.tape.byte(), self.tape.byte(), self.tape.byte());
        if self.open.is_empty() {
            return;
        }
        let open = self.open.remove(usize::from(which) % self.open.len());
        if open.metadata {
            return self.reply_metadata(open, kind);
        }
        let keys = |issuer: usize, mask: u8| -> Vec<Signer> {
            (0..KIDS.len())
                .filter(|number| mask & (1 << number) != 0)
                .map(|number| Signer { issuer, number })
                .collect()
        };
        let (status, brought) = match kind % 16 {
            0..=7 => (200, Some(keys(open.issuer, self.published[open.issuer]))),
            // An answer from another time, or one that was mixed up on the way.
            8 => (200, Some(keys(open.issuer, mask))),
            9 => (200, Some(keys(1 - open.issuer, mask))),
            10 => (503, Some(keys(open.issuer, 15))),
            _ => (200, None),
        };
        let body = match &brought {
            Some(keys) => {
                json!({"keys": keys.iter().map(|key| key.jwk()).collect::<Vec<_>>()}).to_string()
            }
            None => "{\"keys\":[".to_owned(),
        };
        let reply = match kind % 16 {
            12 => Reply::TimedOut,
            13 => Reply::Unreachable,
            14 => Reply::TooLarge,
            _ => Reply::Response {
                status,
                headers: &[],
                body: body.as_bytes(),
            },
        };
        self.model.observe(self.tape.host_ms);
        if let (200, Some(keys)) = (status, brought) {
            self.model.load(open.issuer, keys);
        }
        let (now, rand) = (self.tape.now(), self.tape.rand());
        let work = self.guard.complete(open.flight, now, rand, reply);
        self.dead.push(open.flight);
        assert!(work.calls.is_empty(), "keys lead nowhere");
        self.resume(work.woken);
    }

    /// Metadata leads on if it is about the issuer and to where its keys may be, and only then.
    fn reply_metadata(&mut self, open: Open, kind: u8) {
        let own = format!("https://{}.example.com", ["a", "b"][open.issuer]);
        let other = format!("https://{}.example.com", ["b", "a"][open.issuer]);
        let metadata = |issuer: &str, at: &str| {
            json!({"issuer": issuer, "jwks_uri": format!("{at}/jwks")}).to_string()
        };
        let (status, body) = match kind % 16 {
            0..=7 => (200, metadata(&own, &own)),
            8 => (200, metadata(&other, &own)),
            9 => (200, metadata(&own, &other)),
            10 => (302, metadata(&own, &own)),
            11 => (200, "{\"issuer\":".to_owned()),
            12 => (200, metadata(&own, "http://b.example.com")),
            _ => (200, metadata(&format!("{own}/"), &own)),
        };
        let reply = match kind % 16 {
            14 => Reply::TimedOut,
            15 => Reply::TooLarge,
            _ => Reply::Response {
                status,
                headers: &[],
                body: body.as_bytes(),
            },
        };
        self.model.observe(self.tape.host_ms);
        let (now, rand) = (self.tape.now(), self.tape.rand());
        let work = self.guard.complete(open.flight, now, rand, reply);
        self.dead.push(open.flight);
        assert_eq!(work.calls.len(), usize::from(kind % 16 <= 7));
        for outgoing in work.calls {
            assert!(work.woken.is_empty(), "who waits for keys waits on");
            self.note_call(outgoing.flight, &outgoing.call);
            let keys = self.open.last().is_some_and(|open| !open.metadata);
            assert!(keys, "metadata leads to metadata");
        }
        self.resume(work.woken);
        self.guard.drain_notices().for_each(drop);
    }

    /// A reply to a flight that is over changes nothing, whatever it says.
    pub(super) fn reply_late(&mut self) {
        let which = usize::from(self.tape.byte());
        if self.dead.is_empty() {
            return;
        }
        let flight = self.dead[which % self.dead.len()];
        let all = (0..KIDS.len()).map(|number| Signer { issuer: 0, number }.jwk());
        let body = json!({"keys": all.collect::<Vec<_>>()}).to_string();
        self.model.observe(self.tape.host_ms);
        let (now, rand) = (self.tape.now(), self.tape.rand());
        let reply = Reply::Response {
            status: 200,
            headers: &[],
            body: body.as_bytes(),
        };
        let work = self.guard.complete(flight, now, rand, reply);
        assert!(work.calls.is_empty() && work.woken.is_empty());
    }
}
