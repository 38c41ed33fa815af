"""A sweep that costs nothing, and its store, chunk by chunk."""

REQUEST = {"quantity": "first-moment", "block": 6, "grid": {"alpha": "0.1:0.9:9", "margin": [0.0, 0.1, 0.3, 0.7]}}


def tied(margins, axis="alpha", alpha=(0.2, 0.5)):
    """A request with margins along an axis."""
    return {"quantity": "first-moment", "grid": {"alpha": alpha, "margin": {"along": axis, "values": margins}}}


def files(path):
    """Every chunk of a store but those of the wall times, which no two runs share."""
    found = {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()}
    return {name: content for name, content in found.items() if not name.startswith("block_seconds/c")}
