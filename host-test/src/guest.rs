//! A running guest: the instance, its callbacks, and one way to call them that meters fuel and catches traps.

use std::sync::Arc;

use wasmtime::{Global, Instance, Store, StoreLimitsBuilder, TypedFunc, WasmParams, WasmResults};

use crate::abi_version::AbiVersion;
use crate::log::{Level, Log};
use crate::metering::{Allowance, Metering};
use crate::metrics::MetricIds;
use crate::module::Module;
use crate::options::{HostOptions, PluginConfig};
use crate::process::Process;
use crate::vm::{Restriction, Vm};

/// Root context, token, headers, body bytes, trailers.
type OnCallResponse = TypedFunc<(u32, u32, u32, u32, u32), ()>;

/// A callback for a head. Which of the two a module exports is a matter of its ABI.
#[derive(Clone)]
pub(crate) enum OnHeaders {
    /// 0.1.0: context, headers.
    Untold(TypedFunc<(u32, u32), u32>),
    /// 0.2.0 and later: and whether nothing follows.
    Told(TypedFunc<(u32, u32, u32), u32>),
}

/// Callbacks that the guest exports; one that is missing is passed over, as in Envoy.
#[derive(Default)]
pub(crate) struct Exports {
    pub(crate) on_context_create: Option<TypedFunc<(u32, u32), ()>>,
    pub(crate) on_vm_start: Option<TypedFunc<(u32, u32), u32>>,
    pub(crate) on_configure: Option<TypedFunc<(u32, u32), u32>>,
    pub(crate) on_tick: Option<TypedFunc<u32, ()>>,
    pub(crate) on_queue_ready: Option<TypedFunc<(u32, u32), ()>>,
    pub(crate) on_request_headers: Option<OnHeaders>,
    pub(crate) on_request_body: Option<TypedFunc<(u32, u32, u32), u32>>,
    pub(crate) on_request_trailers: Option<TypedFunc<(u32, u32), u32>>,
    pub(crate) on_response_headers: Option<OnHeaders>,
    pub(crate) on_response_body: Option<TypedFunc<(u32, u32, u32), u32>>,
    pub(crate) on_response_trailers: Option<TypedFunc<(u32, u32), u32>>,
    pub(crate) on_http_call_response: Option<OnCallResponse>,
    pub(crate) on_grpc_receive_initial_metadata: Option<TypedFunc<(u32, u32, u32), ()>>,
    pub(crate) on_grpc_receive: Option<TypedFunc<(u32, u32, u32), ()>>,
    pub(crate) on_grpc_receive_trailing_metadata: Option<TypedFunc<(u32, u32, u32), ()>>,
    pub(crate) on_grpc_close: Option<TypedFunc<(u32, u32, u32), ()>>,
    pub(crate) on_done: Option<TypedFunc<u32, u32>>,
    pub(crate) on_log: Option<TypedFunc<u32, ()>>,
    pub(crate) on_delete: Option<TypedFunc<u32, ()>>,
}

/// A guest.
pub(crate) struct Guest {
    pub(crate) store: Store<Vm>,
    pub(crate) exports: Exports,
    /// `None` if it could not be made.
    instance: Option<Instance>,
    metering: Metering,
    /// Why the VM no longer runs.
    pub(crate) failed: Option<String>,
    /// It took the worker process with it.
    pub(crate) crashed: bool,
    /// Fuel used since the guest began.
    pub(crate) fuel: u64,
}

