"""A recording in AEDAT4 of a sensor of 9×12 pixels, written by iniVation's dv-processing 2.0."""

import base64
import zlib

CONTENT = zlib.decompress(
    base64.b64decode(
        "eNqNU8Fu00AQHYgJwQoIIQ49oMpdciyxqbggJZbSJlUjlBi1UQsSFyvelhXNrrVeRyofxA1xrXrjPzjwAfwCUsfr"
        "XUhdIzLSWvs8773x7Hqebw1Ghy+Gg9mrbvDQ7TQANgBgHB2MQIeL2IE2tHBXxmNcmw78iV93AXrJ0ltSmTHB+2Sn"
        "G5DQ9TB6XCTU4/GC9onI1ZifCuKlsfrYJ77BvqFW6cEtYrBK1fRYKel9ohd9MheLVNKsqE88dZGiQaYk42cknEbT"
        "Uc8vqP9UC8nOGI/PJyLJz+kU61dNJoKLPXwv4xPJFJVrGka5SnNVZ0iXlKvsPzaFZEizuWSpqulsL8+UWHhJrGKd"
        "8YQu113DdZxgeXbKqKyajo5nR7UGK3fD6u4x8FnlOmtqZ+wzfWdLMq5I+HKnrlqN7P0N2et1VCKX81snPzyu788v"
        "Glz5F1ew3ff8ZBnaMYCfuH6YeShODaCJU+LgE6AYjzau37ubGx23CfehHJgnwxLb+GbwA7gHdxCrfctvafz1oMRN"
        "k/8ytvzSo/WmxK7xv5yUuIUOOj+1edD6twY3DP8quvk93yOrdzT/g+lvfzbYrfZX5J9q1SPYxm4dRM+gg+jv+YSN"
        "ct827+x52DrXGyH7Ow=="
    )
)
"""12 events, without compression; the library that is tested writes no files."""
