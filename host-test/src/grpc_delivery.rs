//! Telling the filter what came back on its gRPC callouts.

use wasmtime::TypedFunc;

use crate::grpc::{GrpcCallout, GrpcEvent};
use crate::worker::{UnknownCallout, Worker};

/// Root context, token, and a size or a status.
type OnGrpc = TypedFunc<(u32, u32, u32), ()>;

impl Worker {
    /// gRPC calls and streams that are open, oldest first.
    pub fn grpc_callouts(&self) -> impl Iterator<Item = &GrpcCallout> {
        self.guest.store.data().grpc.open().values()
    }

    /// Delivers what came back on a gRPC callout, whichever context opened it. A call takes one message or a close; metadata of
    /// a call is not shown, as in Envoy.
    ///
    /// # Errors
    /// When no such callout is open.
    pub fn answer_grpc(&mut self, token: u32, event: GrpcEvent) -> Result<(), UnknownCallout> {
        let open = self.guest.vm().grpc.open().get(&token);
        let callout = open.cloned().ok_or(UnknownCallout(token))?;
        let size = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX);
        let exports = &self.guest.exports;
        let (name, function, number) = match &event {
            GrpcEvent::InitialMetadata(metadata) => (
                "proxy_on_grpc_receive_initial_metadata",
                exports.on_grpc_receive_initial_metadata.clone(),
                size(metadata.len()),
            ),
            GrpcEvent::Message(message) => (
                "proxy_on_grpc_receive",
                exports.on_grpc_receive.clone(),
                size(message.len()),
            ),
            GrpcEvent::TrailingMetadata(metadata) => (
                "proxy_on_grpc_receive_trailing_metadata",
                exports.on_grpc_receive_trailing_metadata.clone(),
                size(metadata.len()),
            ),
            GrpcEvent::Close { status, .. } => (
                "proxy_on_grpc_close",
                exports.on_grpc_close.clone(),
                *status,
            ),
        };
        let (ends, shown) = match &event {
            GrpcEvent::Close { .. } => (true, true),
            GrpcEvent::Message(_) => (!callout.stream, true),
            GrpcEvent::InitialMetadata(_) | GrpcEvent::TrailingMetadata(_) => {
                (false, callout.stream)
            }
        };
        let vm = self.guest.vm();
        match event {
            GrpcEvent::InitialMetadata(metadata) => vm.grpc.initial_metadata = Some(metadata),
            GrpcEvent::TrailingMetadata(metadata) => vm.grpc.trailing_metadata = Some(metadata),
            GrpcEvent::Message(message) => vm.grpc.message = Some(message),
            GrpcEvent::Close { status, message } => vm.status = (status, message),
        }
        if shown {
            self.tell(name, function, (callout.root, token, number));
        }
        let vm = self.guest.vm();
        vm.grpc.initial_metadata = None;
        vm.grpc.trailing_metadata = None;
        vm.grpc.message = None;
        vm.status.1.clear();
        if ends {
            vm.grpc.remove(token);
        }
        self.settle();
        Ok(())
    }

    fn tell(&mut self, name: &'static str, function: Option<OnGrpc>, arguments: (u32, u32, u32)) {
        let root = arguments.0;
        if let Some(function) = function
            && self.runs()
            && self.guest.vm().roots.contains_key(&root)
        {
            self.guest.call(name, root, &function, arguments);
        }
    }
}