impl Guest {
    /// Starts an instance: its start function, then `_initialize` and `main`, or `_start`.
    pub(crate) fn start(
        module: &Module,
        plugin: Arc<PluginConfig>,
        options: HostOptions,
        process: Process,
        worker: u32,
    ) -> Self {
        let allowance = options.limits.for_start();
        let store_limits = StoreLimitsBuilder::new()
            .memory_size(options.limits.memory_bytes)
            .memories(1)
            .tables(16)
            .table_elements(1_000_000)
            .instances(1)
            .build();
        let vm = Vm {
            profile: module.profile(),
            memory: None,
            malloc: None,
            store_limits,
            options,
            plugin,
            process,
            worker,
            restriction: Restriction::Start,
            roots: Default::default(),
            streams: Default::default(),
            next_context: 0,
            callback: "",
            current: 0,
            effective: 0,
            configuring: false,
            status: (0, String::new()),
            done_waiting: Vec::new(),
            done: Vec::new(),
            callouts: Default::default(),
            grpc: Default::default(),
            actions: Vec::new(),
            stop_iteration: false,
            metrics: MetricIds::default(),
            log: Log::default(),
            calls: None,
            moves_left: None,
        };
        let mut store = Store::new(&module.engine, vm);
        store.limiter(|vm| &mut vm.store_limits);
        let mut guest = Self {
            store,
            exports: Exports::default(),
            instance: None,
            metering: module.metering,
            failed: None,
            crashed: false,
            fuel: 0,
        };
        if let Err(error) = guest.boot(module, allowance) {
            guest.fail("start", &error);
        }
        guest.store.data_mut().restriction = Restriction::None;
        guest
    }

    fn boot(&mut self, module: &Module, allowance: Allowance) -> wasmtime::Result<()> {
        self.metering.allow(&mut self.store, allowance)?;
        let instance = module.instance.instantiate(&mut self.store)?;
        self.instance = Some(instance);
        let memory = instance.get_memory(&mut self.store, "memory");
        self.store.data_mut().memory = memory;
        let malloc = match self.export(&instance, "malloc")? {
            Some(malloc) => Some(malloc),
            None => self.export(&instance, "proxy_on_memory_allocate")?,
        };
        self.store.data_mut().malloc = malloc;
        self.exports = self.bind(&instance, module.abi())?;
        self.run_entry_points(&instance)?;
        self.fuel = self.metering.used(&self.store, allowance);
        Ok(())
    }

    /// The exported globals that hold an `i32`.
    pub(crate) fn globals(&mut self) -> Vec<(String, i32)> {
        let Some(instance) = self.instance else {
            return Vec::new();
        };
        let globals: Vec<_> = instance
            .exports(&mut self.store)
            .filter_map(|export| Some((export.name().to_owned(), export.into_global()?)))
            .collect();
        let store = &mut self.store;
        let value = |(name, global): (String, Global)| Some((name, global.get(&mut *store).i32()?));
        globals.into_iter().filter_map(value).collect()
    }

    /// An export of that name; an error when its signature is another one.
    fn export<P: WasmParams, R: WasmResults>(
        &mut self,
        instance: &Instance,
        name: &str,
    ) -> wasmtime::Result<Option<TypedFunc<P, R>>> {
        match instance.get_func(&mut self.store, name) {
            Some(function) => match function.typed(&self.store) {
                Ok(typed) => Ok(Some(typed)),
                Err(error) => Err(error.context(format!("export {name}"))),
            },
            None => Ok(None),
        }
    }

    /// A head's callback, with the parameters that the module's ABI gives it.
    fn on_headers(
        &mut self,
        instance: &Instance,
        abi: AbiVersion,
        name: &str,
    ) -> wasmtime::Result<Option<OnHeaders>> {
        Ok(match abi {
            AbiVersion::V0_1_0 => self.export(instance, name)?.map(OnHeaders::Untold),
            AbiVersion::V0_2_0 | AbiVersion::V0_2_1 => {
                self.export(instance, name)?.map(OnHeaders::Told)
            }
        })
    }

    fn bind(&mut self, instance: &Instance, abi: AbiVersion) -> wasmtime::Result<Exports> {
        Ok(Exports {
            on_context_create: self.export(instance, "proxy_on_context_create")?,
            on_vm_start: self.export(instance, "proxy_on_vm_start")?,
            on_configure: self.export(instance, "proxy_on_configure")?,
            on_tick: self.export(instance, "proxy_on_tick")?,
            on_queue_ready: self.export(instance, "proxy_on_queue_ready")?,
            on_request_headers: self.on_headers(instance, abi, "proxy_on_request_headers")?,
            on_request_body: self.export(instance, "proxy_on_request_body")?,
            on_request_trailers: self.export(instance, "proxy_on_request_trailers")?,
            on_response_headers: self.on_headers(instance, abi, "proxy_on_response_headers")?,
            on_response_body: self.export(instance, "proxy_on_response_body")?,
            on_response_trailers: self.export(instance, "proxy_on_response_trailers")?,
            on_http_call_response: self.export(instance, "proxy_on_http_call_response")?,
            on_grpc_receive_initial_metadata: self
                .export(instance, "proxy_on_grpc_receive_initial_metadata")?,
            on_grpc_receive: self.export(instance, "proxy_on_grpc_receive")?,
            on_grpc_receive_trailing_metadata: self
                .export(instance, "proxy_on_grpc_receive_trailing_metadata")?,
            on_grpc_close: self.export(instance, "proxy_on_grpc_close")?,
            on_done: self.export(instance, "proxy_on_done")?,
            on_log: self.export(instance, "proxy_on_log")?,
            on_delete: self.export(instance, "proxy_on_delete")?,
        })
    }

