//! What all VMs of one proxy process share: shared data, queues and metrics.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::metrics::Metrics;
use crate::queues::Queues;
use crate::shared_data::SharedData;

/// One proxy process. Clones are handles to the same one; each worker thread gets one.
#[derive(Clone, Default)]
pub struct Process(Arc<Inner>);

#[derive(Default)]
struct Inner {
    data: Mutex<SharedData>,
    queues: Mutex<Queues>,
    metrics: Mutex<Metrics>,
    mailboxes: Mutex<HashMap<u32, Mailbox>>,
    next_worker: AtomicU32,
}

/// Called when another thread left a notice for a worker.
pub type Waker = Arc<dyn Fn() + Send + Sync>;

/// No worker has this number, and no context.
const NOBODY: (u32, u32) = (u32::MAX, 0);

/// Announcements that wait for one worker.
const MOST_NOTICES: usize = 10_000;

#[derive(Default)]
struct Mailbox {
    /// (root context, queue) to announce.
    notices: VecDeque<(u32, u32)>,
    /// How many there are, to be looked at without a lock.
    waiting: Arc<AtomicUsize>,
    waker: Option<Waker>,
}

impl Process {
    /// A process with nothing in it.
    pub fn new() -> Self {
        Self::default()
    }

    /// Value and compare-and-swap number of a key of that `vm_id`.
    pub fn shared_data(&self, vm_id: &str, key: &[u8]) -> Option<(Vec<u8>, u32)> {
        self.data().get(vm_id, key)
    }

    /// Sets a key of that `vm_id`, whatever it held.
    pub(crate) fn set_shared_data(&self, vm_id: &str, key: &str, value: Vec<u8>) -> bool {
        let set = self.data().set(vm_id, key.into(), value, 0, usize::MAX);
        set.is_ok()
    }

    /// What waits in a queue of that `vm_id`, oldest first; none when it is not registered.
    pub fn queue(&self, vm_id: &str, name: &[u8]) -> Option<Vec<Vec<u8>>> {
        let queues = self.queues();
        let token = queues.resolve(vm_id, name.to_vec())?;
        queues.entries(token)
    }

    /// Puts an entry into a queue of that `vm_id` and announces it, as another VM would. A queue that nobody registered comes
    /// into being, and tells nobody.
    pub fn enqueue(&self, vm_id: &str, name: &[u8], entry: Vec<u8>) -> bool {
        let told = {
            let mut queues = self.queues();
            let known = queues.resolve(vm_id, name.to_vec());
            let token = match known {
                Some(token) => Ok(token),
                None => queues.register(vm_id, name.to_vec(), NOBODY),
            };
            token.and_then(|token| Ok((token, queues.enqueue(token, entry, usize::MAX)?)))
        };
        match told {
            Ok((token, (worker, context))) => {
                self.notify(worker, context, token);
                true
            }
            Err(_) => false,
        }
    }

    /// Counters and gauges by name. Values of histograms are in [`Process::histograms`].
    pub fn metrics(&self) -> BTreeMap<String, u64> {
        self.lock_metrics().values()
    }

    /// Recorded values of histograms by name: how many, and their sum.
    pub fn histograms(&self) -> BTreeMap<String, (u64, u64)> {
        self.lock_metrics().histograms()
    }

    pub(crate) fn data(&self) -> MutexGuard<'_, SharedData> {
        self.0.data.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn queues(&self) -> MutexGuard<'_, Queues> {
        self.0.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn lock_metrics(&self) -> MutexGuard<'_, Metrics> {
        self.0
            .metrics
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn mailboxes(&self) -> MutexGuard<'_, HashMap<u32, Mailbox>> {
        self.0
            .mailboxes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// A number for a new worker, and where it sees that notices wait for it.
    pub(crate) fn join(&self) -> (u32, Arc<AtomicUsize>) {
        let id = self.0.next_worker.fetch_add(1, Ordering::Relaxed);
        let mailbox = Mailbox::default();
        let waiting = Arc::clone(&mailbox.waiting);
        self.mailboxes().insert(id, mailbox);
        (id, waiting)
    }

    pub(crate) fn leave(&self, worker: u32) {
        self.mailboxes().remove(&worker);
    }

    pub(crate) fn set_waker(&self, worker: u32, waker: Waker) {
        if let Some(mailbox) = self.mailboxes().get_mut(&worker) {
            mailbox.waker = Some(waker);
        }
    }

    pub(crate) fn notify(&self, worker: u32, context: u32, queue: u32) {
        let waker = match self.mailboxes().get_mut(&worker) {
            // A worker with so much to announce reads its queues anyway.
            Some(mailbox) if mailbox.notices.len() < MOST_NOTICES => {
                mailbox.notices.push_back((context, queue));
                mailbox
                    .waiting
                    .store(mailbox.notices.len(), Ordering::Release);
                mailbox.waker.clone()
            }
            _ => None,
        };
        if let Some(wake) = waker {
            wake();
        }
    }

    pub(crate) fn take_notice(&self, worker: u32) -> Option<(u32, u32)> {
        let mut mailboxes = self.mailboxes();
        let mailbox = mailboxes.get_mut(&worker)?;
        let notice = mailbox.notices.pop_front();
        mailbox
            .waiting
            .store(mailbox.notices.len(), Ordering::Release);
        notice
    }
}
