// Scaled dot-product attention: a workgroup makes one head of one row, which attends to the rows of its text, at most 1024.
// Sums are added up in the CPU's order.

struct Params {
    width: u32,
    heads: u32,
    // Numbers of a head.
    depth: u32,
    scale: f32,
    rows: u32,
    // Workgroups side by side.
    line: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> qkv: array<f32>;
// The first row of a row's text, and how many it has.
@group(0) @binding(2) var<storage, read> texts: array<vec2<u32>>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

const LANES = 64u;
// Below every logit.
const LOWEST = -3.0e38;

var<workgroup> query: array<f32, 256>;
var<workgroup> weights: array<f32, 1024>;
var<workgroup> partial: array<f32, 64>;

@compute @workgroup_size(64)
fn attend(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let index = group.y * params.line + group.x;
    let row = index / params.heads;
    if (row >= params.rows) {
        return;
    }
    let head = index % params.heads * params.depth;
    let stride = 3u * params.width;
    let first = texts[row].x;
    let count = texts[row].y;
    for (var i = lane; i < params.depth; i += LANES) {
        query[i] = qkv[row * stride + head + i];
    }
    workgroupBarrier();
    var largest = LOWEST;
    for (var other = lane; other < count; other += LANES) {
        let key = (first + other) * stride + params.width + head;
        var sum = 0.0;
        for (var i = 0u; i < params.depth; i++) {
            sum += query[i] * qkv[key + i];
        }
        weights[other] = params.scale * sum;
        largest = max(largest, weights[other]);
    }
    partial[lane] = largest;
    workgroupBarrier();
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        if (lane < half) {
            partial[lane] = max(partial[lane], partial[lane + half]);
        }
        workgroupBarrier();
    }
    largest = partial[0];
    for (var other = lane; other < count; other += LANES) {
        weights[other] = exponential(weights[other] - largest);
    }
    workgroupBarrier();
    if (lane < 8u) {
        var sum = 0.0;
        for (var other = lane; other < count; other += 8u) {
            sum += weights[other];
        }
        partial[lane] = sum;
    }
    workgroupBarrier();
    let total = ((partial[0] + partial[4]) + (partial[2] + partial[6])) + ((partial[1] + partial[5]) + (partial[3] + partial[7]));
    let factor = 1.0 / total;
    for (var i = lane; i < params.depth; i += LANES) {
        var sum = 0.0;
        for (var other = 0u; other < count; other++) {
            sum += weights[other] * qkv[(first + other) * stride + 2u * params.width + head + i];
        }
        out[row * params.width + head + i] = factor * sum;
    }
}
