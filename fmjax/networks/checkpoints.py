"""The state of a training on disk, so that an interrupted one goes on; orbax writes it whole or not at all."""

import json
from pathlib import Path
from typing import Any

import jax
import orbax.checkpoint as ocp

from fmjax.checks import require_place


class Checkpoints:
    """A directory of checkpoints of one training.

    Args:
        directory: made if missing.
        identity: all that decides the result, as JSON values. It is kept beside the state.

    Raises:
        ValueError: the directory holds checkpoints of another training, or cannot be made.
    """

    def __init__(self, directory: Path, identity: dict[str, Any]):
        require_place("a directory of checkpoints", directory)
        self._identity = json.loads(json.dumps(identity))
        # Relative names would be resolved by orbax in another thread, perhaps in another working directory.
        self._manager = ocp.CheckpointManager(
            directory.resolve(), options=ocp.CheckpointManagerOptions(max_to_keep=2, enable_async_checkpointing=False)
        )
        newest = self._manager.latest_step()
        if newest is not None:
            found = self._manager.restore(newest, args=ocp.args.Composite(identity=ocp.args.JsonRestore()))["identity"]
            differing = [name for name, value in self._identity.items() if found.get(name) != value]
            if differing:
                self._manager.close()
                raise ValueError(
                    f"{directory} holds checkpoints of another training (different {', '.join(differing)}); "
                    "choose another directory"
                )

    def restore(self, state: Any) -> tuple[int, Any]:
        """Epochs done and the state after them; 0 and ``state`` itself if there is no checkpoint."""
        newest = self._manager.latest_step()
        if newest is None:
            return 0, state
        leaves, structure = jax.tree.flatten(state)
        wanted = ocp.args.Composite(state=ocp.args.StandardRestore(leaves))
        return newest, jax.tree.unflatten(structure, self._manager.restore(newest, args=wanted)["state"])

    def save(self, epochs: int, state: Any) -> None:
        """Keep the state after so many epochs."""
        content = ocp.args.Composite(
            state=ocp.args.StandardSave(jax.tree.leaves(state)), identity=ocp.args.JsonSave(self._identity)
        )
        self._manager.save(epochs, args=content)

    def close(self) -> None:
        """Finish writing."""
        self._manager.close()
