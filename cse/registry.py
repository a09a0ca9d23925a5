"""The resource types of a CSE: found by number or short name, and checked to fit together at start."""

from collections.abc import Iterable

from cse.record import Record
from cse.schema import ResourceType


class Registry:
    """An immutable set of resource types. Raises ValueError when two of them claim the same number, name or attribute."""

    def __init__(self, types: Iterable[ResourceType]) -> None:
        self.types = tuple(sorted(types, key=lambda found: found.ty))
        self._by_ty = {found.ty: found for found in self.types}
        self._by_short = {found.short: found for found in self.types}
        if not len(self.types) == len(self._by_ty) == len(self._by_short):
            raise ValueError("two resource types have the same number or short name")
        self.forms = tuple(form for found in self.types for form in (found, *(found.special.kinds.values() if found.special else ())))
        """Every type with its specialisations."""
        for found in self.forms:
            names = [attribute.short for attribute in found.attributes]
            if len(names) != len(set(names)):
                raise ValueError(f"{found.name} has two attributes of one short name")
            if clash := found.virtual.keys() & set(names):
                raise ValueError(f"{found.name} has a virtual child and an attribute called {clash.pop()}")
        self.instances = frozenset(found.ty for found in self.types if found.instance)
        self.inheriting = frozenset(found.ty for found in self.types if "acpi" not in {attribute.short for attribute in found.attributes})
        """Types without accessControlPolicyIDs: their parent decides who may do what (TS-0004 7.3.3.15)."""
        self.numbers = tuple(self._by_ty)

    def get(self, ty: int) -> ResourceType | None:
        """Give the type with this number, None when this CSE does not implement it."""
        return self._by_ty.get(ty)

    def of(self, record: Record) -> ResourceType:
        """Give the type of a stored resource, specialised where it has forms."""
        kind = self._by_ty[record.ty]
        return kind if kind.special is None else kind.special.of(record, kind)

    def named(self, short: str) -> ResourceType | None:
        """Give the type with this short name, such as ``m2m:cnt``."""
        return self._by_short.get(short)

    def may_contain(self, parent: Record, child: ResourceType) -> bool:
        """Tell whether the standard's child tables allow ``child`` below ``parent``."""
        return self._by_ty[parent.ty].tag in child.parents

    def children_of(self, parent: ResourceType) -> frozenset[int]:
        """Give the numbers of the implemented types that may be children of ``parent``."""
        return frozenset(found.ty for found in self.types if parent.tag in found.parents)
