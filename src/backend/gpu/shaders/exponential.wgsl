// e^x as the CPU computes it: Cody and Waite's reduction, Taylor to the seventh power. A GPU's own exp may be off by far
// more than that.

fn exponential(x: f32) -> f32 {
    let held = clamp(x, -87.0, 88.0);
    let n = round(held * 1.442695);
    let r = (held - n * 0.693359375) - n * -0.00021219444;
    let r2 = r * r;
    let low = 0.5 + 0.16666667 * r;
    let middle = 0.041666668 + 0.008333334 * r;
    let high = 0.0013888889 + 0.0001984127 * r;
    let p = (low + middle * r2) + high * (r2 * r2);
    return (p * r2 + r + 1.0) * bitcast<f32>(u32(i32(n) + 127) << 23u);
}
