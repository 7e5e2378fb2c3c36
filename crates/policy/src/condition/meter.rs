//! The cost of a condition: bounded by a budget, whatever the token holds.
//!
//! Crate `cel` counts nothing, so the tree is rewritten before it is kept. What can be large because a claim is large is wrapped in a call
//! of [`TOLL`], which takes the value's weight off the budget and hands the value on:
//!
//! - the list that a macro runs over, times the cost of one round, before the first round;
//! - the results of `+` and `split`, which make new values;
//! - an item of an outer macro named inside an inner one, because it is then looked at in every inner round.
//!
//! Claims pay when they are handed out ([`super::claims`]). All other work is bounded by these and by the length of the condition.

use std::any::Any;
use std::sync::atomic::{AtomicU32, Ordering};

use cel::common::ast::{CallExpr, EntryExpr, Expr, IdedExpr, LiteralValue, operators};
use cel::common::types::{CelInt, CelList, CelMap, CelString, DYN_TYPE, INT_TYPE, Type};
use cel::common::value::{CowVal, StaticVal, Val};
use cel::{DeclarationError, Env, ExecutionError};

use super::BUDGET;
use crate::document::Field;

/// The function that takes the toll. No source can spell it.
const TOLL: &str = "@toll";
/// The variable that holds the budget. No source can spell it.
pub(super) const BUDGET_VARIABLE: &str = "@budget";
/// The most a condition may cost before anything depends on the token.
const MAX_FIXED_COST: u32 = 2_000;
/// Bytes of text that weigh one unit.
const BYTES_PER_UNIT: usize = 64;

/// What is left for one evaluation.
#[derive(Debug)]
pub(super) struct Budget {
    // Values must be `Sync` for crate `cel`; there is but one thread.
    left: AtomicU32,
}

impl Budget {
    pub(super) fn new(units: u32) -> Self {
        Self {
            left: AtomicU32::new(units),
        }
    }

    /// Takes units off. `None`: there were not enough, and nothing is left.
    pub(super) fn take(&self, units: u32) -> Option<()> {
        let left = self.left.load(Ordering::Relaxed).checked_sub(units);
        self.left.store(left.unwrap_or(0), Ordering::Relaxed);
        left.map(|_| ())
    }

    /// Whether nothing is left: the evaluation was cut short, or might have been.
    pub(super) fn is_spent(&self) -> bool {
        self.left.load(Ordering::Relaxed) == 0
    }
}

impl Val for Budget {
    fn get_type(&self) -> &Type {
        &DYN_TYPE
    }

