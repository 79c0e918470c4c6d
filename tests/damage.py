"""Files that are damaged, not ours, or say what cannot be, for the tests that must not take them for runs."""

import io
import json
import struct
import zipfile

import numpy as np


def contents(path):
    """Return the arrays of an archive by name, the header's text among them."""
    with np.load(path) as file:
        return {key: file[key] for key in file.files}


def rewritten(path, change):
    """Write a file again as ``change`` alters its header and arrays, both in place."""
    arrays = contents(path)
    header = json.loads(str(arrays.pop("header")))
    change(header, arrays)
    np.savez(path, header=np.array(json.dumps(header)), **arrays)


def repacked(path, change, compression=zipfile.ZIP_STORED):
    """Write a file again with the bytes of its entries as ``change(name, bytes)`` gives them."""
    with zipfile.ZipFile(path) as archive:
        entries = {info.filename: archive.read(info) for info in archive.infolist()}
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in entries.items():
            archive.writestr(name, change(name, content))


def with_text(path, change):
    """Write a file again with the text of its header as ``change`` gives it."""
    arrays = contents(path)
    np.savez(path, **{**arrays, "header": np.array(change(str(arrays["header"])))})


def with_head(head):
    """Return what `repacked` takes to give the first array another NPY head, of as many bytes where that goes."""

    def change(name, content):
        if name != "array0.npy":
            return content
        length = struct.unpack("<H", content[8:10])[0]
        text = head.encode().ljust(length - 1) + b"\n"
        return content[:8] + struct.pack("<H", len(text)) + text + content[10 + length :]

    return change


def nested(levels):
    return "[" * levels + "]" * levels


def flipped(path, mark, offset, bit):
    """Flip a bit so far behind each place where ``mark`` stands."""
    content = bytearray(path.read_bytes())
    place = content.find(mark)
    while place >= 0:
        content[place + offset] ^= bit
        place = content.find(mark, place + 1)
    path.write_bytes(content)


def encrypted(path):
    flipped(path, b"PK\x03\x04", 6, 1)
    flipped(path, b"PK\x01\x02", 8, 1)


def cut_in_the_middle(compression):
    """Return what packs the entries of a file so, and then spoils the packed bytes."""

    def damage(path):
        repacked(path, lambda name, content: content, compression)
        with zipfile.ZipFile(path) as archive:
            places = [info.header_offset + 40 + len(info.filename) for info in archive.infolist()]
        content = bytearray(path.read_bytes())
        for place in places:
            content[place : place + 8] = b"\xff" * 8
        path.write_bytes(content)

    return damage


def _packed_array(array):
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


#: Ways to damage a file of ours: each takes its path. Whoever reads it then must say that it is damaged.
DAMAGED = {
    "empty": lambda path: path.write_bytes(b""),
    "cut": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "text": lambda path: path.write_text("epoch,loss\n0,0.25\n"),
    "encrypted": encrypted,
    "bzip2": cut_in_the_middle(zipfile.ZIP_BZIP2),
    "lzma": cut_in_the_middle(zipfile.ZIP_LZMA),
    "deflated and spoilt": cut_in_the_middle(zipfile.ZIP_DEFLATED),
    "no brackets": lambda path: repacked(path, with_head("{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3")),
    "deep head": lambda path: repacked(path, with_head("-" * 9000 + "1")),
    "deep brackets": lambda path: repacked(path, with_head("(" * 9000)),
    "no head": lambda path: repacked(path, lambda name, content: b"" if name == "array0.npy" else content),
    "version of the head": lambda path: repacked(path, lambda name, content: content[:6] + b"\x07" + content[7:]),
    "endless shape": lambda path: repacked(
        path, with_head(f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({10**15}, 3), }}")
    ),
    "negative shape": lambda path: repacked(
        path, with_head("{'descr': '<f8', 'fortran_order': False, 'shape': (-2, -3), }")
    ),
    "objects": lambda path: repacked(path, with_head("{'descr': '|O', 'fortran_order': False, 'shape': (2, 3), }")),
    "fields": lambda path: repacked(
        path, with_head("{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (2, 3), }")
    ),
    "deep json": lambda path: with_text(path, lambda text: f'{text[:-1]}, "deep": {nested(10**5)}}}'),
    "deep record": lambda path: with_text(
        path, lambda text: text.replace("[", "[" * 900, 1).replace("]", "]" * 900, 1)
    ),
    "a number of 5000 digits": lambda path: with_text(path, lambda text: text[:-1] + ', "n": ' + "9" * 5000 + "}"),
    "a number of 400 digits": lambda path: rewritten(
        path, lambda header, arrays: header["record"].update({"record": 10**400})
    ),
    "no json": lambda path: with_text(path, lambda text: text[:-1]),
    "header of bytes": lambda path: np.savez(path, **{**contents(path), "header": np.array(b"{}")}),
    "headers": lambda path: np.savez(path, **{**contents(path), "header": np.array(["{}", "{}"])}),
    "header of numbers": lambda path: np.savez(path, **{**contents(path), "header": np.ones(3)}),
    "header without letters": lambda path: repacked(
        path,
        lambda name, content: content[:128] + b"\xff" * (len(content) - 128) if name == "header.npy" else content,
    ),
    "header as an array": lambda path: rewritten(
        path, lambda header, arrays: header.update(record={"array": "header"})
    ),
    "array missing": lambda path: rewritten(path, lambda header, arrays: arrays.pop("array0")),
    "array of numbers": lambda path: repacked(
        path, lambda name, content: _packed_array(np.ones(3)) if name == "array0.npy" else content
    ),
    "another's npz": lambda path: np.savez(path, w=np.ones(3)),
    "another's zip": lambda path: zipfile.ZipFile(path, "w").writestr("header", "{}"),
    "empty zip": lambda path: zipfile.ZipFile(path, "w").close(),
}
