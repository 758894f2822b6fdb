// A linear layer with int8 weights over rows of 7-bit levels: `x W^T + b`, then an activation. The sums are exact.

struct Params {
    rows: u32,
    outputs: u32,
    // Words of a row.
    depth: u32,
    // 0 none, 1 GELU, 2 GELU of GPT-2, 3 ReLU.
    activation: u32,
}

struct Column {
    // Sum of the output's weights.
    sum: i32,
    scale: f32,
    bias: f32,
    unused: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<u32>;
// Scale and zero point of each row.
@group(0) @binding(2) var<storage, read> quantizations: array<vec2<f32>>;
@group(0) @binding(3) var<storage, read> weights: array<u32>;
@group(0) @binding(4) var<storage, read> columns: array<Column>;
@group(0) @binding(5) var<storage, read_write> out: array<f32>;

fn level(row: u32, word: u32) -> u32 {
    if (row < params.rows && word < params.depth) {
        return x[row * params.depth + word];
    }
    return 0u;
}

fn weight(column: u32, word: u32) -> u32 {
    if (word < params.depth) {
        return weights[column * params.depth + word];
    }
    return 0u;
}

// The distribution function of the normal distribution, by the CPU's polynomial.
fn normal_cdf(x: f32) -> f32 {
    let held = clamp(x, -5.0, 5.0);
    let t = (held * held) * 0.08 - 1.0;
    let t2 = t * t;
    let t4 = t2 * t2;
    let first = (0.14136374 - 0.07029854 * t) + (0.051526137 - 0.040385555 * t) * t2;
    let second = (0.031346146 - 0.023659071 * t) + (0.016957995 - 0.010101483 * t) * t2;
    let third = (0.005030713 - 0.0039251 * t) + (0.0032418487 - 0.0010968335 * t) * t2;
    return 0.5 + held * (first + (second + third * t4) * t4);
}

fn activate(x: f32) -> f32 {
    switch params.activation {
        case 1u: {
            return x * normal_cdf(x);
        }
        case 2u: {
            return x / (1.0 + exponential(-1.5957692 * (x + 0.044715 * x * x * x)));
        }
        case 3u: {
            return max(x, 0.0);
        }
        default: {
            return x;
        }
    }
}

fn write(row: u32, column: u32, sums: vec4<i32>) {
    if (row >= params.rows) {
        return;
    }
    let quantization = quantizations[row];
    let zero = i32(quantization.y);
    for (var i = 0u; i < 4u; i++) {
        if (column + i < params.outputs) {
            let c = columns[column + i];
            let y = f32(sums[i] - zero * c.sum) * (quantization.x * c.scale) + c.bias;
            out[row * params.outputs + column + i] = activate(y);
        }
    }
}

@compute @workgroup_size(64)
fn linear(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let row = group.x * TILE;
    let column = group.y * TILE;
    let word = lane % CHUNK;
    let r = row + 4u * (lane / CHUNK);
    let c = column + 4u * (lane / CHUNK);
    var sums = Sums();
    for (var start = 0u; start < params.depth; start += CHUNK) {
        let k = start + word;
        let a = vec4<u32>(level(r, k), level(r + 1u, k), level(r + 2u, k), level(r + 3u, k));
        let b = vec4<u32>(weight(c, k), weight(c + 1u, k), weight(c + 2u, k), weight(c + 3u, k));
        sums = add_chunk(sums, lane, a, b);
    }
    let down = row + 4u * (lane / 8u);
    let across = column + 4u * (lane % 8u);
    write(down, across, sums.first);
    write(down + 1u, across, sums.second);
    write(down + 2u, across, sums.third);
    write(down + 3u, across, sums.fourth);
}
