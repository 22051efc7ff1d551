"""One of each kind, as it should be: the tests of the conformance kit spoil a copy of it, one line at a time."""
