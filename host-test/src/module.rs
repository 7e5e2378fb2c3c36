//! A compiled Proxy-Wasm module: checked for the ABI it speaks and for imports that no host call answers.

use std::fmt;
use std::sync::Arc;

use wasmtime::{
    Caller, Config, Engine, ExternType, InstancePre, Linker, OptLevel, RegallocAlgorithm,
    UnknownImportError, Val,
};

use crate::abi::table;
use crate::abi_version::AbiVersion;
use crate::metering::Metering;
use crate::profile::{Features, HostProfile, Support};
use crate::vm::Vm;

/// A filter, compiled once and linked to the calls of one host; clones are handles, and every worker starts its own VM from
/// it.
#[derive(Clone)]
pub struct Module {
    pub(crate) engine: Engine,
    pub(crate) instance: InstancePre<Vm>,
    pub(crate) metering: Metering,
    profile: HostProfile,
    abi: AbiVersion,
    compiled: wasmtime::Module,
    /// Kept to judge it by another host's features.
    wasm: Arc<[u8]>,
    imports: Arc<[(String, String)]>,
}

impl fmt::Debug for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Module")
            .field("profile", &self.profile)
            .field("abi", &self.abi)
            .field("imports", &self.imports)
            .finish_non_exhaustive()
    }
}

/// Why a module cannot run here: the filter's fault, found before anything runs.
#[derive(Debug)]
#[non_exhaustive]
pub enum ModuleError {
    /// Not WebAssembly, or it uses a feature that proxies do not have.
    Invalid(String),
    /// It exports none of the marks of [`AbiVersion`].
    AbiVersion {
        /// The ABI marks that it does export.
        found: Vec<String>,
    },
    /// It uses WebAssembly proposals that the host's runtime does not take.
    Features {
        /// The host.
        profile: HostProfile,
        /// The first that was met.
        why: String,
    },
    /// It imports what the host does not define.
    UnknownImports {
        /// The host.
        profile: HostProfile,
        /// All of them, as `module.name`.
        names: Vec<String>,
    },
    /// It exports neither `malloc` nor `proxy_on_memory_allocate`.
    NoAllocator,
    /// No thread could be started to watch the time of its callbacks.
    NoClock(std::io::Error),
}

impl fmt::Display for ModuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(why) => write!(f, "not a module that can run: {why}"),
            Self::AbiVersion { found } if found.is_empty() => {
                f.write_str("no Proxy-Wasm filter: it exports no proxy_abi_version_0_2_1")
            }
            Self::AbiVersion { found } => {
                write!(
                    f,
                    "Proxy-Wasm ABI {} is not supported; 0.1.0, 0.2.0 and 0.2.1 are",
                    found.join(", ")
                )
            }
            Self::Features { profile, why } => {
                write!(
                    f,
                    "it uses what the runtime of {profile} does not take: {why}"
                )
            }
            Self::UnknownImports { profile, names } => {
                write!(
                    f,
                    "it imports what {profile} does not define: {}",
                    names.join(", ")
                )
            }
            Self::NoAllocator => {
                f.write_str("it exports neither malloc nor proxy_on_memory_allocate")
            }
            Self::NoClock(error) => write!(f, "no thread to watch its time: {error}"),
        }
    }
}

impl std::error::Error for ModuleError {}

/// Stack of the guest; deeper recursion traps.
const GUEST_STACK: usize = 512 * 1024;

impl Module {
    /// Compiles and checks a module, for Envoy.
    ///
    /// # Errors
    /// When it can never run in this host, whatever the configuration.
    pub fn compile(wasm: &[u8]) -> Result<Self, ModuleError> {
        Self::compile_for(wasm, HostProfile::ENVOY)
    }

    /// Compiles and checks a module for that host.
    ///
    /// # Errors
    /// When it can never run in this host, whatever the configuration.
    pub fn compile_for(wasm: &[u8], profile: HostProfile) -> Result<Self, ModuleError> {
        Self::compile_with(wasm, profile, Metering::Fuel, &mut Config::new())
    }

    /// As [`Module::compile_for`], to code that counts no fuel: for serving and for measuring time. A callback is bounded by
    /// [`crate::Limits::time_per_callback`] instead, and fuel counts stay zero.
    ///
    /// # Errors
    /// When it can never run in this host, whatever the configuration.
    pub fn compile_for_speed(wasm: &[u8], profile: HostProfile) -> Result<Self, ModuleError> {
        Self::compile_with(wasm, profile, Metering::Time, &mut Config::new())
    }

    /// As [`Module::compile`], in two thirds of the time and to slower code: for a handful of requests.
    ///
    /// # Errors
    /// When it can never run in this host, whatever the configuration.
    pub fn compile_quickly(wasm: &[u8]) -> Result<Self, ModuleError> {
        Self::compile_quickly_for(wasm, HostProfile::ENVOY)
    }

    /// As [`Module::compile_for`], as quickly.
    ///
    /// # Errors
    /// When it can never run in this host, whatever the configuration.
    pub fn compile_quickly_for(wasm: &[u8], profile: HostProfile) -> Result<Self, ModuleError> {
        let mut config = Config::new();
        config
            .cranelift_opt_level(OptLevel::None)
            .cranelift_regalloc_algorithm(RegallocAlgorithm::SinglePass);
        Self::compile_with(wasm, profile, Metering::Fuel, &mut config)
    }

