"""[log]: what the log says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from fastdicom.settings import boolean, choice, setting


@dataclass(frozen=True, slots=True, kw_only=True)
class LogConfig:
    """[log]. patient_data: whether DEBUG lines may carry what identifies a patient."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = setting(
        "INFO", choice("DEBUG", "INFO", "WARNING", "ERROR")
    )
    format: Literal["text", "json"] = setting("text", choice("text", "json"))
    patient_data: bool = setting(False, boolean)
