"""Writes pictures of every kind, and what Pillow makes of them.

    python tests/variants/generate.py FOLDER

FOLDER/files has the pictures, FOLDER/kinds.tsv their kinds, FOLDER/pillow what Pillow shows of them (width and height as u32,
then RGB: upright, in sRGB, over white) where Pillow is a judge. The same every time: nothing is drawn by chance without a seed.
"""

import io
import shutil
import struct
import sys
from pathlib import Path

from PIL import Image, ImageCms, ImageFile, ImageOps

import icc
import writers

ROOT = Path(__file__).parent.parent.parent
PHOTOS = [Image.open(path).convert("RGB") for path in sorted((ROOT / "www/photos").glob("*.jpg"))]
SIZES = [(1, 1), (3, 9), (8, 8), (17, 33), (90, 61), (149, 100)]
EXIF = 0x0112
CUT = "what is there of a row that is cut is shown here"
CASES = {
    "j09_arithmetic": "Chromium reads arithmetic coding; here it is refused by its name",
    "j12_no_eoi": "Chromium leaves out the last rows; libjpeg and this show them",
    "p12_palette_4_bytes": "libpng refuses such a palette, and so does this",
}
WEBP = "Chromium does not look at the orientation in a WebP"

folder = Path(sys.argv[1])
kinds = []


def photo(number, width, height):
    return ImageOps.fit(PHOTOS[number % len(PHOTOS)], (width, height))


def add(kind, extension, data, pillow=True, known=""):
    name = f"{kind}-{len(kinds):04}.{extension}"
    (folder / "files" / name).write_bytes(data)
    kinds.append((name, kind, known))
    if pillow:
        try:
            shown = show(data)
        except Exception as error:
            print(f"Pillow does not read {name}: {error}")
            return
        header = struct.pack("<II", *shown.size)
        (folder / "pillow" / name).write_bytes(header + shown.tobytes())


def saved(image, form, **options):
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def show(data):
    image = Image.open(io.BytesIO(data))
    image.load()
    profile = image.info.get("icc_profile")
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16") or image.mode == "I":
        image = image.point(lambda value: value / 256).convert("L")
    if image.mode == "P" or "transparency" in image.info:
        image = image.convert("RGBA")
    if profile and image.mode in ("RGB", "RGBA", "L"):
        alpha = image.getchannel("A") if image.mode == "RGBA" else None
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            target = ImageCms.createProfile("sRGB")
            image = image.convert("RGB") if image.mode == "RGBA" else image
            image = ImageCms.profileToProfile(image, source, target, outputMode="RGB")
            if alpha:
                image.putalpha(alpha)
        except ImageCms.PyCMSError:
            pass
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa"):
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return image.convert("RGB")


def alpha(width, height):
    return Image.linear_gradient("L").resize((width, height))


def jpegs():
    number = 0
    for width, height in [(1, 1), (7, 5), (16, 16), (33, 17), (64, 48), (227, 149)]:
        for quality in (10, 50, 75, 92, 100):
            for kind in ("444", "422", "420", "gray", "cmyk"):
                for progressive in (False, True):
                    for restart in (0, 2):
                        for optimize in (False, True):
                            number += 1
                            image = photo(number, width, height)
                            options = {"quality": quality, "progressive": progressive, "optimize": optimize}
                            if kind in ("444", "422", "420"):
                                options["subsampling"] = ("444", "422", "420").index(kind)
                            if kind == "gray":
                                image = image.convert("L")
                            if kind == "cmyk":
                                image = image.convert("CMYK")
                            if restart:
                                options["restart_marker_blocks"] = restart
                            name = f"jpeg-{kind}{'-progressive' if progressive else ''}{'-restart' if restart else ''}"
                            add(name, "jpg", saved(image, "JPEG", **options))
    for number in range(20):
        add("jpeg-rgb", "jpg", saved(photo(number, 60 + number, 40), "JPEG", quality=70 + number, keep_rgb=True))


def pngs():
    number = 0
    for width, height in SIZES:
        for colour, depths in writers.PNG_KINDS.items():
            for depth in depths:
                for interlaced in (False, True):
                    for transparent in (False, True):
                        if transparent and colour in ("gray-alpha", "rgba"):
                            continue
                        for filters in (0, 1):
                            number += 1
                            data = writers.png(photo(number, width, height), alpha(width, height), colour, depth, interlaced, transparent, filters)
                            trns = "-trns" if transparent else ""
                            # Pillow looks for a transparent gray of few bits, or of 16, after it has spread or cut them.
                            add(f"png-{colour}{depth}{'-interlaced' if interlaced else ''}{trns}", "png", data, pillow=not (transparent and colour != "palette" and depth != 8))


