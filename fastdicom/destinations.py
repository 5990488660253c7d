"""C-MOVE destinations: the configured peers, as places that instances can be sent to."""

from __future__ import annotations

from collections.abc import Sequence

from fastdicom.config import Config, Peer
from fastdicom.credentials import Credentials
from fastdicom.dataset.record import StoredEntry
from fastdicom.net.connection import Timing
from fastdicom.net.requestor import STORE_WINDOW, ClientAssociation
from fastdicom.net.side_by_side import SideBySide
from fastdicom.net.transport import Watch
from fastdicom.services.ports import Interruption, StoreChannel
from fastdicom.services.proposals import AssociationPlan
from fastdicom.upperlayer.pdus import UserIdentity
from fastdicom.users import identity_of, read_passcode


class Destinations:
    """The peers that have a host. Raises UsageError when a file with a passcode cannot be read."""

    def __init__(self, config: Config, timing: Timing, credentials: Credentials | None = None) -> None:
        self._calling = config.node.ae_title
        self._timing = timing
        self._credentials = credentials
        self._peers = {peer.ae_title: peer for peer in config.peers if peer.host}
        self._identities = {
            title: identity_of(peer.username, read_passcode(peer.passcode_file))
            for title, peer in self._peers.items()
        }

    def find(self, ae_title: str) -> PeerDestination | None:
        """The destination of that name, or None."""
        peer = self._peers.get(ae_title)
        if peer is None:
            return None
        return PeerDestination(
            peer, self._calling, self._timing, self._credentials, self._identities[ae_title]
        )


class PeerDestination:
    """One peer as the destination of one retrieve."""

    def __init__(
        self,
        peer: Peer,
        calling: str,
        timing: Timing,
        credentials: Credentials | None,
        identity: UserIdentity | None,
    ) -> None:
        self._peer = peer
        self._calling = calling
        self._timing = timing
        self._credentials = credentials
        self._identity = identity
        self.transfer_syntaxes: Sequence[str] = peer.transfer_syntaxes
        self.associations = peer.associations

    def open(self, plan: AssociationPlan, watch: Watch) -> StoreChannel:
        """Associate with it; `watch` is the client that waits for the retrieve."""
        tls = None
        if self._peer.tls:
            assert self._credentials is not None  # Config sees to it
            tls = self._credentials.client(self._peer.certificates)
        return ClientAssociation.open(
            self._peer.host,
            self._peer.port,
            called=self._peer.ae_title,
            calling=self._calling,
            proposals=[(class_uid, (syntax,)) for class_uid, syntax in plan.proposals],
            timing=self._timing,
            watch=watch,
            tls=tls,
            user_identity=self._identity,
            window=STORE_WINDOW,
        )

    def close(self, channel: StoreChannel) -> None:
        """Release the association."""
        assert isinstance(channel, ClientAssociation)
        channel.release()

    def side_by_side(self, client: Interruption) -> SideBySide[StoredEntry]:
        """For several associations at once."""
        return SideBySide(client)
