"""Pictures and PDFs for cli_test.py, made from nothing."""

import random
import struct
import zlib


def png(path, width=64, height=48, noise=False):
    """A grey ramp, or noise, which is slow to read since it does not compress."""
    rows = random.Random(1).randbytes(width * height) if noise else bytes(i % 251 for i in range(width * height))
    raw = b"".join(b"\0" + rows[y * width : (y + 1) * width] for y in range(height))

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(raw, 1)) + chunk(b"IEND", b"")
    )
    return path


def ppm(path, width=64, height=48):
    path.write_bytes(b"P6\n%d %d\n255\n" % (width, height) + bytes(i % 251 for i in range(width * height * 3)))
    return path


def slow_svg(path):
    """Some seconds of work, in a small file and a small picture: a filter of many octaves."""
    path.write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" width="4000" height="4000">'
        '<filter id="f"><feTurbulence baseFrequency="0.01" numOctaves="4"/></filter>'
        '<rect width="4000" height="4000" filter="url(#f)"/></svg>'
    )
    return path


def truncated(path, source):
    """The first half of `source`."""
    whole = source.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    return path


def pdf(path, pages=1, encrypted=False):
    """Pages of 144 x 72 points with a black square each. The keys of an encrypted one belong to no password."""
    kids = " ".join(f"{3 + 2 * i} 0 R" for i in range(pages))
    objects = ["<< /Type /Catalog /Pages 2 0 R >>", f"<< /Type /Pages /Kids [{kids}] /Count {pages} >>"]
    drawing = "0 0 36 36 re f"
    for i in range(pages):
        objects.append(f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 144 72] /Contents {4 + 2 * i} 0 R >>")
        objects.append(f"<< /Length {len(drawing)} >>\nstream\n{drawing}\nendstream")
    trailer = f"/Size {len(objects) + 1 + encrypted} /Root 1 0 R"
    if encrypted:
        objects.append(f"<< /Filter /Standard /V 1 /R 2 /P -4 /O <{'5a' * 32}> /U <{'a5' * 32}> >>")
        trailer += f" /Encrypt {len(objects)} 0 R /ID [<{'11' * 16}> <{'11' * 16}>]"

    text, offsets = "%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        offsets.append(len(text))
        text += f"{number} 0 obj\n{body}\nendobj\n"
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    path.write_text(
        f"{text}xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}"
        f"trailer\n<< {trailer} >>\nstartxref\n{len(text)}\n%%EOF\n"
    )
    return path


def size_of(path):
    """(width, height) of a whole PNG, JPEG or WebP file; an error where it is not whole."""
    data = path.read_bytes()
    if data.startswith(b"\x89PNG") and data.endswith(b"IEND\xaeB`\x82"):
        return struct.unpack(">II", data[16:24])
    if data.startswith(b"\xff\xd8") and data.endswith(b"\xff\xd9"):
        at = 2
        while data[at + 1] not in (0xC0, 0xC2):  # From segment to segment, to the frame's header.
            at += 2 + struct.unpack(">H", data[at + 2 : at + 4])[0]
        return struct.unpack(">HH", data[at + 5 : at + 9])[::-1]
    if data.startswith(b"RIFF") and len(data) == 8 + struct.unpack("<I", data[4:8])[0]:
        if data[12:16] == b"VP8X":
            return tuple(int.from_bytes(data[at : at + 3], "little") + 1 for at in (24, 27))
        if data[12:16] == b"VP8 ":
            return tuple(value & 0x3FFF for value in struct.unpack("<HH", data[26:30]))
    raise AssertionError(f"{path} is no whole picture")
