"""Positions on the earth."""

import json
from collections.abc import Mapping
from math import asin, cos, isfinite, radians, sin, sqrt
from typing import Any

from cse.codes import GeometryType

_RADIUS = 6_371_008.8
"""Mean radius of the earth in metres (IUGG)."""


def distance(latitude: float, longitude: float, other_latitude: float, other_longitude: float) -> float:
    """Give the great-circle distance in metres between two positions in degrees."""
    low, high = radians(latitude), radians(other_latitude)
    across = radians(other_longitude - longitude)
    half = sin((high - low) / 2) ** 2 + cos(low) * cos(high) * sin(across / 2) ** 2
    return 2 * _RADIUS * asin(min(1.0, sqrt(half)))


def position(location: Any) -> tuple[float, float] | None:
    """Give latitude and longitude of a ``loc`` attribute that is one point; None for anything else.

    ``loc`` is ``{"typ": 1, "crd": "[7.1, 50.7]"}`` or a list with one of these; GeoJSON writes the longitude first (RFC 7946 3.1.1).
    """
    place = location[0] if isinstance(location, list) and len(location) == 1 else location
    if not isinstance(place, Mapping) or place.get("typ") != GeometryType.POINT:
        return None
    try:
        longitude, latitude = json.loads(place["crd"])[:2]
        found = float(latitude), float(longitude)
    except (KeyError, OverflowError, RecursionError, TypeError, ValueError):
        return None
    return found if abs(found[0]) <= 90 and isfinite(found[1]) else None
