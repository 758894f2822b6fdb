"""ICC profiles written by hand: matrices with curves, gray ones, tables."""

import struct

D50 = (0.9642, 1.0, 0.8249)
BRADFORD = [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
D65 = (0.3127, 0.3290)

# White, red, green, blue.
SPACES = {
    "srgb": (D65, (0.64, 0.33), (0.30, 0.60), (0.15, 0.06)),
    "p3": (D65, (0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
    "adobe": (D65, (0.64, 0.33), (0.21, 0.71), (0.15, 0.06)),
    "prophoto": ((0.3457, 0.3585), (0.7347, 0.2653), (0.1596, 0.8404), (0.0366, 0.0001)),
    "rec2020": (D65, (0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
}


def times(a, b):
    return [[sum(a[i][k] * b[k][j] for k in range(3)) for j in range(len(b[0]))] for i in range(3)]


def inverse(m):
    (a, b, c), (d, e, f), (g, h, i) = m
    det = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
    rows = [
        [e * i - f * h, c * h - b * i, b * f - c * e],
        [f * g - d * i, a * i - c * g, c * d - a * f],
        [d * h - e * g, b * g - a * h, a * e - b * d],
    ]
    return [[x / det for x in row] for row in rows]


def xyz(x, y):
    return [x / y, 1.0, (1 - x - y) / y]


def to_d50(white, *primaries):
    """The matrix from linear RGB to XYZ for D50."""
    columns = [list(row) for row in zip(*(xyz(*p) for p in primaries))]
    scale = times(inverse(columns), [[v] for v in xyz(*white)])
    rgb = [[value * scale[i][0] for i, value in enumerate(row)] for row in columns]
    source, target = times(BRADFORD, [[v] for v in xyz(*white)]), times(BRADFORD, [[v] for v in D50])
    cones = [[target[i][0] / source[i][0] if i == j else 0 for j in range(3)] for i in range(3)]
    return times(times(inverse(BRADFORD), times(cones, BRADFORD)), rgb)


def fixed(value):
    return struct.pack(">i", round(value * 65536))


def gamma(value):
    return b"curv" + bytes(4) + struct.pack(">IH", 1, round(value * 256)) + b"\0\0"


def points(function, count):
    values = (round(65535 * min(1, max(0, function(i / (count - 1))))) for i in range(count))
    data = b"".join(struct.pack(">H", value) for value in values)
    return b"curv" + bytes(4) + struct.pack(">I", count) + data + b"\0\0" * (count % 2)


def parametric(kind, *numbers):
    return b"para" + bytes(4) + struct.pack(">HH", kind, 0) + b"".join(map(fixed, numbers))


def srgb_curve(x):
    return x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4


SRGB = parametric(3, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)


def profile(space, tags, meeting=b"XYZ ", kind=b"mntr"):
    """`tags` by name; equal ones are stored once."""
    tags = {b"desc": b"desc" + bytes(4) + struct.pack(">I", 5) + b"test\0" + bytes(79), b"wtpt": point(D50), **tags}
    table, data, places = b"", b"", {}
    start = 132 + 12 * len(tags)
    for name, body in tags.items():
        body += bytes(-len(body) % 4)
        if body not in places:
            places[body] = start + len(data)
            data += body
        table += name + struct.pack(">II", places[body], len(body))
    head = bytes(8) + struct.pack(">I", 0x02400000) + kind + space + meeting + bytes(12) + b"acsp" + bytes(28)
    head += b"".join(map(fixed, D50)) + bytes(48)
    body = head[4:] + struct.pack(">I", len(tags)) + table + data
    return struct.pack(">I", len(body) + 4) + body


def point(values):
    return b"XYZ " + bytes(4) + b"".join(map(fixed, values))


def rgb(space, curve):
    columns = list(zip(*to_d50(*SPACES[space])))
    tags = {name: point(column) for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), columns)}
    return profile(b"RGB ", {**tags, b"rTRC": curve, b"gTRC": curve, b"bTRC": curve})


def gray(curve):
    return profile(b"GRAY", {b"kTRC": curve})


def lab(x, y, z):
    f = lambda t: t ** (1 / 3) if t > 216 / 24389 else (24389 / 27 * t + 16) / 116
    fx, fy, fz = f(x / D50[0]), f(y / D50[1]), f(z / D50[2])
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)


def table(space, size, bits):
    """A profile of RGB to L*a*b* through a cube, as scanners have (of the first kind)."""
    matrix = to_d50(*SPACES[space])
    whole, code = (255, ">B") if bits == 8 else (65280, ">H")
    cube = b""
    for i in range(size**3):
        colour = [i // size**2, i // size % size, i % size]
        light = [[srgb_curve(value / (size - 1))] for value in colour]
        l, a, b = lab(*(row[0] for row in times(matrix, light)))
        for value in (l / 100, (a + 128) / 255, (b + 128) / 255):
            cube += struct.pack(code, max(0, min(whole, round(value * whole))))
    identity = fixed(1) + fixed(0) * 3 + fixed(1) + fixed(0) * 3 + fixed(1)
    if bits == 8:
        head = b"mft1" + bytes(4) + bytes([3, 3, size, 0]) + identity
        lines = bytes(range(256)) * 3
    else:
        head = b"mft2" + bytes(4) + bytes([3, 3, size, 0]) + identity + struct.pack(">HH", 2, 2)
        lines = struct.pack(">HH", 0, 65535) * 3
    return profile(b"RGB ", {b"A2B0": head + lines + cube + lines}, meeting=b"Lab ", kind=b"scnr")
