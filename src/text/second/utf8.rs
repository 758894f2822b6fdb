//! One character out of bytes that come one by one.

/// The character whose UTF-8 `byte(0)`, `byte(1)`, .. give, and how many bytes it takes; `None` when they give none.
pub(super) fn read(byte: impl Fn(usize) -> Option<u8>) -> Option<(char, usize)> {
    let first = byte(0)?;
    let len = match first {
        0..=0x7f => 1,
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return None,
    };
    let mut bytes = [first, 0, 0, 0];
    for (i, slot) in bytes.iter_mut().enumerate().take(len).skip(1) {
        *slot = byte(i)?;
    }
    let text = std::str::from_utf8(bytes.get(..len)?).ok()?;
    text.chars().next().map(|c| (c, len))
}
