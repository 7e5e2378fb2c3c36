//! Shared queues: named per `vm_id`, first in first out; the last registrant is told of every entry.

use std::collections::{HashMap, VecDeque};

use crate::abi::status::Status;

/// All queues of a process. Tokens start at 1; 0 means none.
#[derive(Default)]
pub(crate) struct Queues {
    tokens: HashMap<(String, Vec<u8>), u32>,
    queues: HashMap<u32, Queue>,
}

struct Queue {
    entries: VecDeque<Vec<u8>>,
    bytes: usize,
    /// Worker and root context of the last registrant.
    registrant: (u32, u32),
}

/// Queues a process may have. Above it a registration answers `INTERNAL_FAILURE`.
const QUEUES: usize = 10_000;

impl Queues {
    pub(crate) fn register(
        &mut self,
        vm_id: &str,
        name: Vec<u8>,
        registrant: (u32, u32),
    ) -> Result<u32, Status> {
        if let Some(token) = self.tokens.get(&(vm_id.to_owned(), name.clone())) {
            if let Some(queue) = self.queues.get_mut(token) {
                queue.registrant = registrant;
            }
            return Ok(*token);
        }
        if self.tokens.len() >= QUEUES {
            return Err(Status::InternalFailure);
        }
        let token =
            u32::try_from(self.tokens.len()).map_or(u32::MAX, |count| count.saturating_add(1));
        self.tokens.insert((vm_id.to_owned(), name), token);
        let queue = Queue {
            entries: VecDeque::new(),
            bytes: 0,
            registrant,
        };
        self.queues.insert(token, queue);
        Ok(token)
    }

    pub(crate) fn resolve(&self, vm_id: &str, name: Vec<u8>) -> Option<u32> {
        self.tokens.get(&(vm_id.to_owned(), name)).copied()
    }

    /// Appends an entry and says whom to tell: (worker, root context).
    pub(crate) fn enqueue(
        &mut self,
        token: u32,
        entry: Vec<u8>,
        bound: usize,
    ) -> Result<(u32, u32), Status> {
        let queue = self.queues.get_mut(&token).ok_or(Status::NotFound)?;
        let bytes = queue.bytes.saturating_add(entry.len()).saturating_add(32);
        if bytes > bound {
            return Err(Status::InternalFailure);
        }
        queue.bytes = bytes;
        queue.entries.push_back(entry);
        Ok(queue.registrant)
    }

    /// What waits, oldest first.
    pub(crate) fn entries(&self, token: u32) -> Option<Vec<Vec<u8>>> {
        let queue = self.queues.get(&token)?;
        Some(queue.entries.iter().cloned().collect())
    }

    pub(crate) fn dequeue(&mut self, token: u32) -> Result<Vec<u8>, Status> {
        let queue = self.queues.get_mut(&token).ok_or(Status::NotFound)?;
        let entry = queue.entries.pop_front().ok_or(Status::Empty)?;
        queue.bytes = queue.bytes.saturating_sub(entry.len().saturating_add(32));
        Ok(entry)
    }
}
