// Convolutions with int8 weights over grids of 7-bit levels, and what follows their sums: bias, residual sum, activation,
// the output's own levels. The sums are exact.
//
// A word holds four channels of a cell. `dense` is a matrix product whose rows are windows, read where they lie: no copy of
// them is made. `depthwise` makes one word a thread.

struct Params {
    // Output cells of all pictures.
    cells: u32,
    out_channels: u32,
    // Words of an input cell, and of an output cell.
    in_words: u32,
    out_words: u32,
    // Words of a window.
    depth: u32,
    in_side: u32,
    out_side: u32,
    kernel: u32,
    stride: u32,
    // Padding before the first row and column, and four times the level that it has.
    padding: u32,
    around: u32,
    has_residual: u32,
    // 0 levels, 1 real numbers, 2 the sums.
    output: u32,
    hard_swish: u32,
    residual: f32,
    low: f32,
    high: f32,
    // Steps in 1 and the zero point, after a hard swish.
    factor: f32,
    zero: f32,
    // Workgroups side by side, of the depthwise one.
    line: u32,
}

struct Channel {
    // Takes the input's zero point off the sum.
    correction: i32,
    multiplier: f32,
    offset: f32,
    unused: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<u32>;
@group(0) @binding(2) var<storage, read> weights: array<u32>;
@group(0) @binding(3) var<storage, read> channels: array<Channel>;
@group(0) @binding(4) var<storage, read> added: array<u32>;
@group(0) @binding(5) var<storage, read_write> out: array<u32>;

// Where a window begins: the picture's first word, row and column.
struct Corner {
    picture: u32,
    y: i32,
    x: i32,
}

fn corner(cell: u32) -> Corner {
    let area = params.out_side * params.out_side;
    let at = cell % area;
    let padding = i32(params.padding);
    return Corner(
        cell / area * params.in_side * params.in_side * params.in_words,
        i32(at / params.out_side * params.stride) - padding,
        i32(at % params.out_side * params.stride) - padding,
    );
}

// A word of the cell `y`, `x` of a picture, or what is around it.
fn level(corner: Corner, y: u32, x: u32, word: u32) -> u32 {
    let row = corner.y + i32(y);
    let column = corner.x + i32(x);
    let side = i32(params.in_side);
    if (row < 0 || column < 0 || row >= side || column >= side) {
        return params.around;
    }
    return input[corner.picture + (u32(row) * params.in_side + u32(column)) * params.in_words + word];
}

fn unpack(word: u32) -> vec4<i32> {
    return vec4<i32>(vec4<u32>(word << 24u, word << 16u, word << 8u, word)) >> vec4<u32>(24u);
}

// Takes the sums of four channels of a cell to their output.
fn write(cell: u32, channel: u32, sums: vec4<i32>) {
    if (cell >= params.cells || channel >= params.out_channels) {
        return;
    }
    let at = cell * params.out_words + channel / 4u;
    var levels = vec4<i32>();
    if (params.has_residual != 0u) {
        levels = unpack(added[at]);
    }
    var word = 0u;
    for (var i = 0u; i < 4u; i++) {
        let c = channels[channel + i];
        let sum = sums[i] + c.correction;
        var y = f32(sum) * c.multiplier + c.offset;
        if (params.has_residual != 0u) {
            y += f32(levels[i]) * params.residual;
        }
        if (params.hard_swish != 0u) {
            y = y * (clamp(y + 3.0, 0.0, 6.0) * 0.16666667) * params.factor + params.zero;
        }
        y = clamp(y, params.low, params.high);
        if (params.output == 0u) {
            word |= u32(round(y)) << (8u * i);
        } else if (channel + i < params.out_channels) {
            let bits = select(bitcast<u32>(sum), bitcast<u32>(y), params.output == 1u);
            out[cell * params.out_channels + channel + i] = bits;
        }
    }
    if (params.output == 0u) {
        out[at] = word;
    }
}

@compute @workgroup_size(64)
fn dense(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let cell = group.x * TILE;
    let channel = group.y * TILE;
    let word = lane % CHUNK;
    let quad = 4u * (lane / CHUNK);
    let corner0 = corner(cell + quad);
    let corner1 = corner(cell + quad + 1u);
    let corner2 = corner(cell + quad + 2u);
    let corner3 = corner(cell + quad + 3u);
    var sums = Sums();
    for (var start = 0u; start < params.depth; start += CHUNK) {
        let k = start + word;
        var a = vec4<u32>();
        var b = vec4<u32>();
        if (k < params.depth) {
            let tap = k / params.in_words;
            let y = tap / params.kernel;
            let x = tap % params.kernel;
            let w = k % params.in_words;
            // Cells behind the last one read the last picture's end, and are not written.
            a = vec4<u32>(level(corner0, y, x, w), level(corner1, y, x, w), level(corner2, y, x, w), level(corner3, y, x, w));
            let c = (channel + quad) * params.depth + k;
            b = vec4<u32>(weights[c], weights[c + params.depth], weights[c + 2u * params.depth], weights[c + 3u * params.depth]);
        }
        sums = add_chunk(sums, lane, a, b);
    }
    let down = cell + 4u * (lane / 8u);
    let across = channel + 4u * (lane % 8u);
    write(down, across, sums.first);
    write(down + 1u, across, sums.second);
    write(down + 2u, across, sums.third);
    write(down + 3u, across, sums.fourth);
}

@compute @workgroup_size(64)
fn depthwise(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let index = (group.y * params.line + group.x) * 64u + lane;
    let cell = index / params.out_words;
    let word = index % params.out_words;
    if (cell >= params.cells) {
        return;
    }
    let corner = corner(cell);
    var sums = vec4<i32>();
    for (var y = 0u; y < params.kernel; y++) {
        for (var x = 0u; x < params.kernel; x++) {
            let weight = weights[(y * params.kernel + x) * params.in_words + word];
            sums += unpack(level(corner, y, x, word)) * unpack(weight);
        }
    }
    write(cell, 4u * word, sums);
}