    fn compile_with(
        wasm: &[u8],
        profile: HostProfile,
        metering: Metering,
        config: &mut Config,
    ) -> Result<Self, ModuleError> {
        // One compilation serves every profile; each judges the features by itself.
        Features::ANY.configure(config);
        metering.configure(config);
        config.max_wasm_stack(GUEST_STACK);
        let engine = Engine::new(config).map_err(invalid)?;
        let compiled = wasmtime::Module::new(&engine, wasm).map_err(invalid)?;
        let imports = compiled
            .imports()
            .map(|import| (import.module().to_owned(), import.name().to_owned()))
            .collect();
        metering.begin(&engine).map_err(ModuleError::NoClock)?;
        let engine = (engine, metering);
        Self::linked(engine, compiled, wasm.into(), imports, profile)
    }

    /// The same module, linked to another host's calls; nothing is compiled again.
    ///
    /// # Errors
    /// When it can never run in that host, whatever the configuration.
    pub fn for_host(&self, profile: HostProfile) -> Result<Self, ModuleError> {
        Self::linked(
            (self.engine.clone(), self.metering),
            self.compiled.clone(),
            Arc::clone(&self.wasm),
            Arc::clone(&self.imports),
            profile,
        )
    }

    fn linked(
        (engine, metering): (Engine, Metering),
        compiled: wasmtime::Module,
        wasm: Arc<[u8]>,
        imports: Arc<[(String, String)]>,
        profile: HostProfile,
    ) -> Result<Self, ModuleError> {
        let abi = check_exports(&compiled)?;
        let why = profile.facts().features.check(&wasm).err();
        if let Some(why) = why {
            let why = format!("{why:#}");
            return Err(ModuleError::Features { profile, why });
        }
        let mut linker = Linker::new(&engine);
        table::define(&mut linker, profile, abi).map_err(invalid)?;
        let instance = link(&compiled, &mut linker, profile, abi)?;
        Ok(Self {
            engine,
            instance,
            metering,
            profile,
            abi,
            compiled,
            wasm,
            imports,
        })
    }

    /// The host that it is linked for.
    pub const fn profile(&self) -> HostProfile {
        self.profile
    }

    /// The version of the ABI that it speaks.
    pub const fn abi(&self) -> AbiVersion {
        self.abi
    }

    /// What the module imports: (module, name), in its order.
    pub fn imports(&self) -> &[(String, String)] {
        &self.imports
    }

    /// Names of the functions that the module exports, in its order.
    pub fn exported_functions(&self) -> impl Iterator<Item = &str> {
        self.compiled
            .exports()
            .filter_map(|export| match export.ty() {
                ExternType::Func(_) => Some(export.name()),
                _ => None,
            })
    }
}

fn invalid(error: wasmtime::Error) -> ModuleError {
    ModuleError::Invalid(format!("{error:#}"))
}

fn check_exports(module: &wasmtime::Module) -> Result<AbiVersion, ModuleError> {
    let has = |name: &str| matches!(module.get_export(name), Some(ExternType::Func(_)));
    let Some(abi) = AbiVersion::of(module) else {
        let found = module
            .exports()
            .filter_map(|export| export.name().strip_prefix("proxy_abi_version_"))
            .map(|version| version.replace('_', "."))
            .collect();
        return Err(ModuleError::AbiVersion { found });
    };
    if !has("malloc") && !has("proxy_on_memory_allocate") {
        return Err(ModuleError::NoAllocator);
    }
    Ok(abi)
}

/// Links the module to the host calls; on failure lists every import that none of them answers.
fn link(
    module: &wasmtime::Module,
    linker: &mut Linker<Vm>,
    profile: HostProfile,
    abi: AbiVersion,
) -> Result<InstancePre<Vm>, ModuleError> {
    let first = match linker.instantiate_pre(module) {
        Ok(instance) => return Ok(instance),
        Err(error) => error,
    };
    let mut unknown = Vec::new();
    let mut error = first;
    while let Some(import) = error.downcast_ref::<UnknownImportError>() {
        let note = match (profile.support(import.name()), abi.lacks(import.name())) {
            (Support::OtherSignature, _) => " (there with other parameters)".to_owned(),
            (_, Some(other)) => format!(" (of ABI {other}; the module says {abi})"),
            _ => String::new(),
        };
        unknown.push(format!("{}.{}{note}", import.module(), import.name()));
        let ExternType::Func(signature) = import.ty() else {
            break;
        };
        // A stand-in, so that the next unknown import shows.
        let (name, stand_in) = (
            import.name().to_owned(),
            |_: Caller<'_, Vm>, _: &[Val], _: &mut [Val]| Ok(()),
        );
        if linker
            .func_new(import.module(), &name, signature, stand_in)
            .is_err()
        {
            break;
        }
        match linker.instantiate_pre(module) {
            Ok(_) => break,
            Err(next) => error = next,
        }
    }
    if unknown.is_empty() {
        return Err(invalid(error));
    }
    Err(ModuleError::UnknownImports {
        profile,
        names: unknown,
    })
}