    fn cel_type() -> &'static Type {
        &DYN_TYPE
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v> {
        // A copy would be money from nowhere.
        Box::new(Self::new(0))
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}

impl StaticVal for Budget {}

/// Makes the toll known.
pub(super) fn register(env: &mut Env) -> Result<(), DeclarationError> {
    env.add_overload(TOLL, "toll", vec![DYN_TYPE, DYN_TYPE, INT_TYPE], toll)
}

/// `@toll(value, @budget, factor)`: a positive factor is the cost of a round for each item, zero asks for the value's weight.
fn toll<'b, 'v>(arguments: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let refused = || ExecutionError::function_error(TOLL, "the budget is spent");
    let mut arguments = arguments.into_iter();
    let (Some(value), Some(budget), Some(factor)) =
        (arguments.next(), arguments.next(), arguments.next())
    else {
        return Err(refused());
    };
    let budget = budget.downcast_ref::<Budget>().ok_or_else(refused)?;
    let factor = factor
        .downcast_ref::<CelInt>()
        .and_then(|factor| u32::try_from(*factor.inner()).ok())
        .ok_or_else(refused)?;
    let units = match factor {
        0 => weight(value.as_ref(), BUDGET),
        _ => {
            let items = value
                .as_sizer()
                .and_then(|sizer| u32::try_from(*sizer.size().inner()).ok())
                .unwrap_or(0);
            items.saturating_add(1).saturating_mul(factor)
        }
    };
    budget.take(units).ok_or_else(refused)?;
    Ok(value)
}

/// How much a value holds, or `most` if it holds more.
fn weight(value: &dyn Val, most: u32) -> u32 {
    let mut weight = 1_u32;
    if let Some(text) = value.downcast_ref::<CelString>() {
        weight = text_weight(text.inner());
    } else if let Some(list) = value.downcast_ref::<CelList>() {
        for item in list.inner() {
            weight =
                weight.saturating_add(self::weight(item.as_ref(), most.saturating_sub(weight)));
            if weight >= most {
                break;
            }
        }
    } else if let Some(map) = value.downcast_ref::<CelMap>() {
        for (key, item) in map.inner() {
            let entry = self::weight(key.inner(), most)
                .saturating_add(self::weight(item.as_ref(), most.saturating_sub(weight)));
            weight = weight.saturating_add(entry);
            if weight >= most {
                break;
            }
        }
    }
    weight.min(most)
}

/// What a text weighs.
pub(super) fn text_weight(text: &str) -> u32 {
    u32::try_from(text.len() / BYTES_PER_UNIT)
        .unwrap_or(u32::MAX)
        .saturating_add(1)
}

/// Puts the tolls into a checked tree. A condition that costs too much with any token is reported.
pub(super) fn install(field: &Field<'_>, mut tree: IdedExpr) -> Option<IdedExpr> {
    let cost = rewrite(&mut tree, &mut Vec::new());
    if cost > MAX_FIXED_COST {
        let message =
            format!("costs {cost} steps for every request, more than the {MAX_FIXED_COST} allowed");
        field.problem_with_help(
            message,
            "shorten its lists: `x in [a, b]` is cheaper than a macro over them",
        );
        return None;
    }
    Some(tree)
}

/// Rewrites a node and what is below it. Gives the cost of evaluating it once, lists from the token counted as of one item.
///
/// `items` are the names that macros bind here, outermost first.
fn rewrite(node: &mut IdedExpr, items: &mut Vec<String>) -> u32 {
    let mut toll = false;
    let cost = match &mut node.expr {
        Expr::Ident(name) => {
            toll = items.iter().rev().skip(1).any(|item| item == name);
            0
        }
        Expr::Literal(_) | Expr::Unspecified | Expr::Struct(_) => 0,
        Expr::Select(select) => rewrite(&mut select.operand, items),
        Expr::Call(call) => {
            // A macro's own `@result + …` is looked for by its shape, and holds nothing large that isn't paid.
            let own = call.args.first().is_some_and(
                |first| matches!(&first.expr, Expr::Ident(name) if name.starts_with('@')),
            );
            toll = (call.func_name == operators::ADD && !own) || call.func_name == "split";
            let target = call
                .target
                .as_mut()
                .map_or(0, |target| rewrite(target, items));
            call.args.iter_mut().fold(target, |cost, argument| {
                cost.saturating_add(rewrite(argument, items))
            })
        }
        Expr::List(list) => list.elements.iter_mut().fold(0_u32, |cost, element| {
            cost.saturating_add(rewrite(element, items))
        }),
        Expr::Map(map) => {
            map.entries
                .iter_mut()
                .fold(0, |cost: u32, entry| match &mut entry.expr {
                    EntryExpr::MapEntry(entry) => {
                        let entry = rewrite(&mut entry.key, items)
                            .saturating_add(rewrite(&mut entry.value, items));
                        cost.saturating_add(entry)
                    }
                    EntryExpr::StructField(_) => cost,
                })
        }
        Expr::Comprehension(comprehension) => {
            let range = rewrite(&mut comprehension.iter_range, items);
            let rounds = match &comprehension.iter_range.expr {
                Expr::List(list) => u32::try_from(list.elements.len()).unwrap_or(u32::MAX),
                Expr::Map(map) => u32::try_from(map.entries.len()).unwrap_or(u32::MAX),
                _ => 1,
            };
            items.push(comprehension.iter_var.clone());
            let mut round = 0_u32;
            for part in [&mut comprehension.loop_cond, &mut comprehension.loop_step] {
                round = round.saturating_add(rewrite(part, items));
            }
            items.pop();
            let ends = rewrite(&mut comprehension.accu_init, items)
                .saturating_add(rewrite(&mut comprehension.result, items));
            let list = std::mem::take(&mut comprehension.iter_range);
            comprehension.iter_range = wrap(list, i64::from(round.max(1)));
            range
                .saturating_add(ends)
                .saturating_add(rounds.saturating_mul(round))
        }
    };
    if toll {
        let value = std::mem::take(node);
        *node = wrap(value, 0);
    }
    cost.saturating_add(1)
}

fn wrap(value: IdedExpr, factor: i64) -> IdedExpr {
    let id = value.id;
    let budget = IdedExpr {
        id,
        expr: Expr::Ident(BUDGET_VARIABLE.to_owned()),
    };
    let factor = IdedExpr {
        id,
        expr: Expr::Literal(LiteralValue::Int(CelInt::from(factor))),
    };
    let call = CallExpr {
        func_name: TOLL.to_owned(),
        target: None,
        args: vec![value, budget, factor],
    };
    IdedExpr {
        id,
        expr: Expr::Call(call),
    }
}
