"""The report as one HTML page, made from its notebook."""

import base64
import html
import io
import mimetypes
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bs4 import BeautifulSoup
from latex2mathml.converter import convert
from nbconvert import HTMLExporter
from PIL import Image

# Characters of a drawing that need no escape in a data URI: those of XML, but not quotes, brackets, % and #.
SAFE_IN_SVG = " /:;=,()*!?-.+@$&'"


def render(notebook: Path, template: Path) -> str:
    """Convert an executed notebook to one HTML page that needs no other file.

    Args:
        notebook: The notebook; its pictures are given relative to its folder.
        template: The file ``index.html.j2`` of an nbconvert template.
    """
    exporter = HTMLExporter(
        extra_template_basedirs=[str(template.parents[1])],
        template_name=template.parent.name,
        exclude_anchor_links=True,
        filters={"mathml": mathml},
    )
    page = BeautifulSoup(exporter.from_filename(str(notebook))[0], "html.parser")
    for image in page.find_all("img"):
        # Pictures with a width are thumbnails.
        image["src"] = _data_uri(notebook.parent / str(image["src"]), image.attrs.pop("width", None))
    for table in page.select(".scroll > table[class]"):
        # On a narrow screen the style sheet shows each row as a block, with the name of the column before every cell.
        for row in table.select("tbody tr"):
            for cell, name in zip(row.find_all("td", recursive=False), table.find_all("th"), strict=True):
                cell["data-column"] = name.get_text()
    return str(page)


def mathml(page: str) -> str:
    """Convert LaTeX between dollars to MathML, which browsers render without a script."""

    def replace(match: re.Match[str]) -> str:
        return convert(html.unescape(match[1])).replace(' xmlns="http://www.w3.org/1998/Math/MathML"', "")

    return re.sub(r"\$([^$\n]+(?:\n[^$\n]+)?)\$", replace, page)


def _data_uri(path: Path, width: Any) -> str:
    """Return a picture as a data URI; if it has a width in CSS pixels, scale it down."""
    content = path.read_bytes()
    if width:
        with Image.open(path) as image:
            small = image.convert("RGB")
        # Twice the size, for screens with two physical pixels per CSS pixel.
        small.thumbnail((2 * int(width), 2 * int(width)))
        buffer = io.BytesIO()
        small.quantize(64).save(buffer, "PNG", optimize=True)
        content = buffer.getvalue()
    elif path.suffix == ".svg":
        # A fifth smaller than in base64. To XML, line breaks are spaces.
        return f"data:image/svg+xml,{quote(b' '.join(content.split()), safe=SAFE_IN_SVG)}"
    return f"data:{mimetypes.guess_type(path.name)[0]};base64,{base64.b64encode(content).decode()}"
