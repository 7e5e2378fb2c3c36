//! A worker thread: one VM, and the connections that were given to it, on a runtime of their own.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::rt::Executor;
use tokio::runtime::Runtime;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::sync::{OwnedSemaphorePermit, oneshot, watch};
use tokio::task::{LocalSet, spawn_local};

use crate::options::PluginConfig;
use crate::worker::{StartOutcome, Worker};

use super::connection;
use super::options::Options;
use super::room::{Command, Room};

/// What a worker thread is told from outside.
pub(crate) enum Notice {
    /// A client's connection is its own from now on.
    Connection(Arrival),
    /// Another worker left something.
    Wake,
    /// The VM gets another configuration.
    Configure(Box<PluginConfig>, oneshot::Sender<StartOutcome>),
    /// Another VM, which was started, takes the requests from now on.
    Replace(Box<Worker>),
    Stop,
}

/// A connection that was accepted.
pub(crate) struct Arrival {
    pub(crate) stream: std::net::TcpStream,
    pub(crate) source: SocketAddr,
    /// One of as many connections as there may be; given back with the connection.
    pub(crate) permit: OwnedSemaphorePermit,
}

/// Runs hyper's tasks on the thread that they belong to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LocalExecutor;

impl<F: Future + 'static> Executor<F> for LocalExecutor {
    fn execute(&self, task: F) {
        spawn_local(async move {
            // Whoever waits for it has its result by other ways.
            let _ = task.await;
        });
    }
}

/// The VM that takes requests, and those of earlier modules whose requests have not ended.
pub(crate) struct Rooms {
    current: RefCell<Rc<Room>>,
    old: RefCell<Vec<Rc<Room>>>,
    options: Arc<Options>,
}

/// How often an earlier VM is looked at: whether its requests have ended, and whether its timer is due.
const LOOK_AFTER_OLD: Duration = Duration::from_millis(50);

impl Rooms {
    /// Where requests go now.
    pub(crate) fn current(&self) -> Rc<Room> {
        Rc::clone(&self.current.borrow())
    }

    pub(crate) fn options(&self) -> Arc<Options> {
        Arc::clone(&self.options)
    }

    fn replace(&self, room: Rc<Room>) {
        let old = self.current.replace(room);
        self.old.borrow_mut().push(old);
    }

    /// Ends the VMs whose requests have ended; the others get their ticks.
    fn look_after_old(&self) {
        self.old.borrow_mut().retain(|room| {
            // Streams and callouts hold the room too.
            if Rc::strong_count(room) == 1 {
                room.shutdown();
                return false;
            }
            let due = room.next_tick().is_some_and(|tick| tick <= Instant::now());
            room.say(if due { Command::Tick } else { Command::Wake });
            true
        });
    }

    fn shutdown(&self) {
        for room in self.old.borrow().iter() {
            room.shutdown();
        }
        self.current().shutdown();
    }
}

/// Everything that a worker thread begins with.
pub(crate) struct Thread {
    pub(crate) worker: Worker,
    pub(crate) options: Arc<Options>,
    pub(crate) runtime: Runtime,
    pub(crate) notices: UnboundedReceiver<Notice>,
    /// For the VM's waker.
    pub(crate) own: UnboundedSender<Notice>,
    /// True when connections are to end once they can.
    pub(crate) stop: watch::Receiver<bool>,
    pub(crate) address: SocketAddr,
}

impl Thread {
    /// Works until told to stop.
    pub(crate) fn run(self) {
        let Self {
            worker,
            options,
            runtime,
            mut notices,
            own,
            stop,
            address,
        } = self;
        let local = LocalSet::new();
        let rooms = local.block_on(&runtime, async {
            wake_through(&worker, &own);
            let rooms = Rc::new(Rooms {
                current: RefCell::new(Room::new(worker, Arc::clone(&options))),
                old: RefCell::default(),
                options: Arc::clone(&options),
            });
            loop {
                let room = rooms.current();
                let tick = async {
                    match room.next_tick() {
                        Some(tick) => tokio::time::sleep_until(tick.into()).await,
                        None => std::future::pending().await,
                    }
                };
                let old = !rooms.old.borrow().is_empty();
                tokio::select! {
                    notice = notices.recv() => match notice {
                        Some(Notice::Connection(arrival)) => {
                            let (rooms, stop) = (Rc::clone(&rooms), stop.clone());
                            spawn_local(connection::serve(rooms, arrival, address, stop));
                        }
                        Some(Notice::Wake) => {
                            room.say(Command::Wake);
                        }
                        Some(Notice::Configure(plugin, answer)) => {
                            // Nobody may be waiting for it any more.
                            let _ = answer.send(room.reconfigure(*plugin));
                        }
                        Some(Notice::Replace(worker)) => {
                            wake_through(&worker, &own);
                            rooms.replace(Room::new(*worker, Arc::clone(&options)));
                        }
                        Some(Notice::Stop) | None => return rooms,
                    },
                    () = tick => {
                        room.say(Command::Tick);
                    }
                    () = room.timer.notified() => {}
                    () = tokio::time::sleep(LOOK_AFTER_OLD), if old => rooms.look_after_old(),
                }
            }
        });
        // What has not ended by now is cut, and ends in the VM before the VM does.
        drop(local);
        rooms.shutdown();
    }
}

fn wake_through(worker: &Worker, notices: &UnboundedSender<Notice>) {
    let notices = notices.clone();
    worker.set_waker(Arc::new(move || {
        // A thread that has ended needs no waking.
        let _ = notices.send(Notice::Wake);
    }));
}
