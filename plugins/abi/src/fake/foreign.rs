//! Foreign functions of the scripted host.

use std::fmt;
use std::rc::Rc;

use super::FakeHost;
use crate::HostError;

/// A foreign function: arguments to answer, or a status.
#[derive(Clone)]
pub struct FakeFunction(Rc<Function>);

type Function = dyn Fn(&[u8]) -> Result<Vec<u8>, u32>;

impl FakeFunction {
    /// This one.
    pub fn new(function: impl Fn(&[u8]) -> Result<Vec<u8>, u32> + 'static) -> Self {
        Self(Rc::new(function))
    }
}

impl fmt::Debug for FakeFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FakeFunction")
    }
}

impl FakeHost {
    pub(crate) fn on_call_foreign_function(
        &mut self,
        name: &[u8],
    ) -> Result<Rc<Function>, HostError> {
        let name = String::from_utf8_lossy(name).into_owned();
        let function = self.foreign.get(name.as_str()).cloned();
        self.foreign_calls.push(name);
        HostError::check(self.status("call_foreign_function"))?;
        function
            .map(|function| function.0)
            .ok_or(HostError::NotFound)
    }
}
