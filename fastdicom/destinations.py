"""C-MOVE destinations: the configured peers, as places that instances can be sent to."""

from __future__ import annotations

from collections.abc import Sequence

from fastdicom.config import Config, Peer
from fastdicom.credentials import Credentials
from fastdicom.net.connection import Timing
from fastdicom.net.requestor import ClientAssociation
from fastdicom.net.transport import Watch
from fastdicom.services.ports import StoreChannel
from fastdicom.services.proposals import AssociationPlan
from fastdicom.users import identity_of, read_passcode


class Destinations:
    """The peers that have a host."""

    def __init__(self, config: Config, timing: Timing, credentials: Credentials | None = None) -> None:
        self._calling = config.node.ae_title
        self._timing = timing
        self._credentials = credentials
        self._peers = {peer.ae_title: peer for peer in config.peers if peer.host}

    def find(self, ae_title: str) -> PeerDestination | None:
        """The destination of that name, or None."""
        peer = self._peers.get(ae_title)
        if peer is None:
            return None
        return PeerDestination(peer, self._calling, self._timing, self._credentials)


class PeerDestination:
    """One peer as the destination of one retrieve."""

    def __init__(self, peer: Peer, calling: str, timing: Timing, credentials: Credentials | None) -> None:
        self._peer = peer
        self._calling = calling
        self._timing = timing
        self._credentials = credentials
        self.transfer_syntaxes: Sequence[str] = peer.transfer_syntaxes

    def open(self, plan: AssociationPlan, watch: Watch) -> StoreChannel:
        """Associate with it; `watch` is the client that waits for the retrieve."""
        peer, credentials = self._peer, self._credentials
        tls = credentials.client(peer.certificates) if peer.tls and credentials is not None else None
        return ClientAssociation.open(
            self._peer.host,
            self._peer.port,
            called=self._peer.ae_title,
            calling=self._calling,
            proposals=[(class_uid, (syntax,)) for class_uid, syntax in plan.proposals],
            timing=self._timing,
            watch=watch,
            tls=tls,
            user_identity=identity_of(peer.username, read_passcode(peer.passcode_file)),
        )

    def close(self, channel: StoreChannel) -> None:
        """Release the association."""
        assert isinstance(channel, ClientAssociation)
        channel.release()
