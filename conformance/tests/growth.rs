//! What a request costs does not grow with routes, issuers or cached tokens: by fuel, which is the same on every
//! machine. `cargo xtask bench growth` measures more sizes, and time.

use anyhow::Result;
use portcullis_conformance::growth::{Direction, Mint, Scale, World, spread};
use portcullis_conformance::wasm;

/// How much dearer the dearest size may be than the cheapest.
const FLAT: f64 = 1.10;

fn check(direction: Direction, sizes: [usize; 2]) -> Result<()> {
    let module = wasm::compile()?;
    let [_, largest] = sizes;
    let wanted = |of| if direction == of { largest } else { 1 };
    let mint = Mint::new(wanted(Direction::Issuers), wanted(Direction::Tokens))?;
    for conditions in [false, true] {
        let costs = |size| -> Result<(f64, f64)> {
            let scale = Scale {
                direction,
                size,
                conditions,
            };
            let mut world = World::build(module, scale, &mint)?;
            Ok((world.warm_fuel(64)? as f64, world.first_seen() as f64))
        };
        let [few, many] = sizes;
        let ((few_warm, few_first), (many_warm, many_first)) = (costs(few)?, costs(many)?);
        let told = format!(
            "conditions: {conditions}; fuel of a warm and of a first request with {few} {name}: {few_warm}, {few_first}; \
             with {many}: {many_warm}, {many_first}",
            name = direction.name()
        );
        assert!(spread([few_warm, many_warm]) <= FLAT, "{told}");
        // A cache that does not hold the tokens would be flat too.
        assert!(many_warm * 5.0 < many_first, "{told}");
        let first_is_flat = match direction {
            // One token, so one signature. What is left is how routes are looked at, which is little beside a signature.
            Direction::Routes => (many_first - few_first).abs() <= few_warm * (FLAT - 1.0),
            // What is prepared for each key has its bounds: with many issuers a signature may cost more than with few.
            Direction::Issuers => true,
            Direction::Tokens => spread([few_first, many_first]) <= FLAT,
        };
        assert!(first_is_flat, "{told}");
    }
    Ok(())
}

#[test]
fn routes() {
    check(Direction::Routes, [1, 1000]).unwrap();
}

#[test]
fn issuers() {
    check(Direction::Issuers, [1, 200]).unwrap();
}

#[test]
fn cached_tokens() {
    check(Direction::Tokens, [10, 1000]).unwrap();
}
