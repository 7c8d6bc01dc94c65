"""The twin's figures as DataFrames, from anywhere: `pip install fabriquay[client]`.

    from twin.client import Twin
    twin = Twin("http://twin.example:8000")
    twin.forecasts("factory", by="shift")

In: the address of the api, and a key where it wants one. Out: pandas or polars frames with times in UTC. Nothing here
knows the rest of the program: only the public API, whose document (`/openapi.json`) the tests hold it against.
"""

from twin.client.session import ApiProblem, Frames
from twin.client.twin import Twin

__all__ = ["ApiProblem", "Frames", "Twin"]
