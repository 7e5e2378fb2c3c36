//! What stands round a filter when a case or a step begins: shared data, queues, foreign functions and gRPC services.

use super::document::{Node, Problems, Value};
use super::foreign_script::{self, ForeignRule};
use super::grpc_script::{self, GrpcRule};
use super::reader::{self, Fields};
use super::request::BodySpec;
use super::text::Names;

/// Names with what belongs to each.
type Named<T> = Vec<(String, T)>;

/// What a suite, a case or a step sets up beside callouts.
#[derive(Clone, Default)]
pub(crate) struct Surroundings {
    /// Environment variables of the VM.
    pub(crate) environment: Named<String>,
    pub(crate) shared_data: Named<BodySpec>,
    /// Entries that are put into queues.
    pub(crate) queues: Named<Vec<BodySpec>>,
    pub(crate) foreign: Option<Vec<ForeignRule>>,
    pub(crate) grpc: Option<Vec<GrpcRule>>,
}

impl Surroundings {
    /// Takes the fields of a suite or a case.
    pub(crate) fn take(
        fields: &mut Fields<'_>,
        names: &Names<'_>,
        problems: &mut Problems,
    ) -> Self {
        let mut taken = Self::take_in_step(fields, names, problems);
        if let Some(node) = fields.take("environment") {
            for (name, _, node) in reader::map(node, "environment", problems).unwrap_or_default() {
                if let Some(value) = reader::text(node, name, problems) {
                    taken.environment.push((name.clone(), value));
                }
            }
        }
        taken
    }

    /// Takes the fields of a step: all but the environment, which a VM that runs can't be given.
    pub(crate) fn take_in_step(
        fields: &mut Fields<'_>,
        names: &Names<'_>,
        problems: &mut Problems,
    ) -> Self {
        let mut taken = Self::default();
        if let Some(node) = fields.take("shared_data") {
            for (name, _, node) in reader::map(node, "shared_data", problems).unwrap_or_default() {
                if let Some(value) = BodySpec::read(node, names, problems) {
                    taken.shared_data.push((name.clone(), value));
                }
            }
        }
        if let Some(node) = fields.take("queues") {
            for (name, _, node) in reader::map(node, "queues", problems).unwrap_or_default() {
                let entries = entries(node, name, problems);
                let read = |node| BodySpec::read(node, names, problems);
                let entries = entries.iter().filter_map(read).collect();
                taken.queues.push((name.clone(), entries));
            }
        }
        taken.foreign = fields
            .list("foreign", problems)
            .map(|nodes| foreign_script::read(nodes, names, problems));
        taken.grpc = fields
            .list("grpc", problems)
            .map(|nodes| grpc_script::read(nodes, names, problems));
        taken
    }
}

fn entries<'n>(node: &'n Node, name: &str, problems: &mut Problems) -> &'n [Node] {
    match &node.value {
        Value::List(nodes) => nodes,
        _ => {
            problems.add(node.at, format!("`{name}` must be a list of entries"));
            &[]
        }
    }
}
