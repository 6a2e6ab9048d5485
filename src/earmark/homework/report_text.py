"""Reads a PDF's pages, in a process of its own that may use little: `python -I report_text.py FILE`. It stands alone.

A PDF is a stranger's, and pypdf follows whatever it says: a stream of a kilobyte may unpack to gigabytes, a page may be
its own parent. So time and memory are bounded by the system, and what is printed is one JSON object of bounded size.
"""

import json
import logging
import os
import resource
import sys
import warnings
from pathlib import Path
from typing import Any

MEMORY_BYTES = 1 << 30
CPU_SECONDS = 20
MAX_PAGES = 500
"""Of so many, the text is read."""
MAX_TEXT = 2_000_000
"""Characters of text that are passed on."""


def contents(path: Path) -> dict[str, Any]:
    """`pages`, `text`, and `images`: whether any page shows a picture. Else `fault`: why it can't be read."""
    from pypdf import PdfReader  # noqa: PLC0415 - once limits hold
    from pypdf.errors import DependencyError  # noqa: PLC0415

    try:
        reader = PdfReader(path)
        if reader.is_encrypted and not reader.decrypt(""):
            return {"fault": "it is encrypted; hand it in without a password"}
        pages = len(reader.pages)
        text, images = "", False
        for page in reader.pages[:MAX_PAGES]:
            text = (text + page.extract_text() + "\n")[:MAX_TEXT]
            images = images or "/XObject" in page.get("/Resources", {})
    except RecursionError:
        return {"fault": "its pages lie in one another without end"}
    except MemoryError:
        return {"fault": "it takes more memory than a report needs"}
    except DependencyError:
        return {
            "fault": "it is encrypted, or packed in a way that is not read here; export it as a plain PDF"
        }
    except Exception as error:  # noqa: BLE001 - what is in a PDF decides what pypdf raises
        return {"fault": f"it is damaged, or holds what is not read here ({type(error).__name__})"}
    return {"pages": pages, "text": text, "images": images}


def main() -> None:
    """Print what is in the file, under limits that can't be raised again."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.environ["PATH"] = os.devnull  # where pypdf finds no program to hand a stranger's picture to
    warnings.simplefilter("ignore")
    logging.disable()  # pypdf tells of each fault, and there may be millions
    json.dump(contents(Path(sys.argv[1])), sys.stdout)


if __name__ == "__main__":
    main()