    fn run_entry_points(&mut self, instance: &Instance) -> wasmtime::Result<()> {
        if let Some(initialize) = self.export::<(), ()>(instance, "_initialize")? {
            initialize.call(&mut self.store, ())?;
            if let Some(main) = instance.get_func(&mut self.store, "main") {
                if let Ok(main) = main.typed::<(u32, u32), u32>(&self.store) {
                    main.call(&mut self.store, (0, 0))?;
                }
            } else if let Some(main) = self.export::<(), u32>(instance, "__main_void")? {
                main.call(&mut self.store, ())?;
            }
        } else if let Some(start) = self.export::<(), ()>(instance, "_start")? {
            start.call(&mut self.store, ())?;
        }
        Ok(())
    }

    /// Runs one callback in a context. None when it trapped: the VM has then failed.
    pub(crate) fn call<P: WasmParams, R: WasmResults>(
        &mut self,
        name: &'static str,
        context: u32,
        function: &TypedFunc<P, R>,
        arguments: P,
    ) -> Option<R> {
        let vm = self.store.data_mut();
        let starting = vm.configuring || name == "proxy_on_vm_start";
        let allowance = if starting {
            vm.options.limits.for_start()
        } else {
            vm.options.limits.for_callback()
        };
        vm.callback = name;
        vm.current = context;
        vm.effective = 0;
        vm.stop_iteration = false;
        let result = match self.metering.allow(&mut self.store, allowance) {
            Ok(()) => function.call(&mut self.store, arguments),
            Err(error) => Err(error),
        };
        let used = self.metering.used(&self.store, allowance);
        self.fuel = self.fuel.saturating_add(used);
        let vm = self.store.data_mut();
        vm.effective = 0;
        if let Some(stream) = vm.streams.get_mut(&context) {
            stream.fuel = stream.fuel.saturating_add(used);
        }
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                self.fail(name, &error);
                None
            }
        }
    }

    /// Runs a head's callback: context, number of fields, whether nothing follows.
    pub(crate) fn call_headers(
        &mut self,
        name: &'static str,
        context: u32,
        callback: &OnHeaders,
        (count, end): (u32, bool),
    ) -> Option<u32> {
        match callback {
            OnHeaders::Untold(function) => self.call(name, context, function, (context, count)),
            OnHeaders::Told(function) => {
                self.call(name, context, function, (context, count, u32::from(end)))
            }
        }
    }

    fn fail(&mut self, during: &str, error: &wasmtime::Error) {
        let why = match error.downcast_ref::<wasmtime::Trap>() {
            Some(trap) => format!("{during}: {trap}"),
            None => format!("{during}: {}", error.root_cause()),
        };
        let vm = self.store.data_mut();
        let context = vm.current;
        // Nothing that the trapped callback asked for is done.
        vm.actions.clear();
        vm.log(
            Level::Critical,
            context,
            format!("host-test: the VM failed in {why}"),
        );
        self.failed = Some(why);
    }

    /// The worker process dies of what the filter did; a new one starts with a new VM.
    pub(crate) fn crash(&mut self, why: &str) {
        let vm = self.store.data_mut();
        let context = vm.current;
        vm.actions.clear();
        let line = format!("host-test: the worker process crashed: {why}");
        vm.log(Level::Critical, context, line);
        self.failed = Some(why.to_owned());
        self.crashed = true;
    }

    pub(crate) fn vm(&mut self) -> &mut Vm {
        self.store.data_mut()
    }
}
