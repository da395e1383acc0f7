//! The capture threads: started, renamed with their interfaces, and joined. Takes capture loops and plans; gives the
//! threads that a plan lacks. Must not know the network.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::JoinHandle;

use super::Error;
use super::capture_loop::CaptureLoop;
use super::control::{CaptureNumber, Plan};
use super::fanout::Fanout;
use super::kernel_loop::{self, KernelLoop};
use crate::os::threads::{self, Needs};

/// The capture threads that have been started and not joined yet.
pub(super) struct Threads {
    /// Threads of a capture.
    workers: usize,
    /// By capture and worker.
    running: BTreeMap<(CaptureNumber, usize), CaptureThread>,
    fanouts: BTreeMap<CaptureNumber, Arc<Fanout>>,
    /// The thread of the kernel path, which stands for all others.
    kernel: Option<JoinHandle<()>>,
}

struct CaptureThread {
    /// Its interface, under the last name that the plan had for it.
    interface: String,
    handle: JoinHandle<()>,
}

impl Threads {
    pub(super) fn new(workers: usize) -> Self {
        Self { workers, running: BTreeMap::new(), fanouts: BTreeMap::new(), kernel: None }
    }

    /// The captures of a plan that lack threads: number, name and worker of each thread.
    pub(super) fn missing(&self, plan: &Plan) -> Vec<(CaptureNumber, String, usize)> {
        let all = plan.captures.iter().flat_map(|(&number, name)| (0..self.workers).map(move |w| (number, name, w)));
        let missing = all.filter(|&(number, _, worker)| !self.running.contains_key(&(number, worker)));
        missing.map(|(number, name, worker)| (number, name.clone(), worker)).collect()
    }

    /// The group that the workers of a capture share.
    pub(super) fn fanout(&mut self, number: CaptureNumber) -> Arc<Fanout> {
        let workers = self.workers;
        Arc::clone(self.fanouts.entry(number).or_insert_with(|| Arc::new(Fanout::new(workers))))
    }

    pub(super) fn start(&mut self, capture_loop: CaptureLoop) -> Result<(), Error> {
        let CaptureLoop { number, worker, .. } = capture_loop;
        let (interface, name) = (capture_loop.interface.clone(), capture_loop.name.clone());
        let handle = spawn(&name, Needs::PacketSockets, move || capture_loop.run())?;
        self.running.insert((number, worker), CaptureThread { interface, handle });
        Ok(())
    }

    /// Starts the thread of the kernel path.
    pub(super) fn start_kernel(&mut self, kernel_loop: KernelLoop) -> Result<(), Error> {
        self.kernel = Some(spawn(kernel_loop::THREAD, Needs::KernelPrograms, move || kernel_loop.run())?);
        Ok(())
    }

    /// True if the thread of the kernel path has ended.
    pub(super) fn has_kernel_ended(&self) -> bool {
        self.kernel.as_ref().is_some_and(JoinHandle::is_finished)
    }

    /// Notes the names that `plan` has for the interfaces of the captures.
    pub(super) fn follow_names(&mut self, plan: &Plan) {
        for ((capture, _), thread) in &mut self.running {
            if let Some(name) = plan.captures.get(capture) {
                thread.interface.clone_from(name);
            }
        }
    }

    /// True if a capture that is no longer in the plan still uses the interface `name`.
    pub(super) fn is_ending(&self, name: &str, plan: &Plan) -> bool {
        let is_ending = |capture: &CaptureNumber| !plan.captures.contains_key(capture);
        self.running.iter().any(|((capture, _), thread)| thread.interface == name && is_ending(capture))
    }

    pub(super) fn join_finished(&mut self) {
        let (finished, running) = std::mem::take(&mut self.running)
            .into_iter()
            .partition::<BTreeMap<_, _>, _>(|(_, thread)| thread.handle.is_finished());
        self.running = running;
        for CaptureThread { interface, handle } in finished.into_values() {
            if handle.join().is_err() {
                tracing::error!(interface, "a capture thread panicked");
            }
        }
        let running = &self.running;
        self.fanouts.retain(|capture, _| running.keys().any(|(running, _)| running == capture));
    }

    /// Waits for all threads. Fails when one panicked.
    pub(super) fn join_all(&mut self) -> Result<(), Error> {
        let captures = std::mem::take(&mut self.running).into_values().map(|thread| thread.handle);
        captures.chain(self.kernel.take()).try_for_each(|handle| handle.join().map_err(|_| Error::Panicked))
    }
}

/// `capture-eth0`, or `capture-eth0-1` and so on if there are several workers.
pub(super) fn thread_name(interface: &str, worker: usize, workers: usize) -> String {
    if workers == 1 { format!("capture-{interface}") } else { format!("capture-{interface}-{}", worker + 1) }
}

pub(super) fn spawn<T: Send + 'static>(
    name: &str,
    needs: Needs,
    body: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, Error> {
    threads::spawn(name, needs, body).map_err(Error::Thread)
}
