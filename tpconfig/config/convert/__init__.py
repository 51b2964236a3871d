"""Other tools' words, made into a ``telepresence.yaml`` that says what it could not take over."""
