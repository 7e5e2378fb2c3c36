//! Conditions: CEL, checked when the policy is compiled.
