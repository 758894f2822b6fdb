// LayerNorm of each row of `x`, or of `x` and what is added to it, in place: a workgroup a row. Sums are added up in the
// CPU's order, eight of them side by side: a level that lies on a border is then the CPU's level.

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

var<workgroup> partial: array<f32, 8>;

fn sum_of_partial() -> f32 {
    return ((partial[0] + partial[4]) + (partial[2] + partial[6])) + ((partial[1] + partial[5]) + (partial[3] + partial[7]));
}

@compute @workgroup_size(64)
fn layer_norm(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let row = group.y * params.line + group.x;
    if (row >= params.rows) {
        return;
    }
    let start = row * params.width;
    let count = f32(params.width);
    if (params.has_residual != 0u) {
        for (var i = lane; i < params.width; i += LANES) {
            x[start + i] += added[start + i];
        }
    }
    storageBarrier();
    workgroupBarrier();
    if (lane < 8u) {
        var sum = 0.0;
        for (var i = lane; i < params.width; i += 8u) {
            sum += x[start + i];
        }
        partial[lane] = sum;
    }
    workgroupBarrier();
    let mean = sum_of_partial() / count;
    workgroupBarrier();
    if (lane < 8u) {
        var sum = 0.0;
        for (var i = lane; i < params.width; i += 8u) {
            let distance = x[start + i] - mean;
            sum += distance * distance;
        }
        partial[lane] = sum;
    }
    workgroupBarrier();
    let variance = sum_of_partial() / count;
    let scale = 1.0 / sqrt(variance + params.eps);
    for (var i = lane; i < params.width; i += LANES) {
        let parameter = parameters[i];
        x[start + i] = (x[start + i] - mean) * scale * parameter.x + parameter.y;
    }
}
