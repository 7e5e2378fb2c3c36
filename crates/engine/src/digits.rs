//! Numbers as text, appended digit by digit: an audit line has a dozen of them, and the formatter of the standard library
//! costs more than all the rest of a line.

/// Appends `value` in decimal, with zeros before it up to `width` digits.
pub(crate) fn push_decimal(out: &mut String, value: u64, width: usize) {
    const MOST: usize = 20;
    let mut digits = [0_u8; MOST];
    let mut rest = value;
    let mut count = 0;
    for place in digits.iter_mut().rev() {
        if rest == 0 && count >= width.max(1) {
            break;
        }
        *place = (rest % 10) as u8 | b'0';
        rest /= 10;
        count = count.saturating_add(1);
    }
    let start = MOST.saturating_sub(count);
    push_ascii(out, digits.get(start..).unwrap_or_default());
}

/// Appends the lowest `digits` hexadecimal digits of `value`, in lower case.
pub(crate) fn push_hex(out: &mut String, value: u64, digits: u32) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut letters = [0_u8; 16];
    let mut rest = value;
    for letter in letters.iter_mut().rev() {
        *letter = HEX.get((rest & 0xf) as usize).copied().unwrap_or(b'0');
        rest >>= 4;
    }
    let start = 16_usize.saturating_sub(digits as usize);
    push_ascii(out, letters.get(start..).unwrap_or_default());
}

/// At once: character by character each would ask for room.
fn push_ascii(out: &mut String, ascii: &[u8]) {
    if let Ok(text) = str::from_utf8(ascii) {
        out.push_str(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_the_formatter_says() {
        let powers = (0..20).map(|power| 10_u64.pow(power));
        for value in powers
            .flat_map(|power| [power - 1, power, power + 1])
            .chain([u64::MAX])
        {
            for width in 0..=20 {
                let mut text = String::new();
                push_decimal(&mut text, value, width);
                assert_eq!(text, format!("{value:0width$}"), "{value} {width}");
            }
            let mut text = String::new();
            push_hex(&mut text, value, 16);
            assert_eq!(text, format!("{value:016x}"));
            text.clear();
            push_hex(&mut text, value, 4);
            assert_eq!(text, format!("{:04x}", value & 0xffff));
        }
    }
}
