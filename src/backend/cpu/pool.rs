//! Pooling: the maximum of windows of levels, nine comparisons a number, and the mean of rows of floats, a sum a number.

/// The 3x3 maximum of stride 2 and padding 1 over `[height, width, channels]` levels, which ResNets have after their stem.
/// Resizes `out` to `[ceil(height / 2), ceil(width / 2), channels]`.
///
/// # Panics
/// When a side is zero or `input` has another length.
pub fn max_pool(input: &[u8], height: usize, width: usize, channels: usize, out: &mut Vec<u8>) {
    assert!(height > 0 && width > 0 && input.len() == height * width * channels, "input fits its shape");
    let (out_height, out_width) = (height.div_ceil(2), width.div_ceil(2));
    // The least level is a neutral start: quantization keeps the order of the reals.
    out.clear();
    out.resize(out_height * out_width * channels, 0);
    for y in 0..out_height {
        for x in 0..out_width {
            let cell = &mut out[(y * out_width + x) * channels..][..channels];
            for iy in (2 * y).saturating_sub(1)..(2 * y + 2).min(height) {
                for ix in (2 * x).saturating_sub(1)..(2 * x + 2).min(width) {
                    for (m, &level) in cell.iter_mut().zip(&input[(iy * width + ix) * channels..][..channels])
                    {
                        *m = level.max(*m);
                    }
                }
            }
        }
    }
}

/// The mean of the rows of `x`, each as long as `out`, added up in order; zeros if there is none.
pub fn mean_rows(x: &[f32], out: &mut [f32]) {
    out.fill(0.0);
    if out.is_empty() {
        return;
    }
    let rows = x.chunks_exact(out.len());
    let scale = 1.0 / rows.len().max(1) as f32;
    for row in rows {
        for (sum, &x) in out.iter_mut().zip(row) {
            *sum += x;
        }
    }
    for sum in out {
        *sum *= scale;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_maximum_is_that_of_the_window() {
        for (height, width, channels) in [(1, 1, 3), (4, 5, 2), (7, 6, 1)] {
            let input: Vec<u8> = (0..height * width * channels).map(|i| (i * 59 % 128) as u8).collect();
            let mut out = vec![9; 3];
            max_pool(&input, height, width, channels, &mut out);
            let out_width = width.div_ceil(2);
            assert_eq!(out.len(), height.div_ceil(2) * out_width * channels);
            for (i, &m) in out.iter().enumerate() {
                let (cell, channel) = (i / channels, i % channels);
                let near = |a: usize, b: usize| (2 * a).abs_diff(b) <= 1;
                let expected = (0..height * width)
                    .filter(|p| near(cell / out_width, p / width) && near(cell % out_width, p % width))
                    .map(|p| input[p * channels + channel])
                    .max();
                assert_eq!(Some(m), expected);
            }
        }
    }

    #[test]
    fn the_mean_is_that_of_the_rows() {
        let mut mean = [9.0; 2];
        mean_rows(&[1.0, 2.0, 3.0, 6.0], &mut mean);
        assert_eq!(mean, [2.0, 4.0]);
        mean_rows(&[], &mut mean);
        assert_eq!(mean, [0.0, 0.0]);
    }
}
