//! Dropout whose noise can be saved and resumed, unlike the device's own generator.

use std::sync::{Arc, Mutex};

use candle_core::{Result, Tensor};

use super::{
    fused::{Fused, Gradient, Op, can_fuse},
    graft::graft1,
    mask_bank::MaskBank,
    real::Real,
};

/// A seedable stream of uniform numbers (SplitMix64, Steele et al. 2014). Its whole state is one `u64`, so a
/// checkpoint can hold it and a resumed training goes on with the very same noise.
#[derive(Debug)]
pub struct NoiseSource {
    state: Mutex<u64>,
    bank: Option<Arc<MaskBank>>,
}

impl NoiseSource {
    /// A stream that starts at `state`.
    pub fn new(state: u64) -> Self {
        NoiseSource { state: Mutex::new(state), bank: None }
    }

    /// Takes dropout's masks from a bank: the stream then says where in it, and not each of their numbers.
    pub fn with_masks(self, bank: Option<Arc<MaskBank>>) -> Self {
        NoiseSource { bank, ..self }
    }

    /// What [`NoiseSource::new`] needs to go on from here.
    pub fn state(&self) -> u64 {
        *self.lock()
    }

    /// Goes on from another state.
    pub fn set_state(&self, state: u64) {
        *self.lock() = state;
    }

    /// The next number, uniform over all of `u64`.
    pub fn next_u64(&self) -> u64 {
        split_mix(&mut self.lock())
    }

    /// The next number, uniform in `0.0..1.0`.
    pub fn next_f32(&self) -> f32 {
        (self.next_u64() >> 40) as f32 / (1u64 << 24) as f32
    }

    /// `len` values, each `1 / (1 - p)` with probability `1 - p` and 0 otherwise.
    pub fn keep_mask(&self, len: usize, p: f64) -> Vec<f32> {
        let drop_below = (p * f64::from(u32::MAX)) as u32;
        let scale = (1.0 / (1.0 - p)) as f32;
        let mut state = self.lock();
        let mut mask = Vec::with_capacity(len + 1);
        while mask.len() < len {
            let bits = split_mix(&mut state);
            for half in [bits as u32, (bits >> 32) as u32] {
                mask.push(if half < drop_below { 0.0 } else { scale });
            }
        }
        mask.truncate(len);
        mask
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, u64> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// What a forward pass is for.
#[derive(Clone, Copy, Debug)]
pub enum Mode<'a> {
    /// To answer: no dropout, BatchNorm with its running statistics.
    Infer,
    /// To learn: dropout draws from the noise, BatchNorm uses the batch (layers that are not frozen).
    Train(&'a NoiseSource),
}

impl Mode<'_> {
    /// Whether this is [`Mode::Train`].
    pub fn is_train(self) -> bool {
        matches!(self, Mode::Train(_))
    }
}

/// In training, zeroes each element with probability `p` and scales the rest by `1 / (1 - p)` (Srivastava et al.
/// 2014); otherwise the input.
///
/// # Errors
/// Those of candle.
pub fn dropout(x: &Tensor, p: f64, mode: Mode<'_>) -> Result<Tensor> {
    match mode {
        Mode::Train(noise) if p > 0.0 && can_fuse(x) && noise.bank.is_none() => {
            x.contiguous()?.apply_op1(Op(Masked(noise.keep_mask(x.elem_count(), p))))
        }
        _ => match mask(x, p, mode)? {
            Some(mask) => {
                let value = (x.detach() * &mask)?;
                graft1("dropout", x, value, move |gradient| Ok([Some((gradient * &mask)?)]))
            }
            None => Ok(x.clone()),
        },
    }
}

/// What training multiplies a tensor like `x` by, if it does: from the bank of the noise, where it has one, or drawn here.
pub(super) fn mask(x: &Tensor, p: f64, mode: Mode<'_>) -> Result<Option<Tensor>> {
    let Mode::Train(noise) = mode else { return Ok(None) };
    if p == 0.0 {
        return Ok(None);
    }
    if let Some(bank) = &noise.bank {
        return bank.mask(x, p, noise).map(Some);
    }
    let mask = Tensor::from_vec(noise.keep_mask(x.elem_count(), p), x.shape(), x.device())?;
    mask.to_dtype(x.dtype()).map(Some)
}

/// The product with a mask that is a constant: the composed form would compute a gradient for it too.
struct Masked(Vec<f32>);

impl Masked {
    fn of<T: Real>(&self, x: &[T]) -> Vec<T> {
        x.iter().zip(&self.0).map(|(&x, &kept)| x * T::from_f32(kept)).collect()
    }
}

impl Fused<1> for Masked {
    const NAME: &'static str = "dropout";

    fn forward<T: Real>(&self, [x]: [&[T]; 1]) -> Vec<T> {
        self.of(x)
    }

    fn backward<T: Real>(&self, _: [&[T]; 1], _: &[T], gradient: &[T]) -> [Gradient<T>; 1] {
        [Gradient::Of(self.of(gradient))]
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};

    use super::*;

    fn ones() -> Result<Tensor> {
        Tensor::ones((100, 1000), DType::F32, &Device::Cpu)
    }

    fn values(x: &Tensor) -> Result<Vec<f32>> {
        x.flatten_all()?.to_vec1()
    }

    #[test]
    fn a_share_of_p_is_zero_and_the_mean_stays() -> Result<()> {
        for p in [0.1, 0.5, 0.9] {
            let dropped = values(&dropout(&ones()?, p, Mode::Train(&NoiseSource::new(7)))?)?;
            let len = dropped.len() as f64;
            let zeros = dropped.iter().filter(|&&x| x == 0.0).count() as f64 / len;
            let mean = dropped.iter().copied().map(f64::from).sum::<f64>() / len;
            // Five standard deviations of a share and of a mean of so many.
            assert!((zeros - p).abs() < 5.0 * (p * (1.0 - p) / len).sqrt(), "{zeros} for {p}");
            assert!((mean - 1.0).abs() < 5.0 * (p / (1.0 - p) / len).sqrt(), "{mean} for {p}");
            let kept = (1.0 / (1.0 - p)) as f32;
            assert!(dropped.iter().all(|&x| x == 0.0 || x == kept), "what is kept is scaled");
        }
        Ok(())
    }

    #[test]
    fn the_noise_decides_and_goes_on() -> Result<()> {
        let noise = NoiseSource::new(1);
        let drop = |noise: &NoiseSource| values(&dropout(&ones()?, 0.5, Mode::Train(noise))?);
        let (first, state) = (drop(&noise)?, noise.state());
        let second = drop(&noise)?;
        assert_ne!(first, second, "each call draws anew");
        assert_eq!(second, drop(&NoiseSource::new(state))?, "a saved state goes on with the same noise");
        assert_ne!(first, drop(&NoiseSource::new(2))?);
        Ok(())
    }

    #[test]
    fn without_training_or_probability_nothing_is_dropped() -> Result<()> {
        let noise = NoiseSource::new(1);
        for (p, mode) in [(0.5, Mode::Infer), (0.0, Mode::Train(&noise))] {
            assert_eq!(values(&dropout(&ones()?, p, mode)?)?, values(&ones()?)?);
        }
        assert_eq!(noise.state(), 1, "nothing is drawn either");
        Ok(())
    }
}
