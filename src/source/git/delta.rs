//! Deltas: an object told as copies out of another one and new bytes (`gitformat-pack(5)`).

use std::ops::Range;

use super::ObjectError;

/// A delta's declared sizes, and where its instructions begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sizes {
    pub(super) base: u64,
    pub(super) result: u64,
    instructions: usize,
}

/// Reads the two sizes at the start of `delta`.
pub(super) fn sizes(delta: &[u8]) -> Result<Sizes, ObjectError> {
    let mut at = 0;
    let base = size(delta, &mut at)?;
    let result = size(delta, &mut at)?;
    Ok(Sizes {
        base,
        result,
        instructions: at,
    })
}

fn size(delta: &[u8], at: &mut usize) -> Result<u64, ObjectError> {
    let mut value = 0_u64;
    for shift in (0..63).step_by(7) {
        let byte = *delta.get(*at).ok_or_else(cut)?;
        *at += 1;
        value |= u64::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(ObjectError::Corrupt("size in a delta"))
}

fn cut() -> ObjectError {
    ObjectError::Corrupt("delta is cut short")
}

/// Builds the object: applies `delta` to `base` and fills `output`, whose length must be the
/// result size that `sizes` gave.
pub(super) fn apply(
    base: &[u8],
    delta: &[u8],
    sizes: Sizes,
    output: &mut [u8],
) -> Result<(), ObjectError> {
    run(base, delta, sizes, output, |_, _| {})
}

/// As [`apply`], and sets `changed` to the stretches of the result that did not come from the base
/// in one piece: new bytes as ranges, the seam between two copies as an empty range. The first
/// and the last byte of the object count as seams where they were not first or last in the base.
/// The ranges are in order and do not touch.
pub(super) fn apply_changed(
    base: &[u8],
    delta: &[u8],
    sizes: Sizes,
    output: &mut [u8],
    changed: &mut Changed,
) -> Result<(), ObjectError> {
    changed.ranges.clear();
    changed.resumes.clear();
    let mut source = 0;
    run(base, delta, sizes, output, |at, piece| match piece {
        Piece::New(length) => {
            changed.add(at..at + length, base.len());
            // Whatever is copied next stands beside new bytes, not beside its old neighbour: the
            // seam is already covered by their range.
        }
        Piece::Copy(from, length) => {
            if from != source {
                changed.add(at..at, base.len());
            }
            changed.resume(at, from);
            source = from + length;
        }
    })?;
    if source != base.len() {
        changed.add(output.len()..output.len(), base.len());
    }
    Ok(())
}

/// What is new in an object that was made from a base.
#[derive(Debug, Default)]
pub(super) struct Changed {
    /// The stretches.
    pub(super) ranges: Vec<Range<usize>>,
    /// For each of them, where in the base the copying goes on behind it: at its end if nothing follows.
    pub(super) resumes: Vec<usize>,
}

impl Changed {
    #[inline]
    fn add(&mut self, range: Range<usize>, resumes: usize) {
        match self.ranges.last_mut() {
            Some(last) if last.end == range.start => last.end = range.end,
            _ => {
                self.ranges.push(range);
                self.resumes.push(resumes);
            }
        }
    }

    /// What follows the place `at` of the object stands at `from` in the base.
    #[inline]
    fn resume(&mut self, at: usize, from: usize) {
        if let (Some(last), Some(resumes)) = (self.ranges.last(), self.resumes.last_mut())
            && last.end == at
        {
            *resumes = from;
        }
    }
}

/// A delta of which this much is made is first run dry: a few bytes can declare any size.
const TRUSTED: u64 = 1 << 20;

/// Refuses a delta whose instructions do not make the size that it declares, before memory is set
/// aside for it.
pub(super) fn check(base: &[u8], delta: &[u8], sizes: Sizes) -> Result<(), ObjectError> {
    if sizes.result <= TRUSTED {
        return Ok(());
    }
    let (mut at, mut made) = (sizes.instructions, 0_u64);
    while let Some(&code) = delta.get(at) {
        at += 1;
        if code & 0x80 == 0 {
            at += usize::from(code);
            made += u64::from(code);
            continue;
        }
        let (from, length) = copy_arguments(delta, code, &mut at)?;
        if from + length > base.len() {
            return Err(ObjectError::Corrupt("delta copies from outside its base"));
        }
        made += length as u64;
    }
    if made != sizes.result {
        return Err(ObjectError::Corrupt("delta does not make what it says"));
    }
    Ok(())
}

enum Piece {
    /// So many new bytes.
    New(usize),
    /// From this place in the base, so many bytes.
    Copy(usize, usize),
}

fn run(
    base: &[u8],
    delta: &[u8],
    sizes: Sizes,
    output: &mut [u8],
    mut seen: impl FnMut(usize, Piece),
) -> Result<(), ObjectError> {
    let over = || ObjectError::Corrupt("delta makes more than it says");
    if sizes.base != base.len() as u64 {
        return Err(ObjectError::Corrupt("delta is for another base"));
    }
    let (mut at, mut done) = (sizes.instructions, 0);
    while let Some(&code) = delta.get(at) {
        at += 1;
        if code & 0x80 != 0 {
            let (from, length) = copy_arguments(delta, code, &mut at)?;
            if base.len() < from + length {
                return Err(ObjectError::Corrupt("delta copies from outside its base"));
            }
            put(output, done, &base[from..], length).ok_or_else(over)?;
            seen(done, Piece::Copy(from, length));
            done += length;
        } else if code != 0 {
            let length = usize::from(code);
            let bytes = delta.get(at..).filter(|bytes| bytes.len() >= length);
            put(output, done, bytes.ok_or_else(cut)?, length).ok_or_else(over)?;
            seen(done, Piece::New(length));
            at += length;
            done += length;
        } else {
            return Err(ObjectError::Corrupt("unknown instruction in a delta"));
        }
    }
    if done != output.len() {
        return Err(ObjectError::Corrupt("delta makes less than it says"));
    }
    Ok(())
}

/// As many bytes are copied by a few instructions; fewer take as long.
const FEW: usize = 32;

/// Copies the first `length` bytes of `source` to `output[at..]`; `None` where there is no room.
/// Most pieces are short: what follows them is copied along, for it is overwritten next.
#[inline]
fn put(output: &mut [u8], at: usize, source: &[u8], length: usize) -> Option<()> {
    let (few, room) = (source.get(..FEW), output.get_mut(at..at + FEW));
    match (few, room) {
        (Some(few), Some(room)) if length <= FEW => room.copy_from_slice(few),
        _ => output
            .get_mut(at..at + length)?
            .copy_from_slice(&source[..length]),
    }
    Some(())
}

/// Offset (up to 32 bits) and length (up to 24 bits; 0 means 65,536) of a copy.
#[inline]
fn copy_arguments(delta: &[u8], code: u8, at: &mut usize) -> Result<(usize, usize), ObjectError> {
    let (mut from, mut length) = (0_usize, 0_usize);
    for bit in 0..7 {
        if code & (1 << bit) == 0 {
            continue;
        }
        let byte = usize::from(*delta.get(*at).ok_or_else(cut)?);
        *at += 1;
        if bit < 4 {
            from |= byte << (8 * bit);
        } else {
            length |= byte << (8 * (bit - 4));
        }
    }
    Ok((from, if length == 0 { 0x1_0000 } else { length }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(base: &[u8], delta: &[u8]) -> (Vec<u8>, Vec<Range<usize>>) {
        let sizes = sizes(delta).expect("sizes");
        let mut output = vec![0; sizes.result as usize];
        let mut changed = Changed::default();
        apply_changed(base, delta, sizes, &mut output, &mut changed).expect("a good delta");
        for (number, (range, &from)) in changed.ranges.iter().zip(&changed.resumes).enumerate() {
            let next = changed.ranges.get(number + 1);
            let copied = &output[range.end..next.map_or(output.len(), |next| next.start)];
            assert!(base[from..].starts_with(copied));
        }
        let mut plain = vec![0; sizes.result as usize];
        apply(base, delta, sizes, &mut plain).expect("a good delta");
        assert_eq!(plain, output);
        (output, changed.ranges)
    }

    #[test]
    fn pieces_of_every_length_are_copied() {
        let base: Vec<u8> = (0..200).collect();
        for length in 1..=100_u8 {
            for from in [0, 1, 99] {
                let mut delta = vec![200, 1, ((2 * length) & 0x7F) | 0x80, length >> 6];
                delta.extend([0x91, from, length, length]);
                delta.extend((0..length).map(|at| !at));
                let (text, _) = changed(&base, &delta);
                let copied = &base[usize::from(from)..usize::from(from + length)];
                let new: Vec<u8> = (0..length).map(|at| !at).collect();
                assert_eq!(text, [copied, &new].concat());
            }
        }
    }

    #[test]
    fn new_bytes_and_seams_are_told() {
        let base = b"0123456789";
        // copy 0..4, insert "ab", copy 4..10
        let (text, ranges) = changed(base, &[10, 12, 0x90, 4, 2, b'a', b'b', 0x91, 4, 6]);
        assert_eq!(text, b"0123ab456789");
        assert!(ranges.iter().eq([&(4..6)]));
        // copy 0..4, copy 6..10: a deletion leaves a seam
        let (text, ranges) = changed(base, &[10, 8, 0x90, 4, 0x91, 6, 4]);
        assert_eq!(text, b"01236789");
        assert!(ranges.iter().eq([&(4..4)]));
        // two copies that adjoin in the base are one piece
        let (text, ranges) = changed(base, &[10, 10, 0x90, 4, 0x91, 4, 6]);
        assert_eq!((&text[..], ranges), (&base[..], vec![]));
        // the base's first and last bytes are gone
        let (text, ranges) = changed(base, &[10, 4, 0x91, 3, 4]);
        assert_eq!((&text[..], ranges), (&b"3456"[..], vec![0..0, 4..4]));
    }

    #[test]
    fn a_seam_that_new_bytes_hide_is_still_told() {
        let base = b"0123456789";
        // insert "x", copy 0..10: the base's first byte is no longer first
        let (_, ranges) = changed(base, &[10, 11, 1, b'x', 0x90, 10]);
        assert_eq!(ranges, vec![0..1]);
        // copy 0..10, insert "x"
        let (_, ranges) = changed(base, &[10, 11, 0x90, 10, 1, b'x']);
        assert_eq!(ranges, vec![10..11]);
    }

    #[test]
    fn lies_are_refused() {
        let base = b"0123456789";
        let refused = |delta: &[u8]| {
            let Ok(sizes) = sizes(delta) else { return true };
            let mut output = vec![0; sizes.result as usize];
            apply(base, delta, sizes, &mut output).is_err()
        };
        for delta in [
            &[][..],
            &[10],
            &[9, 1, 1, b'a'],
            &[10, 1, 0],
            &[10, 1, 2, b'a', b'b'],
            &[10, 5, 1, b'a'],
            &[10, 5, 0x91, 8, 5],
            &[10, 5, 0x91, 8],
            &[10, 5, 5, b'a'],
            &[0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
        ] {
            assert!(refused(delta), "{delta:?}");
        }
    }
}
