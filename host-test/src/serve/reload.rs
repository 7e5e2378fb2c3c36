//! Reloads: another configuration, or another module, while requests go on.

use tokio::sync::oneshot;

use crate::module::Module;
use crate::options::PluginConfig;
use crate::worker::{StartOutcome, Worker};

use super::options::StartError;
use super::server::{Server, host_options};
use super::thread::Notice;

impl Server {
    /// Gives every worker another configuration. It is tried in a VM of its own first: one that the filter refuses changes
    /// nothing. Taken, each VM makes a root context for it; requests that are under way end on the old one.
    ///
    /// # Errors
    /// When the filter refuses it; the last good one serves on.
    pub async fn reconfigure(&self, plugin: PluginConfig) -> Result<(), StartError> {
        // One that is refused must not be tried on some of the workers.
        self.start_worker(&self.module, &plugin)?;
        let mut answers = Vec::new();
        for worker in &self.workers {
            let (answer, answered) = oneshot::channel();
            let configured = Notice::Configure(Box::new(plugin.clone()), answer);
            if worker.send(configured).is_ok() {
                answers.push(answered);
            }
        }
        for answer in answers {
            // A worker that has ended in between needs no configuration.
            if let Ok(outcome) = answer.await {
                taken(&outcome)?;
            }
        }
        Ok(())
    }

    /// Replaces the module, and the configuration with it. All workers start a VM of the new one before any is used; requests
    /// that are under way end in the old VMs.
    ///
    /// # Errors
    /// When the filter refuses its configuration; the last good module serves on.
    pub fn replace(&mut self, module: &Module, plugin: &PluginConfig) -> Result<(), StartError> {
        let mut started = Vec::new();
        for _ in &self.workers {
            started.push(self.start_worker(module, plugin)?);
        }
        for (thread, (worker, outcome)) in self.workers.iter().zip(started) {
            if let Some(filter_log) = &self.options.filter_log {
                outcome.logs.iter().for_each(|line| filter_log(line));
            }
            // A thread that has ended needs no VM.
            let _ = thread.send(Notice::Replace(Box::new(worker)));
        }
        self.module = module.clone();
        Ok(())
    }

    fn start_worker(
        &self,
        module: &Module,
        plugin: &PluginConfig,
    ) -> Result<(Worker, StartOutcome), StartError> {
        let host = host_options(&self.options);
        let mut worker = Worker::new(module, plugin.clone(), host, &self.process);
        let outcome = worker.start();
        taken(&outcome)?;
        Ok((worker, outcome))
    }
}

pub(crate) fn taken(outcome: &StartOutcome) -> Result<(), StartError> {
    if outcome.configured {
        return Ok(());
    }
    Err(StartError::Configuration {
        failure: outcome.failure.clone(),
        logs: outcome.logs.clone(),
    })
}
