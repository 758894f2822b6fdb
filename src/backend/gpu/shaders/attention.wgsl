// Scaled dot-product attention: a workgroup makes one head of one row, which attends to the rows of its text. The weights
// are made 64 at a time, each time by the largest one so far, so a text may have any length.

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
var<workgroup> weights: array<f32, 64>;
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
    var largest = LOWEST;
    var total = 0.0;
    var sums = vec4<f32>();
    for (var start = 0u; start < count; start += LANES) {
        workgroupBarrier();
        var logit = LOWEST;
        if (start + lane < count) {
            let key = (first + start + lane) * stride + params.width + head;
            var sum = 0.0;
            for (var i = 0u; i < params.depth; i++) {
                sum += query[i] * qkv[key + i];
            }
            logit = params.scale * sum;
        }
        partial[lane] = logit;
        workgroupBarrier();
        for (var half = LANES / 2u; half > 0u; half /= 2u) {
            if (lane < half) {
                partial[lane] = max(partial[lane], partial[lane + half]);
            }
            workgroupBarrier();
        }
        let top = max(largest, partial[0]);
        let shrink = exponential(max(largest - top, -87.0));
        largest = top;
        let here = min(LANES, count - start);
        weights[lane] = select(0.0, exponential(max(logit - top, -87.0)), lane < here);
        workgroupBarrier();
        total *= shrink;
        sums *= shrink;
        for (var other = 0u; other < here; other++) {
            let weight = weights[other];
            total += weight;
            let value = (first + start + other) * stride + 2u * params.width + head;
            for (var i = 0u; i < 4u; i++) {
                if (i * LANES + lane < params.depth) {
                    sums[i] += weight * qkv[value + i * LANES + lane];
                }
            }
        }
    }
    for (var i = 0u; i < 4u; i++) {
        if (i * LANES + lane < params.depth) {
            out[row * params.width + head + i * LANES + lane] = sums[i] / total;
        }
    }
}
