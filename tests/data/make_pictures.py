"""Writes tests/data/pictures: small files of many kinds, and beside each, as
NAME.ppm, what Pillow makes of it. Needs Pillow and NumPy; run it by hand."""

import pathlib

import numpy as np
from PIL import Image, ImageOps

FOLDER = pathlib.Path(__file__).parent / "pictures"


def scene(width, height):
    y, x = np.mgrid[0:height, 0:width]
    rgb = np.stack([
        120 + 100 * np.sin(0.31 * x + 0.11 * y),
        255 * y / (height - 1),
        np.where((x - width / 3) ** 2 + (y - height / 2) ** 2 < height, 230, 40),
    ], axis=-1)
    return Image.fromarray(rgb.round().clip(0, 255).astype(np.uint8))


def over_white(image):
    image = image.convert("RGBA")
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image).convert("RGB")


def save(name, image, **options):
    image.save(FOLDER / name, **options)
    with Image.open(FOLDER / name) as read:
        over_white(ImageOps.exif_transpose(read)).save(
            (FOLDER / name).with_suffix(".ppm"))


def oriented(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def main():
    FOLDER.mkdir(exist_ok=True)
    rgb = scene(21, 13)
    rgba = rgb.copy()
    rgba.putalpha(Image.linear_gradient("L").resize(rgb.size))
    save("rgb_png.png", rgb)
    save("rgba.png", rgba)
    save("grey_png.png", rgb.convert("L"))
    save("grey_alpha.png", rgba.convert("LA"))
    save("bilevel.png", rgb.convert("1"))
    save("palette.png", rgb.quantize(13))
    save("palette_transparent.png", rgb.quantize(13), transparency=3)
    save("transparent_color.png", rgb.quantize(4).convert("RGB"),
         transparency=rgb.quantize(4).convert("RGB").getpixel((0, 0)))
    save("exif_png.png", rgb, exif=oriented(6))
    save("rgb_jpg.jpg", rgb, quality=90)
    save("half_color.jpg", rgb, quality=80, subsampling=2)
    save("progressive.jpg", rgb, quality=90, progressive=True)
    save("grey_jpg.jpg", rgb.convert("L"), quality=90)
    save("cmyk.jpg", rgb.convert("CMYK"), quality=90)
    for orientation in range(1, 9):
        save(f"exif{orientation}.jpg", rgb, exif=oriented(orientation))
    save("lossy.webp", rgb, quality=90)
    save("lossless.webp", rgba, lossless=True, exact=True)
    save("exif_webp.webp", rgb, lossless=True, exif=oriented(8))
    rgb.save(FOLDER / "animated.webp", save_all=True, lossless=True,
             append_images=[ImageOps.mirror(rgb)])

    large = scene(96, 64)
    large.save(FOLDER / "large.ppm")
    for width, height in [(24, 24), (40, 24), (150, 100), (20, 70)]:
        kept_width = min(96, (64 * width + height // 2) // height)
        kept_height = min(64, (96 * height + width // 2) // width)
        left, top = (96 - kept_width) // 2, (64 - kept_height) // 2
        middle = large.crop((left, top, left + kept_width, top + kept_height))
        middle.resize((width, height), Image.LANCZOS).save(
            FOLDER / f"fitted_{width}x{height}.ppm")


main()
