//! WebAssembly proposals beyond what every host takes, and the check of a module against them.

use wasmtime::{Config, Engine};

/// Which proposals a host's runtime takes. What Rust's compiler uses unasked (bulk memory, multi-value, mutable globals,
/// sign extension, saturating conversions, reference types) every host takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Features {
    /// 128-bit SIMD.
    pub simd: bool,
    /// Relaxed SIMD.
    pub relaxed_simd: bool,
    /// Tail calls.
    pub tail_call: bool,
    /// More than one memory.
    pub multi_memory: bool,
    /// Arithmetic in constant expressions.
    pub extended_const: bool,
    /// 128-bit additions and wide multiplications.
    pub wide_arithmetic: bool,
}

impl Features {
    /// All that host-test compiles.
    pub(crate) const ANY: Self = Self {
        simd: true,
        relaxed_simd: true,
        tail_call: true,
        multi_memory: true,
        extended_const: true,
        wide_arithmetic: true,
    };

    pub(crate) fn configure(self, config: &mut Config) {
        config
            .wasm_simd(self.simd)
            .wasm_relaxed_simd(self.relaxed_simd)
            .wasm_tail_call(self.tail_call)
            .wasm_multi_memory(self.multi_memory)
            .wasm_extended_const(self.extended_const)
            .wasm_wide_arithmetic(self.wide_arithmetic);
    }

    /// Whether a runtime with these proposals takes the module.
    pub(crate) fn check(self, wasm: &[u8]) -> wasmtime::Result<()> {
        let mut config = Config::new();
        self.configure(&mut config);
        wasmtime::Module::validate(&Engine::new(&config)?, wasm)
    }
}
