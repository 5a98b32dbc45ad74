"""Which deployment a store belongs to: what its containers are labelled with, and what its secrets are made of.

Only this module writes that record, once.
"""

from __future__ import annotations

import hmac
import secrets
from hashlib import sha256

from beagle.ports import Store
from beagle.records import Deployment


def load(store: Store) -> Deployment:
    """The same for every process on this store, from the first call on."""
    known = store.get(Deployment, "deployment")
    if known is None:
        store.add([Deployment(identity=secrets.token_hex(6), secret=secrets.token_hex(32))])
        return load(store)
    return known


def attempt_token(deployment: Deployment, experiment: str, attempt: int) -> str:
    """What an attempt proves itself with to the gateway: nobody can make it without the secret, nor that of another."""
    return hmac.new(deployment.secret.encode(), f"{experiment}-{attempt}".encode(), sha256).hexdigest()
