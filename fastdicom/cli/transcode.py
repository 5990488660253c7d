"""`fastdicom transcode`: one file, or all of a folder, to another transfer syntax."""

from __future__ import annotations

import argparse
from pathlib import Path

import fastdicom
from fastdicom.cli.arguments import add_json, add_transfer_syntax
from fastdicom.cli.exits import DONE, status_of_files
from fastdicom.cli.progress import ProgressPrinter
from fastdicom.cli.terminal import plural, print_json, printable, say
from fastdicom.reports import TranscodeReport

EXAMPLE = """\
  fastdicom transcode ct.dcm ct-jpegls.dcm --transfer-syntax JPEGLSLossless
  fastdicom transcode study/ study-rle/ --transfer-syntax RLELossless
  fastdicom transcode us.dcm small.dcm --transfer-syntax JPEGBaseline8Bit --quality 85"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """IN OUT --transfer-syntax S."""
    parser.add_argument("source", metavar="IN", type=Path, help="a file or a folder")
    parser.add_argument("target", metavar="OUT", type=Path, help="the new file; a folder when IN is one")
    add_transfer_syntax(parser, required=True, does="the new transfer syntax")
    parser.add_argument(
        "--quality",
        metavar="N",
        type=float,
        help="compress with loss: 1-100 for JPEG, the largest error for JPEG-LS, decibels for JPEG2000, "
        "the quantizer's step for HTJ2K; the result is a new instance",
    )
    parser.add_argument(
        "--keep-ybr",
        action="store_const",
        const="keep",
        default="rgb",
        dest="colour",
        help="YCbCr in JPEG stays YBR_FULL in native pixels instead of becoming RGB",
    )
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Convert; what cannot be converted is named and left out."""
    wanted = {"quality": options.quality, "colour": options.colour}
    if options.source.is_dir():
        with ProgressPrinter("converted") as progress:
            report = fastdicom.transcode_folder(
                options.source, options.target, options.transfer_syntax, progress, **wanted
            )
        tell(report, options.json)
        return status_of_files([options.source], report.converted + len(report.failed), report.ok)
    length = fastdicom.transcode_file(options.source, options.target, options.transfer_syntax, **wanted)
    if options.json:
        print_json({"path": options.target, "bytes": length})
    return DONE


def tell(report: TranscodeReport, as_json: bool) -> None:
    """Print the outcome."""
    if as_json:
        print_json(report)
        return
    for path, reason in report.skipped:
        say(f"skipped {path}: {reason}")
    for path, reason in report.failed:
        say(f"failed {path}: {reason}")
    failed = f", {len(report.failed)} failed" if report.failed else ""
    print(printable(f"converted {plural(report.converted, 'file')}{failed}"))
