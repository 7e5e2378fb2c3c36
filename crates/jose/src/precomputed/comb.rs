//! Combs: a fixed point times a scalar by table look-ups, so that hardly any doublings are left.
//!
//! The bits of a scalar stand in `teeth` rows of `blocks * span` columns. A table holds, for every block, the sums of the
//! rows' weights with every choice of signs; a column is then one look-up and one addition, and only the columns inside
//! of a block cost doublings (Lim and Lee, "More flexible exponentiation with precomputation", 1994). Digits are signs
//! and never zero (Hedabou, Pinel and Bénéteau, 2005): that halves the tables.
//!
//! Variable time: signatures, messages and public keys are no secrets.

/// A group whose additions have no exceptional cases.
pub(crate) trait Group {
    /// An element as sums are kept.
    type Point: Copy;
    /// An element as tables keep it.
    type Entry: Copy;
    /// About how long an addition takes in a wasm engine, in nanoseconds; a tabled element costs half as much again.
    const ADDITION_NANOS: u64;

    fn identity() -> Self::Point;
    fn double(point: &Self::Point) -> Self::Point;
    fn add(left: &Self::Point, right: &Self::Point) -> Self::Point;
    fn subtract(left: &Self::Point, right: &Self::Point) -> Self::Point;
    fn add_entry(left: &Self::Point, right: &Self::Entry) -> Self::Point;
    fn subtract_entry(left: &Self::Point, right: &Self::Entry) -> Self::Point;
    /// The form that tables keep, of many at once.
    fn keep(points: &[Self::Point]) -> Vec<Self::Entry>;
}

/// How a comb cuts scalars.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    teeth: usize,
    blocks: usize,
    span: usize,
}

/// The finished table of one point.
pub(crate) struct Comb<G: Group> {
    shape: Shape,
    /// The point itself, for even scalars.
    point: G::Entry,
    entries: Vec<G::Entry>,
}

/// A table in the making, a step at a time.
pub(crate) struct Growing<G: Group> {
    shape: Shape,
    point: G::Point,
    /// The weights of rows and blocks: the point times 2^(span · index).
    weights: Vec<G::Point>,
    entries: Vec<G::Entry>,
}

impl Shape {
    /// A comb for scalars of up to `teeth * blocks * span` bits.
    pub(crate) const fn new(teeth: usize, blocks: usize, span: usize) -> Self {
        Self {
            teeth,
            blocks,
            span,
        }
    }

    const fn bits(self) -> usize {
        self.weights().saturating_mul(self.span)
    }

    const fn weights(self) -> usize {
        self.teeth.saturating_mul(self.blocks)
    }

    /// The sign of the last row is that of the whole entry, so it needs no place in the index.
    const fn free_rows(self) -> usize {
        self.teeth.saturating_sub(1)
    }

    /// Entries of one block.
    const fn block_entries(self) -> usize {
        1_usize << self.free_rows()
    }

    /// Entries of a whole table.
    pub(crate) const fn entries(self) -> usize {
        self.block_entries().saturating_mul(self.blocks)
    }
}

/// Words that hold the signs of the longest scalars, P-521's.
const WORDS: usize = 9;

/// A scalar as signs: bit `i` set says `+2^i`, else `-2^i`; all in all the scalar with its lowest bit set.
struct Signs {
    bits: [u64; WORDS],
    is_even: bool,
}

impl Signs {
    /// Of a little-endian scalar below `2^bits`, with `bits` at most 575.
    ///
    /// For an odd `k` the signs are the bits of `(k + 2^bits - 1) / 2`, which is `k / 2` with bit `bits - 1` set.
    fn of(scalar: &[u8], bits: usize) -> Self {
        let mut words = [0_u64; WORDS];
        let (whole, rest) = scalar.as_chunks::<8>();
        let mut last = [0; 8];
        for (place, byte) in last.iter_mut().zip(rest) {
            *place = *byte;
        }
        for (word, bytes) in words.iter_mut().zip(whole.iter().chain([&last])) {
            *word = u64::from_le_bytes(*bytes);
        }
        let mut halved = [0_u64; WORDS];
        let mut above = 0;
        for (half, word) in halved.iter_mut().zip(words).rev() {
            *half = (word >> 1) | (above << 63);
            above = word & 1;
        }
        let top = bits.saturating_sub(1);
        if let Some(word) = halved.get_mut(top / 64) {
            *word |= 1 << (top % 64);
        }
        Self {
            bits: halved,
            is_even: above == 0,
        }
    }

