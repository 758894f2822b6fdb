"""Writes tests/fixtures/images: small files of every kind, and what Pillow makes of them.

    python tests/parity/image.py [FOLDER_OF_DEMO_PHOTOS]

`expected.safetensors` holds u8 tensors of height x width x 3:
  decode.NAME      the file NAME decoded, turned upright, laid over white
  resize.CASE      `pattern(width, height)` resized; CASE is filter.WxH.WxH
  crop.CASE        `pattern(width, height)` as torchvision's Resize and CenterCrop cut it; CASE is WxH.SIDE
  photo.NAME       a demo photo reduced to 12 x 12 (left as they are when no folder is given)
"""

import io
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps
from safetensors.numpy import load_file, save_file
from torchvision.transforms import functional, InterpolationMode

FOLDER = Path(__file__).parent.parent / "fixtures" / "images"
WIDTH, HEIGHT = 45, 31
EXIF_ORIENTATION = 0x0112


def pattern(width, height):
    """The test's own `pattern`, pixel for pixel."""
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    planes = [x * 7 + y * 3, x * y // 5 + 40, (x ^ y) * 11]
    return Image.fromarray((np.stack(planes, -1) % 256).astype(np.uint8))


def scene(width=WIDTH, height=HEIGHT):
    """Smooth, without symmetry, with one hard edge: lossy formats keep it recognisable."""
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    planes = np.stack([255 * x, 255 * y, 200 * (1 - x) * y + 30], -1)
    planes[height // 2 :, : width // 3] = [230, 40, 60]
    return Image.fromarray(planes.astype(np.uint8))


def alpha():
    x, y = np.meshgrid(np.linspace(0, 1, WIDTH), np.linspace(0, 1, HEIGHT))
    return Image.fromarray((255 * (x + y) / 2).astype(np.uint8))


def png_by_hand(name, pixels, color_type):
    """Pillow writes no 16-bit colour; `pixels` is height x width x channels of u16."""
    height, width = pixels.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 16, color_type, 0, 0, 0)
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")
    (FOLDER / name).write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)


def write_files():
    rgb = scene()
    rgba = rgb.copy()
    rgba.putalpha(alpha())
    grey, grey_alpha = rgb.convert("L"), rgba.convert("LA")
    palette = rgb.quantize(200)
    frames = [rgb.quantize(64), ImageOps.invert(rgb).quantize(64)]

    def save(image, name, **options):
        image.save(FOLDER / name, **options)

    save(rgb, "420.jpg", quality=90, subsampling="4:2:0")
    save(rgb, "422.jpg", quality=90, subsampling="4:2:2")
    save(rgb, "444.jpg", quality=90, subsampling="4:4:4")
    save(rgb, "progressive.jpg", quality=90, progressive=True)
    save(rgb, "restart.jpg", quality=90, restart_marker_blocks=2)
    save(rgb, "rgb.jpg", quality=90, keep_rgb=True)
    save(grey, "grey.jpg", quality=90)
    save(rgb.convert("CMYK"), "cmyk.jpg", quality=95)
    # The same data, read as luma and chroma: all that changes is the transform in Adobe's segment.
    cmyk = bytearray((FOLDER / "cmyk.jpg").read_bytes())
    cmyk[cmyk.index(b"Adobe") + 11] = 2
    (FOLDER / "ycck.jpg").write_bytes(cmyk)
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[EXIF_ORIENTATION] = orientation
        save(scene(24, 16), f"exif{orientation}.jpg", quality=90, exif=exif)
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = 6
    save(scene(24, 16), "exif6.png", exif=exif)
    save(scene(24, 16), "exif6.webp", lossless=True, exif=exif)

    save(rgb, "rgb.png")
    save(rgba, "rgba.png")
    save(grey, "grey.png")
    save(grey_alpha, "grey_alpha.png")
    save(grey.convert("1"), "bits1.png")
    save(palette, "palette.png")
    save(rgb.quantize(4), "palette2.png", bits=2)
    save(palette, "palette_alpha.png", transparency=bytes(range(0, 200)))
    save(rgb, "rgb_transparent.png", transparency=rgb.getpixel((0, HEIGHT - 1)))
    ramp = np.arange(WIDTH * HEIGHT * 4).reshape(HEIGHT, WIDTH, 4) * 11 % 65536
    png_by_hand("rgb16.png", ramp[..., :3], 2)
    png_by_hand("rgba16.png", ramp, 6)
    png_by_hand("grey16.png", ramp[..., :1], 0)

    save(rgb, "lossy.webp", quality=80)
    save(rgba, "lossy_alpha.webp", quality=80)
    save(rgb, "lossless.webp", lossless=True)
    save(rgba, "lossless_alpha.webp", lossless=True)
    save(frames[0].convert("RGB"), "animated.webp", save_all=True, append_images=[frames[1].convert("RGB")])

    save(palette, "still.gif")
    save(palette, "transparent.gif", transparency=palette.getpixel((3, HEIGHT - 2)))
    save(frames[0], "animated.gif", save_all=True, append_images=frames[1:], duration=100)

    save(rgb, "rgb.bmp")
    save(rgba, "rgba.bmp")
    save(grey, "grey.bmp")
    save(palette, "palette.bmp")
    save(grey.convert("1"), "bits1.bmp")


def decode(path):
    image = Image.open(path)
    if image.mode.startswith("I"):
        # Pillow's own conversion saturates at 255.
        return np.repeat((np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8)[..., None], 3, -1)
    image = ImageOps.exif_transpose(image)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return np.asarray(image.convert("RGB"))


def in_srgb(image, profile):
    if profile is None:
        return image
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    return ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"))


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    table = FOLDER / "expected.safetensors"
    photos = {k: v for k, v in (load_file(table) if table.exists() else {}).items() if k.startswith("photo.")}
    write_files()
    expected = {}
    for path in sorted(FOLDER.iterdir()):
        if path != table:
            expected[f"decode.{path.name}"] = decode(path)
    sizes = [(61, 47, 32, 32), (61, 47, 20, 64), (300, 7, 16, 16), (9, 5, 40, 40), (64, 64, 64, 24), (64, 64, 24, 64)]
    for filter_name in ["bilinear", "bicubic"]:
        filter_value = Image.Resampling[filter_name.upper()]
        for from_width, from_height, width, height in sizes:
            resized = pattern(from_width, from_height).resize((width, height), filter_value)
            case = f"resize.{filter_name}.{from_width}x{from_height}.{width}x{height}"
            expected[case] = np.asarray(resized)
    for width, height, side in [(90, 61, 32), (61, 90, 32), (40, 40, 48), (33, 200, 32)]:
        square = functional.resize(pattern(width, height), int(side / 0.875), InterpolationMode.BICUBIC)
        expected[f"crop.{width}x{height}.{side}"] = np.asarray(functional.center_crop(square, side))
    if len(sys.argv) > 1:
        for path in sorted(Path(sys.argv[1]).iterdir()):
            upright = in_srgb(Image.fromarray(decode(path)), Image.open(path).info.get("icc_profile"))
            photos[f"photo.{path.name}"] = np.asarray(upright.resize((12, 12), Image.Resampling.BICUBIC))
    arrays = {name: np.ascontiguousarray(array) for name, array in (expected | photos).items()}
    save_file(arrays, table)
    print(f"{len(arrays)} expectations in {table}")


if __name__ == "__main__":
    main()
