//! Dropout's masks for a GPU. Drawing millions of numbers on the CPU and copying them over costs several times what all else in a
//! step does, and candle's generator on a GPU can only be seeded by making it anew. So a long row of kept and dropped
//! elements is drawn once and stays on the device; each mask is a part of it that begins at a random place. Where it begins comes
//! from the [`NoiseSource`] of the step: a resumed training has the very same masks, and every device has the same.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use candle_core::{DType, Device, Result, Tensor};

use super::NoiseSource;

/// The shortest row: some steps of a small encoder.
const SHORTEST: usize = 1 << 24;
/// What the rows are drawn from: masks are random by where they begin.
const SEED: u64 = 0x6d61_736b_7321;

/// Rows of kept and dropped elements on one device, one for each probability and type of number.
#[derive(Debug)]
pub struct MaskBank {
    device: Device,
    shortest: usize,
    rows: Mutex<HashMap<(u64, DType), Tensor>>,
}

impl MaskBank {
    /// Nothing is drawn yet.
    pub fn new(device: &Device) -> Self {
        MaskBank { device: device.clone(), shortest: SHORTEST, rows: Mutex::default() }
    }

    /// A mask in the shape and the numbers of `x`: each element `1 / (1 - p)` with probability `1 - p`, else 0.
    ///
    /// # Errors
    /// Those of candle.
    pub fn mask(&self, x: &Tensor, p: f64, noise: &NoiseSource) -> Result<Tensor> {
        let len = x.elem_count();
        // Chosen by `len` alone, so that a mask does not depend on which ones were asked for before. A longer row begins with
        // the shorter one.
        let row = (2 * len).next_power_of_two().max(self.shortest);
        let start = (noise.next_u64() % (row - len + 1) as u64) as usize;
        self.row(row, p, x.dtype())?.narrow(0, start, len)?.reshape(x.shape())
    }

    fn row(&self, len: usize, p: f64, dtype: DType) -> Result<Tensor> {
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(row) = rows.get(&(p.to_bits(), dtype))
            && row.elem_count() >= len
        {
            return Ok(row.clone());
        }
        let drawn = NoiseSource::new(SEED).keep_mask(len, p);
        let row = Tensor::from_vec(drawn, len, &self.device)?.to_dtype(dtype)?;
        rows.insert((p.to_bits(), dtype), row.clone());
        Ok(row)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::layers::{Mode, dropout};

    fn bank() -> MaskBank {
        MaskBank { shortest: 1 << 12, ..MaskBank::new(&Device::Cpu) }
    }

    fn ones(len: usize) -> Result<Tensor> {
        Tensor::ones(len, DType::F32, &Device::Cpu)
    }

    #[test]
    fn a_mask_follows_from_the_noise_and_not_from_what_came_before() -> Result<()> {
        let noise = NoiseSource::new(3);
        let bank = bank();
        let mask = |bank: &MaskBank, len: usize, noise: &NoiseSource| bank.mask(&ones(len)?, 0.2, noise);
        let (first, state) = (mask(&bank, 100, &noise)?.to_vec1::<f32>()?, noise.state());
        let second = mask(&bank, 100, &noise)?.to_vec1::<f32>()?;
        assert_ne!(first, second);
        mask(&bank, 5000, &noise)?; // Makes the row longer.
        assert_eq!(mask(&bank, 100, &NoiseSource::new(state))?.to_vec1::<f32>()?, second);
        assert_eq!(mask(&self::bank(), 100, &NoiseSource::new(state))?.to_vec1::<f32>()?, second);
        Ok(())
    }

    #[test]
    fn a_share_of_p_is_dropped_forward_and_backward() -> Result<()> {
        let noise = NoiseSource::new(7).with_masks(Some(Arc::new(bank())));
        let x = candle_core::Var::from_tensor(&ones(40_000)?)?;
        for p in [0.1, 0.5] {
            let y = dropout(&x, p, Mode::Train(&noise))?;
            let values = y.to_vec1::<f32>()?;
            let share = values.iter().filter(|&&y| y == 0.0).count() as f64 / values.len() as f64;
            assert!((share - p).abs() < 5.0 * (p * (1.0 - p) / 4e4).sqrt(), "{share} for {p}");
            let kept = (1.0 / (1.0 - p)) as f32;
            assert!(values.iter().all(|&y| y == 0.0 || y == kept));
            let gradients = y.sum_all()?.backward()?;
            assert_eq!(gradients.get(&x).expect("a gradient").to_vec1::<f32>()?, values);
        }
        Ok(())
    }

    /// Two masks of one step must not be the same, nor one the other moved by a little.
    #[test]
    fn masks_of_one_step_have_nothing_to_do_with_each_other() -> Result<()> {
        let (noise, bank) = (NoiseSource::new(1), bank());
        let masks: Vec<Vec<f32>> =
            (0..8).map(|_| bank.mask(&ones(1000)?, 0.5, &noise)?.to_vec1()).collect::<Result<_>>()?;
        for (i, a) in masks.iter().enumerate() {
            for b in &masks[..i] {
                let same = a.iter().zip(b).filter(|(a, b)| a == b).count() as f64;
                assert!((same - 500.0).abs() < 5.0 * 250f64.sqrt(), "{same} of 1000");
            }
        }
        Ok(())
    }
}
