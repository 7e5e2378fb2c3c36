//! One host call in progress: guest memory behind bounds checks, the guest's allocator, and the price in fuel.

use wasmtime::{AsContext, AsContextMut, Caller, Extern, Memory};

use super::status::Status;
use crate::vm::{Restriction, Vm};

/// Why a call does not answer `OK`.
pub(crate) enum Fault {
    /// The guest gets this status.
    Status(Status),
    /// The guest is stopped.
    Trap(wasmtime::Error),
}

impl From<Status> for Fault {
    fn from(status: Status) -> Self {
        Self::Status(status)
    }
}

impl From<wasmtime::Error> for Fault {
    fn from(error: wasmtime::Error) -> Self {
        Self::Trap(error)
    }
}

/// What a call answers: `OK`, or the fault.
pub(crate) type Answer = Result<(), Fault>;

/// Fuel that every call costs; moving bytes costs one more for each eight.
const BASE_FUEL: u64 = 32;

/// A host call in progress.
pub(crate) struct Call<'c> {
    caller: Caller<'c, Vm>,
}

impl<'c> Call<'c> {
    /// Begins a call, unless the guest is in a phase where it may not make it: then it traps, as in Envoy.
    pub(crate) fn enter(caller: Caller<'c, Vm>, name: &'static str) -> wasmtime::Result<Self> {
        if !caller.data().restriction.allows(name) {
            return Err(wasmtime::Error::msg(format!(
                "{name} called while {}",
                caller.data().restriction.phase()
            )));
        }
        let mut call = Self { caller };
        if let Some(calls) = &mut call.vm().calls {
            calls.add(name);
        }
        call.charge(0)?;
        Ok(call)
    }

    pub(crate) fn vm(&mut self) -> &mut Vm {
        self.caller.data_mut()
    }

    /// The context that the call is about: the effective one, else the running one.
    pub(crate) fn context(&self) -> u32 {
        self.caller.data().context()
    }

    /// Takes the price of moving so many bytes.
    pub(crate) fn charge(&mut self, bytes: usize) -> wasmtime::Result<()> {
        let price = u64::try_from(bytes / 8)
            .unwrap_or(u64::MAX)
            .saturating_add(BASE_FUEL);
        self.spend(price)
    }

    /// Takes so much fuel.
    pub(crate) fn spend(&mut self, price: u64) -> wasmtime::Result<()> {
        // A call must end where its fuel does, however much it has still to move.
        if let Some(moves) = &mut self.vm().moves_left {
            let left = moves.checked_sub(price);
            *moves = left.unwrap_or(0);
            return left.map_or_else(|| Err(wasmtime::Trap::OutOfFuel.into()), |_| Ok(()));
        }
        let left = self.caller.get_fuel()?.checked_sub(price);
        self.caller.set_fuel(left.unwrap_or(0))?;
        left.map_or_else(|| Err(wasmtime::Trap::OutOfFuel.into()), |_| Ok(()))
    }

    fn memory(&mut self) -> Result<Memory, Status> {
        if let Some(memory) = self.caller.data().memory {
            return Ok(memory);
        }
        // Only while the module's own start function runs: exports are not looked up yet.
        match self.caller.get_export("memory") {
            Some(Extern::Memory(memory)) => Ok(memory),
            _ => Err(Status::InvalidMemoryAccess),
        }
    }

    /// Copies guest memory.
    pub(crate) fn read(&mut self, pointer: u32, size: u32) -> Result<Vec<u8>, Fault> {
        let memory = self.memory()?;
        let range = range(pointer, size)?;
        let bytes = memory
            .data(self.caller.as_context())
            .get(range)
            .ok_or(Status::InvalidMemoryAccess)?
            .to_vec();
        self.charge(bytes.len())?;
        Ok(bytes)
    }

    /// Writes guest memory.
    pub(crate) fn write(&mut self, pointer: u32, bytes: &[u8]) -> Answer {
        let memory = self.memory()?;
        let size = u32::try_from(bytes.len()).map_err(|_| Status::InvalidMemoryAccess)?;
        let range = range(pointer, size)?;
        memory
            .data_mut(self.caller.as_context_mut())
            .get_mut(range)
            .ok_or(Status::InvalidMemoryAccess)?
            .copy_from_slice(bytes);
        self.charge(bytes.len())?;
        Ok(())
    }

    pub(crate) fn write_u32(&mut self, pointer: u32, value: u32) -> Answer {
        self.write(pointer, &value.to_le_bytes())
    }

    pub(crate) fn write_u64(&mut self, pointer: u32, value: u64) -> Answer {
        self.write(pointer, &value.to_le_bytes())
    }

    /// Hands bytes to the guest in memory that its own allocator gives; pointer and size go where it said.
    pub(crate) fn give(&mut self, bytes: &[u8], pointer_to: u32, size_to: u32) -> Answer {
        let pointer = self.place(bytes)?;
        self.write_u32(pointer_to, pointer)?;
        let size = u32::try_from(bytes.len()).map_err(|_| Status::InvalidMemoryAccess)?;
        self.write_u32(size_to, size)
    }

    /// Puts bytes in memory that the guest's own allocator gives, and tells where; null for no bytes.
    pub(crate) fn place(&mut self, bytes: &[u8]) -> Result<u32, Fault> {
        if bytes.is_empty() {
            return Ok(0);
        }
        let pointer = self.allocate(bytes.len())?;
        self.write(pointer, bytes)?;
        Ok(pointer)
    }

    fn allocate(&mut self, size: usize) -> Result<u32, Fault> {
        let size = u32::try_from(size).map_err(|_| Status::InvalidMemoryAccess)?;
        let Some(malloc) = self.caller.data().malloc.clone() else {
            return Err(Status::InvalidMemoryAccess.into());
        };
        let before = std::mem::replace(&mut self.vm().restriction, Restriction::Allocation);
        let result = malloc.call(&mut self.caller, size);
        self.vm().restriction = before;
        match result? {
            0 => Err(Status::InvalidMemoryAccess.into()),
            pointer => Ok(pointer),
        }
    }
}

/// Bounds the names that a guest can leave behind in the process.
pub(crate) fn within_name(call: &mut Call<'_>, name: &[u8]) -> Answer {
    if name.len() > call.vm().options.limits.name_bytes {
        return Err(Status::InternalFailure.into());
    }
    Ok(())
}

/// The guest's pointer and size as a range that cannot wrap.
fn range(pointer: u32, size: u32) -> Result<std::ops::Range<usize>, Status> {
    let start = usize::try_from(pointer).map_err(|_| Status::InvalidMemoryAccess)?;
    let size = usize::try_from(size).map_err(|_| Status::InvalidMemoryAccess)?;
    let end = start.checked_add(size).ok_or(Status::InvalidMemoryAccess)?;
    Ok(start..end)
}

/// Turns an answer into what wasm gets back.
pub(crate) fn code(answer: Answer) -> wasmtime::Result<u32> {
    match answer {
        Ok(()) => Ok(Status::Ok as u32),
        Err(Fault::Status(status)) => Ok(status as u32),
        Err(Fault::Trap(error)) => Err(error),
    }
}
