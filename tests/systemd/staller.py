"""A peer that associates and then says nothing more, inside a C-STORE or (`idle`) before one: a program.

Ends when its stdin closes.
"""

from __future__ import annotations

import sys

from fastdicom.dimse import messages
from fastdicom.net.connection import Timing
from fastdicom.net.requestor import ClientAssociation
from tests.support.datasets import CT_IMAGE_STORAGE, EXPLICIT_LE


def main() -> None:
    """HOST PORT [idle]."""
    association = ClientAssociation.open(
        sys.argv[1],
        int(sys.argv[2]),
        called="FASTDICOM",
        calling="STALLER",
        proposals=[(CT_IMAGE_STORAGE, (EXPLICIT_LE,))],
        timing=Timing(),
    )
    if sys.argv[3:] == ["idle"]:
        print("between messages", flush=True)
    else:
        context_id, _ = association.context_for(CT_IMAGE_STORAGE)
        request = messages.CStoreRequest(1, CT_IMAGE_STORAGE, "1.2.826.0.1.3680043.10.1561.9.9")
        association.send_message(context_id, request)
        print("inside a message", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
