//! Many rows in parts: on the CPU at the same time, one a core. A GPU gets one part after the other: it computes all of a part at
//! once anyway, holds one part in its memory and not one a core, and cuBLAS asks that threads do not share its handle.

use anyhow::Result;
use candle_core::Device;
use rayon::prelude::*;

/// What `work` makes of each `len` of `items` on `device`, in their order.
///
/// # Errors
/// The first of `work`.
pub fn in_parts<T: Sync, R: Send>(
    device: &Device,
    items: &[T],
    len: usize,
    work: impl Fn(&[T]) -> Result<R> + Sync,
) -> Result<Vec<R>> {
    each(device.is_cpu(), items, len, work)
}

fn each<T: Sync, R: Send>(
    at_the_same_time: bool,
    items: &[T],
    len: usize,
    work: impl Fn(&[T]) -> Result<R> + Sync,
) -> Result<Vec<R>> {
    match at_the_same_time {
        true => items.par_chunks(len).map(&work).collect(),
        false => items.chunks(len).map(&work).collect(),
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use anyhow::ensure;

    use super::*;

    #[test]
    fn the_order_is_kept_and_an_error_is_told() {
        let numbers: Vec<usize> = (0..100).collect();
        for at_the_same_time in [true, false] {
            let parts = each(at_the_same_time, &numbers, 7, |part| Ok(part.to_vec()));
            assert_eq!(parts.expect("no error").concat(), numbers);
            let told = each(at_the_same_time, &numbers, 7, |part| {
                ensure!(!part.contains(&50), "fifty");
                Ok(())
            });
            assert_eq!(told.expect_err("one is wrong").to_string(), "fifty");
        }
    }

    #[test]
    fn a_gpu_is_asked_by_one_thread() {
        let threads = each(false, &[0; 64], 1, |_| Ok(thread::current().id())).expect("no error");
        assert!(threads.iter().all(|id| *id == thread::current().id()));
    }
}
