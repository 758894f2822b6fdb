"""PNG, GIF and BMP written by hand, since Pillow writes few of their kinds, and files that bend or break the rules."""

import struct
import zlib

SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_KINDS = {"gray": (1, 2, 4, 8, 16), "palette": (1, 2, 4, 8), "rgb": (8, 16), "gray-alpha": (8, 16), "rgba": (8, 16)}
PNG_TYPES = {"gray": 0, "rgb": 2, "palette": 3, "gray-alpha": 4, "rgba": 6}
ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def chunk(name, body):
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def chunks_of(data):
    place = 8
    while place + 8 <= len(data):
        (length,) = struct.unpack(">I", data[place : place + 4])
        yield data[place + 4 : place + 8], data[place + 8 : place + 8 + length]
        place += 12 + length


def join(chunks):
    return SIGNATURE + b"".join(chunk(name, body) for name, body in chunks)


def pack(samples, depth):
    """A row of samples as bytes."""
    if depth == 16:
        return b"".join(struct.pack(">H", value) for value in samples)
    if depth == 8:
        return bytes(samples)
    row = bytearray()
    for start in range(0, len(samples), 8 // depth):
        byte = 0
        for i, value in enumerate(samples[start : start + 8 // depth]):
            byte |= value << (8 - depth * (i + 1))
        row.append(byte)
    return bytes(row)


def filtered(rows, size, kind):
    """Each row with a filter before it: none, or all five in turn."""
    out, before = bytearray(), None
    for number, row in enumerate(rows):
        before = before if before is not None and len(before) == len(row) else bytes(len(row))
        method = number % 5 if kind else 0
        out.append(method)
        for i, value in enumerate(row):
            left = row[i - size] if i >= size else 0
            up, corner = before[i], before[i - size] if i >= size else 0
            near = left + up - corner
            paeth = min((left, up, corner), key=lambda v: abs(near - v))
            out.append((value - (0, left, up, (left + up) // 2, paeth)[method]) % 256)
        before = row
    return bytes(out)


def png(image, alpha, colour, depth, interlaced, transparent, filters):
    width, height = image.size
    most = (1 << depth) - 1
    extra = []
    wide = lambda value, x, y: value * 257 + (x * 31 + y * 17) % 97 if value < 255 else 65535
    scale = lambda value, x=0, y=0: wide(value, x, y) if depth == 16 else value * most // 255
    if colour == "palette":
        count = min(256, 1 << depth)
        image = image.quantize(max(2, count))
        colours = (image.getpalette() or []) + [0] * 768
        # A palette may be shorter than its indices could reach.
        used = max(image.getdata()) + 1
        extra.append((b"PLTE", bytes(colours[: 3 * used])))
        if transparent:
            extra.append((b"tRNS", bytes((i * 40) % 256 for i in range(max(1, used - 1)))))
        pixel = lambda x, y: [image.getpixel((x, y))]
    elif colour in ("gray", "gray-alpha"):
        gray = image.convert("L")
        pixel = lambda x, y: [scale(gray.getpixel((x, y)), x, y)]
        if transparent:
            extra.append((b"tRNS", struct.pack(">H", pixel(width // 2, height // 2)[0])))
    else:
        pixel = lambda x, y: [scale(v, x, y) for v in image.getpixel((x, y))]
        if transparent:
            extra.append((b"tRNS", struct.pack(">HHH", *pixel(width // 2, height // 2))))
    samples = pixel
    if colour.endswith("a"):
        samples = lambda x, y: pixel(x, y) + [scale(alpha.getpixel((x, y)))]
    data = b""
    channels = {"gray": 1, "palette": 1, "rgb": 3, "gray-alpha": 2, "rgba": 4}[colour]
    for x0, y0, dx, dy in ADAM7 if interlaced else [(0, 0, 1, 1)]:
        columns = range(x0, width, dx)
        if columns:
            rows = [pack([v for x in columns for v in samples(x, y)], depth) for y in range(y0, height, dy)]
            data += filtered(rows, max(1, channels * depth // 8), filters)
    header = struct.pack(">IIBBBBB", width, height, depth, PNG_TYPES[colour], 0, 0, int(interlaced))
    return join([(b"IHDR", header), *extra, (b"IDAT", zlib.compress(data)), (b"IEND", b"")])


def png_with(data, more):
    """`data` with chunks behind its header."""
    header, *rest = chunks_of(data)
    return join([header, *more, *rest])


def png_colour_chunks():
    number = lambda *values: struct.pack(f">{len(values)}I", *(round(value * 100000) for value in values))
    srgb = (0.3127, 0.3290, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
    p3 = (0.3127, 0.3290, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060)
    return {
        "gama-1.0": [(b"gAMA", number(1.0))],
        "gama-1.8": [(b"gAMA", number(1 / 1.8))],
        "gama-2.2": [(b"gAMA", number(0.45455))],
        "gama-0": [(b"gAMA", number(0))],
        "chrm-p3": [(b"cHRM", number(*p3))],
        "chrm-srgb": [(b"cHRM", number(*srgb))],
        "chrm-bad": [(b"cHRM", bytes(32)), (b"gAMA", number(1 / 1.8))],
        "gama-chrm-p3": [(b"gAMA", number(0.45455)), (b"cHRM", number(*p3))],
        "gama-srgb": [(b"gAMA", number(1.0)), (b"sRGB", b"\0")],
        "cicp-srgb": [(b"cICP", bytes([1, 13, 0, 1]))],
        "cicp-p3": [(b"cICP", bytes([12, 13, 0, 1]))],
        "cicp-2020-709": [(b"cICP", bytes([9, 1, 0, 1]))],
        "cicp-709": [(b"cICP", bytes([1, 1, 0, 1]))],
        "cicp-linear": [(b"cICP", bytes([1, 8, 0, 1]))],
        "cicp-gamma22": [(b"cICP", bytes([1, 4, 0, 1]))],
        "cicp-narrow": [(b"cICP", bytes([12, 13, 0, 0]))],
        "cicp-over-gama": [(b"cICP", bytes([12, 13, 0, 1])), (b"gAMA", number(1.0))],
        "cicp-pq": [(b"cICP", bytes([9, 16, 0, 1]))],
        "cicp-hlg": [(b"cICP", bytes([9, 18, 0, 1]))],
    }


def png_damages(photo, saved):
    image = photo(3, 90, 61)
    whole = saved(image, "PNG")
    header, *rest = chunks_of(whole)
    body = b"".join(data for name, data in rest if name == b"IDAT")
    parts = [body[i : i + 500] for i in range(0, len(body), 500)]
    many = join([header, *((b"IDAT", part) for part in parts), (b"IEND", b"")])
    flip = lambda data, place: data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :]
    damages = {"no-iend": whole[:-12], "no-last-checksum": whole[:-16], "trailing": whole + b"trailing" * 9}
    for share in (5, 20, 50, 80, 95):
        damages[f"cut-{share}"] = whole[: len(whole) * share // 100]
        damages[f"cut-many-{share}"] = many[: len(many) * share // 100]
        damages[f"flip-{share}"] = flip(whole, 60 + (len(whole) - 90) * share // 100)
        damages[f"flip-many-{share}"] = flip(many, 60 + (len(many) - 90) * share // 100)
        rgba = image.copy()
        rgba.putalpha(200)
        lace = png(image, None, "rgb", 8, True, False, 1)
        damages[f"cut-interlaced-{share}"] = lace[: len(lace) * share // 100]
    bad = lambda name, data: chunk(name, data)[:-1] + b"\0"
    behind = lambda more: SIGNATURE + chunk(*header) + more + b"".join(chunk(*c) for c in rest)
    damages["bad-crc-ancillary"] = behind(bad(b"gAMA", struct.pack(">I", 100000)))
    damages["bad-crc-header"] = SIGNATURE + bad(*header) + b"".join(chunk(*c) for c in rest)
    damages["bad-crc-idat"] = SIGNATURE + chunk(*header) + bad(b"IDAT", body) + chunk(b"IEND", b"")
    damages["bad-crc-idat-many"] = SIGNATURE + chunk(*header) + b"".join((bad if i == 3 else chunk)(b"IDAT", p) for i, p in enumerate(parts)) + chunk(b"IEND", b"")
    damages["bad-crc-iend"] = whole[:-1] + b"\0"
    damages["unknown-critical"] = behind(chunk(b"ABCD", b"1234"))
    damages["unknown-ancillary"] = behind(chunk(b"abCd", b"1234"))
    damages["unknown-critical-behind"] = join([header, (b"IDAT", body), (b"ABCD", b"1234"), (b"IEND", b"")])
    damages["idat-in-two-places"] = join([header, (b"IDAT", body[:1500]), (b"tEXt", b"a\0b"), (b"IDAT", body[1500:]), (b"IEND", b"")])
    damages["idat-empty"] = join([header, (b"IDAT", b""), (b"IDAT", body), (b"IDAT", b""), (b"IEND", b"")])
    damages["bad-adler"] = join([header, (b"IDAT", body[:-1] + b"\0"), (b"IEND", b"")])
    damages["more-rows"] = join([header, (b"IDAT", zlib.compress(zlib.decompress(body) + bytes(999))), (b"IEND", b"")])
    damages["fewer-rows"] = join([header, (b"IDAT", zlib.compress(zlib.decompress(body)[:9000])), (b"IEND", b"")])
    damages["plte-on-rgb-odd"] = behind(chunk(b"PLTE", b"1234"))
    damages["second-header"] = join([header, header, *rest])
    damages["exif-behind"] = join([header, (b"IDAT", body), (b"eXIf", b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"), (b"IEND", b"")])
    palette = list(chunks_of(png(image, None, "palette", 8, False, False, 0)))
    swap = lambda name, data: join([(n, data if n == name else b) for n, b in palette])
    plte = dict(palette)[b"PLTE"]
    damages["palette-short"] = swap(b"PLTE", plte[:90])
    damages["palette-long"] = join([(b"IHDR", struct.pack(">IIBBBBB", 8, 1, 1, 3, 0, 0, 0)), (b"PLTE", bytes(range(30))), (b"IDAT", zlib.compress(b"\0\x5a")), (b"IEND", b"")])
    damages["palette-missing"] = join([c for c in palette if c[0] != b"PLTE"])
    damages["palette-behind"] = join([palette[0], palette[2], palette[1], palette[3]])
    damages["trns-long"] = join([palette[0], palette[1], (b"tRNS", bytes(300)), *palette[2:]])
    damages["trns-before-plte"] = join([palette[0], (b"tRNS", bytes(20)), *palette[1:]])
    damages["trns-on-rgba"] = png_with(saved(rgba, "PNG"), [(b"tRNS", bytes(6))])
    damages["trns-gray-short"] = png_with(saved(image.convert("L"), "PNG"), [(b"tRNS", b"\0")])
    control = lambda number, w, h, x, y: struct.pack(">IIIIIHHBB", number, w, h, x, y, 1, 10, 0, 0)
    frame = zlib.compress(zlib.decompress(b"".join(d for n, d in chunks_of(saved(photo(5, 40, 30), "PNG")) if n == b"IDAT")))
    full = b"".join(d for n, d in chunks_of(saved(photo(5, 90, 61), "PNG")) if n == b"IDAT")
    animated = lambda frames, *more: join([header, (b"acTL", struct.pack(">II", frames, 0)), *more, (b"IEND", b"")])
    idat = (b"IDAT", body)
    number = lambda n, data: struct.pack(">I", n) + data
    damages["apng-first-is-default"] = animated(2, (b"fcTL", control(0, 90, 61, 0, 0)), idat, (b"fcTL", control(1, 90, 61, 0, 0)), (b"fdAT", number(2, full)))
    damages["apng-hidden-default"] = animated(1, idat, (b"fcTL", control(0, 90, 61, 0, 0)), (b"fdAT", number(1, full)))
    damages["apng-hidden-default-two"] = animated(2, idat, (b"fcTL", control(0, 90, 61, 0, 0)), (b"fdAT", number(1, full)), (b"fcTL", control(2, 90, 61, 0, 0)), (b"fdAT", number(3, body)))
    damages["apng-hidden-small"] = animated(1, idat, (b"fcTL", control(0, 40, 30, 20, 10)), (b"fdAT", number(1, frame)))
    damages["apng-hidden-beyond"] = animated(1, idat, (b"fcTL", control(0, 40, 30, 80, 10)), (b"fdAT", number(1, frame)))
    damages["apng-hidden-parts"] = animated(1, idat, (b"fcTL", control(0, 90, 61, 0, 0)), (b"fdAT", number(1, full[:999])), (b"fdAT", number(2, full[999:])))
    damages["apng-no-frames"] = animated(0, idat, (b"fcTL", control(0, 90, 61, 0, 0)), (b"fdAT", number(1, full)))
    damages["apng-first-smaller"] = animated(2, (b"fcTL", control(0, 40, 30, 0, 0)), idat, (b"fcTL", control(1, 90, 61, 0, 0)), (b"fdAT", number(2, full)))
    damages["apng-no-fctl"] = animated(1, idat)
    return damages


def webp_damages(photo, saved):
    image = photo(2, 90, 61)
    rgba = image.copy()
    rgba.putalpha(90)
    damages = {}
    for kind, data in {
        "lossy": saved(image, "WebP", quality=80),
        "lossless": saved(image, "WebP", lossless=True),
        "alpha": saved(rgba, "WebP", quality=80),
        "animated": saved(image, "WebP", save_all=True, append_images=[photo(4, 90, 61)], quality=80),
    }.items():
        damages[f"{kind}-trailing"] = data + b"trailing bytes"
        size = lambda value: data[:4] + struct.pack("<I", value) + data[8:]
        damages[f"{kind}-riff-large"] = size(len(data) + 900)
        damages[f"{kind}-riff-small"] = size(len(data) // 2)
        damages[f"{kind}-riff-0"] = size(0)
        for share in (10, 50, 90):
            damages[f"{kind}-cut-{share}"] = data[: len(data) * share // 100]
        damages[f"{kind}-unknown-chunk"] = data + b"ABCD\x04\0\0\0abcd"
    return damages


def lzw(indices, bits):
    """Codes of one index each, with a reset before they grow."""
    clear, end = 1 << bits, (1 << bits) + 1
    value = count = 0
    out = bytearray()

    def put(code):
        nonlocal value, count
        value |= code << count
        count += bits + 1
        while count >= 8:
            out.append(value & 255)
            value >>= 8
            count -= 8

    for i, index in enumerate(indices):
        if i % ((1 << bits) - 2) == 0:
            put(clear)
        put(index)
    put(end)
    out.append(value & 255)
    blocks = [bytes(out[i : i + 255]) for i in range(0, len(out), 255)]
    return bytes([bits]) + b"".join(bytes([len(block)]) + block for block in blocks) + b"\0"


def gif(screen, frames, palette, background=0, more=b"", version=b"89a", end=b";"):
    """`frames` of (left, top, width, height, indices, flags, own palette)."""
    out = b"GIF" + version + struct.pack("<HHBBB", *screen, 0x84 | 0x70 if palette else 0x70, background, 0) + palette + more
    for left, top, width, height, indices, flags, own in frames:
        out += b"," + struct.pack("<HHHHB", left, top, width, height, flags | (0x84 if own else 0)) + own + lzw(indices, 5)
    return out + end


def gif_oddities(photo):
    width, height = 40, 30
    image = photo(6, width, height).quantize(32)
    palette = bytes((image.getpalette() + [0] * 96)[:96])
    indices = list(image.getdata())
    frame = lambda left=0, top=0, flags=0, own=b"": (left, top, width, height, indices, flags, own)
    lace = [indices[y * width + x] for first, step in ((0, 8), (4, 8), (2, 4), (1, 2)) for y in range(first, height, step) for x in range(width)]
    control = lambda flags, index: b"!\xf9\x04" + bytes([flags, 0, 0, index]) + b"\0"
    odd = {
        "screen-0x0": gif((0, 0), [frame()], palette),
        "screen-0-offset": gif((0, 0), [frame(5, 3)], palette),
        "screen-0-wide": gif((0, 50), [frame()], palette),
        "screen-smaller": gif((20, 10), [frame()], palette),
        "screen-smaller-offset": gif((20, 10), [frame(5, 3)], palette),
        "screen-narrower": gif((20, 60), [frame()], palette),
        "screen-smaller-87": gif((20, 10), [frame(5, 3)], palette, version=b"87a"),
        "screen-larger": gif((60, 50), [frame()], palette),
        "screen-larger-offset": gif((60, 50), [frame(7, 9)], palette),
        "screen-larger-87": gif((60, 50), [frame(7, 9)], palette, version=b"87a"),
        "beyond": gif((40, 30), [frame(10, 10)], palette),
        "background": gif((60, 50), [frame(7, 9)], palette, background=3),
        "second-beyond": gif((40, 30), [frame(), frame(20, 20)], palette, more=control(0, 0)),
        "transparent": gif((60, 50), [frame(7, 9)], palette, more=control(1, 5)),
        "transparent-later-control": gif((40, 30), [frame()], palette, more=control(1, 5) + control(0, 0)),
        "transparent-comment": gif((40, 30), [frame()], palette, more=control(1, 5) + b"!\xfe\x03abc\0"),
        "interlaced": gif((40, 30), [(0, 0, width, height, lace, 0x40, b"")], palette),
        "own-palette": gif((40, 30), [frame(own=palette[::-1])], palette),
        "own-palette-only": gif((40, 30), [frame(own=palette)], b""),
        "no-palette": gif((40, 30), [frame()], b""),
        "no-trailer": gif((40, 30), [frame()], palette, end=b""),
        "trailing": gif((40, 30), [frame()], palette) + b"more" * 50,
        "stray-zeros": gif((40, 30), [frame()], palette, more=b"\0\0\0"),
        "stray-bytes": gif((40, 30), [frame()], palette, more=b"\x07"),
        "fewer-pixels": gif((40, 30), [(0, 0, width, height, indices[:700], 0, b"")], palette),
        "more-pixels": gif((40, 30), [(0, 0, width, height, indices * 2, 0, b"")], palette),
        "empty-frame": gif((40, 30), [(0, 0, 0, 0, [], 0, b""), frame()], palette),
        "no-frame": gif((40, 30), [], palette),
    }
    whole = odd["interlaced"]
    plain = gif((40, 30), [frame()], palette)
    for share in (15, 30, 60, 90):
        odd[f"cut-{share}"] = plain[: len(plain) * share // 100]
        odd[f"cut-interlaced-{share}"] = whole[: len(whole) * share // 100]
        place = 130 + (len(plain) - 140) * share // 100
        odd[f"flip-{share}"] = plain[:place] + bytes([plain[place] ^ 0xFF]) + plain[place + 1 :]
    return odd


def bmps(image, alpha):
    """(kind, data, whether Pillow is a judge)."""
    width, height = image.size
    pixels = [image.getpixel((x, y)) for y in range(height) for x in range(width)]
    alphas = list(alpha.getdata())
    rows = lambda values: [values[y * width : (y + 1) * width] for y in range(height)]
    padded = lambda row: row + bytes(-len(row) % 4)

    def file(size, bits, data, compression=0, masks=(), palette=b"", top_down=False, fields=b"", used=0, behind=b""):
        data = b"".join(data if top_down else reversed(data)) if isinstance(data, list) else data
        if size == 12:
            header = struct.pack("<IHHHH", 12, width, height, 1, bits)
        else:
            header = struct.pack("<IiiHHIIiiII", size, width, -height if top_down else height, 1, bits, compression, len(data), 2835, 2835, used, 0)
            if size > 40:
                header += struct.pack("<4I", *(list(masks) + [0] * 4)[:4])
            header = (header + fields).ljust(size, b"\0")[:size]
        if size == 40:
            header += struct.pack(f"<{len(masks)}I", *masks)
        start = 14 + len(header) + len(palette) + len(behind)
        return b"BM" + struct.pack("<IHHI", start + len(data), 0, 0, start) + header + palette + behind + data

    def word(bits, value):
        return struct.pack("<H" if bits == 16 else "<I", value)

    def masked(masks, bits):
        out = []
        for y in range(height):
            row = b""
            for x in range(width):
                value = 0
                for sample, mask in zip((*pixels[y * width + x], alphas[y * width + x]), masks):
                    if mask:
                        shift = (mask & -mask).bit_length() - 1
                        most = mask >> shift
                        value |= (sample * most + 127) // 255 << shift
                row += word(bits, value)
            out.append(padded(row))
        return out

    bgr = [padded(b"".join(bytes(p[::-1]) for p in row)) for row in rows(pixels)]
    for size in (12, 40, 52, 56, 64, 108, 124):
        yield f"24-header{size}", file(size, 24, bgr), True
    for size in (40, 108, 124):
        yield f"24-top-down{size}", file(size, 24, bgr, top_down=True), True
    for bits in (1, 2, 4, 8):
        quantized = image.quantize(1 << bits)
        colours = (quantized.getpalette() + [0] * 768)[: 3 << bits]
        entries = b"".join(bytes(colours[i : i + 3][::-1]) + b"\0" for i in range(0, len(colours), 3))
        short = b"".join(bytes(colours[i : i + 3][::-1]) for i in range(0, len(colours), 3))
        data = [padded(pack(row, bits)) for row in rows(list(quantized.getdata()))]
        used = max(quantized.getdata()) + 1
        for size in (40, 64, 108, 124):
            yield f"{bits}-header{size}", file(size, bits, data, palette=entries), bits != 2
        yield f"{bits}-core", file(12, bits, data, palette=short), bits != 2
        yield f"{bits}-used", file(40, bits, data, palette=entries[: 4 * used], used=used), bits != 2
        yield f"{bits}-short-palette", file(40, bits, data, palette=entries[: 4 * (used // 2 + 1)], used=used // 2 + 1), False
        yield f"{bits}-top-down", file(40, bits, data, palette=entries, top_down=True), bits != 2
        if bits in (4, 8):
            compression = 2 if bits == 4 else 1
            runs = run_lengths(rows(list(quantized.getdata())), bits)
            yield f"rle{bits}", file(40, bits, runs, compression, palette=entries), True
            yield f"rle{bits}-no-end", file(40, bits, runs[:-2], compression, palette=entries), False
            yield f"rle{bits}-top-down", file(40, bits, runs, compression, palette=entries, top_down=True), False
            yield f"rle{bits}-cut", file(40, bits, runs[: len(runs) // 2], compression, palette=entries), False
            # Half of the first row, two rows up and one to the right, the rest skipped.
            half = bytes([max(1, width // 2), 0x11, 0, 2, min(1, width - width // 2), min(2, height - 1), 1, 0x22, 0, 1])
            yield f"rle{bits}-skips", file(40, bits, half, compression, palette=entries), False
    five = (0x7C00, 0x3E0, 0x1F)
    bit16 = masked(five, 16)
    yield "16", file(40, 16, bit16), True
    for size in (40, 56, 108, 124):
        yield f"16-565-header{size}", file(size, 16, masked((0xF800, 0x7E0, 0x1F), 16), 3, (0xF800, 0x7E0, 0x1F)), True
        yield f"16-444-header{size}", file(size, 16, masked((0xF00, 0xF0, 0xF), 16), 3, (0xF00, 0xF0, 0xF)), False
        yield f"32-masks-header{size}", file(size, 32, masked((0xFF0000, 0xFF00, 0xFF), 32), 3, (0xFF0000, 0xFF00, 0xFF)), True
        yield f"32-rgbx-header{size}", file(size, 32, masked((0xFF, 0xFF00, 0xFF0000), 32), 3, (0xFF, 0xFF00, 0xFF0000)), True
        yield f"32-101010-header{size}", file(size, 32, masked((0x3FF00000, 0xFFC00, 0x3FF), 32), 3, (0x3FF00000, 0xFFC00, 0x3FF)), False
    argb = (0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    for size in (56, 108, 124):
        yield f"32-alpha-header{size}", file(size, 32, masked(argb, 32), 3, argb), False
        yield f"16-1555-header{size}", file(size, 16, masked((*five, 0x8000), 16), 3, (*five, 0x8000)), False
        yield f"32-alpha-zero-header{size}", file(size, 32, masked((*argb[:3], 0), 32), 3, argb), False
    for size in (108, 124):
        yield f"32-rgb-alpha-mask-header{size}", file(size, 32, masked(argb, 32), 0, argb), False
        yield f"32-rgb-alpha-zero-header{size}", file(size, 32, masked((*argb[:3], 0), 32), 0, argb), False
    yield "32", file(40, 32, masked(argb[:3], 32)), True
    yield "32-high-byte", file(40, 32, masked(argb, 32)), False
    yield "32-alphabitfields", file(40, 32, masked(argb, 32), 6, argb), False
    yield "gap", file(40, 24, bgr, behind=bytes(50)), True
    whole = file(40, 24, bgr)
    if height > 9:
        yield "cut", whole[: len(whole) // 2], False
        yield "cut-last-pixel", whole[:-3], False
        yield "trailing", whole + b"more" * 30, True
    yield "rle24", file(64, 24, run_lengths_24(rows(pixels)), 4), False


def run_lengths(rows, bits):
    out = bytearray()
    for row in reversed(rows):
        x = 0
        while x < len(row):
            left = row[x:]
            same = 1
            while same < min(255, len(left)) and left[same] == left[0]:
                same += 1
            if same >= 2 or len(left) < 3:
                out += bytes([same, left[0] * 17 if bits == 4 else left[0]])
                x += same
            else:
                count = min(len(left), 3 + (len(out) % 29))
                body = pack(list(left[:count]), bits)
                out += bytes([0, count]) + body + bytes(len(body) % 2)
                x += count
        out += b"\0\0"
    return bytes(out) + b"\0\1"


def run_lengths_24(rows):
    out = bytearray()
    for row in reversed(rows):
        for pixel in row:
            out += bytes([1, *pixel[::-1]])
        out += b"\0\0"
    return bytes(out) + b"\0\1"