def png_colours():
    for number, (width, height) in enumerate(SIZES[2:]):
        image = photo(number, width, height)
        for kind, chunks in writers.png_colour_chunks().items():
            known = "HDR, which every machine maps to its own screen" if kind in ("cicp-pq", "cicp-hlg") else ""
            for name, data in ((f"png-{kind}", image), (f"png-{kind}-gray", image.convert("L"))):
                add(name, "png", writers.png_with(saved(data, "PNG"), chunks), pillow=False, known=known)


def profiles():
    curves = {
        "srgb": icc.SRGB,
        "gamma22": icc.gamma(563 / 256),
        "gamma18": icc.gamma(1.8),
        "points": icc.points(icc.srgb_curve, 1024),
        "power": icc.parametric(0, 2.0),
        "shifted": icc.parametric(4, 2.4, 0.9479, 0.0521, 0.0774, 0.04045, 0.0, 0.0),
    }
    spaces = [("p3", "srgb"), ("adobe", "gamma22"), ("prophoto", "gamma18"), ("rec2020", "gamma22"), ("srgb", "srgb"), ("srgb", "gamma18"), ("p3", "points"), ("p3", "power"), ("adobe", "shifted")]
    for number, (space, curve) in enumerate(spaces):
        for size in SIZES[2:]:
            profile = icc.rgb(space, curves[curve])
            image = photo(number, *size)
            rgba = image.copy()
            rgba.putalpha(alpha(*size))
            add(f"profile-{space}-jpeg", "jpg", saved(image, "JPEG", quality=95, icc_profile=profile))
            add(f"profile-{space}-png", "png", saved(image, "PNG", icc_profile=profile))
            add(f"profile-{space}-png-alpha", "png", saved(rgba, "PNG", icc_profile=profile))
            add(f"profile-{space}-png-palette", "png", saved(image.quantize(60), "PNG", icc_profile=profile), pillow=False)
            add(f"profile-{space}-webp", "webp", saved(image, "WebP", quality=90, icc_profile=profile))
            add(f"profile-{space}-webp-alpha", "webp", saved(rgba, "WebP", lossless=True, icc_profile=profile))
    for number, curve in enumerate(curves):
        image = photo(number, 90, 61).convert("L")
        add("profile-gray-jpeg", "jpg", saved(image, "JPEG", quality=95, icc_profile=icc.gray(curves[curve])))
        add("profile-gray-png", "png", saved(image, "PNG", icc_profile=icc.gray(curves[curve])))
        add("profile-gray-on-rgb", "png", saved(photo(number, 90, 61), "PNG", icc_profile=icc.gray(curves[curve])), pillow=False)
        add("profile-rgb-on-gray", "png", saved(image, "PNG", icc_profile=icc.rgb("p3", curves[curve])), pillow=False)
        add("profile-rgb-on-gray-jpeg", "jpg", saved(image, "JPEG", quality=95, icc_profile=icc.rgb("p3", curves[curve])), pillow=False)
    for number, (space, size, bits) in enumerate([("p3", 9, 8), ("adobe", 17, 16), ("srgb", 9, 16), ("rec2020", 17, 8)]):
        profile = icc.table(space, size, bits)
        known = "a table of few points, between which everyone goes another way"
        add("profile-table", "png", saved(photo(number, 90, 61), "PNG", icc_profile=profile), known=known)
        add("profile-table", "jpg", saved(photo(number, 90, 61), "JPEG", quality=95, icc_profile=profile), known=known)
    whole = icc.rgb("p3", icc.SRGB)
    broken = [whole[:100], whole[:200], whole[:-40], b"\xff" * 300, whole[:128] + struct.pack(">I", 1 << 30) + whole[132:], whole.replace(b"rTRC", b"xTRC"), whole.replace(b"acsp", b"none")]
    for number, profile in enumerate(broken):
        add("profile-broken", "png", saved(photo(number, 90, 61), "PNG", icc_profile=profile), pillow=False)
        add("profile-broken", "jpg", saved(photo(number, 90, 61), "JPEG", quality=95, icc_profile=profile), pillow=False)
    # A text in it that cannot be read does not make a profile useless.
    add("profile-bad-text", "png", saved(photo(1, 90, 61), "PNG", icc_profile=whole.replace(b"desc\0\0\0\0", b"mluc\0\0\xff\xff")), pillow=False)


