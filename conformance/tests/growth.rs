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
    let issuers = if direction == Direction::Issuers {
        largest
    } else {
        1
    };
    let tokens = if direction == Direction::Tokens {
        largest
    } else {
        1
    };
    let mint = Mint::new(issuers, tokens)?;
    for conditions in [false, true] {
        let mut warm = Vec::new();
        let mut first = Vec::new();
        for size in sizes {
            let scale = Scale {
                direction,
                size,
                conditions,
            };
            let mut world = World::build(&module, scale, &mint)?;
            first.push(world.first_seen() as f64);
            warm.push(world.warm_fuel(64)? as f64);
        }
        assert!(
            spread(warm.clone()) <= FLAT,
            "{}, conditions {conditions}: a warm request costs {warm:?} fuel at {sizes:?}",
            direction.name()
        );
        // What is prepared for each key has its bounds, so with many issuers a signature may cost more than with few.
        assert!(
            direction == Direction::Issuers || spread(first.clone()) <= FLAT,
            "{}, conditions {conditions}: a first request costs {first:?} fuel at {sizes:?}",
            direction.name()
        );
        // A cache that does not hold the tokens would be flat too.
        assert!(
            warm.iter()
                .zip(&first)
                .all(|(warm, first)| warm * 5.0 < *first),
            "{warm:?} is not warm beside {first:?}"
        );
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
