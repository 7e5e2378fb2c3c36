//! A map of the tree whose fields are known: what nobody asks for is a mistake.

use super::Sink;
use super::field::Field;
use super::nearest::nearest;
use super::show::{join, quoted};
use super::tree::{Entry, Location, Node};

/// A map with known fields. Asking for a field makes it known; dropping the section reports every unknown one, so
/// that can't be forgotten. Ask for all fields first, also those that exclude each other.
#[derive(Debug)]
pub struct Section<'d> {
    entries: &'d [Entry],
    at: Option<Location>,
    path: String,
    sink: &'d Sink,
    /// See [`Field::hushed`].
    hushed: bool,
    asked: Vec<&'static str>,
}

impl<'d> Section<'d> {
    pub(super) fn new(
        entries: &'d [Entry],
        at: Option<Location>,
        path: String,
        sink: &'d Sink,
        hushed: bool,
    ) -> Self {
        Self {
            entries,
            at,
            path,
            sink,
            hushed,
            asked: Vec::new(),
        }
    }

    /// The root of a document, which must be a map.
    #[must_use]
    pub fn root(node: &'d Node, sink: &'d Sink) -> Option<Self> {
        Field::root(node, sink).section()
    }

    /// The field path of this section; empty for the root.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Where the section begins, if known.
    #[must_use]
    pub fn at(&self) -> Option<Location> {
        self.at
    }

    /// The sink that takes this section's mistakes.
    #[must_use]
    pub fn sink(&self) -> &'d Sink {
        self.sink
    }

    // `cold` and `inline(never)` here and in `Field`: documents are read at hundreds of places, and what is inlined there is
    // code that a proxy compiles at its start.

    /// Reports a mistake of the section as a whole.
    #[cold]
    #[inline(never)]
    pub fn problem(&self, message: impl Into<String>) {
        self.sink.report(&self.path, self.at, message, None);
    }

    /// Reports a mistake of the section as a whole and says how to mend it.
    #[cold]
    #[inline(never)]
    pub fn problem_with_help(&self, message: impl Into<String>, help: impl Into<String>) {
        self.sink
            .report(&self.path, self.at, message, Some(help.into()));
    }

    /// The field `name`, if the document has it. Makes the name known.
    #[inline(never)]
    pub fn field(&mut self, name: &'static str) -> Option<Field<'d>> {
        if !self.asked.contains(&name) {
            self.asked.push(name);
        }
        let entry = self.entries.iter().find(|entry| entry.key == name)?;
        Some(Field::at_path(
            &entry.node,
            join(&self.path, name),
            self.sink,
            self.hushed,
        ))
    }

    /// The field `name`, read by `read`; its absence is a mistake.
    pub fn required<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&Field<'d>) -> Option<T>,
    ) -> Option<T> {
        match self.field(name) {
            Some(field) => read(&field),
            None => {
                self.problem(format!("the field `{name}` is missing"));
                None
            }
        }
    }

    /// The field `name`, read by `read`, if the document has it. A mistake in it also gives `None`, reported.
    pub fn optional<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&Field<'d>) -> Option<T>,
    ) -> Option<T> {
        self.field(name).and_then(|field| read(&field))
    }

    /// The field `name`, read by `read`, or `default` where the document doesn't have it (or has a reported mistake).
    pub fn or<T>(
        &mut self,
        name: &'static str,
        default: T,
        read: impl FnOnce(&Field<'d>) -> Option<T>,
    ) -> T {
        self.optional(name, read).unwrap_or(default)
    }
}

impl Drop for Section<'_> {
    #[inline(never)]
    fn drop(&mut self) {
        for entry in self.entries {
            if self.asked.iter().any(|name| *name == entry.key) {
                continue;
            }
            // To look for the nearest name is dear, and nobody reads beyond what is kept.
            if self.sink.is_full() {
                self.sink.count_only();
                continue;
            }
            if self.hushed {
                // Somebody may have written a secret where its name belongs.
                let known = format!("known here: {}", self.asked.join(", "));
                self.sink
                    .report(&self.path, entry.key_at, "unknown field", Some(known));
                continue;
            }
            let help = match nearest(&entry.key, self.asked.iter().copied()) {
                Some(name) => format!("did you mean `{name}`?"),
                None => format!("known here: {}", self.asked.join(", ")),
            };
            self.sink.report(
                &join(&self.path, &entry.key),
                entry.key_at,
                format!("unknown field {}", quoted(&entry.key)),
                Some(help),
            );
        }
    }
}
