"""Who we say that we are, in File Meta Information and in associations. PS3.7 D.3.3.2, PS3.10 7.1."""

from __future__ import annotations

IMPLEMENTATION_CLASS_UID = "2.25.191461655015067832089177891743629543316"  # a UUID of our own, PS3.5 B.2
IMPLEMENTATION_VERSION_NAME = "FASTDICOM_0.1"
