"""Compression of what comes in native, before it is answered for. Design: docs/transcoding.md.

It happens on the association's own thread, between the last fragment and the commit: the compressed file is
the only one that is synced and gets a row, so promise 1 is untouched and there is never a second copy to
clean up. Pixels are decoded again and compared first; whatever goes wrong, the instance is kept as it came.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

import xxhash

from fastdicom.archive.incoming import IncomingFile
from fastdicom.config import CompressRule, Config
from fastdicom.conversions import INLINE_MEMORY, ConversionThreads, options_of
from fastdicom.dataset.compression_note import encode_note
from fastdicom.dataset.part10 import SEAL_LENGTH, encode_file_meta, encode_seal
from fastdicom.dataset.record import Compression, FileEntry, InstanceRecord, Put
from fastdicom.errors import CodecError, FastdicomError
from fastdicom.keeper import ArchiveKeeper
from fastdicom.kernels.rows import value_of
from fastdicom.services.ports import Caller
from fastdicom.standard.transfer_syntaxes import NATIVE
from fastdicom.transcoding.codecs import CannotCarry
from fastdicom.transcoding.converted import Converted
from fastdicom.transcoding.objects import Options, convert
from fastdicom.transcoding.proof import compare_pixels, pixel_checksum

log = logging.getLogger(__name__)

MODALITY = 0x00080060


class Compressor:
    """Applies the rules of [[compress]]."""

    def __init__(self, rules: Sequence[CompressRule], keeper: ArchiveKeeper, options: Options) -> None:
        self._rules = rules
        self._keeper = keeper
        self._options = options

    def __call__(self, file: IncomingFile, put: Put, caller: Caller) -> tuple[IncomingFile, Put]:
        """See `compress`: for what comes by C-STORE."""
        return self.compress(file, put, caller.calling_ae_title, caller.called_ae_title)

    def compress(
        self, file: IncomingFile, put: Put, sender: str, receiver: str = ""
    ) -> tuple[IncomingFile, Put]:
        """The file to seal and commit, and its change: the given ones, or those of a compressed copy.

        file: whole but not sealed; it is discarded when a copy takes its place. Raises OSError for that.
        sender, receiver: AE titles, as far as they are known.
        """
        rule = self._rule_for(put.record, put.file, sender)
        if rule is None:
            return file, put
        uid = put.record.sop_instance_uid
        try:
            copy, entry = self._compressed(file, put, rule.transfer_syntax, sender, receiver)
        except CannotCarry as reason:
            log.info("%s is kept as it came: %s", uid, reason)
            return file, put
        except (FastdicomError, OSError) as fault:
            log.warning("%s is kept as it came: %s", uid, fault)
            return file, put
        if copy is None:
            return file, put
        try:
            file.discard()
        except OSError:
            copy.discard()
            raise
        return copy, replace(put, file=entry)

    def _rule_for(self, record: InstanceRecord, file: FileEntry, sender: str) -> CompressRule | None:
        if file.transfer_syntax_uid not in NATIVE:
            return None
        modality = (value_of(record.series, MODALITY) or b"").decode("latin-1").strip(" \0")
        for rule in self._rules:
            if (
                (not rule.sop_classes or record.sop_class_uid in rule.sop_classes)
                and (not rule.modalities or modality in rule.modalities)
                and (not rule.peers or sender in rule.peers)
            ):
                return rule if file.size <= rule.dataset_length_max else None
        return None

    def _compressed(
        self, file: IncomingFile, put: Put, target: str, sender: str, receiver: str
    ) -> tuple[IncomingFile | None, FileEntry]:
        """A smaller copy with the same pixels, whole but not sealed; None when there is none."""
        entry = put.file
        source = file.read()[entry.dataset_offset :]
        converted = convert(source, entry.transfer_syntax_uid, target, self._options)
        if not converted.changed_pixels:
            return None, entry  # no pixels: compression would be a change of name
        pixels = pixel_checksum(source, entry.transfer_syntax_uid, self._options)
        compression = Compression(entry.transfer_syntax_uid, entry.size, entry.checksum, pixels, pixels)
        copy = self._keeper.incoming()
        try:
            fresh = self._write(copy, converted, put, (sender, receiver), compression)
            if fresh.size >= entry.size:
                copy.discard()
                return None, entry
            kept = copy.read()[fresh.dataset_offset :]
            proved = compare_pixels(source, entry.transfer_syntax_uid, kept, target, self._options)
            if proved != (pixels, pixels):
                raise CodecError("its file's note of its pixels would not be true")
        except BaseException:
            copy.discard()
            raise
        return copy, fresh

    @staticmethod
    def _write(
        copy: IncomingFile,
        converted: Converted,
        put: Put,
        ae_titles: tuple[str, str],
        compression: Compression,
    ) -> FileEntry:
        uid = converted.transfer_syntax_uid
        head = encode_file_meta(
            put.record.sop_class_uid,
            put.record.sop_instance_uid,
            uid,
            source_ae_title=ae_titles[0],
            receiving_ae_title=ae_titles[1],
            sealable=True,
            note=encode_note(compression),
        )
        digest = xxhash.xxh3_64()
        copy.append([head])
        for piece in converted:
            copy.append([memoryview(piece)])
            digest.update(piece)
        copy.overwrite(encode_seal(copy.size - len(head), digest.intdigest()), len(head) - SEAL_LENGTH)
        return replace(
            put.file,
            path=copy.path,
            size=copy.size,
            dataset_offset=len(head),
            checksum=digest.intdigest(),
            transfer_syntax_uid=uid,
            compression=compression,
        )


def compressor_of(config: Config, keeper: ArchiveKeeper, threads: ConversionThreads) -> Compressor | None:
    """What [[compress]] says; None when it says nothing."""
    if not config.compress:
        return None
    options = replace(
        options_of(config, keeper.path),
        quality=None,
        workers=threads.workers,
        helpers=threads.frames,
        helper_count=threads.count,
        memory_max=INLINE_MEMORY,
    )
    return Compressor(config.compress, keeper, options)
