//! `mode`: whether a decision binds, or is only told.

use crate::document::Field;

/// Whether a decision binds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Enforcement {
    /// Who is refused does not pass.
    #[default]
    Enforce,
    /// Every request passes as if nobody had judged it; what would have come of it is told.
    Shadow,
}

impl Enforcement {
    /// Reads a `mode`.
    pub(crate) fn read(field: &Field<'_>) -> Option<Self> {
        field.one_of(&[("enforce", Self::Enforce), ("shadow", Self::Shadow)])
    }

    /// Of what two decide: binds if one of them does.
    #[must_use]
    pub const fn stricter(self, other: Self) -> Self {
        match (self, other) {
            (Self::Shadow, Self::Shadow) => Self::Shadow,
            _ => Self::Enforce,
        }
    }

    /// Whether it is [`Enforcement::Shadow`].
    #[must_use]
    pub const fn is_shadow(self) -> bool {
        matches!(self, Self::Shadow)
    }
}