    fn is_positive(&self, index: usize) -> bool {
        self.bits
            .get(index / 64)
            .is_some_and(|word| (word >> (index % 64)) & 1 == 1)
    }

    /// The entry of a block for this column of it, and whether it is to be added.
    fn digit(&self, shape: Shape, block: usize, column: usize) -> (usize, bool) {
        let first = block.saturating_mul(shape.span).saturating_add(column);
        let row_length = shape.blocks.saturating_mul(shape.span);
        let mut index = 0;
        let mut place = first;
        for row in 0..shape.free_rows() {
            index |= usize::from(self.is_positive(place)) << row;
            place = place.saturating_add(row_length);
        }
        if self.is_positive(place) {
            (index, true)
        } else {
            let mask = shape.block_entries().saturating_sub(1);
            (!index & mask, false)
        }
    }
}

/// The sum of points times scalars, each little-endian and within the bits of its comb. `None` never happens: tables are
/// complete before they are used.
pub(crate) fn sum<G: Group>(terms: &[(&Comb<G>, &[u8])]) -> Option<G::Point> {
    let signs: Vec<Signs> = terms
        .iter()
        .map(|(comb, scalar)| Signs::of(scalar, comb.shape.bits()))
        .collect();
    let span = terms.iter().map(|(comb, _)| comb.shape.span).max()?;
    let mut sum = G::identity();
    for column in (0..span).rev() {
        if column.saturating_add(1) < span {
            sum = G::double(&sum);
        }
        for ((comb, _), signs) in terms.iter().zip(&signs) {
            let shape = comb.shape;
            if column >= shape.span {
                continue;
            }
            for (block, entries) in comb.entries.chunks(shape.block_entries()).enumerate() {
                let (index, is_positive) = signs.digit(shape, block, column);
                let entry = entries.get(index)?;
                sum = if is_positive {
                    G::add_entry(&sum, entry)
                } else {
                    G::subtract_entry(&sum, entry)
                };
            }
        }
    }
    for ((comb, _), signs) in terms.iter().zip(&signs) {
        if signs.is_even {
            sum = G::subtract_entry(&sum, &comb.point);
        }
    }
    Some(sum)
}

impl<G: Group> Growing<G> {
    pub(crate) fn new(shape: Shape, point: G::Point) -> Self {
        Self {
            shape,
            point,
            weights: Vec::new(),
            entries: Vec::new(),
        }
    }

    /// What the finished table takes, in bytes.
    pub(crate) const fn bytes(&self) -> usize {
        let elements = self.shape.entries().saturating_add(1);
        elements.saturating_mul(size_of::<G::Entry>())
    }

    /// About how long the next step takes, in nanoseconds. `None`: there is nothing left to do.
    pub(crate) fn next_cost(&self) -> Option<u64> {
        let operations = if self.weights.len() < self.shape.weights() {
            self.shape.span
        } else if self.entries.len() < self.shape.entries() {
            self.shape.block_entries().saturating_mul(3) / 2
        } else {
            return None;
        };
        let operations = u64::try_from(operations).unwrap_or(u64::MAX);
        Some(operations.saturating_mul(G::ADDITION_NANOS))
    }

    /// Does one step.
    pub(crate) fn step(&mut self) {
        if self.weights.len() < self.shape.weights() {
            self.add_weight();
        } else if self.entries.len() < self.shape.entries() {
            self.entries
                .reserve_exact(self.shape.entries().saturating_sub(self.entries.len()));
            // Never `None`: the weights are complete, and a block has its entries.
            self.add_block();
        }
    }

    fn add_weight(&mut self) {
        let weight = match self.weights.last() {
            None => self.point,
            Some(last) => (0..self.shape.span).fold(*last, |point, _| G::double(&point)),
        };
        self.weights.push(weight);
    }