def orientations():
    for number in range(8):
        exif = Image.Exif()
        exif[EXIF] = number + 1
        image = photo(number, 61, 40)
        for form, extension, options in (("JPEG", "jpg", {"quality": 90}), ("PNG", "png", {}), ("WebP", "webp", {"quality": 90})):
            for bytes in (exif, exif.tobytes().removeprefix(b"Exif\0\0")):
                known = WEBP if form == "WebP" else ""
                add(f"exif-{extension}", extension, saved(image, form, exif=bytes, **options), known=known)
    for value in (0, 9, 255, 65535):
        exif = Image.Exif()
        exif[EXIF] = value
        add("exif-out-of-range", "jpg", saved(photo(value, 61, 40), "JPEG", quality=90, exif=exif))


def webps():
    number = 0
    for width, height in SIZES:
        for quality in (5, 50, 95):
            for method in (0, 4):
                for kind in ("lossy", "lossy-alpha", "lossless", "lossless-alpha"):
                    number += 1
                    image = photo(number, width, height)
                    if kind.endswith("alpha"):
                        image.putalpha(alpha(width, height))
                    data = saved(image, "WebP", quality=quality, method=method, lossless=kind.startswith("lossless"), alpha_quality=60 + quality % 40)
                    add(f"webp-{kind}", "webp", data)
    for number, (width, height) in enumerate(SIZES[2:]):
        frames = [photo(number + i, width, height) for i in range(3)]
        for frame in frames:
            frame.putalpha(alpha(width, height))
        for options in ({"lossless": True}, {"quality": 60}, {"quality": 60, "background": (200, 0, 0, 255)}):
            add("webp-animated", "webp", saved(frames[0], "WebP", save_all=True, append_images=frames[1:], **options))
    for kind, data in writers.webp_damages(photo, saved).items():
        add(f"webp-{kind}", "webp", data, pillow=False)


def gifs():
    number = 0
    for width, height in SIZES:
        for colours in (2, 4, 16, 100, 256):
            for interlaced in (False, True):
                for transparent in (False, True):
                    number += 1
                    image = photo(number, width, height).quantize(colours)
                    options = {"transparency": 1} if transparent else {}
                    add("gif-transparent" if transparent else "gif", "gif", saved(image, "GIF", interlace=interlaced, **options))
    for number in range(8):
        frames = [photo(number + i, 60 + number, 40).quantize(50) for i in range(3)]
        add("gif-animated", "gif", saved(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=50))
    for kind, data in writers.gif_oddities(photo).items():
        add(f"gif-{kind}", "gif", data, pillow=False, known=CUT if "-cut" in f"-{kind}" else "")


def bmps():
    for number, (width, height) in enumerate(SIZES):
        image = photo(number, width, height)
        for kind, data, judged in writers.bmps(image, alpha(width, height)):
            add(f"bmp-{kind}", "bmp", data, pillow=judged, known=CUT if "cut" in kind else "")


def damages():
    for kind, data in writers.png_damages(photo, saved).items():
        add(f"png-{kind}", "png", data, pillow=False)


def committed():
    """The fixtures, and the cases of the first release."""
    for place, kind in ((ROOT / "tests/fixtures/images", "fixture"), (ROOT / "tests/cases/images", "case")):
        for path in sorted(place.glob("*.*")) if place.is_dir() else []:
            if path.suffix in (".jpg", ".png", ".webp", ".gif", ".bmp"):
                add(f"{kind}-{path.stem}", path.suffix[1:], path.read_bytes(), pillow=kind == "fixture" and path.name not in ("grey16.png", "exif6.webp"), known=CASES.get(path.stem, ""))


def main():
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "files").mkdir(parents=True)
    (folder / "pillow").mkdir()
    for write in (jpegs, pngs, png_colours, profiles, orientations, webps, gifs, bmps, damages, committed):
        write()
    (folder / "kinds.tsv").write_text("".join("\t".join(row) + "\n" for row in kinds))
    print(f"{len(kinds)} pictures")


main()
