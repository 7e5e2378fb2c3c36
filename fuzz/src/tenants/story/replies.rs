//! What comes back for a tenant: keys or metadata, its own or another's, in time or late.

use portcullis_engine::Reply;
use serde_json::json;

use super::super::mint::{KIDS, Signer};
use super::super::names::Tenant;
use super::flights::place_of;
use super::{Open, Story};

impl Story<'_> {
    pub(super) fn reply(&mut self) {
        let (which, kind, detail) = (self.tape.byte(), self.tape.byte(), self.tape.byte());
        if self.open.is_empty() {
            return;
        }
        let open = self.open.remove(usize::from(which) % self.open.len());
        self.reply_to(open, kind % 16, detail);
    }

    /// An answer as it should be, through all the calls that it needs.
    pub(super) fn answer_well(&mut self, open: Open) {
        let before = self.open.len();
        self.reply_to(open, 0, 0);
        if open.metadata {
            let led = self
                .open
                .iter()
                .position(|next| next.tenant == open.tenant && !next.metadata);
            if let Some(at) = led.filter(|_| self.open.len() > before) {
                let next = self.open.remove(at);
                self.reply_to(next, 0, 0);
            }
        }
    }

    pub(super) fn reply_to(&mut self, open: Open, kind: u8, detail: u8) {
        self.model.observe(self.tape.host_ms);
        self.dead.push(open.flight);
        if open.metadata {
            self.reply_metadata(open, kind, detail);
        } else {
            self.reply_keys(open, kind, detail);
        }
    }

    fn publishes(&self, tenant: Tenant) -> Vec<Signer> {
        keys(tenant, self.published.get(&tenant).copied().unwrap_or(1))
    }

    fn reply_keys(&mut self, open: Open, kind: u8, detail: u8) {
        let (own, other) = (open.tenant, open.tenant.other(detail));
        let (status, brought) = match kind {
            0..=7 => (200, Some(self.publishes(own))),
            // An answer from another time, or one that was mixed up on the way: whatever is served for a tenant is its own.
            8 => (200, Some(keys(own, detail))),
            9 => (200, Some(self.publishes(other))),
            10 => {
                let mixed = (0..KIDS.len()).map(|number| Signer {
                    tenant: if detail >> number & 1 == 0 {
                        own
                    } else {
                        other
                    },
                    number,
                });
                (200, Some(mixed.collect()))
            }
            11 => (404, Some(self.publishes(own))),
            12 => (503, Some(self.publishes(own))),
            _ => (200, None),
        };
        let body = match &brought {
            Some(keys) => {
                json!({"keys": keys.iter().map(|key| key.jwk()).collect::<Vec<_>>()}).to_string()
            }
            None => "{\"keys\":[".to_owned(),
        };
        let reply = match kind {
            14 => Reply::TimedOut,
            15 => Reply::Unreachable,
            _ => response(status, &body),
        };
        let loaded = brought.filter(|_| status == 200);
        self.model.fetched(open.tenant, loaded, status == 404);
        let (now, rand) = (self.tape.now(), self.tape.rand());
        let work = self.guard.complete(open.flight, now, rand, reply);
        assert!(work.calls.is_empty(), "keys lead nowhere");
        self.resume(work.woken);
    }

    /// Metadata leads on if it is about that very tenant and to where its keys may be, and only then.
    fn reply_metadata(&mut self, open: Open, kind: u8, detail: u8) {
        let (own, other) = (open.tenant, open.tenant.other(detail));
        let mut place = own.key_place(detail % 2 == 1);
        if kind == 7 {
            // At its origin, but where another tenant has its keys.
            place.url = format!("{}?for={}", place.url, other.index());
        }
        let metadata =
            |issuer: &str, at: &str| json!({"issuer": issuer, "jwks_uri": at}).to_string();
        let (status, body) = match kind {
            0..=7 => (200, metadata(&own.issuer(), &place.url)),
            8 | 9 => (200, metadata(&other.issuer(), &place.url)),
            10 => (200, metadata(&own.issuer(), "https://l.example.com/keys")),
            11 => (404, metadata(&own.issuer(), &place.url)),
            12 => (302, metadata(&own.issuer(), &place.url)),
            13 => (200, metadata(&format!("{}/", own.issuer()), &place.url)),
            _ => (200, "{\"issuer\":".to_owned()),
        };
        let reply = match kind {
            15 => Reply::TimedOut,
            _ => response(status, &body),
        };
        let leads_on = kind <= 7;
        if leads_on {
            self.model.located(own, place.clone());
        } else {
            self.model.fetched(own, None, status == 404);
        }
        let (now, rand) = (self.tape.now(), self.tape.rand());
        let work = self.guard.complete(open.flight, now, rand, reply);
        assert_eq!(work.calls.len(), usize::from(leads_on));
        for outgoing in work.calls {
            assert!(work.woken.is_empty(), "who waits for keys waits on");
            assert_eq!(place_of(&outgoing.call), place);
            self.note_call(outgoing.flight, &outgoing.call, own);
        }
        self.resume(work.woken);
    }

    /// A reply to a flight that is over changes nothing, whatever it says.
    pub(super) fn reply_late(&mut self) {
        let (which, tenant) = (
            self.tape.byte(),
            Tenant::of(self.tape.byte(), self.tape.byte()),
        );
        if self.dead.is_empty() {
            return;
        }
        let flight = self.dead[usize::from(which) % self.dead.len()];
        let all = keys(tenant, 7).into_iter().map(Signer::jwk);
        let body = json!({"keys": all.collect::<Vec<_>>()}).to_string();
        self.model.observe(self.tape.host_ms);
        let (now, rand) = (self.tape.now(), self.tape.rand());
        let work = self.guard.complete(flight, now, rand, response(200, &body));
        assert!(work.calls.is_empty() && work.woken.is_empty());
    }
}

fn keys(tenant: Tenant, mask: u8) -> Vec<Signer> {
    (0..KIDS.len())
        .filter(|number| mask & (1 << number) != 0)
        .map(|number| Signer { tenant, number })
        .collect()
}

fn response(status: u16, body: &str) -> Reply<'_> {
    Reply::Response {
        status,
        headers: &[],
        body: body.as_bytes(),
    }
}
