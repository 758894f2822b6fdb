// Word, position and token type 0 of each token, summed: a number a thread.

struct Params {
    rows: u32,
    width: u32,
    // Words of a row of the table.
    words: u32,
    // Workgroups side by side.
    line: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
// The id and the position of each token.
@group(0) @binding(1) var<storage, read> tokens: array<vec2<u32>>;
@group(0) @binding(2) var<storage, read> table: array<u32>;
@group(0) @binding(3) var<storage, read> scale: array<f32>;
// Position plus token type 0.
@group(0) @binding(4) var<storage, read> positions: array<f32>;
@group(0) @binding(5) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(64)
fn embed(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let index = (group.y * params.line + group.x) * 64u + lane;
    let row = index / params.width;
    if (row >= params.rows) {
        return;
    }
    let column = index % params.width;
    let token = tokens[row];
    let word = table[token.x * params.words + column / 4u];
    let level = i32(word << (24u - 8u * (column % 4u))) >> 24u;
    out[index] = f32(level) * scale[token.x] + positions[token.y * params.width + column];
}
