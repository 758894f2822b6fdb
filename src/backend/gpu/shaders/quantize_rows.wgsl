// Each row to 7-bit levels by its own smallest and largest number: a workgroup a row.

struct Params {
    rows: u32,
    width: u32,
    // Words of a row of levels.
    words: u32,
    // Workgroups side by side.
    line: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> levels: array<u32>;
// Scale and zero point of each row.
@group(0) @binding(3) var<storage, read_write> quantizations: array<vec2<f32>>;

const LANES = 64u;

// The smallest and the largest number.
var<workgroup> partial: array<vec2<f32>, 64>;

@compute @workgroup_size(64)
fn quantize_rows(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let row = group.y * params.line + group.x;
    if (row >= params.rows) {
        return;
    }
    let start = row * params.width;
    var ends = vec2<f32>();
    for (var i = lane; i < params.width; i += LANES) {
        let y = x[start + i];
        ends = vec2<f32>(min(ends.x, y), max(ends.y, y));
    }
    partial[lane] = ends;
    workgroupBarrier();
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        if (lane < half) {
            let a = partial[lane];
            let b = partial[lane + half];
            partial[lane] = vec2<f32>(min(a.x, b.x), max(a.y, b.y));
        }
        workgroupBarrier();
    }
    ends = partial[0];
    var scale = (ends.y - ends.x) * 0.007874016;
    var zero = 0.0;
    // The smallest normal number.
    if (scale > 1.1754944e-38) {
        zero = clamp(round(-ends.x / scale), 0.0, 127.0);
    } else {
        scale = 1.0;
    }
    if (lane == 0u) {
        quantizations[row] = vec2<f32>(scale, zero);
    }
    let inverse = 1.0 / scale;
    for (var word = lane; word < params.words; word += LANES) {
        var four = 0u;
        for (var i = 0u; i < 4u; i++) {
            let column = 4u * word + i;
            if (column < params.width) {
                four |= u32(round(clamp(x[start + column] * inverse + zero, 0.0, 127.0))) << (8u * i);
            }
        }
        levels[row * params.words + word] = four;
    }
}