    fn add_block(&mut self) -> Option<()> {
        let block = self.entries.len().checked_div(self.shape.block_entries())?;
        let rows: Vec<G::Point> = self
            .weights
            .iter()
            .skip(block)
            .step_by(self.shape.blocks)
            .copied()
            .collect();
        let (last, free) = rows.split_last()?;
        let lowest = free.iter().fold(*last, |sum, row| G::subtract(&sum, row));
        let mut sums = Vec::with_capacity(self.shape.block_entries());
        sums.push(lowest);
        for row in free {
            let twice = G::double(row);
            for index in 0..sums.len() {
                let without = sums.get(index)?;
                sums.push(G::add(without, &twice));
            }
        }
        self.entries.extend(G::keep(&sums));
        Some(())
    }

    /// The table, if it is complete.
    pub(crate) fn finish(self) -> Option<Comb<G>> {
        let is_complete = self.entries.len() == self.shape.entries();
        let point = G::keep(&[self.point]).first().copied()?;
        is_complete.then_some(Comb {
            shape: self.shape,
            point,
            entries: self.entries,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The integers: whatever a comb does wrong, it does wrong here too.
    struct Integers;

    #[expect(clippy::arithmetic_side_effects, reason = "small numbers")]
    impl Group for Integers {
        type Point = i128;
        type Entry = i128;
        const ADDITION_NANOS: u64 = 1;

        fn identity() -> i128 {
            0
        }
        fn double(point: &i128) -> i128 {
            point * 2
        }
        fn add(left: &i128, right: &i128) -> i128 {
            left + right
        }
        fn subtract(left: &i128, right: &i128) -> i128 {
            left - right
        }
        fn add_entry(left: &i128, right: &i128) -> i128 {
            left + right
        }
        fn subtract_entry(left: &i128, right: &i128) -> i128 {
            left - right
        }
        fn keep(points: &[i128]) -> Vec<i128> {
            points.to_vec()
        }
    }

    fn comb(shape: Shape, point: i128) -> Comb<Integers> {
        let mut growing = Growing::new(shape, point);
        while growing.next_cost().is_some() {
            growing.step();
        }
        growing.finish().unwrap()
    }

    fn scalar(value: u64) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&value.to_le_bytes());
        bytes
    }

    #[test]
    fn every_small_scalar_in_every_shape() {
        for (teeth, blocks, span) in [
            (1, 1, 12),
            (2, 3, 2),
            (3, 2, 2),
            (4, 1, 3),
            (6, 2, 1),
            (12, 1, 1),
        ] {
            let comb = comb(Shape::new(teeth, blocks, span), 7);
            for value in 0..4096 {
                assert_eq!(
                    sum(&[(&comb, &scalar(value))]),
                    Some(7 * i128::from(value)),
                    "{value}"
                );
            }
        }
    }

    #[test]
    fn combs_of_different_shapes_share_their_doublings() {
        let (wide, narrow) = (
            comb(Shape::new(4, 2, 8), 1),
            comb(Shape::new(5, 3, 4), 1_000_003),
        );
        for (a, b) in [
            (0, 0),
            (1, 0),
            (0, 1),
            (2, 3),
            (u32::MAX, 77_777),
            (40_000, u32::MAX),
        ] {
            let (first, second) = (scalar(a.into()), scalar(b.into()));
            let terms = [(&wide, &first[..]), (&narrow, &second[..])];
            let expected = i128::from(a) + i128::from(b) * 1_000_003;
            assert_eq!(sum(&terms), Some(expected), "{a} {b}");
        }
    }

    #[test]
    fn the_signs_of_a_full_scalar_are_that_scalar() {
        let signs = Signs::of(&[0xff; 32], 264);
        // 2^256 - 1 halved, then bit 263.
        assert_eq!(
            signs.bits,
            [
                u64::MAX,
                u64::MAX,
                u64::MAX,
                u64::MAX >> 1,
                1 << 7,
                0,
                0,
                0,
                0
            ]
        );
        assert!(!signs.is_even);
        assert!(Signs::of(&scalar(6), 8).is_even);
        // P-521: 66 bytes, the last of which has one bit.
        let mut longest = [0xff; 66];
        longest[65] = 1;
        let signs = Signs::of(&longest, 528);
        assert_eq!(signs.bits[..8], [u64::MAX; 8]);
        assert_eq!(signs.bits[8], 0xff | 1 << 15);
    }

    #[test]
    fn an_unfinished_table_is_no_table() {
        let mut growing = Growing::<Integers>::new(Shape::new(3, 2, 2), 1);
        for _ in 0..7 {
            assert!(growing.next_cost().is_some());
            growing.step();
        }
        assert!(growing.finish().is_none());
    }
}
