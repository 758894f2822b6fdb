//! What a layer reads, in two numbers for each pair of inputs: their means and their covariance.

use candle_core::{Device, Result, Tensor};

/// Rows that are multiplied at once.
const ROWS: usize = 2048;

/// Running sums over the rows that a layer reads.
#[derive(Clone, Debug)]
pub(super) struct Moments {
    width: usize,
    rows: usize,
    sums: Vec<f64>,
    products: Vec<f64>,
    waiting: Vec<f32>,
}

impl Moments {
    /// Of no rows yet, for layers with so many inputs.
    pub fn new(width: usize) -> Self {
        Moments {
            width,
            rows: 0,
            sums: vec![0.0; width],
            products: vec![0.0; width * width],
            waiting: Vec::new(),
        }
    }

    /// Inputs of a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Adds rows of inputs, one after another.
    ///
    /// # Errors
    /// Those of candle.
    pub fn add(&mut self, rows: &[f32]) -> Result<()> {
        self.waiting.extend_from_slice(rows);
        if self.waiting.len() >= ROWS * self.width { self.multiply() } else { Ok(()) }
    }

    fn multiply(&mut self) -> Result<()> {
        let rows = self.waiting.len() / self.width.max(1);
        if rows == 0 {
            return Ok(());
        }
        for row in self.waiting.chunks_exact(self.width) {
            self.sums.iter_mut().zip(row).for_each(|(sum, &x)| *sum += f64::from(x));
        }
        let x = Tensor::from_vec(std::mem::take(&mut self.waiting), (rows, self.width), &Device::Cpu)?;
        let products = x.t()?.matmul(&x)?.flatten_all()?.to_vec1::<f32>()?;
        self.products.iter_mut().zip(products).for_each(|(sum, x)| *sum += f64::from(x));
        self.rows += rows;
        Ok(())
    }

    /// The mean of each input, and the covariance `[width, width]`; `None` of no rows.
    ///
    /// # Errors
    /// Those of candle.
    pub fn finish(mut self) -> Result<Option<(Vec<f64>, Vec<f64>)>> {
        self.multiply()?;
        if self.rows == 0 {
            return Ok(None);
        }
        let rows = self.rows as f64;
        let means: Vec<f64> = self.sums.iter().map(|sum| sum / rows).collect();
        let mut covariance = self.products;
        for (row, &mean) in covariance.chunks_exact_mut(self.width).zip(&means) {
            row.iter_mut().zip(&means).for_each(|(x, other)| *x = *x / rows - mean * other);
        }
        Ok(Some((means, covariance)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_and_covariance_of_rows_in_any_portions() -> Result<()> {
        assert!(Moments::new(2).finish()?.is_none());
        let mut moments = Moments::new(2);
        // x from 0 to 4999, y = 3 - 2 x, in rows of two.
        let rows: Vec<f32> =
            (0..5000).flat_map(|i| [i as f32 / 1000.0, 3.0 - 2.0 * i as f32 / 1000.0]).collect();
        for some in rows.chunks(2 * 700) {
            moments.add(some)?;
        }
        let (means, covariance) = moments.finish()?.expect("there were rows");
        let variance = (5000.0_f64 * 5000.0 - 1.0) / 12.0 / 1e6;
        for (found, expected) in means.iter().chain(&covariance).zip([
            2.4995,
            -1.999,
            variance,
            -2.0 * variance,
            -2.0 * variance,
            4.0 * variance,
        ]) {
            assert!((found - expected).abs() < 1e-3, "{found} for {expected}");
        }
        Ok(())
    }
}
