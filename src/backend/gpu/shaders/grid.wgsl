// Grids of levels without weights: what pixels become, the maximum of windows, and the two ends of squeeze and
// excitation. A word, four channels of a cell, a thread.

struct Params {
    // Words to make, or, of the squeeze, to read into four means each.
    words: u32,
    // Words of a cell.
    in_words: u32,
    channels: u32,
    in_side: u32,
    out_side: u32,
    // Workgroups side by side.
    line: u32,
    scale: f32,
    zero: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
// Levels; bytes of RGB, of the pixels.
@group(0) @binding(1) var<storage, read> input: array<u32>;
// Logits of the channels; for pixels, the two levels of each value of each channel.
@group(0) @binding(2) var<storage, read> other: array<u32>;
@group(0) @binding(3) var<storage, read_write> out: array<u32>;

fn unpack(word: u32) -> vec4<u32> {
    return vec4<u32>(word, word >> 8u, word >> 16u, word >> 24u) & vec4<u32>(255u);
}

fn pack(levels: vec4<u32>) -> u32 {
    return levels.x | (levels.y << 8u) | (levels.z << 16u) | (levels.w << 24u);
}

fn thread(group: vec3<u32>, lane: u32) -> u32 {
    return (group.y * params.line + group.x) * 64u + lane;
}

fn pixel(at: u32, channel: u32) -> u32 {
    let byte = 3u * at + channel;
    return other[256u * channel + ((input[byte / 4u] >> (8u * (byte % 4u))) & 255u)];
}

// Two words a pixel: the first level of the three channels, then the second.
@compute @workgroup_size(64)
fn pixels(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let index = thread(group, lane);
    if (2u * index >= params.words) {
        return;
    }
    let red = pixel(index, 0u);
    let green = pixel(index, 1u);
    let blue = pixel(index, 2u);
    out[2u * index] = pack(vec4<u32>(red & 255u, green & 255u, blue & 255u, red >> 8u));
    out[2u * index + 1u] = pack(vec4<u32>(green >> 8u, blue >> 8u, 0u, 0u));
}

// The 3x3 maximum of stride 2 and padding 1.
@compute @workgroup_size(64)
fn max_pool(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let index = thread(group, lane);
    if (index >= params.words) {
        return;
    }
    let word = index % params.in_words;
    let cell = index / params.in_words;
    let x = cell % params.out_side;
    let y = cell / params.out_side % params.out_side;
    let picture = cell / (params.out_side * params.out_side) * params.in_side * params.in_side;
    var largest = vec4<u32>();
    for (var row = max(2u * y, 1u) - 1u; row < min(2u * y + 2u, params.in_side); row++) {
        for (var column = max(2u * x, 1u) - 1u; column < min(2u * x + 2u, params.in_side); column++) {
            let at = picture + row * params.in_side + column;
            largest = max(largest, unpack(input[at * params.in_words + word]));
        }
    }
    out[index] = pack(largest);
}

// The mean of four channels over the cells of a picture, as real numbers.
@compute @workgroup_size(64)
fn squeeze(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let index = thread(group, lane);
    if (index >= params.words) {
        return;
    }
    let word = index % params.in_words;
    let picture = index / params.in_words;
    let cells = params.in_side * params.in_side;
    var sums = vec4<u32>();
    for (var cell = 0u; cell < cells; cell++) {
        sums += unpack(input[(picture * cells + cell) * params.in_words + word]);
    }
    let count = f32(cells);
    let means = (vec4<f32>(sums) - count * params.zero) / count * params.scale;
    for (var i = 0u; i < 4u; i++) {
        if (4u * word + i < params.channels) {
            out[picture * params.channels + 4u * word + i] = bitcast<u32>(means[i]);
        }
    }
}

// Each channel times the hard sigmoid of its logit.
@compute @workgroup_size(64)
fn excite(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let index = thread(group, lane);
    if (index >= params.words) {
        return;
    }
    let word = index % params.in_words;
    let picture = index / (params.in_words * params.in_side * params.in_side);
    let levels = vec4<f32>(unpack(input[index]));
    var gates = vec4<f32>();
    for (var i = 0u; i < 4u; i++) {
        if (4u * word + i < params.channels) {
            let logit = bitcast<f32>(other[picture * params.channels + 4u * word + i]);
            gates[i] = clamp(logit + 3.0, 0.0, 6.0) * 0.16666667;
        }
    }
    out[index] = pack(vec4<u32>(round(clamp((levels - params.zero) * gates + params.zero, vec4<f32>(), vec4<f32>(127.0)))));
}
