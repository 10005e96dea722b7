"""The methods of tensors that are functions of `gpugrad.functions`, which enters them here. Their signatures are in methods.pyi."""


class Methods:
    """What a tensor inherits from the tables."""

    __slots__ = ()
