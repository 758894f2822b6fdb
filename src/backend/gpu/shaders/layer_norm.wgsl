// LayerNorm of each row of `x`, or of `x` and what is added to it, in place: a workgroup a row.

struct Params {
    rows: u32,
    width: u32,
    eps: f32,
    has_residual: u32,
    // Workgroups side by side.
    line: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> added: array<f32>;
// Weight and bias of each number.
@group(0) @binding(2) var<storage, read> parameters: array<vec2<f32>>;
@group(0) @binding(3) var<storage, read_write> x: array<f32>;

const LANES = 64u;

var<workgroup> partial: array<f32, 64>;

fn sum_of_lanes(lane: u32, x: f32) -> f32 {
    workgroupBarrier();
    partial[lane] = x;
    workgroupBarrier();
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        if (lane < half) {
            partial[lane] += partial[lane + half];
        }
        workgroupBarrier();
    }
    return partial[0];
}

@compute @workgroup_size(64)
fn layer_norm(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let row = group.y * params.line + group.x;
    if (row >= params.rows) {
        return;
    }
    let start = row * params.width;
    let count = f32(params.width);
    var sum = 0.0;
    for (var i = lane; i < params.width; i += LANES) {
        var y = x[start + i];
        if (params.has_residual != 0u) {
            y += added[start + i];
            x[start + i] = y;
        }
        sum += y;
    }
    let mean = sum_of_lanes(lane, sum) / count;
    var squares = 0.0;
    for (var i = lane; i < params.width; i += LANES) {
        let distance = x[start + i] - mean;
        squares += distance * distance;
    }
    let variance = sum_of_lanes(lane, squares) / count;
    let scale = 1.0 / sqrt(variance + params.eps);
    for (var i = lane; i < params.width; i += LANES) {
        let parameter = parameters[i];
        x[start + i] = (x[start + i] - mean) * scale * parameter.x + parameter.y;
    }
}
