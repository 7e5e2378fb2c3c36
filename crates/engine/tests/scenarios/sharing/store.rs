//! Shared data as a model: what hosts do, and what others on the same `vm_id` can do to it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use portcullis_engine::{Found, SharedStore, Version, Written};

/// How the host behaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mood {
    #[default]
    Good,
    /// There is no shared data.
    Missing,
    /// Nothing can be written.
    Full,
    /// Somebody else is always faster.
    Contended,
    /// Values are longer than anybody wants to read.
    Swollen,
}

#[derive(Debug, Default)]
struct Inner {
    values: BTreeMap<String, (Vec<u8>, u32)>,
    last: u32,
    mood: Mood,
    reads: usize,
    writes: usize,
}

/// The shared data of one proxy.
#[derive(Clone, Debug, Default)]
pub(crate) struct Store(Rc<RefCell<Inner>>);

/// All that shared data holds at a moment.
pub(crate) type Snapshot = BTreeMap<String, Vec<u8>>;

impl Store {
    pub(crate) fn set_mood(&self, mood: Mood) {
        self.0.borrow_mut().mood = mood;
    }

    pub(crate) fn reads(&self) -> usize {
        self.0.borrow().reads
    }

    pub(crate) fn writes(&self) -> usize {
        self.0.borrow().writes
    }

    pub(crate) fn all(&self) -> Snapshot {
        let inner = self.0.borrow();
        let values = inner.values.iter();
        values
            .map(|(key, (value, _))| (key.clone(), value.clone()))
            .collect()
    }

    /// Puts back what was there once. What is there beyond it stays: nothing can be deleted.
    pub(crate) fn put(&self, snapshot: &Snapshot) {
        for (key, value) in snapshot {
            self.set(key, value.clone());
        }
    }

    /// What another module writes.
    pub(crate) fn set(&self, key: &str, value: Vec<u8>) {
        let mut inner = self.0.borrow_mut();
        inner.last += 1;
        let version = inner.last;
        inner.values.insert(key.to_owned(), (value, version));
    }

    /// Changes every value.
    pub(crate) fn spoil(&self, with: impl Fn(&mut Vec<u8>)) {
        for (key, mut value) in self.all() {
            with(&mut value);
            self.set(&key, value);
        }
    }
}

impl SharedStore for Store {
    fn read(&self, key: &str, most: usize) -> Found {
        let mut inner = self.0.borrow_mut();
        inner.reads += 1;
        match (inner.mood, inner.values.get(key)) {
            (Mood::Missing, _) => Found::NoStore,
            (Mood::Swollen, _) => Found::Unreadable,
            (_, None) => Found::Nothing,
            (_, Some((value, _))) if value.len() > most => Found::Unreadable,
            (_, Some((value, version))) => Found::Value(value.clone(), *version),
        }
    }

    fn write(&self, key: &str, value: &[u8], over: Version) -> Written {
        let mut inner = self.0.borrow_mut();
        inner.writes += 1;
        let known = inner.values.get(key).map(|(_, version)| *version);
        let holds = match over {
            Version::Any => true,
            Version::Absent => known.is_none(),
            Version::Is(version) => known == Some(version),
        };
        match inner.mood {
            Mood::Missing | Mood::Full => return Written::Failed,
            Mood::Contended => return Written::Lost,
            Mood::Good | Mood::Swollen if !holds => return Written::Lost,
            Mood::Good | Mood::Swollen => {}
        }
        inner.last += 1;
        let version = inner.last;
        inner
            .values
            .insert(key.to_owned(), (value.to_vec(), version));
        Written::Done
    }
}
