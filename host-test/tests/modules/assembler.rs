//! Assembles modules by hand.

use host_test::{HostOptions, Module, ModuleError, PluginConfig, Process, StartOutcome, Worker};

/// A module in the making: imports come first in the index space of functions.
#[derive(Default)]
pub(crate) struct Wasm {
    pub(crate) types: Vec<Vec<u8>>,
    pub(crate) imports: Vec<Vec<u8>>,
    pub(crate) functions: Vec<(usize, Vec<u8>)>,
    pub(crate) exports: Vec<(String, u8, usize)>,
    pub(crate) start: Option<usize>,
    pub(crate) pages: usize,
    pub(crate) data: Vec<u8>,
}

pub(crate) const MARK: &str = "proxy_abi_version_0_2_1";

pub(crate) fn leb(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let byte = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            bytes.push(byte);
            return bytes;
        }
        bytes.push(byte | 0x80);
    }
}

pub(crate) fn list(items: &[Vec<u8>]) -> Vec<u8> {
    [leb(items.len()), items.concat()].concat()
}

pub(crate) fn name(text: &str) -> Vec<u8> {
    [leb(text.len()), text.as_bytes().to_vec()].concat()
}

/// `i32.const`, for numbers that are not negative.
pub(crate) fn number(value: usize) -> Vec<u8> {
    let mut bytes = vec![0x41];
    let mut rest = value;
    loop {
        let byte = (rest & 0x7f) as u8;
        rest >>= 7;
        // The sign bit of the last byte must be clear.
        if rest == 0 && byte & 0x40 == 0 {
            bytes.push(byte);
            return bytes;
        }
        bytes.push(byte | 0x80);
    }
}

/// Pushes the numbers and calls a function.
pub(crate) fn call(function: usize, arguments: &[usize]) -> Vec<u8> {
    let mut code: Vec<u8> = arguments
        .iter()
        .flat_map(|argument| number(*argument))
        .collect();
    code.push(0x10);
    code.extend(leb(function));
    code
}

pub(crate) const DROP: [u8; 1] = [0x1a];

impl Wasm {
    /// A module that every host takes: the ABI mark and an allocator that gives page 1.
    pub(crate) fn filter() -> Self {
        let mut wasm = Self {
            pages: 2,
            ..Self::default()
        };
        wasm.export(MARK, 0, 0, &[]);
        wasm.export("malloc", 1, 1, &number(65_536));
        wasm
    }

    pub(crate) fn kind(&mut self, parameters: usize, results: usize) -> usize {
        let i32s = |count: usize| [leb(count), vec![0x7f; count]].concat();
        self.types
            .push([vec![0x60], i32s(parameters), i32s(results)].concat());
        self.types.len() - 1
    }

    /// Must come before any function: imports are numbered first. The exports made so far move up.
    pub(crate) fn import(
        &mut self,
        module: &str,
        field: &str,
        parameters: usize,
        results: usize,
    ) -> usize {
        self.import_of(module, field, &vec![0x7f; parameters], results)
    }

    /// As [`Wasm::import`], with parameters of other types: 0x7f is an i32, 0x7e an i64.
    pub(crate) fn import_of(
        &mut self,
        module: &str,
        field: &str,
        parameters: &[u8],
        results: usize,
    ) -> usize {
        let i32s = [leb(results), vec![0x7f; results]].concat();
        let parameters = [leb(parameters.len()), parameters.to_vec()].concat();
        self.types.push([vec![0x60], parameters, i32s].concat());
        let kind = self.types.len() - 1;
        self.imports
            .push([name(module), name(field), vec![0], leb(kind)].concat());
        for export in self.exports.iter_mut().filter(|(_, what, _)| *what == 0) {
            export.2 += 1;
        }
        self.imports.len() - 1
    }

    pub(crate) fn function(&mut self, parameters: usize, results: usize, code: &[u8]) -> usize {
        let kind = self.kind(parameters, results);
        self.functions.push((kind, code.to_vec()));
        self.imports.len() + self.functions.len() - 1
    }

    pub(crate) fn export(&mut self, field: &str, parameters: usize, results: usize, code: &[u8]) {
        let function = self.function(parameters, results, code);
        self.exports.push((field.to_owned(), 0, function));
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let section = |id: u8, body: Vec<u8>| [vec![id], leb(body.len()), body].concat();
        let kinds: Vec<Vec<u8>> = self.functions.iter().map(|(kind, _)| leb(*kind)).collect();
        let mut exports: Vec<Vec<u8>> = vec![[name("memory"), vec![2, 0]].concat()];
        exports.extend(
            self.exports
                .iter()
                .map(|(field, what, index)| [name(field), vec![*what], leb(*index)].concat()),
        );
        let codes: Vec<Vec<u8>> = self
            .functions
            .iter()
            .map(|(_, code)| {
                let body = [vec![0], code.clone(), vec![0x0b]].concat();
                [leb(body.len()), body].concat()
            })
            .collect();
        let mut bytes = b"\0asm\x01\0\0\0".to_vec();
        bytes.extend(section(1, list(&self.types)));
        bytes.extend(section(2, list(&self.imports)));
        bytes.extend(section(3, list(&kinds)));
        bytes.extend(section(5, [vec![1, 0], leb(self.pages)].concat()));
        bytes.extend(section(7, list(&exports)));
        if let Some(start) = self.start {
            bytes.extend(section(8, leb(start)));
        }
        bytes.extend(section(10, list(&codes)));
        if !self.data.is_empty() {
            let place = [vec![0], number(16), vec![0x0b]].concat();
            bytes.extend(section(
                11,
                list(&[[place, leb(self.data.len()), self.data.clone()].concat()]),
            ));
        }
        bytes
    }

    pub(crate) fn compile(&self) -> Result<Module, ModuleError> {
        Module::compile(&self.bytes())
    }

    pub(crate) fn start(&self) -> (Worker, StartOutcome) {
        let plugin = PluginConfig {
            environment: vec![
                ("COLOUR".to_owned(), "blue".to_owned()),
                ("A".to_owned(), String::new()),
            ],
            ..PluginConfig::default()
        };
        let mut options = HostOptions::default();
        options.limits.fuel_for_start = 10_000_000;
        options.limits.memory_bytes = 16 * 1024 * 1024;
        let mut worker = Worker::new(&self.compile().unwrap(), plugin, options, &Process::new());
        let started = worker.start();
        (worker, started)
    }
}
