"""The file: from `telepresence.yaml` to checked models with a position for every value.

The only home of pydantic and yaml. Importing this package imports neither, so that commands which
read no file start fast; import the module that is needed (``config.load``, ``config.schema``).
"""
