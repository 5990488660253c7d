"""[[compress]]: which instances are kept compressed when they come in native."""

from __future__ import annotations

from dataclasses import dataclass, field

from fastdicom.sections.transcoding import lossless_target
from fastdicom.sections.units import MIB
from fastdicom.settings import ae_title, listing, nearest, read_with, setting, size, text
from fastdicom.standard import sop_classes
from fastdicom.standard.transfer_syntaxes import KNOWN


def _target(value: object) -> str:
    uid = lossless_target(value)
    if not KNOWN[uid].encapsulated or KNOWN[uid].lossless is not True:
        raise ValueError(f"{KNOWN[uid].keyword} is no transfer syntax that compresses and keeps every pixel")
    return uid


def _sop_class(value: object) -> str:
    name = text(value).strip()
    known = {row.keyword: row.uid for row in (*sop_classes.CONFORMANCE, *sop_classes.FURTHER)}
    if name in known:
        return known[name]
    if name and set(name) <= set("0123456789."):
        return name
    raise ValueError(f"{name!r} is no Storage SOP class; {nearest(name, known)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class CompressRule:
    """[[compress]]: a rule; the first that fits an instance decides, without one it is kept as it came.

    sop_classes, modalities, peers (calling AE titles): what it is for, empty for all. dataset_length_max:
    longer ones are kept as they came, since the peer waits for its answer.

    >>> from fastdicom.config import Config
    >>> Config(compress=[{"transfer_syntax": "JPEGLosslessSV1", "modalities": ["CT"]}]).compress[0].peers
    ()
    """

    transfer_syntax: str = field(metadata=read_with(_target))
    sop_classes: tuple[str, ...] = setting((), listing(_sop_class))
    modalities: tuple[str, ...] = setting((), listing(text))
    peers: tuple[str, ...] = setting((), listing(ae_title))
    dataset_length_max: int = setting(256 * MIB, size(1))
