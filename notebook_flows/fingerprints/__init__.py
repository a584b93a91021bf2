"""What a result was made of, as short texts: fingerprints of code, of values, and the keys that they make together.

A fingerprint is the same in every process, whatever its hash seed, and on every day; ``docs/caching.md`` says what changes
it. What has none raises `Unhashable`, with the reason: nothing is ever guessed.
"""

from notebook_flows.fingerprints.errors import Unhashable
from notebook_flows.fingerprints.keys import Fingerprints, key_of
from notebook_flows.fingerprints.walk import fingerprint, register

__all__ = ["Fingerprints", "Unhashable", "fingerprint", "key_of", "register"]
