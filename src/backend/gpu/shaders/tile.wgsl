// A tile of an integer matrix product, for the shaders that load its sides each in a way of its own.
//
// A workgroup makes 32 rows by 32 columns, a thread 4 by 4 of them. Words hold four levels or weights; eight words in
// depth of both sides lie in the workgroup's memory at a time.

const TILE = 32u;
const CHUNK = 8u;

// Four rows or columns in each vector, word by word.
var<workgroup> left: array<vec4<u32>, 64>;
var<workgroup> right: array<vec4<u32>, 64>;

// A row of a thread's sums each.
struct Sums {
    first: vec4<i32>,
    second: vec4<i32>,
    third: vec4<i32>,
    fourth: vec4<i32>,
}

fn dots(a: u32, b: vec4<u32>) -> vec4<i32> {
    return vec4<i32>(dot4(a, b.x), dot4(a, b.y), dot4(a, b.z), dot4(a, b.w));
}

// Adds the products of a chunk, of which each thread of the workgroup brings a word of four rows and one of four columns.
fn add_chunk(before: Sums, lane: u32, rows: vec4<u32>, columns: vec4<u32>) -> Sums {
    let place = lane % CHUNK * 8u + lane / CHUNK;
    left[place] = rows;
    right[place] = columns;
    workgroupBarrier();
    var sums = before;
    for (var i = 0u; i < CHUNK; i++) {
        let a = left[i * 8u + lane / 8u];
        let b = right[i * 8u + lane % 8u];
        sums.first += dots(a.x, b);
        sums.second += dots(a.y, b);
        sums.third += dots(a.z, b);
        sums.fourth += dots(a.w, b);
    }
    // Nobody writes the next chunk before all have read this one.
    workgroupBarrier();
    return sums;
}
